"""Resamples several taps of one network to one grid."""

import itertools
from collections.abc import Sequence

import numpy as np

from slimtrack.arrays import Features, Floats, Image
from slimtrack.errors import InputError
from slimtrack.features.network import Margin, NetworkFeatures
from slimtrack.networks.network import Network

__all__ = ["NetworkStack", "placement"]


class NetworkStack:
    """Taps of one network, resampled to one grid of cells and joined.

    The network runs once. Each map is then averaged over the cells of the grid if it is finer, or
    interpolated linearly at their centres if it is coarser, at its exact position.

    Attributes:
        channels: Number of channels of all taps together.
        slices: The channels of each tap.
        stride: Patch pixels between neighbouring cells.
        offset: Patch pixel (outer-edge convention) of the centre of cell 0.
        margin: Position of the patch around a search window, see `slimtrack.features.network.Margin`.
        network: The network, cut to its taps.
        taps: Its taps, in the order of the slices.
    """

    def __init__(
        self, network: Network, taps: Sequence[str], *, cell: int = 4, margin: Margin | None = None
    ) -> None:
        """Prepares the network.

        Args:
            network: Any network.
            taps: Names of its taps.
            cell: Side of the grid's cells in pixels.
            margin: Position of the patch, for a stack that replaces another one. Default: as the deepest tap
                needs it.

        Raises:
            UnknownNameError: There is no such tap.
            InputError: There is no tap, or ``cell`` is below 1.
        """
        if not taps or cell < 1:
            raise InputError(f"a stack of taps needs a tap and a cell of at least 1, got {taps}, {cell}")
        self._maps = NetworkFeatures(network, taps)
        self.network, self.taps = self._maps.network, self._maps.taps
        self.margin = margin or self._maps.margin
        self.stride, self.offset = cell, cell / 2 - self.margin.start
        ends = np.cumsum([0, *(tap.channels for tap in self._maps.taps)])
        self.slices = [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]
        self.channels = int(ends[-1])

    def __call__(self, patch: Image) -> Features:
        """Features ``(C, h, w)`` of a patch ``(H, W, 3)`` uint8 BGR, or ``(S, C, h, w)`` of several."""
        h, w = ((side - self.margin.extra) // self.stride for side in patch.shape[-3:-1])
        out = np.empty((*patch.shape[:-3], self.channels, h, w), np.float32)
        for maps, tap, part in zip(self._maps(patch), self._maps.taps, self.slices, strict=True):
            start = self.margin.start + tap.offset
            rows = placement(maps.shape[-2], start, tap.stride, h, self.stride)
            columns = placement(maps.shape[-1], start, tap.stride, w, self.stride)
            np.matmul(rows, maps @ columns.T, out=out[..., part, :, :])
        return out


def placement(count: int, start: float, stride: float, cells: int, cell: int) -> Floats:
    """The matrix ``(cells, count)`` that resamples to a grid.

    Sample i is centred at ``start + i stride``, cell j at ``(j + 0.5) cell``. Fine samples are averaged over
    each cell, weighted by the share that lies inside; coarse samples are interpolated. Beyond the first and
    the last sample, these are repeated.
    """
    centres = (np.arange(cells) + 0.5) * cell
    if stride < cell:
        edges = start + (np.arange(count + 1) - 0.5) * stride
        edges[0], edges[-1] = min(edges[0], 0.0), max(edges[-1], cells * cell)
        low, high = (centres + sign * cell / 2 for sign in (-1, 1))
        inside = np.minimum(high[:, None], edges[1:]) - np.maximum(low[:, None], edges[:-1])
        return np.asarray(np.maximum(inside, 0) / cell, np.float32)
    at = np.clip((centres - start) / stride, 0, count - 1)
    return np.asarray(np.maximum(1 - np.abs(at[:, None] - np.arange(count)), 0), np.float32)
