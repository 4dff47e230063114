"""What the correlation trackers share whose filter is a ridge regression in a window of a fixed form."""

from typing import Any

from slimtrack.arrays import Floats
from slimtrack.correlation.tracker import CorrelationTracker
from slimtrack.filters.correlation import KernelFilter
from slimtrack.trackers._options import Bandwidth, KernelName, LabelWidth, Rate, Ridge, SearchAreaRatio

__all__ = ["KernelTracker", "RidgeTracker"]


class RidgeTracker(CorrelationTracker):
    """A correlation tracker with the options that every ridge regression has."""

    def __init__(
        self,
        *,
        search_area_ratio: SearchAreaRatio = 6.25,
        ridge: Ridge = 1e-4,
        rate: Rate = 0.01,
        label_width: LabelWidth = 0.1,
    ) -> None:
        self._area, self._ridge, self._rate, self._label = search_area_ratio, ridge, rate, label_width


class KernelTracker(RidgeTracker):
    """A tracker with a kernelized correlation filter."""

    def __init__(self, *, kernel: KernelName = "gaussian", sigma: Bandwidth = 0.5, **options: Any) -> None:
        super().__init__(**options)
        self._kernel, self._sigma = kernel, sigma

    def _make_filter(self, label: Floats, target: tuple[float, float]) -> KernelFilter:
        return KernelFilter(label, kernel=self._kernel, sigma=self._sigma, ridge=self._ridge, rate=self._rate)
