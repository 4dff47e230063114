"""KCF and DCF: the kernelized correlation filter on HOG."""

from typing import Any

from slimtrack.arrays import Floats
from slimtrack.confidence import PATIENT
from slimtrack.features.hog import Hog
from slimtrack.filters.correlation import KernelFilter
from slimtrack.trackers._options import HogCell, Rate
from slimtrack.trackers._ridge import KernelTracker, RidgeTracker

__all__ = ["Dcf", "Kcf"]


class Kcf(KernelTracker, name="kcf"):
    """Kernelized correlation filter on HOG (Henriques et al., TPAMI 2015).

    Equations 1 to 3 of paper 000.
    """

    def __init__(self, *, rate: Rate = 0.02, cell: HogCell = 4, **options: Any) -> None:
        super().__init__(rate=rate, **options)
        self._features = (Hog(cell),)


class Dcf(RidgeTracker, name="dcf"):
    """Dual correlation filter: KCF with the linear kernel (Henriques et al., TPAMI 2015)."""

    thresholds = PATIENT

    def __init__(self, *, rate: Rate = 0.02, cell: HogCell = 4, **options: Any) -> None:
        super().__init__(rate=rate, **options)
        self._features = (Hog(cell),)

    def _make_filter(self, label: Floats, target: tuple[float, float]) -> KernelFilter:
        return KernelFilter(label, kernel="linear", ridge=self._ridge, rate=self._rate)
