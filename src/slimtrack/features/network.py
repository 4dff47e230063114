"""Features from one or several taps of a network."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from slimtrack.arrays import Features, Image
from slimtrack.errors import InputError
from slimtrack.networks.layers import Tap
from slimtrack.networks.network import Network

__all__ = ["Margin", "NetworkFeature", "NetworkFeatures"]


class Margin(NamedTuple):
    """Where the patch for a network lies around a search window, so that the cells tile the window.

    For a window of S pixels a side, S a multiple of the feature's stride, give the feature a patch that
    starts ``start`` pixels from the window's corner and has ``S + extra`` pixels a side. It then gives
    exactly S / stride cells, and cell i is centred at window pixel ``stride / 2 + i stride``.

    Attributes:
        start: Pixels; negative: before the window.
        extra: Pixels by which the patch is wider than the window.
    """

    start: float
    extra: int


class NetworkFeature:
    """Channels of one tap of a network.

    Attributes:
        channels: Number of channels.
        stride: Patch pixels between neighbouring cells.
        offset: Patch pixel (outer-edge convention) of the centre of cell 0.
        margin: Position of the patch for which the cells tile a search window.
        network: The network, cut to the tap.
        tap: The tap.
    """

    def __init__(
        self,
        network: Network,
        tap: str,
        *,
        channels: Sequence[int] | None = None,
        downsample: int = 1,
        stretched: bool = False,
    ) -> None:
        """Prepares the network.

        Args:
            network: Any network.
            tap: The name of its tap.
            channels: The tap's channels to use, in this order; ``None``: all.
            downsample: Average ``n x n`` cells; incomplete groups at the end are dropped.
            stretched: Scale every channel of every patch to 0 .. 1, so that all channels have the same weight
                and a filter's penalties have the same effect with every network.

        Raises:
            UnknownNameError: There is no such tap.
            InputError: A channel does not exist, or ``downsample`` is below 1.
        """
        if downsample < 1:
            raise InputError(f"downsample={downsample} must be at least 1")
        self.network = network.truncate(tap)
        self.tap = self.network.tap(tap)
        self._chosen = _checked(channels, self.tap)
        self._factor, self._stretched = downsample, stretched
        self.channels = self.tap.channels if self._chosen is None else len(self._chosen)
        self.stride = self.tap.stride * downsample
        self.offset = self.tap.offset + (downsample - 1) / 2 * self.tap.stride
        self.margin = _margin(self.network, self.tap)

    def __call__(self, patch: Image) -> Features:
        """Features ``(C, h, w)`` of ``(H, W, 3)`` uint8 BGR, or ``(S, C, h, w)`` of ``(S, H, W, 3)``.

        Raises:
            InputError: The patch has another shape or type, or is too small.
        """
        maps = self.network.run(self.network.prepare(patch), self.tap.name)[self.tap.name]
        if self._chosen is not None:
            maps = maps[:, self._chosen]
        if self._factor > 1:
            maps = _averaged(maps, self._factor)
        if self._stretched:
            maps = _stretched(maps)
        return maps if patch.ndim == 4 else maps[0]


class NetworkFeatures:
    """Channels of several taps from one run of a network on one patch.

    The deepest tap decides the position of the patch (`margin`). The maps of the other taps are not
    resampled. Cell i of a tap is centred at patch pixel ``tap.offset + i tap.stride``, which is window pixel
    ``margin.start + tap.offset + i tap.stride`` (`starts`). This may be a fraction of a cell from where that
    tap alone would have it, which the caller has to take into account.

    Attributes:
        taps: The taps, in the order asked for.
        margin: Position of the patch for which the deepest tap's cells tile a search window.
        starts: For each tap, the window pixel of the centre of its cell 0.
        network: The network, cut to the taps.
    """

    def __init__(self, network: Network, taps: Sequence[str]) -> None:
        """Prepares the network.

        Args:
            network: Any network.
            taps: Names of its taps.

        Raises:
            UnknownNameError: There is no such tap.
        """
        self.network = network.truncate(*taps)
        self.taps = tuple(self.network.tap(name) for name in taps)
        deepest = list(self.network.taps.values())[-1]
        self.margin = _margin(self.network, deepest)
        self.starts = tuple(self.margin.start + tap.offset for tap in self.taps)

    def __call__(self, patch: Image) -> list[Features]:
        """For each tap ``(C, h, w)`` of a patch ``(H, W, 3)`` uint8 BGR, or ``(S, C, h, w)`` of several."""
        maps = self.network.run(self.network.prepare(patch), *(tap.name for tap in self.taps))
        return [maps[tap.name] if patch.ndim == 4 else maps[tap.name][0] for tap in self.taps]


def _margin(network: Network, tap: Tap) -> Margin:
    """Widens the patch by whole strides until the number of cells is right; each stride adds one cell."""
    cells = network.input_size(8, tap.name) // tap.stride + 8
    side = cells * tap.stride
    return Margin(tap.stride / 2 - tap.offset, (cells - network.sizes(side)[tap.name][0]) * tap.stride)


def _checked(channels: Sequence[int] | None, tap: Tap) -> list[int] | None:
    if channels is None:
        return None
    chosen = [int(index) for index in channels]
    if not chosen or min(chosen) < 0 or max(chosen) >= tap.channels:
        raise InputError(
            f"channels of tap {tap.name} must be at least one of 0..{tap.channels - 1}, got {chosen}"
        )
    return chosen


def _averaged(maps: Features, n: int) -> Features:
    """Means of ``n x n`` cells of ``(N, C, h, w)``."""
    count, channels, h, w = maps.shape
    whole = maps[..., : h // n * n, : w // n * n]
    means = whole.reshape(count, channels, h // n, n, w // n, n).mean((3, 5), dtype=np.float32)
    return np.ascontiguousarray(means)


def _stretched(maps: Features) -> Features:
    """Each channel ``(h, w)`` of ``(N, C, h, w)`` mapped linearly to 0 .. 1; a constant channel becomes 0."""
    least = maps.min(axis=(2, 3), keepdims=True)
    extent = maps.max(axis=(2, 3), keepdims=True) - least
    return np.asarray((maps - least) / np.where(extent > 0, extent, np.float32(1)))
