"""Where to begin and end in a source: frames by number, or seconds."""

import math
import operator
from collections.abc import Iterable

from slimtrack.errors import InputError
from slimtrack.video.feed import TOLERANCE, Feed, Mark

__all__ = ["check_order", "check_timed", "mark_of"]


def mark_of(what: str, mark: Mark, fps: float | None) -> Mark:
    """A place as a frame number; as seconds if no frame rate is stated that converts them.

    Raises:
        InputError: It is neither.
    """
    try:
        place: Mark = operator.index(mark)  # type: ignore[arg-type]  # a float has none
    except TypeError:
        try:
            place = float(mark)
        except (TypeError, ValueError):
            place = math.nan
    if isinstance(mark, bool) or not 0 <= place < math.inf:
        raise InputError(
            f"{what} is {mark!r}, not a frame's number (a whole number from 0 on) or seconds (a float)"
        )
    if isinstance(place, float):
        return place if fps is None else math.ceil((place - TOLERANCE) * fps) if place else 0
    return place


def check_order(start: Mark, end: Mark | None) -> None:
    """Refuses an end that is known to come before the start.

    Raises:
        InputError: It does.
    """
    if end is None or (type(start) is not type(end) and start):
        return  # a number and seconds: the order is only known once the frames are read
    if end <= start:
        raise InputError(f"end ({end}) is not after start ({start}): no frame is between them")


def check_timed(feed: Feed, marks: Iterable[Mark | None]) -> None:
    """Refuses seconds in a source that has no times.

    Raises:
        InputError: It has none.
    """
    if not feed.timed and any(isinstance(mark, float) for mark in marks):
        raise InputError(
            f"{feed.label} has no times: give start and end as frame numbers, or its frames a second (fps)"
        )
