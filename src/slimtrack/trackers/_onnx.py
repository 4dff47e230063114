"""What trackers share that are a network run as it is: its files, and crops of a frame."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Features, Image
from slimtrack.box import Box
from slimtrack.confidence import Thresholds
from slimtrack.networks.find import find_network
from slimtrack.tracker import Track, Tracker
from slimtrack.trackers._model import Model, require_onnxruntime
from slimtrack.trackers._options import Threads

__all__ = ["Color", "OnnxTracker", "cut", "planes", "with_context"]

Color = tuple[float, ...]


class OnnxTracker(Tracker):
    """A tracker that is networks in ONNX Runtime: files, sessions, raw scores.

    Their scores are the networks' own, not calibrated, and never make a target LOST.
    """

    thresholds = Thresholds(tracked=0.5, doubt=0.5, lost=0.0, found=0.0, patience=1)
    uses_appearance = False
    files: ClassVar[tuple[str, ...]] = ()
    """The network files it needs, as `find_network` names them."""
    any_size: ClassVar[bool] = False
    """Whether its networks are given areas of several sizes, also where their files name one."""

    def __init__(self, *, threads: Threads = 1) -> None:
        self.require()
        self._networks = [Model.read(name, threads, self.any_size) for name in self.files]

    @classmethod
    def require(cls) -> None:
        """Refuses where ONNX Runtime or a network file is missing.

        Raises:
            MissingError: What is missing and how to get it.
        """
        require_onnxruntime(cls.name)
        cls.reads({})

    @classmethod
    def reads(cls, options: Mapping[str, Any]) -> list[Path]:
        """Its network files.

        Raises:
            MissingError: One is not here.
        """
        return [find_network(file) for file in cls.files]

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        """Nothing: the template of the first frame is kept."""


_COPIED = 2.0**24
"""Most pixels of an area that is copied and resized; a larger one is sampled in the frame, without a copy."""


def cut(image: Image, area: Box, side: int, border: Color) -> Image:
    """The area of the frame as a patch of ``side`` x ``side``, bilinear, ``border`` colour outside."""
    if area.area <= _COPIED and all(float(value).is_integer() for value in area):
        return np.asarray(cv2.resize(_padded(image, area, border), (side, side)))
    sx, sy = area.w / side, area.h / side
    # Pixel j of the patch has its centre at x + (j + 0.5) sx; cv2 counts from the pixels' centres.
    matrix = np.array([[sx, 0, area.x + sx / 2 - 0.5], [0, sy, area.y + sy / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(
        image, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=border
    )
    return np.asarray(patch)


def _padded(image: Image, area: Box, border: Color) -> Image:
    """An area of whole pixels; a view where it lies inside the frame."""
    height, width = image.shape[:2]
    x, y, right, bottom = (int(value) for value in (area.x, area.y, area.right, area.bottom))
    inside = image[min(max(y, 0), height) : max(bottom, 0), min(max(x, 0), width) : max(right, 0)]
    if inside.shape[:2] == (bottom - y, right - x):
        return inside
    if not inside.size:
        return np.full((bottom - y, right - x, 3), border, np.uint8)
    top, left = max(-y, 0), max(-x, 0)
    below, beside = bottom - y - top - inside.shape[0], right - x - left - inside.shape[1]
    return np.asarray(cv2.copyMakeBorder(inside, top, below, left, beside, cv2.BORDER_CONSTANT, value=border))


def planes(patch: Image, *, rgb: bool = False) -> Features:
    """A patch as a network's input ``(1, 3, h, w)`` float32 in 0..255, planes BGR or RGB."""
    result = np.empty((1, 3, *patch.shape[:2]), np.float32)
    order = reversed(cv2.split(patch)) if rgb else cv2.split(patch)
    for plane, values in zip(result[0], order, strict=True):  # faster than blobFromImage
        plane[...] = values
    return result


def with_context(w: Any, h: Any) -> Any:
    """Side of the square that holds a box and half the sum of its sides as context."""
    context = (w + h) / 2
    return ((w + context) * (h + context)) ** 0.5
