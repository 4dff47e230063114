"""ECO: continuous filters on projected features; hand-crafted, and on the layers of a network."""

import math
from collections.abc import Sequence
from typing import Annotated, Any

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.correlation.grids import Windowing
from slimtrack.correlation.levels import of_unit_power
from slimtrack.correlation.sizes import scale_factors
from slimtrack.correlation.tap_grids import TapGrids
from slimtrack.correlation.tracker import CorrelationTracker
from slimtrack.features.color_names import ColorNames
from slimtrack.features.hog import Hog
from slimtrack.features.network import NetworkFeatures
from slimtrack.filters.eco.filter import EcoFilter, Learning
from slimtrack.networks.network import Network
from slimtrack.options import Formerly, Range
from slimtrack.trackers._network import AdaptingTracker
from slimtrack.trackers._options import (
    Adapt,
    Interval,
    LabelWidth,
    Memory,
    NetworkName,
    NewSample,
    ScaleCount,
    ScaleRate,
    ScaleStep,
    SearchScale,
)

__all__ = ["Eco", "EcoHc", "Feco"]

_Iterations = Annotated[int, Range(1, 100), "Conjugate gradient iterations per training."]
_Shallow = Annotated[str, "The layer with fine cells."]
_Deep = Annotated[str, "The layer with coarse cells."]
_ShallowDims = Annotated[int, Range(1, 2048), "Channels of the fine layer after projection."]
_DeepDims = Annotated[int, Range(1, 2048), "Channels of the coarse layer after projection."]


class _ContinuousTracker(CorrelationTracker):
    """A correlation tracker with the filter of ECO: one on all grids, which has a memory of samples."""

    _square = True
    _relearn_shift = math.inf
    _exact_peak = True
    _dims: Sequence[int]
    """Channels of each kind of feature after projection."""
    _joint: int = 10
    """Gauss-Newton steps in which projections are learned with the first frame's filter."""
    _learning: Learning
    _filter: EcoFilter

    def _make_windowing(self) -> Windowing:
        return of_unit_power

    def _make_filters(self) -> EcoFilter:
        (w, h), (tw, th) = self._window.patch, self._window.target
        return EcoFilter(self._sampler.blocks, self._dims, (th / h, tw / w), self._learning)

    def _begin(self, image: Image, box: Box) -> None:
        self._filter.start([x[0] for x in self.features_at(image, box)], steps=self._joint)


class EcoHc(_ContinuousTracker, name="eco-hc"):
    """ECO with hand-crafted features (Danelljan et al., CVPR 2017): HOG and colour names, a scale filter.

    Departs from the article in training every third frame instead of every sixth, in a learning rate of 0.012
    instead of 0.009, and in a scale filter that learns from the samples of the search, shifted to the new
    size.
    """

    def __init__(  # noqa: PLR0913  # an option each
        self,
        *,
        search_scale: SearchScale = 4.0,
        hog: Annotated[int, Range(1, 31), "Channels of HOG after projection."] = 10,
        colors: Annotated[int, Range(1, 11), "Channels of the colour names after projection."] = 3,
        rate: NewSample = 0.012,
        memory: Memory = 30,
        interval: Interval = 3,
        iterations: _Iterations = 5,
        label_width: LabelWidth = 1 / 16,
        scale_rate: Annotated[
            float, Range(1e-6, 1), "Share of the newest frame in the scale filter."
        ] = 0.025,
        joint_steps: Annotated[
            int,
            Range(0, 100),
            Formerly("joint"),
            "Gauss-Newton steps that learn the projections together with the first frame's filter; 0 for "
            "none.",
        ] = 6,
    ) -> None:
        self._area, self._dims, self._scale_rate = search_scale**2, (hog, colors), scale_rate
        self._pixels = (150.0**2, 200.0**2)
        self._features, self._joint = (Hog(6), ColorNames(4)), joint_steps
        self._learning = Learning(label_width, rate, memory, interval, iterations)


class Eco(AdaptingTracker, _ContinuousTracker, name="eco"):
    """ECO on a shallow and a deep layer of a network (Danelljan et al., CVPR 2017).

    The article uses VGG-M's first and fifth convolution, and the published settings add HOG. With a file of
    VGG-M, name its layers in the options. Departs from the article in training every third frame instead of
    every sixth, and in taking the size from a scale filter, because five scales of a network cost five times
    as much (``scales=5,scale_rate=0`` is the article's form).
    """

    def __init__(  # noqa: PLR0913  # an option each
        self,
        *,
        network: NetworkName = "resnet18",
        shallow: _Shallow = "relu1",
        deep: _Deep = "layer3",
        downsample: Annotated[
            int, Range(1, 8), "Number of cells of the fine layer averaged into one, in each direction."
        ] = 2,
        shallow_dims: _ShallowDims = 16,
        deep_dims: _DeepDims = 64,
        hog: Annotated[
            int, Range(0, 31), "Channels of HOG after projection, beside the layers; 0 for none."
        ] = 10,
        search_scale: SearchScale = 4.5,
        rate: NewSample = 0.012,
        memory: Memory = 50,
        interval: Interval = 3,
        iterations: _Iterations = 5,
        label_width: LabelWidth = 1 / 12,
        scales: ScaleCount = 1,
        step: ScaleStep = 1.02,
        scale_rate: ScaleRate = 0.025,
        adapt: Adapt = False,
    ) -> None:
        self._features = (Hog(4),) if hog else ()
        self._dims = (shallow_dims, deep_dims, hog) if hog else (shallow_dims, deep_dims)
        self._area, self._scale_rate = search_scale**2, scale_rate
        self._scales = scale_factors(scales, step)
        self._pixels = (200.0**2, 250.0**2)
        self._reads_from(network, (shallow, deep), adapt=adapt)
        self._averaged = (downsample, 1)
        strides = (n * tap.stride for n, tap in zip(self._averaged, self._network.taps, strict=True))
        self._stride = math.lcm(*strides)
        self._learning = Learning(label_width, rate, memory, interval, iterations, ridge=5e-8)

    def _read(self, network: Network) -> None:
        self._network = NetworkFeatures(network, self._taps)

    def _make_sampler(self) -> TapGrids:
        return TapGrids(
            self._network, self._averaged, self._features, self._window, windowing=self._make_windowing()
        )


class Feco(Eco, name="feco"):
    """ECO on a shallow and a deep layer of a small, distilled network.

    As in paper 002, with the same departures as `Eco` from its article, and on a network that we trained:
    ``network=cf_vggm`` is the authors'.
    """

    def __init__(
        self,
        *,
        network: NetworkName = "cf-vgg",
        shallow: _Shallow = "norm1",
        deep: _Deep = "relu5",
        shallow_dims: _ShallowDims = 3,
        deep_dims: _DeepDims = 12,
        **options: Any,
    ) -> None:
        super().__init__(
            network=network, shallow=shallow, deep=deep, shallow_dims=shallow_dims, deep_dims=deep_dims,
            **options,
        )  # fmt: skip
