"""The sampler of ECO on a network: several taps of one run, positioned on the search window."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from slimtrack.arrays import Features, Floats, Image
from slimtrack.correlation.grids import Windowing
from slimtrack.features.network import NetworkFeatures
from slimtrack.features.stack import Feature
from slimtrack.filters.eco.continuous import Block
from slimtrack.search import SearchWindow

__all__ = ["TapGrids"]


class TapGrids:
    """Several taps of a network from one run, and other features of the same patch, each on its own grid.

    Args:
        network: The network and its taps.
        averaged: For each tap, number of cells averaged into one, in each direction.
        others: Features without a network, after the taps.
        window: The search window; its sides are whole multiples of every stride.
        windowing: How features are windowed.

    Attributes:
        blocks: Channels and grid of each tap, then of each other feature.
    """

    def __init__(
        self,
        network: NetworkFeatures,
        averaged: Sequence[int],
        others: Sequence[Feature],
        window: SearchWindow,
        *,
        windowing: Windowing,
    ) -> None:
        self._network, self._averaged, self._others, self._window = network, averaged, others, window
        self._windowing = windowing
        blocks = [*self._placed_taps(), *self._placed_others()]
        self._cosines = [_cosine(block) for block in blocks]
        self.blocks: Sequence[Block] = blocks

    def _placed_taps(self) -> Iterator[Block]:
        """The grid of each tap, and which of its cells belong to it."""
        self._cuts: list[tuple[slice, slice]] = []
        taps = self._network.taps
        for tap, start, n in zip(taps, self._network.starts, self._averaged, strict=True):
            stride = n * tap.stride
            h, w = (side // stride for side in self._window.patch[::-1])
            # The first cell whose centre, that of n averaged ones, lies inside the window.
            middle = start + (n - 1) / 2 * tap.stride
            skip = max(math.ceil(-middle / tap.stride), 0)
            self._cuts.append((slice(skip, skip + n * h), slice(skip, skip + n * w)))
            yield Block(tap.channels, (h, w), (middle + skip * tap.stride) / stride)

    def _placed_others(self) -> Iterator[Block]:
        """The grid of each other feature, and the position of their common patch."""
        # It starts at or before the window, a whole number of pixels from the network's patch.
        start, extra = self._network.margin
        self._lead = max(math.ceil(start), 0) if self._others else 0
        start -= self._lead
        self._margin = start, max(extra + self._lead, math.ceil(-start))
        self._inset = math.ceil(-start)
        for feature in self._others:
            h, w = (side // feature.stride for side in self._window.patch[::-1])
            yield Block(feature.channels, (h, w), 0.5 + (self._inset + start) / feature.stride)

    def sample(self, image: Image, cx: float, cy: float, scales: Sequence[float] | Floats) -> list[Features]:
        """The blocks ``(S, C, h, w)`` of several scales at one centre of the frame, windows applied."""
        patches = self._window.pyramid(image, cx, cy, scales, self._margin)
        deep = self._cut(patches, self._lead, self._network.margin.extra)
        maps = zip(self._network(deep), self._cuts, self._averaged, strict=True)
        blocks: list[Features] = [_averages(x[..., cut[0], cut[1]], n) for x, cut, n in maps]
        if self._others:
            inner = self._cut(patches, self._inset, 0)
            blocks += [feature(inner) for feature in self._others]
        return [self._windowing(x, cosine) for x, cosine in zip(blocks, self._cosines, strict=True)]

    def _cut(self, patches: Image, first: int, extra: int) -> Image:
        """The part of ``(S, H, W, 3)`` from a pixel on that is ``extra`` pixels wider than the window."""
        h, w = (slice(first, first + side + extra) for side in self._window.patch[::-1])
        return np.ascontiguousarray(patches[:, h, w])


def _cosine(block: Block) -> Floats:
    """A Hann window over the whole window at the block's cells."""
    rows, columns = (np.sin(np.pi * (np.arange(n) + block.offset) / n) ** 2 for n in block.size)
    return np.asarray(np.outer(rows, columns), np.float32)


def _averages(maps: Features, n: int) -> Features:
    """Means of ``n x n`` cells of ``(S, C, n h, n w)``."""
    if n == 1:
        return maps
    # A loop over the n x n positions in a cell, as numpy is ten times slower over short inner axes.
    total = sum(maps[..., y::n, x::n] for y in range(n) for x in range(n))
    return np.asarray(total * np.float32(1 / n**2))
