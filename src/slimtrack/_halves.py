"""Halved versions of a frame, shared by all patches that are cut from it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Image

__all__ = ["Halves", "cropped", "halved_once", "halves"]

_Area = tuple[int, int, int, int]
"""Blocks from x0, y0 up to but not including x1, y1."""


_SPARSE = 3
"""The level that is computed from 8 of a block's 64 pixels: the middle four of its rows 1 and 5.

Halving spends nearly all its time on reading the frame row by row: 2.1 ms for the window of a target of 900
pixels if all rows are read, 0.7 ms for every fourth row. For such coarse patches the mean of 8 pixels is
enough.
"""

_ABOVE = 0.5
"""How far the mean of rows 1 and 5 lies above the middle of the block, in pixels of the frame."""


class Halves:
    """A frame at one half, one quarter .. of its size; only the parts that are needed are computed.

    Block ``j`` of level ``n`` is the mean of pixels ``2^n j`` up to ``2^n (j + 1)``, independently of earlier
    cuts; from level 3 on, it is the mean of every eighth of these pixels. Each level has one extra block on
    every side, which repeats the border.
    """

    def __init__(self, image: Image, spare: "Halves | None" = None) -> None:
        self.image = image
        self._levels: list[tuple[Image, _Area]] = []
        if spare is not None and spare.image.shape == image.shape:
            # Allocating memory takes as long as filling it.
            self._levels = [(canvas, (0, 0, 0, 0)) for canvas, _ in spare._levels]

    def emptied(self) -> "Halves":
        """Keeps the memory and releases the frame."""
        empty = Halves(np.broadcast_to(np.uint8(0), self.image.shape))
        empty._levels = self._levels
        return empty

    def at(
        self, level: int, corner: tuple[float, float], size: tuple[float, float]
    ) -> tuple[Image, float, float]:
        """A level, computed under an area of the frame, and the area's corner in the level's pixels."""
        width, height = (-(-side // 2**level) for side in self.image.shape[1::-1])
        first = [v / 2**level for v in corner]
        # One spare block on each side for the bilinear samples.
        low = [int(np.clip(math.floor(v) - 1, -1, n)) for v, n in zip(first, (width, height), strict=True)]
        high = [
            int(np.clip(math.ceil(v + extent / 2**level) + 1, least + 1, n + 1))
            for v, extent, least, n in zip(first, size, low, (width, height), strict=True)
        ]
        canvas = self._filled(level, (low[0], low[1], high[0], high[1]))
        lower = _ABOVE / 2**level if level >= _SPARSE else 0.0
        return canvas, first[0] + 1, first[1] + 1 + lower

    def _filled(self, level: int, area: _Area) -> Image:
        """The blocks of a level, from block -1 on; at least those of ``area`` are computed."""
        while len(self._levels) < level:
            width, height = (-(-side // 2 ** (len(self._levels) + 1)) + 2 for side in self.image.shape[1::-1])
            self._levels.append((np.empty((height, width, 3), np.uint8), (0, 0, 0, 0)))
        canvas, there = self._levels[level - 1]
        missing = _missing(area, there)
        for strip in missing:
            self._fill(level, canvas, strip)
        if missing:
            self._levels[level - 1] = canvas, _around(area, there)
        return canvas

    def _fill(self, level: int, canvas: Image, area: _Area) -> None:
        """Computes blocks of a level as means over the level before, or over the frame."""
        factor = 2**_SPARSE if level == _SPARSE else 2
        before = 2**level // factor
        width, height = (-(-side // before) for side in self.image.shape[1::-1])
        # Inside the frame the finer level is read in place; only blocks at the border are copied.
        inside = _common(area, (0, 0, width // factor, height // factor))
        finer, start = self.image, 0
        if before > 1:
            under = _clamped((2 * area[0], 2 * area[1], 2 * area[2], 2 * area[3]), width, height)
            finer, start = self._filled(level - 1, under), 1
        for x, y, right, bottom in [*inside, *_missing(area, *inside)]:
            w, h = right - x, bottom - y
            source = cropped(finer, factor * x + start, factor * y + start, factor * w, factor * h)
            place = canvas[y + 1 : bottom + 1, x + 1 : right + 1]
            if level == _SPARSE:
                source = cv2.resize(source[1::4], (4 * w, h), interpolation=cv2.INTER_AREA)
                cv2.resize(source, (w, h), dst=place, interpolation=cv2.INTER_LINEAR)
            else:
                cv2.resize(source, (w, h), dst=place, interpolation=cv2.INTER_AREA)


def _around(a: _Area, b: _Area) -> _Area:
    """The smallest area that contains both; an empty area is ignored."""
    if b[0] == b[2]:
        return a
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _clamped(area: _Area, width: int, height: int) -> _Area:
    """The part of an area inside a level of that size and its border; at least a block of the border."""
    left, top = min(max(area[0], -1), width), min(max(area[1], -1), height)
    return left, top, max(min(area[2], width + 1), left + 1), max(min(area[3], height + 1), top + 1)


def _common(a: _Area, b: _Area) -> list[_Area]:
    """The intersection of two areas; ``None`` if it is empty."""
    both = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    return [both] if both[0] < both[2] and both[1] < both[3] else []


def _missing(wanted: _Area, there: _Area = (0, 0, 0, 0)) -> list[_Area]:
    """Up to four areas that extend the computed one to the smallest area around both."""
    left, top, right, bottom = _around(wanted, there)
    if there[0] == there[2]:
        return [wanted]
    x, y, x2, y2 = there
    strips = [(left, top, right, y), (left, y2, right, bottom), (left, y, x, y2), (x2, y, right, y2)]
    return [strip for strip in strips if strip[0] < strip[2] and strip[1] < strip[3]]


_shared: ContextVar[Halves | None] = ContextVar("_shared", default=None)


_spare: ContextVar[Halves | None] = ContextVar("_spare", default=None)
"""The memory of the last frame's halves, for reuse."""


@contextmanager
def halved_once(image: Image) -> Iterator[None]:
    """Inside the block, all cuts from this frame share its halved versions.

    The frame's content must not change inside the block.
    """
    halves = Halves(image, _spare.get())
    _spare.set(None)
    token = _shared.set(halves)
    try:
        yield
    finally:
        _shared.reset(token)
        _spare.set(halves.emptied())


def halves(image: Image) -> Halves:
    """The halves of a frame: shared ones if there are, otherwise new ones."""
    shared = _shared.get()
    return shared if shared is not None and shared.image is image else Halves(image)


def cropped(image: Image, x: int, y: int, w: int, h: int) -> Image:
    """Whole pixels from (x, y) on, with border pixels repeated outside the frame; a view if possible."""
    height, width = image.shape[:2]
    if x >= 0 and y >= 0 and x + w <= width and y + h <= height:
        return image[y : y + h, x : x + w]
    (left, before_x, after_x), (top, before_y, after_y) = (_padded(x, w, width), _padded(y, h, height))
    inside = image[top : top + h - before_y - after_y, left : left + w - before_x - after_x]
    return np.asarray(
        cv2.copyMakeBorder(inside, before_y, after_y, before_x, after_x, borderType=cv2.BORDER_REPLICATE)
    )


def _padded(first: int, count: int, limit: int) -> tuple[int, int, int]:
    """For ``count`` pixels from ``first``: the first inside the frame, and how many to pad on both sides."""
    low, high = min(max(first, 0), limit - 1), max(min(first + count, limit), 1)
    before = min(max(low - first, 0), count - 1)
    return low, before, max(count - before - max(high - low, 1), 0)
