"""Published network trackers in ONNX Runtime, to measure against.

Each runs its published files with its published settings. Where the published code forgets that it has
rounded a crop to whole pixels (NanoTrack), the crop is sampled exactly; where it goes on with the
rounded one, so do we.
"""

import importlib.util
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Features, Image
from slimtrack.box import Box
from slimtrack.confidence import Thresholds
from slimtrack.errors import InputError, MissingError
from slimtrack.integrations._model import Model
from slimtrack.networks.find import find_network
from slimtrack.tracker import Estimate, Track, Tracker

__all__ = ["FearXs", "NanoTrackV1", "NanoTrackV2", "NanoTrackV3", "OnnxTracker", "VitTrack"]

Color = tuple[float, ...]


class OnnxTracker(Tracker):
    """What the trackers here share: files, sessions of ONNX Runtime, raw scores.

    Their scores are the networks' own, not calibrated, and never make a target LOST.
    """

    thresholds = Thresholds(tracked=0.5, doubt=0.5, lost=0.0, found=0.0, patience=1)
    judged = False
    files: ClassVar[tuple[str, ...]] = ()
    """The network files it needs, as `find_network` names them."""
    any_size: ClassVar[bool] = False
    """Whether its networks are given areas of several sizes, also where their files name one."""

    def __init__(self, *, threads: int = 1) -> None:
        """Loads the networks.

        Args:
            threads: Threads of ONNX Runtime.
        """
        if threads < 1:
            raise InputError(f"option threads={threads} is not at least 1")
        self.require()
        self._networks = [Model.read(name, threads, self.any_size) for name in self.files]

    @classmethod
    def require(cls) -> None:
        """Refuses where ONNX Runtime or a network file is missing.

        Raises:
            MissingError: What is missing and how to get it.
        """
        if importlib.util.find_spec("onnxruntime") is None:
            raise MissingError(f"{cls.name} needs ONNX Runtime: run `pip install onnxruntime`")
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


class _Nano(OnnxTracker):
    """NanoTrack: a small siamese network with a depthwise correlation head, box by l, t, r, b.

    Attributes:
        cells: Cells of the response map along one side.
        influence: Weight of the cosine window against the penalised score.
        penalty: Strength of the penalty on changes of size and shape.
        rate: How fast the box's size follows, times score and penalty.
    """

    any_size = True

    cells: ClassVar[int] = 16
    influence: ClassVar[float]
    penalty: ClassVar[float]
    rate: ClassVar[float]

    def __init__(self, *, threads: int = 1) -> None:
        """Loads the networks.

        Args:
            threads: Threads of ONNX Runtime.
        """
        super().__init__(threads=threads)
        grid = (np.arange(self.cells, dtype=np.float32) - self.cells // 2) * 16
        self._grid = np.stack(np.meshgrid(grid, grid)).reshape(2, -1)
        hann = np.hanning(self.cells)
        self._window = (self.influence * np.outer(hann, hann)).astype(np.float32).ravel()

    def _start(self, image: Image, box: Box) -> None:
        self._border = tuple(cv2.mean(image)[:3])
        self._template = self._features(image, box, 127)

    def _features(self, image: Image, box: Box, side: int) -> Features:
        """The backbone's features of the square around the box, ``side`` network pixels wide."""
        extent = _with_context(box.w, box.h) * side / 127
        patch = _cut(image, Box.from_center(box.cx, box.cy, extent, extent), side, self._border)
        return self._networks[0].run({"input": _planes(patch)})[0]

    def _locate(self, image: Image) -> Estimate:
        last = self._place
        search = self._features(image, last, 255)
        logits, sides = self._networks[1].run({"input1": self._template, "input2": search})
        logits, sides = logits.reshape(2, -1), sides.reshape(4, -1)
        scores = 1 / (1 + np.exp(logits[0] - logits[1]))
        scale = 127 / _with_context(last.w, last.h)
        low, high = self._grid - sides[:2], self._grid + sides[2:]
        w, h = high - low
        penalties = np.exp(self.penalty * (1 - _change(w, h, last.w * scale, last.h * scale)))
        best = int(np.argmax(penalties * scores * (1 - self.influence) + self._window))
        dx, dy = (low[:, best] + high[:, best]) / 2 / scale
        rate = float(penalties[best] * scores[best]) * self.rate
        height, width = image.shape[:2]
        size = (
            min(max((1 - rate) * old + rate * float(new[best]) / scale, 10.0), limit)
            for old, new, limit in ((last.w, w, float(width)), (last.h, h, float(height)))
        )
        return Estimate(
            Box.from_center(last.cx + float(dx), last.cy + float(dy), *size), score=float(scores[best])
        )


class NanoTrackV1(_Nano, name="nanotrack-v1"):
    """NanoTrack v1 in ONNX Runtime (a small siamese network).

    Args:
        threads: Threads of ONNX Runtime.
    """

    files = ("nanotrackv1/backbone.onnx", "nanotrackv1/head.onnx")
    influence, penalty, rate = 0.462, 0.148, 0.390


class NanoTrackV2(_Nano, name="nanotrack-v2"):
    """NanoTrack v2 in ONNX Runtime (a small siamese network).

    Args:
        threads: Threads of ONNX Runtime.
    """

    files = ("nanotrackv2/backbone.onnx", "nanotrackv2/head.onnx")
    influence, penalty, rate = 0.490, 0.150, 0.385


class NanoTrackV3(_Nano, name="nanotrack-v3"):
    """NanoTrack v3 in ONNX Runtime (a small siamese network).

    Args:
        threads: Threads of ONNX Runtime.
    """

    files = ("nanotrackv3/backbone.onnx", "nanotrackv3/head.onnx")
    cells = 15
    influence, penalty, rate = 0.455, 0.138, 0.348


class FearXs(OnnxTracker, name="fear-xs"):
    """FEAR-XS in ONNX Runtime (a siamese network with pixel-wise correlation).

    Args:
        threads: Threads of ONNX Runtime.
    """

    files = ("fear_xs/template.onnx", "fear_xs/search.onnx")

    def _start(self, image: Image, box: Box) -> None:
        self._border = tuple(cv2.mean(image)[:3])
        patch = _cut(image, _extended(box, 0.2), 128, self._border)
        self._template = self._networks[0].run({"image": _planes(patch, rgb=True)})[0]

    def _locate(self, image: Image) -> Estimate:
        area = _extended(self._place, 2.0)
        patch = _planes(_cut(image, area, 256, self._border), rgb=True)
        sides, logits = self._networks[1].run({"image": patch, "template_features": self._template})
        row, column = divmod(int(np.argmax(logits)), 16)
        left, top, right, bottom = sides[0, :, row, column].tolist()
        at = (column - 8) * 16 + 128, (row - 8) * 16 + 128
        sx, sy = area.w / 256, area.h / 256
        box = Box(
            area.x + (at[0] - left) * sx,
            area.y + (at[1] - top) * sy,
            (left + right) * sx,
            (top + bottom) * sy,
        )
        score = 1 / (1 + math.exp(-float(logits[0, 0, row, column])))
        return Estimate(Box(*(float(round(value)) for value in box)), score=score)


class VitTrack(OnnxTracker, name="vittrack"):
    """VitTrack in ONNX Runtime (a small one-stream vision transformer, its first release).

    Args:
        threads: Threads of ONNX Runtime.
    """

    files = ("vittrack/vittrack.onnx",)
    cells: ClassVar[int] = 16
    least: ClassVar[float] = 0.20
    """Below this windowed score the box is kept."""

    def __init__(self, *, threads: int = 1) -> None:
        """Loads the network.

        Args:
            threads: Threads of ONNX Runtime.
        """
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
        planes = _planes(_cut(image, area, side, (0, 0, 0)), rgb=True)
        planes *= _IMAGENET.scale
        planes += _IMAGENET.shift
        return planes

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
    """Brings RGB in 0..255 to ``(pixel / 255 - mean) / std``."""
    m, s = (np.array(v, np.float32).reshape(3, 1, 1) for v in (mean, std))
    return _Normalisation((1 / (255 * s)).astype(np.float32), -m / s)


_COPIED = 2.0**24
"""Most pixels of an area that is copied and resized; a larger one is sampled in the frame, without a copy."""

_IMAGENET = _normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def _cut(image: Image, area: Box, side: int, border: Color) -> Image:
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


def _planes(patch: Image, *, rgb: bool = False) -> Features:
    """A patch as a network's input ``(1, 3, h, w)`` float32 in 0..255, planes BGR or RGB."""
    return np.asarray(cv2.dnn.blobFromImage(patch, swapRB=rgb))


def _extended(box: Box, share: float) -> Box:
    """The box with ``share`` of its sides more on every side, in whole pixels."""
    left, top = int(box.x - share * box.w), int(box.y - share * box.h)
    w, h = int(box.w * (1 + 2 * share)), int(box.h * (1 + 2 * share))
    return Box(left, top, max(w, 1), max(h, 1))


def _with_context(w: Any, h: Any) -> Any:
    """Side of the square that holds a box and half the sum of its sides as context."""
    context = (w + h) / 2
    return ((w + context) * (h + context)) ** 0.5


def _change(w: Features, h: Features, last_w: float, last_h: float) -> Features:
    """Change of size times change of shape against the last box, each >= 1 (a factor either way)."""
    w, h = np.maximum(w, 1e-3), np.maximum(h, 1e-3)
    size = _with_context(w, h) / _with_context(last_w, last_h)
    shape = (last_w / last_h) / (w / h)
    return np.asarray(np.maximum(size, 1 / size) * np.maximum(shape, 1 / shape))
