"""STRCF: spatial-temporal regularised filters on hand-crafted features."""

from slimtrack.arrays import Floats
from slimtrack.features.color_names import ColorNames
from slimtrack.features.grey import Grey
from slimtrack.features.hog import Hog
from slimtrack.features.network import NetworkFeature
from slimtrack.features.stack import Feature, Stack
from slimtrack.filters.regularisation import box_weight
from slimtrack.filters.strcf import StrcfFilter
from slimtrack.trackers._blocks import BlockTracker, checked_search, scale_factors
from slimtrack.trackers._correlation import within
from slimtrack.trackers._network import NetworkTracker, network_of

__all__ = ["FdeepStrcf", "Strcf"]


class Strcf(BlockTracker, name="strcf"):
    """Spatial-temporal regularised correlation filter (Li et al., CVPR 2018): HOG, colour names, grey.

    Departs from the article in scales 1.5 % apart instead of 1 %, and in what is learned from: where the
    target moved by no more than a fifth of its mean side, the sample in which it was found, with the response
    wished for where it is, instead of one cut out anew.

    Args:
        side: Side of the square search window over the root of the target's area.
        temporal: Weight of staying with the last frame's filter.
        label: Width of the wished response, as a share of the target's mean side.
        iterations: Iterations of ADMM a frame.
        scales: Number of scales.
        step: Ratio of neighbouring scales.
    """

    def __init__(
        self,
        *,
        side: float = 5.0,
        temporal: float = 16.0,
        label: float = 1 / 16,
        iterations: int = 2,
        scales: int = 5,
        step: float = 1.015,
    ) -> None:
        checked_search(side=side, label=label, iterations=iterations)
        within(0, 1e6, temporal=temporal)
        self._side, self._temporal, self._label = side, temporal, label
        self._iterations = iterations
        self._scales = scale_factors(scales, step)
        self._features: tuple[Feature, ...] = (Stack(Hog(), ColorNames(), Grey()),)

    def _make_filter(self, block: int, label: Floats, target: tuple[float, float]) -> StrcfFilter:
        weight = box_weight(label.shape, target)
        return StrcfFilter(label, weight, temporal=self._temporal, iterations=self._iterations)


class FdeepStrcf(NetworkTracker, Strcf, name="fdeepstrcf"):
    """STRCF with a block of a network's features beside the hand-crafted ones.

    Fast DeepSTRCF of paper 002, and DeepSTRCF with a network of full size. The network runs once a frame: it
    helps to find the place. Each of its channels is brought to 0 .. 1 in every patch. Departs from the
    published form in taking the size from a scale filter: five scales of hand-crafted features cost more than
    the network (``scales=5,scale_rate=0`` is the published form, 1.5 % apart instead of 1 %); and in learning
    from the sample in which the target was found where that moved by no more than a fifth of its mean side.

    Args:
        network: The network: its name, or an ONNX file.
        tap: The layer; its stride divides the window.
        side: Side of the square search window over the root of the target's area.
        temporal: Weight of staying with the last frame's filter.
        label: Width of the wished response, as a share of the target's mean side.
        iterations: Iterations of ADMM a frame.
        scales: Number of scales.
        step: Ratio of neighbouring scales.
        scale_rate: Share of the newest frame in a scale filter; 0 for none.
    """

    _pixels = (200.0**2, 250.0**2)
    _one_scale = (1,)

    def __init__(
        self,
        *,
        network: str = "cf_vggm",
        tap: str = "relu3",
        side: float = 4.5,
        temporal: float = 15.0,
        label: float = 1 / 16,
        iterations: int = 2,
        scales: int = 1,
        step: float = 1.015,
        scale_rate: float = 0.025,
    ) -> None:
        within(0, 1, scale_rate=scale_rate)
        super().__init__(
            side=side, temporal=temporal, label=label, iterations=iterations, scales=scales, step=step
        )
        self._scale_rate = scale_rate
        self._features = (*self._features, NetworkFeature(network_of(network), tap, stretched=True))
