"""KCF and SAMF on a network that is pruned for the target in the first frame (CPT, paper 000)."""

from dataclasses import asdict, replace
from typing import Annotated, Any

from slimtrack.arrays import Floats, Image
from slimtrack.box import Box
from slimtrack.compression.cpt import Cpt, CptOptions
from slimtrack.compression.view import View
from slimtrack.correlation.levels import FirstLevel
from slimtrack.features.network import NetworkFeature
from slimtrack.filters.correlation import KernelFilter
from slimtrack.options import Formerly, Range
from slimtrack.trackers._network import NetworkTracker, network_of
from slimtrack.trackers._options import NetworkName, Rate, SearchAreaRatio, Tap
from slimtrack.trackers._ridge import RidgeTracker
from slimtrack.trackers.samf import SCALES

__all__ = ["CptKcf", "CptSamf"]


class CptKcf(CptOptions, NetworkTracker, RidgeTracker, name="cpt-kcf"):
    """KCF on one layer of a network that is pruned for the target in the first frame.

    Paper 000, section IV-A. ``method=none`` is the paper's Base: the same tracker on the whole network.
    """

    def __init__(
        self,
        *,
        network: NetworkName = "vgg19",
        tap: Annotated[Tap, "The layer to track with."] = "relu3_4",
        configuration: Annotated[
            str,
            "What is pruned, in the paper's notation: 0.25/all, 0.5/conv3_2, 0.25/deep (the two layers "
            "before the last), several of these joined by +, or none.",
        ] = "0.5/all",
        search_area_ratio: SearchAreaRatio = 9.0,
        window_side: Annotated[
            float,
            Range(32, 1024),
            Formerly("side"),
            "Side of the search window in pixels (square root of its area); small windows are enlarged, "
            "because a deep layer's cells see far around them.",
        ] = 96.0,
        rate: Rate = 0.1,
        **options: Any,
    ) -> None:
        super().__init__(search_area_ratio=search_area_ratio, rate=rate, **options)
        self._pixels = (window_side**2, window_side**2)
        layers = "" if configuration == "none" else configuration
        self._method = Cpt(tap=tap, **asdict(replace(self.pruning, configuration=layers)))
        self._whole = self._method.features(network_of(network))
        self._features = (self._whole,)
        self._method.planned(self._whole)

    def _start(self, image: Image, box: Box) -> None:
        self._features = (self._whole,)
        if self.pruning.method != "none":
            self._features = (self._slimmed(image, box),)
        super()._start(image, box)

    def _slimmed(self, image: Image, box: Box) -> NetworkFeature:
        """The feature from the network pruned for this target."""
        view = View(self._make_window(box), self._whole.margin)
        return self._method.compress(self._whole, [view.patch(image, box)], view.target).feature

    def _make_windowing(self) -> FirstLevel:
        return FirstLevel()

    def _make_filter(self, label: Floats, target: tuple[float, float]) -> KernelFilter:
        return KernelFilter(label, kernel="linear", ridge=self._ridge, rate=self._rate)


class CptSamf(CptKcf, name="cpt-samf"):
    """CPT over SAMF's seven scales.

    At CPT-KCF's rate of 0.1 it learns its own errors of size, and whether it does hangs on the last bit of a
    response.
    """

    _scales = SCALES

    def __init__(self, *, rate: Rate = 0.02, **options: Any) -> None:
        super().__init__(rate=rate, **options)
