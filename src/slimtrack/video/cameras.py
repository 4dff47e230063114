"""Frames from a camera of this machine, through OpenCV, which supports every system."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

from slimtrack._cv2 import cv2, silent_cv2
from slimtrack.errors import SourceError
from slimtrack.video.converting import Converter
from slimtrack.video.feed import Broken, Feed, Frame

__all__ = ["camera"]


def camera(number: int) -> Feed:
    """The feed of a camera; times are seconds of this machine's clock since the first frame.

    Raises:
        SourceError: The camera cannot be opened.
    """
    with silent_cv2():
        capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        capture.release()
        raise SourceError(
            f"camera {number} cannot be opened: check that it is connected, not in use and permitted"
        )
    fps = float(capture.get(cv2.CAP_PROP_FPS)) or None
    label = f"camera {number}"
    feed = Feed(f"camera{number}", label, iter(()), label, fps, timed=True, close=capture.release)
    feed.items = _grabbed(capture, Converter(feed.notes))
    return feed


def _grabbed(capture: Any, converter: Converter) -> Iterator[Frame | Broken]:
    begin: float | None = None
    for number in itertools.count():
        if not capture.isOpened():
            return
        fine, image = capture.read()
        if not fine:
            yield Broken(number, "the camera gave no picture")
            continue
        now = time.monotonic()
        begin = now if begin is None else begin
        yield Frame(converter(image, "the camera's picture"), number, now - begin)
