"""KCF and SAMF on a network that is pruned for the target in the first frame (CPT, paper 000)."""

from typing import Annotated, Any

from slimtrack.arrays import Floats, Image
from slimtrack.box import Box
from slimtrack.compression.cpt import Method, Settings, compress, planned
from slimtrack.compression.information import Metric
from slimtrack.compression.view import View
from slimtrack.correlation.levels import FirstLevel
from slimtrack.correlation.tracker import CorrelationTracker
from slimtrack.features.network import NetworkFeature
from slimtrack.filters.correlation import KernelFilter
from slimtrack.options import Formerly, Range
from slimtrack.trackers._network import NetworkTracker, network_of
from slimtrack.trackers._options import LabelWidth, NetworkName, Rate, Ridge, SearchAreaRatio, Tap
from slimtrack.trackers.samf import SCALES

__all__ = ["CptKcf", "CptSamf"]


class CptKcf(NetworkTracker, CorrelationTracker, name="cpt-kcf"):
    """KCF on one layer of a network that is pruned for the target in the first frame.

    Paper 000, section IV-A. With ``method=none`` it is the paper's Base, the same on the whole network.
    """

    def __init__(
        self,
        *,
        network: NetworkName = "vgg19",
        tap: Annotated[Tap, "The layer that is tracked with."] = "relu3_4",
        configuration: Annotated[
            str,
            "What is pruned, in the paper's notation: 0.25/all, 0.5/conv3_2, 0.25/deep (the two layers "
            "before the last), several with + between; none.",
        ] = "0.5/all",
        method: Annotated[
            Method, "How channels are chosen; pca: dimensions by PCA alone; none: nothing is pruned."
        ] = "proposed",
        d: Annotated[int, Range(1, 1 << 16), "Dimensions of the last layer."] = 64,
        d_prime: Annotated[
            int,
            Range(0, 1 << 16),
            "Channels of the last layer selected before PCA; 0: by the least loss, or, without the tracking "
            "error, as many as there are dimensions.",
        ] = 0,
        metric: Annotated[Metric, "How information is measured."] = "l2",
        error: Annotated[bool, "Whether a channel's tracking error counts."] = True,
        reconstruct: Annotated[
            str,
            "Layers whose loss is made good in the weights that read them: all, deep (the shallower of the "
            "two before the last), none, or names with + between.",
        ] = "all",
        background: Annotated[
            float, Range(0, 1e6), "Weight of the background's output against the target's loss."
        ] = 0.01,
        refit: Annotated[
            float, Range(0, 1e6), "Weight of the regularisation in the weights that make good what was lost."
        ] = 0.1,
        cells: Annotated[
            int,
            Range(1, 1 << 20),
            "Most cells of a map, on the target and off it, by which channels are chosen.",
        ] = 1024,
        search_area_ratio: SearchAreaRatio = 9.0,
        window_side: Annotated[
            float,
            Range(32, 1024),
            Formerly("side"),
            "Square root of the search window's pixels: small ones are enlarged, for a deep layer's cells "
            "look far around them.",
        ] = 96.0,
        ridge: Ridge = 1e-4,
        rate: Rate = 0.1,
        label_width: LabelWidth = 0.1,
    ) -> None:
        self._area, self._ridge = search_area_ratio, ridge
        self._pixels = (window_side**2, window_side**2)
        self._rate, self._label = rate, label_width
        self._how = Settings(
            "" if configuration == "none" else configuration, method, d, d_prime, metric, error, reconstruct,
            background, refit, cells=cells,
        )  # fmt: skip
        self._whole = NetworkFeature(network_of(network), tap)
        self._features = (self._whole,)
        planned(self._whole.network, tap, self._how)

    def _start(self, image: Image, box: Box) -> None:
        self._features = (self._whole,)
        if self._how.method != "none":
            self._features = (self._slimmed(image, box),)
        super()._start(image, box)

    def _slimmed(self, image: Image, box: Box) -> NetworkFeature:
        """The feature from the network pruned for this target."""
        view = View(self._make_window(box), self._whole.margin)
        patch = view.patch(image, box)
        found = compress(self._whole.network, self._whole.tap.name, patch, view.target, self._how)
        return NetworkFeature(found.network, found.tap)

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
