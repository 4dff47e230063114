"""KCF and SAMF on one layer of a network, and the two-layer DCFNet."""

from typing import Annotated, Any, Literal

from slimtrack.arrays import Floats
from slimtrack.confidence import PATIENT
from slimtrack.correlation.levels import FirstLevel
from slimtrack.correlation.sizes import scale_factors
from slimtrack.features.network import NetworkFeature
from slimtrack.filters.correlation import LinearFilter
from slimtrack.networks.network import Network
from slimtrack.trackers._network import AdaptingTracker, NetworkTracker, network_of
from slimtrack.trackers._options import (
    Adapt,
    Downsample,
    KernelName,
    NetworkName,
    ScaleCount,
    ScaleStep,
    SearchAreaRatio,
)
from slimtrack.trackers._ridge import KernelTracker, RidgeTracker
from slimtrack.trackers.samf import SCALES

__all__ = ["DcfNet", "Fkcf", "Fsamf"]


class Fkcf(AdaptingTracker, KernelTracker, name="fkcf"):
    """KCF on one layer of a network (papers 000 and 002)."""

    thresholds = PATIENT
    _pixels = (32.0**2, 192.0**2)

    def __init__(
        self,
        *,
        network: NetworkName = "cf_vggm",
        tap: Annotated[
            str, "The layer; in CF-VGG, relu1 is low, relu2 middle and relu5 high level."
        ] = "relu1",
        downsample: Downsample = 2,
        kernel: KernelName = "linear",
        adapt: Adapt = False,
        **options: Any,
    ) -> None:
        super().__init__(kernel=kernel, **options)
        self._downsample = downsample
        self._reads_from(network, (tap,), adapt=adapt)

    def _read(self, network: Network) -> None:
        self._features = (NetworkFeature(network, *self._taps, downsample=self._downsample),)

    def _make_windowing(self) -> FirstLevel:
        return FirstLevel()


class Fsamf(Fkcf, name="fsamf"):
    """KCF on one layer of a network over SAMF's seven scales (papers 000 and 002)."""

    _scales = SCALES


class DcfNet(NetworkTracker, RidgeTracker, name="dcfnet"):
    """Linear correlation filter on a two-layer network trained for it (Wang et al., 2017).

    The weights of UDT (Wang et al., CVPR 2019), trained without labels, fit too.
    """

    thresholds = PATIENT
    _pixels = (125.0**2, 125.0**2)
    _stride = 4  # of prime sides such as 127 the Fourier transforms take several times as long

    def __init__(
        self,
        *,
        network: Annotated[
            Literal["dcfnet", "udt"] | str, "dcfnet, udt, or an ONNX file, of which the last layer is used."
        ] = "dcfnet",
        search_area_ratio: SearchAreaRatio = 9.0,
        scales: ScaleCount = 3,
        step: ScaleStep = 1.0275,
        **options: Any,
    ) -> None:
        super().__init__(search_area_ratio=search_area_ratio, **options)
        loaded = network_of(network)
        self._features = (NetworkFeature(loaded, list(loaded.taps)[-1]),)
        self._scales = scale_factors(scales, step)

    def _make_windowing(self) -> FirstLevel:
        return FirstLevel()

    def _make_filter(self, label: Floats, target: tuple[float, float]) -> LinearFilter:
        return LinearFilter(label, ridge=self._ridge, rate=self._rate)
