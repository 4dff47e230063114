"""KCF and DCF: the kernelized correlation filter on HOG."""

from slimtrack.features.hog import Hog
from slimtrack.filters.correlation import Kernel, KernelFilter
from slimtrack.filters.response import gaussian_label
from slimtrack.search import SearchWindow
from slimtrack.trackers._correlation import CorrelationTracker, positive

__all__ = ["Dcf", "Kcf"]


class Kcf(CorrelationTracker, name="kcf"):
    """Kernelized correlation filter on HOG (Henriques et al., TPAMI 2015; paper 000, equations 1-3).

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
        positive(area=area, sigma=sigma, ridge=ridge, rate=rate, label=label, cell=cell)
        self._area, self._kernel, self._sigma, self._ridge = area, kernel, sigma, ridge
        self._rate, self._label = rate, label
        self._feature = Hog(cell)

    def _make_filter(self, window: SearchWindow) -> KernelFilter:
        w, h = (side // self._feature.stride for side in window.patch)
        label = gaussian_label(h, w, self._label_sigma(window, self._label))
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
