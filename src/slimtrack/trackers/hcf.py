"""HCF (also CF2): a correlation filter for each of several layers of a network, deep and shallow fused."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from slimtrack.arrays import Floats, Spectrum
from slimtrack.correlation.grids import Windowing
from slimtrack.correlation.levels import FirstLevel
from slimtrack.features.taps import NetworkStack
from slimtrack.filters.correlation import LinearFilter
from slimtrack.filters.spectral import GridFilter
from slimtrack.options import Formerly, Range
from slimtrack.trackers._network import NetworkTracker, network_of
from slimtrack.trackers._options import NetworkName, SearchAreaRatio
from slimtrack.trackers._ridge import RidgeTracker

__all__ = ["Hcf", "LayeredTracker", "LayerFilters", "MaxSide"]

MaxSide = Annotated[
    float,
    Range(32, 1024),
    Formerly("side"),
    "Maximum side of the search window in pixels (square root of its area).",
]

_WEIGHTS = (1.0, 0.5, 0.02)
"""Weights of the responses, deepest layer first; the last one is repeated (Ma et al., section 5)."""


class LayerFilters:
    """A linear filter for each group of channels; the sum of their responses is weighted.

    Args:
        label: The desired response ``(h, w)``.
        slices: The channels of each group.
        weights: Weight of each group's response.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
    """

    def __init__(
        self, label: Floats, slices: Sequence[slice], weights: Sequence[float], *, ridge: float, rate: float
    ) -> None:
        self._slices = slices
        self._weights = [np.float32(weight / sum(weights)) for weight in weights]
        self._filters = [LinearFilter(label, ridge=ridge, rate=rate) for _ in slices]

    def learn(self, x: Spectrum, shift: tuple[float, float] = (0.0, 0.0), weight: float = 1.0) -> None:
        """Mixes ``(C, h, w // 2 + 1)`` into the models; see `slimtrack.filters.spectral.GridFilter`."""
        for filter_, part in zip(self._filters, self._slices, strict=True):
            filter_.learn(x[part], shift, weight)

    def spectrum(self, z: Spectrum) -> Spectrum:
        """Spectra of the responses ``(S, h, w // 2 + 1)`` to ``(S, C, h, w // 2 + 1)``."""
        parts = (
            weight * filter_.spectrum(z[:, part])
            for filter_, part, weight in zip(self._filters, self._slices, self._weights, strict=True)
        )
        return np.asarray(sum(parts))


class LayeredTracker(NetworkTracker, RidgeTracker):
    """Tracks with several layers of a network on one grid, at one scale.

    If the target moved little, the filter learns from the sample of the search, with the desired response
    shifted to the target. A new sample would be nearly the same, at the cost of a second run of the network.

    The window of a small target is enlarged for layers of large stride, because a few cells give no exact
    position.
    """

    _features: tuple[NetworkStack]

    def __init__(
        self,
        *,
        network: NetworkName = "vgg19",
        taps: Annotated[
            str, "Layers of the network, shallowest first, joined by +."
        ] = "relu1_1+relu1_2+relu2_1",
        search_area_ratio: SearchAreaRatio = 7.84,
        relearn_shift: Annotated[
            float,
            Range(0, 10),
            Formerly("still"),
            "If the target moved by less than this share of its mean side, it is learned from the search "
            "window, without running the network again; 0 always runs it again, as published.",
        ] = 0.2,
        max_side: MaxSide = 160.0,
        coarse_cells: Annotated[
            float,
            Range(0, 256),
            Formerly("coarse"),
            "Small search windows are enlarged until the coarsest layer has this many cells along a side, "
            "as far as max_side allows.",
        ] = 12.0,
        cell: Annotated[
            int, Range(1, 32), "Side in patch pixels of the cells that all layers are resampled to."
        ] = 4,
        **options: Any,
    ) -> None:
        super().__init__(search_area_ratio=search_area_ratio, **options)
        self._relearn_shift, self._cell = relearn_shift, cell
        self._network, self._taps = network_of(network), taps.split("+")
        self._features = (NetworkStack(self._network, self._taps, cell=cell),)
        stride = max(self._network.tap(tap).stride for tap in self._taps)
        self._pixels = min(max(coarse_cells * stride, 32.0), max_side) ** 2, max_side**2

    def _make_windowing(self) -> Windowing:
        return FirstLevel()


class Hcf(LayeredTracker, name="hcf"):
    """Hierarchical convolutional features (HCF, also CF2; Ma et al., ICCV 2015).

    The responses of the three deepest layers have the weights 1, 0.5 and 0.02.
    """

    def _make_filter(self, label: Floats, target: tuple[float, float]) -> GridFilter:
        count = len(self._taps)
        weights = [*_WEIGHTS[:count], *[_WEIGHTS[-1]] * (count - len(_WEIGHTS))]
        slices = self._features[0].slices
        return LayerFilters(label, slices, weights[::-1], ridge=self._ridge, rate=self._rate)
