"""ECO: continuous filters on projected features; hand-crafted, and on the layers of a network."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, Protocol

import numpy as np

from slimtrack.arrays import Features, Floats, Image
from slimtrack.box import Box
from slimtrack.features.color_names import ColorNames
from slimtrack.features.hog import Hog
from slimtrack.features.network import NetworkFeatures
from slimtrack.features.stack import Feature
from slimtrack.filters.eco.continuous import Block, samples
from slimtrack.filters.eco.filter import EcoFilter
from slimtrack.filters.newton import newton_peak
from slimtrack.filters.response import evidence
from slimtrack.options import Formerly, Range
from slimtrack.search import SearchWindow
from slimtrack.tracker import Estimate, Track, Tracker
from slimtrack.trackers._blocks import Blocks, scale_factors
from slimtrack.trackers._correlation import SCALE_RANGE, best_scale
from slimtrack.trackers._network import NetworkTracker, network_of
from slimtrack.trackers._options import (
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
from slimtrack.trackers._scale import scale_search

__all__ = ["ContinuousTracker", "Eco", "EcoHc", "Feco"]

_Iterations = Annotated[int, Range(1, 100), "Conjugate gradient iterations a training."]
_Shallow = Annotated[str, "The fine layer."]
_Deep = Annotated[str, "The coarse layer."]
_ShallowDims = Annotated[int, Range(1, 2048), "Channels of the fine layer after projection."]
_DeepDims = Annotated[int, Range(1, 2048), "Channels of the coarse layer after projection."]


class _Sampler(Protocol):
    """Cuts windowed blocks of features out of a frame.

    Attributes:
        blocks: The blocks that it gives.
    """

    blocks: Sequence[Block]

    def sample(self, image: Image, cx: float, cy: float, scales: Sequence[float] | Floats) -> list[Features]:
        """The blocks ``(S, C, h, w)`` of several scales at one centre of the frame."""
        ...


class _FeatureBlocks(Blocks):
    """Features that each cut and tile the window themselves."""

    def __init__(self, features: Sequence[Feature], window: SearchWindow) -> None:
        super().__init__(features, window)
        self.blocks: Sequence[Block] = [
            Block(f.channels, size) for f, size in zip(features, self.sizes, strict=True)
        ]


class _TapBlocks:
    """Several taps of a network from one run, and features of the same patch, on cells that tile the window.

    Args:
        network: The network and its taps.
        averaged: For each tap, how many cells are averaged to one, down and across.
        others: Features without a network, after the taps.
        window: The search window.
    """

    def __init__(
        self,
        network: NetworkFeatures,
        averaged: Sequence[int],
        others: Sequence[Feature],
        window: SearchWindow,
    ) -> None:
        self._network, self._averaged, self._others, self._window = network, averaged, others, window
        blocks, self._cuts = [], []
        for tap, start, n in zip(network.taps, network.starts, averaged, strict=True):
            stride = n * tap.stride
            h, w = (side // stride for side in window.patch[::-1])
            # The first cell whose centre, that of n averaged ones, lies inside the window.
            middle = start + (n - 1) / 2 * tap.stride
            skip = max(math.ceil(-middle / tap.stride), 0)
            blocks.append(Block(tap.channels, (h, w), (middle + skip * tap.stride) / stride))
            self._cuts.append((slice(skip, skip + n * h), slice(skip, skip + n * w)))
        # One patch for all: it starts at or before the window, whole pixels from where the network's starts.
        start, extra = network.margin
        self._lead = max(math.ceil(start), 0) if others else 0
        start -= self._lead
        self._margin = start, max(extra + self._lead, math.ceil(-start))
        self._first = math.ceil(-start)
        for feature in others:
            h, w = (side // feature.stride for side in window.patch[::-1])
            blocks.append(Block(feature.channels, (h, w), 0.5 + (self._first + start) / feature.stride))
        self._cosines = [_cosine(block) for block in blocks]
        self.blocks: Sequence[Block] = blocks

    def sample(self, image: Image, cx: float, cy: float, scales: Sequence[float] | Floats) -> list[Features]:
        """The blocks ``(S, C, h, w)`` of several scales at one centre of the frame."""
        patches = self._window.pyramid(image, cx, cy, scales, self._margin)
        deep = self._cut(patches, self._lead, self._network.margin.extra)
        maps = zip(self._network(deep), self._cuts, self._averaged, strict=True)
        blocks: list[Features] = [_averages(x[..., cut[0], cut[1]], n) for x, cut, n in maps]
        if self._others:
            inner = self._cut(patches, self._first, 0)
            blocks += [feature(inner) for feature in self._others]
        return [np.asarray(x * cosine) for x, cosine in zip(blocks, self._cosines, strict=True)]

    def _cut(self, patches: Image, first: int, extra: int) -> Image:
        """The part of ``(S, H, W, 3)`` from a pixel on that is ``extra`` pixels wider than the window."""
        h, w = (slice(first, first + side + extra) for side in self._window.patch[::-1])
        return np.ascontiguousarray(patches[:, h, w])


def _cosine(block: Block) -> Floats:
    """A Hann window over the whole window at the block's cells."""
    rows, columns = (np.sin(np.pi * (np.arange(n) + block.offset) / n) ** 2 for n in block.size)
    return np.asarray(np.outer(rows, columns), np.float32)


class ContinuousTracker(Tracker):
    """A square window, blocks of features, the filter of ECO; size from several scales or a scale filter.

    A subclass sets what follows in its constructor.
    """

    _stride: int
    """The window's sides are whole multiples of this."""
    _dims: Sequence[int]
    """Channels of each block after projection."""
    _side: float
    """Side of the window over the root of the target's area."""
    _pixels: tuple[float, float]
    """Fewest and most pixels of the window."""
    _scales: Sequence[float] = (1.0,)
    _scale_rate: float = 0.0
    """Rate of the scale filter; 0 for none."""
    _joint: int = 10
    """Gauss-Newton steps in which projections are learned with the first frame's filter."""
    _filter_options: dict[str, Any]

    @abstractmethod
    def _make_sampler(self, window: SearchWindow) -> _Sampler:
        """What cuts this tracker's features."""

    def _start(self, image: Image, box: Box) -> None:
        self._first = box
        least, most = self._pixels
        self._window = SearchWindow.around(
            box, area=self._side**2, square=True, stride=self._stride, pixels=most, least=least
        )
        self._sampler = self._make_sampler(self._window)
        (w, h), (tw, th) = self._window.patch, self._window.target
        self._filter = EcoFilter(self._sampler.blocks, self._dims, (th / h, tw / w), **self._filter_options)
        self._filter.start([x[0] for x in self._sampled(image, box, [1.0])], steps=self._joint)
        self._scaling = scale_search(image, box, self._scale_rate)

    def _locate(self, image: Image) -> Estimate:
        scales = self.scale * np.asarray(self._scales)
        coefficients = self._filter.transform(self._sampled(image, self._place, scales))
        spectra = self._filter.respond(coefficients)
        responses = samples(spectra)
        best, scale = best_scale(responses, scales)
        step = self._window.pixel * scales[best]
        # What was seen is learned from later: no second look at the frame.
        self._seen = coefficients[best], self._place, step
        cells = newton_peak(responses[best], spectra[best])
        dy, dx = (
            shift / count * side * step
            for shift, count, side in zip(cells, responses.shape[1:], self._window.patch[::-1], strict=True)
        )
        box = self._resized(self._place.moved(dx, dy), scale)
        if self._scaling is not None:
            box = self._resized(box, scale * self._scaling.factor(image, box))
        return Estimate(box, evidence(responses[best]))

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        sample, centre, step = self._seen
        w, h = (side * step for side in self._window.patch)
        self._filter.learn(
            self._filter.layout.shift(sample, (centre.cy - box.cy) / h, (centre.cx - box.cx) / w), track.score
        )
        if self._scaling is not None:
            self._scaling.learn(image, box, track.score)

    @property
    def scale(self) -> float:
        """Size over the first where the target is looked for."""
        return self._place.w / self._first.w

    def _sampled(self, image: Image, box: Box, scales: Sequence[float] | Floats) -> list[Features]:
        return [_of_unit_power(x) for x in self._sampler.sample(image, box.cx, box.cy, scales)]

    def _resized(self, box: Box, scale: float) -> Box:
        scale = min(max(scale, SCALE_RANGE[0]), SCALE_RANGE[1])
        return Box.from_center(box.cx, box.cy, self._first.w * scale, self._first.h * scale)


def _averages(maps: Features, n: int) -> Features:
    """Means of ``n x n`` cells of ``(S, C, n h, n w)``."""
    if n == 1:
        return maps
    # A loop over the n x n places in a cell: sums over short inner axes take numpy ten times as long.
    total = sum(maps[..., y::n, x::n] for y in range(n) for x in range(n))
    return np.asarray(total * np.float32(1 / n**2))


def _of_unit_power(block: Features) -> Features:
    """Each sample of ``(S, C, h, w)`` divided by the root of its mean square.

    The regularisation's published weights are for features of unit power before the cosine window, which
    takes (3/8)^2 of it.
    """
    power = np.einsum("schw,schw->s", block, block) / block[0].size
    gain = np.float32(3 / 8) / np.sqrt(power + 1e-10)
    return np.asarray(block * gain[:, None, None, None])


class EcoHc(ContinuousTracker, name="eco-hc"):
    """ECO with hand-crafted features (Danelljan et al., CVPR 2017): HOG and colour names, a scale filter.

    Departs from the article in training every third frame instead of every sixth, in a rate of 0.012 instead
    of 0.009, and in a scale filter that learns from the samples it was asked with, moved to the size found.
    """

    def __init__(
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
            "Gauss-Newton steps in which projections are learned with the first frame's filter; 0 for none.",
        ] = 6,
    ) -> None:
        self._side, self._dims, self._scale_rate = search_scale, (hog, colors), scale_rate
        self._pixels = (150.0**2, 200.0**2)
        self._stride, self._joint = 12, joint_steps
        self._filter_options = {
            "sigma": label_width, "rate": rate, "memory": memory, "interval": interval,
            "iterations": iterations,
        }  # fmt: skip

    def _make_sampler(self, window: SearchWindow) -> _Sampler:
        return _FeatureBlocks((Hog(6), ColorNames(4)), window)


class Eco(NetworkTracker, ContinuousTracker, name="eco"):
    """ECO on a shallow and a deep layer of a network (Danelljan et al., CVPR 2017).

    The article has VGG-M's first and fifth convolution, and its published settings HOG beside them; with a
    file of VGG-M, name its layers here. It departs from the article in training every third frame instead of
    every sixth, and in taking the size from a scale filter: five scales of a network cost five times as much
    (``scales=5,scale_rate=0`` is the article's).
    """

    def __init__(
        self,
        *,
        network: NetworkName = "resnet18",
        shallow: _Shallow = "relu1",
        deep: _Deep = "layer3",
        downsample: Annotated[int, Range(1, 8), "Cells of the fine layer averaged into one, each way."] = 2,
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
    ) -> None:
        self._others = (Hog(4),) if hog else ()
        self._dims = (shallow_dims, deep_dims, hog) if hog else (shallow_dims, deep_dims)
        self._side, self._scale_rate = search_scale, scale_rate
        self._scales = scale_factors(scales, step)
        self._pixels = (200.0**2, 250.0**2)
        self._network = NetworkFeatures(network_of(network), (shallow, deep))
        self._averaged = (downsample, 1)
        strides = [n * tap.stride for n, tap in zip(self._averaged, self._network.taps, strict=True)]
        self._stride = math.lcm(*strides, *(feature.stride for feature in self._others))
        self._filter_options = {
            "sigma": label_width, "rate": rate, "memory": memory, "interval": interval,
            "iterations": iterations, "ridge": 5e-8,
        }  # fmt: skip

    def _make_sampler(self, window: SearchWindow) -> _Sampler:
        return _TapBlocks(self._network, self._averaged, self._others, window)


class Feco(Eco, name="feco"):
    """ECO on a shallow and a deep layer of a small, distilled network.

    The form of paper 002; departs from it as `Eco` does from its article.
    """

    def __init__(
        self,
        *,
        network: NetworkName = "cf_vggm",
        shallow: _Shallow = "norm1",
        deep: _Deep = "relu5",
        shallow_dims: _ShallowDims = 3,
        deep_dims: _DeepDims = 12,
        **options: Any,
    ) -> None:
        super().__init__(
            network=network,
            shallow=shallow,
            deep=deep,
            shallow_dims=shallow_dims,
            deep_dims=deep_dims,
            **options,
        )
