"""`slim` and `slim-large`: the networks that come with slimtrack, as trackers."""

import math
from typing import ClassVar

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Features, Image
from slimtrack.box import Box
from slimtrack.confidence import Thresholds
from slimtrack.lookout import Trail
from slimtrack.networks.catalogue import files_of
from slimtrack.search import View
from slimtrack.tracker import Estimate
from slimtrack.trackers._beside import Online
from slimtrack.trackers._onnx import cut, planes
from slimtrack.trackers._options import Threads
from slimtrack.trackers._siamese import SiameseTracker, rank

__all__ = ["Slim", "SlimLarge"]

_STRIDE = 16
"""Pixels of the search image per cell."""
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
    uses_appearance = True
    newest = 0.8  # its answer of one frame says about as much as a mean over several
    lookout = Trail
    influence: ClassVar[float] = 0.3
    penalty: ClassVar[float] = 0.1
    rate: ClassVar[float] = 0.6

    def __init__(self, *, threads: Threads = 1, online: Online = "none") -> None:
        super().__init__(threads=threads, online=online)
        cells = self.search // _STRIDE
        line = (np.arange(cells, dtype=np.float32) + 0.5) * _STRIDE - self.search / 2
        self._grid = np.stack(np.meshgrid(line, line)).reshape(2, -1)
        hann = np.hanning(cells + 2)[1:-1]
        self._window = np.outer(hann, hann).astype(np.float32).ravel()

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
        patch = cut(image, area, self.search, self._border)
        scores, sides = self._networks[1].run({"image": planes(patch, rgb=True), **self._target})
        ranked = rank(
            scores.ravel(),
            sides.reshape(4, -1),
            self._grid,
            self._window,
            (self.influence, self.penalty),
            (last.w, last.h),
            (area.cx - last.cx, area.cy - last.cy),
            area.w / self.search,
        )
        ranks, held, dx, dy, w, h = ranked
        best = self._best(image, ranks, dx, dy)
        rate = min(float(held[best]) * self.rate, 1.0)
        size = (
            min(max((1 - rate) * old + rate * float(new[best]), _LEAST), float(limit))
            for old, new, limit in zip((last.w, last.h), (w, h), image.shape[1::-1], strict=True)
        )
        box = Box.from_center(last.cx + float(dx[best]), last.cy + float(dy[best]), *size)
        view = View(patch, area) if area.w <= 2 * self.search else None
        return Estimate(box, {"peak": float(scores.flat[best])} | self._seen_beside(), view=view)


class Slim(_Slim, name="slim"):
    """A small siamese network that comes with slimtrack (trained by `slimtrack distill slim`)."""

    files = files_of("slim")
    # Higher than for trackers that learn: doubt costs a network nothing.
    thresholds = Thresholds(tracked=0.7, doubt=0.6, found=0.6, learned=0.3)
    template, search = 112, 224


class SlimLarge(_Slim, name="slim-large"):
    """A larger siamese network (trained by `slimtrack distill slim[design=slim-large]`)."""

    files = files_of("slim-large")
    thresholds = Thresholds(tracked=0.85, doubt=0.8, found=0.7, learned=0.3)
    template, search = 128, 256


def _around(box: Box, factor: float) -> Box:
    """The square around the box, with ``factor`` times the side of a square of its area, in whole pixels.

    Whole pixels are resized four times as fast as others are sampled.
    """
    side = max(round(factor * math.sqrt(box.w * box.h)), 1)
    return Box(round(box.cx - side / 2), round(box.cy - side / 2), side, side)


def _covered(box: Box, area: Box, cells: int) -> Features:
    """Share of each cell of the area that the box covers: ``(1, 1, cells, cells)`` float32."""
    edges = np.arange(cells)
    shares = []
    for low, high, start, side in ((box.x, box.right, area.x, area.w), (box.y, box.bottom, area.y, area.h)):
        low, high = (low - start) / side * cells, (high - start) / side * cells
        shares.append((np.minimum(high, edges + 1) - np.maximum(low, edges)).clip(0))
    return np.outer(shares[1], shares[0]).astype(np.float32)[None, None]
