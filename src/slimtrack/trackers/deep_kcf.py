"""KCF and SAMF on one layer of a network, and the two-layer DCFNet."""

from typing import Literal

from slimtrack.arrays import Floats
from slimtrack.box import Box
from slimtrack.features.network import NetworkFeature
from slimtrack.filters.correlation import Kernel, KernelFilter, LinearFilter
from slimtrack.search import SearchWindow
from slimtrack.trackers._correlation import checked, within
from slimtrack.trackers._network import NetworkCorrelationTracker, network_of
from slimtrack.trackers.samf import SCALES

__all__ = ["DcfNet", "Fkcf", "Fsamf"]


class Fkcf(NetworkCorrelationTracker, name="fkcf"):
    """KCF on one layer of a network (papers 000 and 002).

    Args:
        network: The network: its name, or an ONNX file.
        tap: The layer; CF-VGG's relu1, relu2 and relu5 are low, middle and high level.
        downsample: Cells of the layer averaged into one, each way.
        area: Area of the search window over the target's.
        kernel: The kernel.
        sigma: Bandwidth of the Gaussian kernel.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
        label: Width of the wished response, as a share of the target's mean side.
    """

    _pixels = 192.0**2

    def __init__(
        self,
        *,
        network: str = "cf_vggm",
        tap: str = "relu1",
        downsample: int = 2,
        area: float = 6.25,
        kernel: Kernel = "linear",
        sigma: float = 0.5,
        ridge: float = 1e-4,
        rate: float = 0.01,
        label: float = 0.1,
    ) -> None:
        checked(area=area, ridge=ridge, rate=rate, label=label)
        within(1e-3, 1e3, sigma=sigma)
        within(1, 16, downsample=downsample)
        self._area, self._kernel, self._sigma, self._ridge = area, kernel, sigma, ridge
        self._rate, self._label = rate, label
        self._feature = NetworkFeature(network_of(network), tap, downsample=downsample)

    def _make_filter(self, label: Floats) -> KernelFilter:
        return KernelFilter(label, kernel=self._kernel, sigma=self._sigma, ridge=self._ridge, rate=self._rate)


class Fsamf(Fkcf, name="fsamf"):
    """KCF on one layer of a network over SAMF's seven scales (papers 000 and 002).

    Args:
        network: The network: its name, or an ONNX file.
        tap: The layer.
        downsample: Cells of the layer averaged into one, each way.
        area: Area of the search window over the target's.
        kernel: The kernel.
        sigma: Bandwidth of the Gaussian kernel.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
        label: Width of the wished response, as a share of the target's mean side.
    """

    _scales = SCALES


class DcfNet(NetworkCorrelationTracker, name="dcfnet"):
    """Linear correlation filter on a two-layer network trained for it (Wang et al., 2017).

    The weights of UDT (Wang et al., CVPR 2019), trained without labels, fit too.

    Args:
        network: ``dcfnet`` or ``udt``, or an ONNX file whose last layer is taken.
        area: Area of the search window over the target's.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
        label: Width of the wished response, as a share of the target's mean side.
        scales: Number of scales.
        step: Ratio of neighbouring scales.
    """

    _pixels = 125.0**2

    def __init__(
        self,
        *,
        network: Literal["dcfnet", "udt"] | str = "dcfnet",
        area: float = 9.0,
        ridge: float = 1e-4,
        rate: float = 0.01,
        label: float = 0.1,
        scales: int = 3,
        step: float = 1.0275,
    ) -> None:
        checked(area=area, ridge=ridge, rate=rate, label=label)
        within(1, 33, scales=scales)
        within(1, 2, step=step)
        loaded = network_of(network)
        self._area, self._ridge, self._rate, self._label = area, ridge, rate, label
        self._feature = NetworkFeature(loaded, list(loaded.taps)[-1])
        self._scales = tuple(step ** (i - (scales - 1) // 2) for i in range(scales))

    def _make_window(self, box: Box) -> SearchWindow:
        # Whole multiples of 4: of prime sides such as 127 the Fourier transforms take several times as long.
        return SearchWindow.around(box, area=self._area, stride=4, pixels=self._pixels, least=self._pixels)

    def _make_filter(self, label: Floats) -> LinearFilter:
        return LinearFilter(label, ridge=self._ridge, rate=self._rate)
