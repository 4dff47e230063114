"""`slim` and `slim-large`: the networks that come with slimtrack, as trackers."""

import math
from typing import ClassVar

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Features, Image
from slimtrack.box import Box
from slimtrack.confidence import Thresholds
from slimtrack.filters.response import evidence
from slimtrack.networks.catalogue import files_of
from slimtrack.tracker import Estimate
from slimtrack.trackers._beside import Online
from slimtrack.trackers._onnx import change, cut, planes
from slimtrack.trackers._options import Threads
from slimtrack.trackers._siamese import SiameseTracker

__all__ = ["Slim", "SlimLarge"]

_STRIDE = 16
"""Pixels of the search image per cell."""
_APART = 2
"""Cells around the best one that show the same object."""
_LEAST = 4.0
"""Smallest side of a box in frame pixels."""


class _Slim(SiameseTracker):
    """A siamese network: template of twice, search of four times the target's side (of a square of its area).

    Attributes:
        template, search: Sides of the two images in pixels.
        influence: Weight of the cosine window against the penalised score.
        penalty: Strength of the penalty on changes of size and shape.
        rate: How fast the box's size adapts, multiplied by score and penalty.
    """

    template: ClassVar[int]
    search: ClassVar[int]
    thresholds = Thresholds()
    uses_appearance = True
    influence: ClassVar[float] = 0.3
    penalty: ClassVar[float] = 0.1
    rate: ClassVar[float] = 0.6

    def __init__(self, *, threads: Threads = 1, online: Online = "none") -> None:
        super().__init__(threads=threads, online=online)
        cells = self.search // _STRIDE
        line = (np.arange(cells, dtype=np.float32) + 0.5) * _STRIDE - self.search / 2
        self._grid = np.stack(np.meshgrid(line, line)).reshape(2, -1)
        hann = np.hanning(cells + 2)[1:-1]
        self._window = (self.influence * np.outer(hann, hann)).astype(np.float32).ravel()

    def _start(self, image: Image, box: Box) -> None:
        super()._start(image, box)
        self._border = tuple(cv2.mean(image)[:3])
        area = _around(box, 2.0)
        picture = planes(cut(image, area, self.template, self._border), rgb=True)
        mask = _covered(box, area, self.template // _STRIDE)
        cells, kernel = self._networks[0].run({"image": picture, "mask": mask})
        self._target = {"cells": cells, "kernel": kernel}

    def _locate(self, image: Image) -> Estimate:
        last = self._place
        area = _around(last, 4.0)
        picture = planes(cut(image, area, self.search, self._border), rgb=True)
        scores, sides = self._networks[1].run({"image": picture, **self._target})
        # From here on in frame pixels, relative to the middle of the area.
        step = area.w / self.search
        sides, grid = sides.reshape(4, -1), self._grid
        low, high = (grid - sides[:2]) * np.float32(step), (grid + sides[2:]) * np.float32(step)
        scores, (w, h), (dx, dy) = scores.ravel(), high - low, (low + high) / 2
        penalties = np.exp(self.penalty * (1 - change(w, h, last.w, last.h)))
        ranks = penalties * scores * (1 - self.influence) + self._window
        best = self._best(image, ranks, dx, dy)
        rate = min(float(penalties[best] * scores[best]) * self.rate, 1.0)
        size = (
            min(max((1 - rate) * old + rate * float(new[best]), _LEAST), float(limit))
            for old, new, limit in zip((last.w, last.h), (w, h), image.shape[1::-1], strict=True)
        )
        box = Box.from_center(last.cx + float(dx[best]), last.cy + float(dy[best]), *size)
        clear = evidence(scores.reshape(self.search // _STRIDE, -1), _APART)
        return Estimate(box, clear | {"peak": float(scores[best])})


class Slim(_Slim, name="slim"):
    """A small siamese network that comes with slimtrack (trained by `slimtrack distill slim`)."""

    files = files_of("slim")
    template, search = 112, 224


class SlimLarge(_Slim, name="slim-large"):
    """A larger siamese network (trained by `slimtrack distill slim[design=slim-large]`)."""

    files = files_of("slim-large")
    template, search = 128, 256


def _around(box: Box, factor: float) -> Box:
    """The square around the box, with ``factor`` times the side of a square of its area."""
    side = factor * math.sqrt(box.w * box.h)
    return Box.from_center(box.cx, box.cy, side, side)


def _covered(box: Box, area: Box, cells: int) -> Features:
    """Share of each cell of the area that the box covers: ``(1, 1, cells, cells)`` float32."""
    edges = np.arange(cells)
    shares = []
    for low, high, start, side in ((box.x, box.right, area.x, area.w), (box.y, box.bottom, area.y, area.h)):
        low, high = (low - start) / side * cells, (high - start) / side * cells
        shares.append((np.minimum(high, edges + 1) - np.maximum(low, edges)).clip(0))
    return np.outer(shares[1], shares[0]).astype(np.float32)[None, None]
