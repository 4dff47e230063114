"""STRCF: spatial-temporal regularised filters on hand-crafted features."""

from typing import Annotated, Any

from slimtrack.arrays import Floats
from slimtrack.correlation.sizes import scale_factors
from slimtrack.correlation.tracker import CorrelationTracker
from slimtrack.features.color_names import ColorNames
from slimtrack.features.grey import Grey
from slimtrack.features.hog import Hog
from slimtrack.features.network import NetworkFeature
from slimtrack.features.stack import Feature, Stack
from slimtrack.filters.regularisation import box_weight
from slimtrack.filters.strcf import StrcfFilter
from slimtrack.networks.network import Network
from slimtrack.trackers._network import AdaptingTracker
from slimtrack.trackers._options import (
    Adapt,
    Iterations,
    LabelWidth,
    NetworkName,
    ScaleCount,
    ScaleRate,
    ScaleStep,
    SearchScale,
    Tap,
    Temporal,
)

__all__ = ["FdeepStrcf", "Strcf"]


class Strcf(CorrelationTracker, name="strcf"):
    """Spatial-temporal regularised correlation filter (Li et al., CVPR 2018): HOG, colour names, grey.

    Departs from the article in two points. Scales are 1.5 % apart instead of 1 %. If the target moved by no
    more than a fifth of its mean side, the filter learns from the sample of the search, with the desired
    response shifted to the target, instead of from a new sample.
    """

    _square = True
    _pixels = (150.0**2, 200.0**2)
    _relearn_shift = 0.2
    _exact_peak = True

    def __init__(
        self,
        *,
        search_scale: SearchScale = 5.0,
        temporal: Temporal = 16.0,
        label_width: LabelWidth = 1 / 16,
        iterations: Iterations = 2,
        scales: ScaleCount = 5,
        step: ScaleStep = 1.015,
    ) -> None:
        self._area, self._temporal, self._label = search_scale**2, temporal, label_width
        self._iterations = iterations
        self._scales = scale_factors(scales, step)
        self._features: tuple[Feature, ...] = (Stack(Hog(), ColorNames(), Grey()),)

    def _make_filter(self, label: Floats, target: tuple[float, float]) -> StrcfFilter:
        weight = box_weight(label.shape, target)
        return StrcfFilter(label, weight, temporal=self._temporal, iterations=self._iterations)


class FdeepStrcf(AdaptingTracker, Strcf, name="fdeepstrcf"):
    """STRCF with a block of a network's features beside the hand-crafted ones.

    Fast DeepSTRCF of paper 002; with a network of full size, DeepSTRCF. The network runs once a frame, to
    find the position. Each of its channels is scaled to 0 .. 1 in every patch. Departs from the published
    form in two points. The size comes from a scale filter, because five scales of hand-crafted features cost
    more than the network (``scales=5,scale_rate=0`` is the published form, with scales 1.5 % apart instead of
    1 %). If the target moved by no more than a fifth of its mean side, the filter learns from the sample of
    the search.
    """

    _pixels = (200.0**2, 250.0**2)
    _one_scale = (1,)

    def __init__(
        self,
        *,
        network: NetworkName = "cf_vggm",
        tap: Annotated[Tap, "The layer; its stride has to divide the window."] = "relu3",
        search_scale: SearchScale = 4.5,
        temporal: Temporal = 15.0,
        scales: ScaleCount = 1,
        scale_rate: ScaleRate = 0.025,
        adapt: Adapt = False,
        **options: Any,
    ) -> None:
        super().__init__(search_scale=search_scale, temporal=temporal, scales=scales, **options)
        self._scale_rate = scale_rate
        self._others = self._features
        self._reads_from(network, (tap,), adapt=adapt)

    def _read(self, network: Network) -> None:
        self._features = (*self._others, NetworkFeature(network, *self._taps, stretched=True))
