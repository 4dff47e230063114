"""The base class of correlation trackers, composed of four parts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slimtrack.arrays import Features, Floats, Image
from slimtrack.box import Box
from slimtrack.correlation.grids import FeatureGrids, Sampler, Windowing
from slimtrack.correlation.sizes import ScaleFilterLike, SizeSearch, best_scale
from slimtrack.features.stack import Feature
from slimtrack.filters.newton import newton_peak
from slimtrack.filters.response import Responses, evidence, gaussian_label, peak
from slimtrack.filters.scale import FastScaleFilter
from slimtrack.filters.spectral import GridFilter, GridFilters, SpectralFilter
from slimtrack.search import SearchWindow
from slimtrack.tracker import Estimate, State, Track, Tracker

__all__ = ["CorrelationTracker", "LastSample"]


@dataclass(frozen=True, slots=True)
class LastSample:
    """The sample in which a target was found; the filter learns from it instead of sampling again.

    Attributes:
        box: The box that was found.
        shift: Position of its centre below and to the right of the window's middle, as fractions of the
            window.
        sample: The window's features, transformed by the filter.
    """

    box: Box
    shift: tuple[float, float]
    sample: Any


class CorrelationTracker(Tracker):
    """Searches for the target with a filter, in a window around the last box.

    It is composed of four parts, which are created for every target:

    - the *sampler* computes features of the window, each kind on its own grid (`_make_sampler`);
    - the *spectral filter* learns them and responds to them (`_make_filters`: one `_make_filter` per grid);
    - the *search over sizes* samples the window at several ``_scales``, and may use a scale filter
      (`_make_scale_filter`);
    - the *last sample* is used for learning if the target moved by less than ``_relearn_shift``.

    A subclass sets the following attributes in its constructor, and creates its filter in `_make_filter`.
    """

    _features: Sequence[Feature]
    _area: float
    """Area of the window over the target's."""
    _square: bool = False
    """Whether the window is square, instead of having the target's shape."""
    _pixels: tuple[float, float] = (32.0**2, 160.0**2)
    """Smallest and largest number of pixels of the window."""
    _stride: int = 1
    """The window's sides are whole multiples of this, and of the features' strides."""
    _label: float
    """Width of the desired response, as a share of the target's mean side."""
    _scales: Sequence[float] = (1.0,)
    """Sizes, relative to the last one, at which the window is sampled."""
    _scale_rate: float = 0.0
    """Share of the newest frame in a fast scale filter; 0 for none."""
    _one_scale: Sequence[int] = ()
    """Features computed only at the last size; they help to find the position, but not the size."""
    _relearn_shift: float = 0.0
    """Shift, as a share of the target's mean side, from which on the window is sampled again for learning."""
    _exact_peak: bool = False
    """Whether the peak is that of the response's Fourier series, or of a parabola through three cells."""

    def _make_filter(self, label: Floats, target: tuple[float, float]) -> GridFilter:
        """The filter of one grid.

        Args:
            label: The desired response ``(h, w)``, 1 at (0, 0).
            target: Height and width of the target in cells.
        """
        raise NotImplementedError(f"{type(self).__name__} has no _make_filter")

    def _make_scale_filter(self) -> ScaleFilterLike | None:
        """The filter that finds the size; ``None``: only the scales are used."""
        return FastScaleFilter(rate=self._scale_rate) if self._scale_rate else None

    def _make_windowing(self) -> Windowing:
        """How features are windowed and scaled."""
        return np.multiply

    def _make_sampler(self) -> Sampler:
        return FeatureGrids(
            self._features, self._window, one_scale=self._one_scale, windowing=self._make_windowing()
        )

    def _make_filters(self) -> SpectralFilter:
        sizes = [block.size for block in self._sampler.blocks]
        return GridFilters([self._new_filter(size) for size in sizes], sizes)

    def _new_filter(self, size: tuple[int, int]) -> GridFilter:
        """A new filter for a grid of that height and width."""
        (w, h), (tw, th) = self._window.patch, self._window.target
        return self._make_filter(self._desired(size), (th * size[0] / h, tw * size[1] / w))

    def _desired(self, size: tuple[int, int]) -> Floats:
        """The desired response on a grid of that height and width."""
        stride = self._window.patch[1] // size[0]
        return gaussian_label(*size, self._label * math.sqrt(math.prod(self._window.target)) / stride)

    def _make_window(self, box: Box) -> SearchWindow:
        stride = math.lcm(self._stride, *(feature.stride for feature in self._features))
        least, most = self._pixels
        return SearchWindow.around(
            box, area=self._area, square=self._square, stride=stride, pixels=most, least=least
        )

    def _start(self, image: Image, box: Box) -> None:
        self._last: LastSample | None = None
        self._window = self._make_window(box)
        self._sampler = self._make_sampler()
        self._filter = self._make_filters()
        self._sizes = SizeSearch(image, box, self._scales, self._make_scale_filter())
        self._begin(image, box)

    def _begin(self, image: Image, box: Box) -> None:
        """Learns the first frame, after all parts have been created."""
        self._learn(image, box, Track(box, 1.0, State.TRACKED))

    def _locate(self, image: Image) -> Estimate:
        scales = self._sizes.scales(self._place)
        samples, responses = self._look(image, scales)
        best, scale = best_scale(responses.values, scales)
        shift = self._shift(responses, best)
        dy, dx = (part * side for part, side in zip(shift, self._window.patch[::-1], strict=True))
        moved = self._window.moved(self._place, dx, dy, scale=scales[best])
        box = self._sizes.sized(image, moved, scale)
        near = math.hypot(dy, dx) < self._relearn_shift * math.sqrt(math.prod(self._window.target))
        self._last = LastSample(box, shift, self._filter.at(samples, best)) if near else None
        return Estimate(box, evidence(responses.values[best]))

    def _look(self, image: Image, scales: Floats) -> tuple[Any, Responses]:
        """The samples of the windows around the last box, and the responses to them."""
        samples = self._filter.transform(self._sampler.sample(image, self._place.cx, self._place.cy, scales))
        return samples, self._filter.respond(samples)

    def _shift(self, responses: Responses, index: int) -> tuple[float, float]:
        """Position of a peak below and to the right of the middle, as fractions of the window."""
        values = responses.values[index]
        y, x = newton_peak(values, responses.spectra[index]) if self._exact_peak else peak(values)
        return y / values.shape[0], x / values.shape[1]

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        if self._last is not None and self._last.box == box:
            self._filter.learn(self._last.sample, self._last.shift, track.score)
        else:
            self._filter.learn(self._sample_at(image, box), weight=track.score)
        self._sizes.learn(image, box, track.score)

    def _sample_at(self, image: Image, box: Box) -> Any:
        """The features of the window around a box, transformed by the filter."""
        return self._filter.at(self._filter.transform(self.features_at(image, box)), 0)

    def features_at(self, image: Image, box: Box) -> list[Features]:
        """The features of the window around a box, ``(1, C, h, w)`` for each grid."""
        return self._sampler.sample(image, box.cx, box.cy, [self._sizes.scale(box)])

    @property
    def features(self) -> tuple[Feature, ...]:
        """The features of the window, one per grid; known before the first target."""
        return tuple(self._features)

    @property
    def sampler(self) -> Sampler:
        """The sampler of this target.

        Raises:
            NotStartedError: There is no target yet.
        """
        self._started()
        return self._sampler

    @property
    def filter(self) -> SpectralFilter:
        """The filter of this target.

        Raises:
            NotStartedError: There is no target yet.
        """
        self._started()
        return self._filter

    @property
    def window(self) -> SearchWindow:
        """The search window.

        Raises:
            NotStartedError: There is no target yet.
        """
        self._started()
        return self._window

    @property
    def scale(self) -> float:
        """Size at which the target is searched for, relative to the first one."""
        return self._sizes.scale(self._place)
