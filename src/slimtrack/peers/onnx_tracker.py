"""Published network trackers, run by ONNX Runtime, for comparison.

Each runs its published files with its published settings. NanoTrack's code rounds its crop to whole pixels
but computes with the exact crop, so here the crop is sampled exactly. Trackers that compute with the rounded
crop do so here too.
"""

import math
from typing import ClassVar, NamedTuple

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Features, Image
from slimtrack.box import Box
from slimtrack.networks.catalogue import files_of
from slimtrack.tracker import Estimate
from slimtrack.trackers._online import Online, Searched
from slimtrack.trackers._onnx import Color, OnnxTracker, cut, planes, with_context
from slimtrack.trackers._options import Threads
from slimtrack.trackers._siamese import SiameseTracker, eased, rank

__all__ = ["FearXs", "NanoTrackV1", "NanoTrackV2", "NanoTrackV3", "VitTrack"]


class _Nano(SiameseTracker):
    """NanoTrack: a small siamese network with a depthwise correlation head, box by l, t, r, b.

    Attributes:
        cells: Cells of the response map along one side.
        influence: Weight of the cosine window against the penalised score.
        penalty: Strength of the penalty on changes of size and shape.
        rate: How fast the box's size adapts, multiplied by score and penalty.
    """

    any_size = True

    cells: ClassVar[int] = 16
    influence: ClassVar[float]
    penalty: ClassVar[float]
    rate: ClassVar[float]

    def __init__(self, *, threads: Threads = 1, online: Online = "none") -> None:
        super().__init__(threads=threads, online=online)
        grid = (np.arange(self.cells, dtype=np.float32) - self.cells // 2) * 16
        self._grid = np.stack(np.meshgrid(grid, grid)).reshape(2, -1)
        hann = np.hanning(self.cells)
        self._window = np.outer(hann, hann).astype(np.float32).ravel()

    def _start(self, image: Image, box: Box) -> None:
        super()._start(image, box)
        self._border = tuple(cv2.mean(image)[:3])
        self._template = self._features(image, _square(box, 127), 127)

    def _features(self, image: Image, area: Box, side: int) -> Features:
        """The backbone's features of a square of the frame, seen with ``side`` network pixels."""
        return self._networks[0].run({"input": planes(cut(image, area, side, self._border))})[0]

    def _locate(self, image: Image) -> Estimate:
        last = self._place
        area = _square(last, 255)
        search = self._features(image, area, 255)
        logits, sides = self._networks[1].run({"input1": self._template, "input2": search})
        logits, sides = logits.reshape(2, -1), sides.reshape(4, -1)
        scores = 1 / (1 + np.exp(logits[0] - logits[1]))
        step = with_context(last.w, last.h) / 127
        sizes, weights = (last.w, last.h), (self.influence, self.penalty)
        ranked = rank(scores, sides, self._grid, self._window, weights, sizes, (0.0, 0.0), step)
        ranks, _, dx, dy, _, _ = ranked
        best = self._best(Searched(image, last, area), ranks, dx, dy)
        return Estimate(eased(image, last, ranked, best, self.rate, 10.0), score=float(scores[best]))


class NanoTrackV1(_Nano, name="nanotrack-v1"):
    """NanoTrack v1 in ONNX Runtime (a small siamese network)."""

    files = files_of("nanotrackv1")
    influence, penalty, rate = 0.462, 0.148, 0.390


class NanoTrackV2(_Nano, name="nanotrack-v2"):
    """NanoTrack v2 in ONNX Runtime (a small siamese network)."""

    files = files_of("nanotrackv2")
    influence, penalty, rate = 0.490, 0.150, 0.385


class NanoTrackV3(_Nano, name="nanotrack-v3"):
    """NanoTrack v3 in ONNX Runtime (a small siamese network)."""

    files = files_of("nanotrackv3")
    cells = 15
    influence, penalty, rate = 0.455, 0.138, 0.348


class FearXs(SiameseTracker, name="fear-xs"):
    """FEAR-XS in ONNX Runtime (a siamese network with pixel-wise correlation)."""

    files = files_of("fear_xs")

    def __init__(self, *, threads: Threads = 1, online: Online = "none") -> None:
        super().__init__(threads=threads, online=online)
        line = (np.arange(16, dtype=np.float32) - 8) * 16
        self._grid = np.stack(np.meshgrid(line, line)).reshape(2, -1)

    def _start(self, image: Image, box: Box) -> None:
        super()._start(image, box)
        self._border = tuple(cv2.mean(image)[:3])
        patch = cut(image, _extended(box, 0.2), 128, self._border)
        self._template = self._networks[0].run({"image": planes(patch, rgb=True)})[0]

    def _locate(self, image: Image) -> Estimate:
        area = _extended(self._place, 2.0)
        patch = planes(cut(image, area, 256, self._border), rgb=True)
        sides, logits = self._networks[1].run({"image": patch, "template_features": self._template})
        sx, sy = area.w / 256, area.h / 256
        left, top, right, bottom = sides[0].reshape(4, -1)
        dx = (self._grid[0] + (right - left) / 2) * sx + area.cx - self._place.cx
        dy = (self._grid[1] + (bottom - top) / 2) * sy + area.cy - self._place.cy
        scores = 1 / (1 + np.exp(-logits.ravel()))
        best = self._best(Searched(image, self._place, area), scores, dx, dy)
        row, column = divmod(best, 16)
        left, top, right, bottom = sides[0, :, row, column].tolist()
        at = (column - 8) * 16 + 128, (row - 8) * 16 + 128
        box = Box(
            area.x + (at[0] - left) * sx,
            area.y + (at[1] - top) * sy,
            (left + right) * sx,
            (top + bottom) * sy,
        )
        score = 1 / (1 + math.exp(-float(logits[0, 0, row, column])))
        return Estimate(Box(*(float(round(value)) for value in box)), score=score)


class VitTrack(OnnxTracker, name="vittrack"):
    """VitTrack in ONNX Runtime (a small one-stream vision transformer, its first release)."""

    files = files_of("vittrack")
    cells: ClassVar[int] = 16
    least: ClassVar[float] = 0.20
    """Windowed score below which the box does not change."""

    def __init__(self, *, threads: Threads = 1) -> None:
        super().__init__(threads=threads)
        hann = np.hanning(self.cells + 2)[1:-1]
        self._window = np.outer(hann, hann).astype(np.float32)

    def _start(self, image: Image, box: Box) -> None:
        self._template = self._input(image, self._area(box, 2), 128)

    def _area(self, box: Box, factor: float) -> Box:
        """The square around the box, ``factor`` times the side of a square of its area, in whole pixels."""
        side = math.ceil(factor * math.sqrt(box.w * box.h))
        left, top = box.x + int((box.w - side) / 2), box.y + int((box.h - side) / 2)
        return Box(int(left), int(top), side, side)

    def _input(self, image: Image, area: Box, side: int) -> Features:
        """The area as RGB, normalised as for ImageNet."""
        picture = planes(cut(image, area, side, (0, 0, 0)), rgb=True)
        picture *= _IMAGENET.scale
        picture += _IMAGENET.shift
        return picture

    def _locate(self, image: Image) -> Estimate:
        area = self._area(self._place, 4)
        search = self._input(image, area, 256)
        scores, sizes, offsets = self._networks[0].run({"template": self._template, "search": search})
        windowed = scores[0, 0] * self._window
        row, column = divmod(int(np.argmax(windowed)), self.cells)
        score = float(scores[0, 0, row, column])
        if windowed[row, column] < self.least:
            return Estimate(self._place, score=score)
        dx, dy = offsets[0, :, row, column].tolist()
        w, h = (sizes[0, :, row, column] * area.w).tolist()
        cell = area.w / self.cells
        box = Box.from_center(area.x + (column + dx) * cell, area.y + (row + dy) * cell, w, h)
        return Estimate(Box(*(float(int(value)) for value in box)), score=score)


class _Normalisation(NamedTuple):
    """``pixel * scale + shift`` per plane, shaped (3, 1, 1)."""

    scale: Features
    shift: Features


def _normalisation(mean: Color, std: Color) -> _Normalisation:
    """Converts RGB in 0..255 to ``(pixel / 255 - mean) / std``."""
    m, s = (np.array(v, np.float32).reshape(3, 1, 1) for v in (mean, std))
    return _Normalisation((1 / (255 * s)).astype(np.float32), -m / s)


_IMAGENET = _normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def _square(box: Box, side: int) -> Box:
    """The square around the box that is ``side`` network pixels wide where the template has 127."""
    extent = with_context(box.w, box.h) * side / 127
    return Box.from_center(box.cx, box.cy, extent, extent)


def _extended(box: Box, share: float) -> Box:
    """The box, enlarged by ``share`` of its sides on every side, in whole pixels."""
    left, top = int(box.x - share * box.w), int(box.y - share * box.h)
    w, h = int(box.w * (1 + 2 * share)), int(box.h * (1 + 2 * share))
    return Box(left, top, max(w, 1), max(h, 1))
