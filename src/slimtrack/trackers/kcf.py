"""KCF and DCF: the kernelized correlation filter on HOG."""

from slimtrack.arrays import Floats
from slimtrack.correlation.tracker import CorrelationTracker
from slimtrack.features.hog import Hog
from slimtrack.filters.correlation import KernelFilter
from slimtrack.trackers._options import (
    Bandwidth,
    HogCell,
    KernelName,
    LabelWidth,
    Rate,
    Ridge,
    SearchAreaRatio,
)

__all__ = ["Dcf", "Kcf"]


class Kcf(CorrelationTracker, name="kcf"):
    """Kernelized correlation filter on HOG (Henriques et al., TPAMI 2015).

    Equations 1 to 3 of paper 000.
    """

    def __init__(
        self,
        *,
        search_area_ratio: SearchAreaRatio = 6.25,
        kernel: KernelName = "gaussian",
        sigma: Bandwidth = 0.5,
        ridge: Ridge = 1e-4,
        rate: Rate = 0.02,
        label_width: LabelWidth = 0.1,
        cell: HogCell = 4,
    ) -> None:
        self._area, self._kernel, self._sigma, self._ridge = search_area_ratio, kernel, sigma, ridge
        self._rate, self._label = rate, label_width
        self._features = (Hog(cell),)

    def _make_filter(self, label: Floats, target: tuple[float, float]) -> KernelFilter:
        return KernelFilter(label, kernel=self._kernel, sigma=self._sigma, ridge=self._ridge, rate=self._rate)


class Dcf(Kcf, name="dcf"):
    """Dual correlation filter: KCF with the linear kernel (Henriques et al., TPAMI 2015)."""

    def __init__(
        self,
        *,
        search_area_ratio: SearchAreaRatio = 6.25,
        ridge: Ridge = 1e-4,
        rate: Rate = 0.02,
        label_width: LabelWidth = 0.1,
        cell: HogCell = 4,
    ) -> None:
        super().__init__(
            search_area_ratio=search_area_ratio,
            kernel="linear",
            ridge=ridge,
            rate=rate,
            label_width=label_width,
            cell=cell,
        )
