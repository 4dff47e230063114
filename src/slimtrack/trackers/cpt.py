"""KCF and SAMF on a network that is pruned for the target in the first frame (CPT, paper 000)."""

from typing import Any

from slimtrack.arrays import Floats, Image
from slimtrack.box import Box
from slimtrack.compression.cpt import Method, Settings, compress, planned
from slimtrack.compression.information import Metric
from slimtrack.compression.view import View
from slimtrack.features.network import NetworkFeature
from slimtrack.filters.correlation import KernelFilter
from slimtrack.trackers._correlation import checked, within
from slimtrack.trackers._network import NetworkCorrelationTracker, network_of
from slimtrack.trackers.samf import SCALES

__all__ = ["CptKcf", "CptSamf"]


class CptKcf(NetworkCorrelationTracker, name="cpt-kcf"):
    """KCF on one layer of a network that is pruned for the target in the first frame.

    Paper 000, section IV-A. With ``method=none`` it is the paper's Base, the same on the whole network.
    """

    def __init__(
        self,
        *,
        network: str = "vgg19",
        tap: str = "relu3_4",
        configuration: str = "0.5/all",
        method: Method = "proposed",
        d: int = 64,
        d_prime: int = 0,
        metric: Metric = "l2",
        error: bool = True,
        reconstruct: str = "all",
        background: float = 0.01,
        refit: float = 0.1,
        cells: int = 1024,
        area: float = 9.0,
        side: float = 96.0,
        ridge: float = 1e-4,
        rate: float = 0.1,
        label: float = 0.1,
    ) -> None:
        """Prepares the tracker.

        Args:
            network: The network: its name, or an ONNX file.
            tap: The layer that is tracked with.
            configuration: What is pruned, in the paper's notation: 0.25/all, 0.5/conv3_2, 0.25/deep (the two
                layers before the last), several with + between; none.
            method: How channels are chosen; pca: dimensions by PCA alone; none: nothing is pruned.
            d: Dimensions of the last layer.
            d_prime: Channels of the last layer selected before PCA; 0: by the least loss, or, without the
                tracking error, as many as there are dimensions.
            metric: How information is measured.
            error: Whether a channel's tracking error counts.
            reconstruct: Layers whose loss is made good in the weights that read them: all, deep (the
                shallower of the two before the last), none, or names with + between.
            background: Weight of the background's output against the target's loss.
            refit: Weight of the regularisation in the weights that make good what was lost.
            cells: Most cells of a map, on the target and off it, by which channels are chosen.
            area: Area of the search window over the target's.
            side: Square root of the search window's pixels: small ones are enlarged, for a deep layer's
                cells look far around them.
            ridge: Weight of the regularisation.
            rate: Share of the newest frame in the model.
            label: Width of the wished response, as a share of the target's mean side.
        """
        checked(area=area, ridge=ridge, rate=rate, label=label)
        within(32, 1024, side=side)
        within(1, 1 << 16, d=d)
        within(0, 1 << 16, d_prime=d_prime)
        within(0, 1e6, background=background, refit=refit)
        within(1, 1 << 20, cells=cells)
        self._area, self._ridge = area, ridge
        self._pixels = self._least = side**2
        self._rate, self._label = rate, label
        self._how = Settings(
            "" if configuration == "none" else configuration, method, d, d_prime, metric, error, reconstruct,
            background, refit, cells=cells,
        )  # fmt: skip
        self._feature = self._whole = NetworkFeature(network_of(network), tap)
        planned(self._whole.network, tap, self._how)

    def _start(self, image: Image, box: Box) -> None:
        self._feature = self._whole
        if self._how.method != "none":
            self._feature = self._slimmed(image, box)
        super()._start(image, box)

    def _slimmed(self, image: Image, box: Box) -> NetworkFeature:
        """The feature from the network pruned for this target."""
        view = View(self._make_window(box), self._whole.margin)
        patch = view.patch(image, box)
        found = compress(self._whole.network, self._whole.tap.name, patch, view.target, self._how)
        return NetworkFeature(found.network, found.tap)

    def _make_filter(self, label: Floats) -> KernelFilter:
        return KernelFilter(label, kernel="linear", ridge=self._ridge, rate=self._rate)


class CptSamf(CptKcf, name="cpt-samf"):
    """CPT over SAMF's seven scales.

    At CPT-KCF's rate of 0.1 it learns its own errors of size, and whether it does hangs on the last bit of a
    response.

    Args:
        rate: Share of the newest frame in the model.
        **options: Those of `CptKcf`.
    """

    _scales = SCALES

    def __init__(self, *, rate: float = 0.02, **options: Any) -> None:
        super().__init__(rate=rate, **options)
