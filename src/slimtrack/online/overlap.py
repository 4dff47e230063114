"""Predicts how well boxes overlap the target, and moves them to a higher overlap (ATOM; paper 003, 3.1).

This is the head of a network of the ATOM family, in numpy. Features of the target in the reference frame
give modulation vectors, by which the channels of the features pooled from boxes in the searched frame are
multiplied. The vectors do not change while a target is tracked, so they are multiplied into the weights once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from slimtrack.arrays import AnyArray, Features, Floats
from slimtrack.errors import InputError
from slimtrack.networks.importers.npz import read_npz
from slimtrack.networks.sources import read_bytes
from slimtrack.online.pooling import pool, pool_slopes, pool_standard

__all__ = ["STRIDES", "Head", "Pooling", "Predictor", "SearchMaps", "refined"]

STRIDES = 8, 16
"""Pixels per cell of blocks 3 and 4; the centre of the first cell is at pixel 0."""
_REFERENCE_BINS = 3, 1
_BINS = 5, 3
_BLOCKS = "3", "4"
_ARRAYS = tuple(
    f"{name}_{kind}"
    for name in ("reference3", "modulation3", "modulation4", "overlap3", "overlap4")
    for kind in "wb"
)


Pooling = Literal["precise", "standard"]
Pool = Callable[[Floats, Floats, Floats], None]
_POOLINGS: Mapping[Pooling, Pool] = {"precise": pool, "standard": pool_standard}


@dataclass(frozen=True)
class Head:
    """The fixed weights behind the pooling, by name as in the file ``head.npz`` (docs/paper-003.md).

    Attributes:
        weights: Matrices ``NAME_w`` (outputs, inputs) and vectors ``NAME_b``.
    """

    weights: Mapping[str, Floats]

    def __post_init__(self) -> None:
        last = "box" if "box_w" in self.weights else "iou"
        for name in (*_ARRAYS, f"{last}_w", f"{last}_b"):
            if name not in self.weights:
                raise InputError(f"the head of an overlap network has no {name}: export it again")

    @classmethod
    def read(cls, path: Path) -> "Head":
        """Reads ``head.npz``.

        Raises:
            InputError: It cannot be read, or something is missing in it.
        """
        arrays = read_npz(read_bytes(path), f"network file {path}")
        try:
            return cls({name: np.asarray(array, np.float32) for name, array in arrays.items()})
        except InputError as error:
            raise InputError(f"network file {path}: {error}") from error
        except ValueError as error:  # arrays of text, say
            raise InputError(f"network file {path} holds arrays that are no numbers") from error

    @property
    def gives_boxes(self) -> bool:
        """Whether it says a box (DRNet) and not an overlap (ATOM)."""
        return "box_w" in self.weights

    def modulated(
        self, references: Sequence[Features], box: AnyArray, pooling: Pooling = "precise"
    ) -> "Predictor":
        """The predictor of one target.

        Args:
            references: ``(C, h, w)`` of blocks 3 and 4: what the reference branch makes of the first frame.
            box: Left, top, right, bottom of the target in it, pixels.
            pooling: Of boxes, here and in later frames. Standard pooling has no slopes.
        """
        at, pool_ = np.asarray(box, np.float32).reshape(1, 4), _POOLINGS[pooling]
        pooled = [
            _pooled(pool_, np.moveaxis(maps, 0, 2), at / np.float32(stride), bins)
            .transpose(0, 3, 1, 2)
            .ravel()
            for maps, stride, bins in zip(references, STRIDES, _REFERENCE_BINS, strict=True)
        ]
        get = self.weights
        joined = np.concatenate([_relu(get["reference3_w"] @ pooled[0] + get["reference3_b"]), pooled[1]])
        vectors = [_relu(get[f"modulation{n}_w"] @ joined + get[f"modulation{n}_b"]) for n in _BLOCKS]
        levels = [
            _Level.of(get[f"overlap{n}_w"], get[f"overlap{n}_b"], vector, bins, stride, pool_)
            for n, vector, bins, stride in zip(_BLOCKS, vectors, _BINS, STRIDES, strict=True)
        ]
        last = "box" if self.gives_boxes else "iou"
        return Predictor(levels, get[f"{last}_w"], get[f"{last}_b"])


@dataclass(frozen=True)
class _Level:
    """One block: pooling and the layer behind it, the modulation multiplied in.

    Attributes:
        weights: ``(hidden, bins bins C)``, inputs in the order row, column, channel.
    """

    weights: Floats
    bias: Floats
    bins: int
    stride: int
    pool: Pool

    @classmethod
    def of(
        cls, weights: Floats, bias: Floats, vector: Floats, bins: int, stride: int, pool: Pool
    ) -> "_Level":
        by_bin = weights.reshape(len(weights), len(vector), bins, bins) * vector[:, None, None]
        in_order = np.ascontiguousarray(np.moveaxis(by_bin, 1, 3)).reshape(len(weights), -1)
        return cls(in_order, bias, bins, stride, pool)

    def hidden(self, maps: Features, corner: tuple[int, int], boxes: Floats) -> Floats:
        """``(K, hidden)`` of boxes ``(K, 4)`` in pixels, from ``(h, w, C)`` that begin at a corner."""
        pooled = _pooled(self.pool, maps, self._cells(boxes, corner), self.bins)
        # In this order a product of few rows takes two thirds of the time.
        return _relu((self.weights @ pooled.reshape(len(boxes), -1).T).T + self.bias)

    def hidden_with_slopes(
        self, maps: Features, corner: tuple[int, int], boxes: Floats, last: Floats
    ) -> tuple[Floats, Floats]:
        """The same, and ``(K, 4)``: the derivatives of ``hidden @ last`` by the four sides."""
        hidden = self.hidden(maps, corner, boxes)
        back = ((hidden > 0) * last) @ self.weights  # by the pooled values
        slopes = np.empty((len(boxes), 4), np.float32)
        back = back.reshape(-1, self.bins, self.bins, maps.shape[2])
        pool_slopes(maps, self._cells(boxes, corner), back, slopes)
        return hidden, slopes / np.float32(self.stride)

    def _cells(self, boxes: Floats, corner: tuple[int, int]) -> Floats:
        return np.asarray(boxes / np.float32(self.stride) - np.array([*corner, *corner], np.float32))


def _pooled(pool: Pool, maps: Features, cells: Floats, bins: int) -> Floats:
    out = np.empty((len(cells), bins, bins, maps.shape[2]), np.float32)
    pool(np.ascontiguousarray(maps, np.float32), cells, out)
    return out


def _relu(x: Floats) -> Floats:
    return np.maximum(x, np.float32(0))


class SearchMaps(NamedTuple):
    """The search branch's output for a part of a frame.

    Attributes:
        maps: ``(C, h, w)`` of blocks 3 and 4.
        corners: For each, the column and row of its first cell in the whole map.
        limits: Left, top, right, bottom in pixels: boxes inside are pooled as they are from the whole maps.
    """

    maps: Sequence[Features]
    corners: Sequence[tuple[int, int]]
    limits: Floats


Source = Callable[[Floats], SearchMaps]
"""Computes the search branch around an area: left, top, right, bottom in pixels."""


class Predictor:
    """Predicts how well boxes in the searched frame overlap the target.

    Boxes are ``(K, 4)`` float32: left, top, right, bottom in pixels of the searched image. Call `look` first.
    """

    def __init__(self, levels: Sequence[_Level], last: Floats, bias: Floats) -> None:
        self._levels, self._last, self._bias = levels, last, bias
        hidden = len(levels[0].weights)
        self._parts = last[:, :hidden], last[:, hidden:]

    def look(self, source: Source) -> None:
        """Takes a new frame; the search branch is computed later, around the boxes only."""
        self._source = source
        self._limits = np.array([np.inf, np.inf, -np.inf, -np.inf])

    def values(self, boxes: Floats) -> Floats:
        """The network's output for boxes: ``(K, 1)`` overlaps, or ``(K, 4)`` for DRNet."""
        self._cover(boxes)
        hidden = [level.hidden(*each, boxes) for level, each in zip(self._levels, self._seen, strict=True)]
        return np.asarray(np.concatenate(hidden, 1) @ self._last.T + self._bias)

    def slopes(self, boxes: Floats) -> tuple[Floats, Floats]:
        """Overlaps ``(K,)`` and their derivatives ``(K, 4)`` by the sides of the boxes, in closed form."""
        self._cover(boxes)
        total = np.full(len(boxes), self._bias[0], np.float32)
        by_sides = np.zeros((len(boxes), 4), np.float32)
        for level, each, part in zip(self._levels, self._seen, self._parts, strict=True):
            hidden, slopes = level.hidden_with_slopes(*each, boxes, part[0])
            total += hidden @ part[0]
            by_sides += slopes
        return total, by_sides

    def _cover(self, boxes: Floats) -> None:
        """Computes maps around the boxes, with a margin in which they may move, where there are none yet."""
        low, high = boxes[:, :2].min(0), boxes[:, 2:].max(0)
        if (low >= self._limits[:2]).all() and (high <= self._limits[2:]).all():
            return
        room = _ROOM * (high - low) if len(boxes) > 1 else 0.0
        maps, corners, self._limits = self._source(np.concatenate([low - room, high + room]))
        last = [np.ascontiguousarray(np.moveaxis(each, 0, 2)) for each in maps]
        self._seen = list(zip(last, corners, strict=True))


_ROOM = 0.25
"""The margin in which boxes may move before maps are computed again, over the extent of all boxes."""
_NARROWEST = 2.0
"""Smallest side of a box, in pixels of the searched image."""
_SLIMMEST = 6.0
"""Largest ratio of the sides of a box that is taken, as in ATOM, if there is one."""


def refined(
    predictor: Predictor, boxes: Floats, *, steps: int, length: float, best: int
) -> tuple[Floats, float]:
    """Moves boxes to where the predicted overlap is higher, and averages the best ones (ATOM, section 3.3).

    A step is the derivative by centre and size, times the box's own size.

    Args:
        predictor: Has been given the frame (`look`).
        boxes: ``(K, 4)`` proposals, the first one the most likely.
        steps: How many steps.
        length: Factor of each step.
        best: How many boxes are averaged.

    Returns:
        The box ``(4,)``, and the mean of the overlaps predicted for those it was averaged from.
    """
    for _ in range(steps):
        _, by = predictor.slopes(boxes)
        size = boxes[:, 2:] - boxes[:, :2]
        centre = (boxes[:, 2:] + boxes[:, :2]) / 2 + np.float32(length) * (by[:, :2] + by[:, 2:]) * size
        size = size * (1 + np.float32(length / 2) * (by[:, 2:] - by[:, :2]))
        size = np.maximum(size, np.float32(_NARROWEST))
        boxes = np.concatenate([centre - size / 2, centre + size / 2], 1)
    overlaps = predictor.values(boxes)[:, 0]
    size = boxes[:, 2:] - boxes[:, :2]
    taken = size.max(1) <= _SLIMMEST * size.min(1)
    if taken.any():
        boxes, overlaps = boxes[taken], overlaps[taken]
    ranked = np.argsort(-overlaps, kind="stable")[:best]
    return np.asarray(boxes[ranked].mean(0)), float(overlaps[ranked].mean())
