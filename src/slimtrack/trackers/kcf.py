"""KCF and DCF: the kernelized correlation filter on HOG."""

from slimtrack.arrays import Floats
from slimtrack.features.hog import Hog
from slimtrack.filters.correlation import Kernel, KernelFilter
from slimtrack.trackers._correlation import CorrelationTracker, checked, within

__all__ = ["Dcf", "Kcf"]


class Kcf(CorrelationTracker, name="kcf"):
    """Kernelized correlation filter on HOG (Henriques et al., TPAMI 2015).

    Equations 1 to 3 of paper 000.

    Args:
        area: Area of the search window over the target's.
        kernel: The kernel.
        sigma: Bandwidth of the Gaussian kernel.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
        label: Width of the wished response, as a share of the target's mean side.
        cell: Side of a HOG cell in patch pixels.
    """

    def __init__(
        self,
        *,
        area: float = 6.25,
        kernel: Kernel = "gaussian",
        sigma: float = 0.5,
        ridge: float = 1e-4,
        rate: float = 0.02,
        label: float = 0.1,
        cell: int = 4,
    ) -> None:
        checked(area=area, ridge=ridge, rate=rate, label=label)
        within(1e-3, 1e3, sigma=sigma)
        within(1, 32, cell=cell)
        self._area, self._kernel, self._sigma, self._ridge = area, kernel, sigma, ridge
        self._rate, self._label = rate, label
        self._feature = Hog(cell)

    def _make_filter(self, label: Floats) -> KernelFilter:
        return KernelFilter(label, kernel=self._kernel, sigma=self._sigma, ridge=self._ridge, rate=self._rate)


class Dcf(Kcf, name="dcf"):
    """Dual correlation filter: KCF with the linear kernel (Henriques et al., TPAMI 2015).

    Args:
        area: Area of the search window over the target's.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
        label: Width of the wished response, as a share of the target's mean side.
        cell: Side of a HOG cell in patch pixels.
    """

    def __init__(
        self,
        *,
        area: float = 6.25,
        ridge: float = 1e-4,
        rate: float = 0.02,
        label: float = 0.1,
        cell: int = 4,
    ) -> None:
        super().__init__(area=area, kernel="linear", ridge=ridge, rate=rate, label=label, cell=cell)
