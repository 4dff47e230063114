"""Staple: a HOG filter and colour histograms, added."""

import math
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from slimtrack._cv2 import cv2
from slimtrack.arrays import Floats, Image
from slimtrack.box import Box
from slimtrack.correlation.grids import FeatureGrids
from slimtrack.correlation.tracker import CorrelationTracker
from slimtrack.features.grey import Grey
from slimtrack.features.hog import Hog
from slimtrack.features.stack import Stack
from slimtrack.filters.correlation import LinearFilter
from slimtrack.filters.fft import rfft2
from slimtrack.filters.histogram import ColorModel
from slimtrack.filters.response import Responses
from slimtrack.filters.scale import ScaleFilter
from slimtrack.options import Formerly, Range
from slimtrack.search import SearchWindow, extract
from slimtrack.tracker import Track
from slimtrack.trackers._options import LabelWidth, Rate, Ridge

__all__ = ["Staple"]

_INNER = 0.2
"""Share of the target's mean side cut off the box for the histogram of the target."""

_AREA = 6.25
"""Largest area of the search window over the target's."""


class Staple(CorrelationTracker, name="staple"):
    """Sum of template and pixel-wise learners (Bertinetto et al., CVPR 2016): HOG filter, colours, scale."""

    _pixels = (32.0**2, 150.0**2)
    _sampler: FeatureGrids

    def __init__(
        self,
        *,
        color_weight: Annotated[
            float,
            Range(0, 1),
            Formerly("color"),
            "Weight of the colour response in the sum; the HOG filter has the rest.",
        ] = 0.3,
        ridge: Ridge = 1e-3,
        rate: Rate = 0.01,
        color_rate: Annotated[float, Range(0, 1), "Share of the newest frame in the histograms."] = 0.04,
        label_width: LabelWidth = 1 / 16,
    ) -> None:
        self._color, self._ridge, self._rate = color_weight, ridge, rate
        self._color_rate, self._label = color_rate, label_width
        self._features = (Stack(Hog(), Grey()),)

    def _make_filter(self, label: Floats, target: tuple[float, float]) -> LinearFilter:
        return LinearFilter(label, ridge=self._ridge, rate=self._rate)

    def _make_scale_filter(self) -> ScaleFilter:
        return ScaleFilter()

    def _make_window(self, box: Box) -> SearchWindow:
        """The target with surroundings of half its mean side on each side; less around a thin target.

        For a thin target the article's window is nearly all surroundings, which the filter would follow.
        """
        sum_ = box.w + box.h
        most = (math.sqrt(sum_**2 + 4 * (_AREA - 1) * box.area) - sum_) / 2
        more = min(sum_ / 2, most)
        around = Box.from_center(box.cx, box.cy, box.w + more, box.h + more)
        whole = SearchWindow.around(around, area=1.0, stride=4, pixels=self._pixels[1])
        return SearchWindow(whole.patch, whole.pixel, (box.w / whole.pixel, box.h / whole.pixel))

    def _begin(self, image: Image, box: Box) -> None:
        self._colors = ColorModel(self._color_rate)
        self._inside, self._outside = _masks(self._window)
        super()._begin(image, box)

    def _look(self, image: Image, scales: Floats) -> tuple[Any, Responses]:
        """Cuts the window, together with what the colour response needs around it."""
        patch, (x, y) = self._wide_patch(image)
        w, h = self._window.patch
        samples = self._transformed(patch[y : y + h, x : x + w])
        template = self._filter.respond(samples).values
        values = (1 - self._color) * template + self._color * self._color_response(patch)
        return samples, Responses(values, rfft2(values))

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        patch = self._window.extract(image, box.cx, box.cy, self._sizes.scale(box))
        self._filter.learn(self._filter.at(self._transformed(patch), 0), weight=track.score)
        self._colors.learn(patch, self._inside, self._outside, track.score)
        self._sizes.learn(image, box, track.score)

    def _transformed(self, patch: Image) -> Any:
        """A window ``(h, w, 3)`` as the filter transforms it."""
        return self._filter.transform(self._sampler.describe(patch[None]))

    def _wide_patch(self, image: Image) -> tuple[Image, tuple[int, int]]:
        """The window with half a target around it, and the position of the window in it."""
        x, y = (side // 2 + 1 for side in self._box_pixels())
        w, h = (side + 2 * more for side, more in zip(self._window.patch, (x, y), strict=True))
        step = self._window.pixel * self.scale
        return extract(image, self._place.cx, self._place.cy, w * step, h * step, (w, h)), (x, y)

    def _box_pixels(self) -> tuple[int, int]:
        """Width and height of the target in patch pixels, both even, so that both centres agree."""
        w, h = (max(round(side / 2), 1) * 2 for side in self._window.target)
        return w, h

    def _color_response(self, patch: Image) -> Floats:
        """Mean likelihood of the target's colours in its box at every shift of the filter's grid, wrapped."""
        w, h = self._window.patch
        high, wide = patch.shape[:2]
        likelihood = self._colors.likelihood(patch)
        mean = cv2.blur(likelihood, self._box_pixels(), borderType=cv2.BORDER_CONSTANT)
        stride = self._features[0].stride
        # Shift 0 is the patch's centre; the filter's response counts shifts from its first cell, wrapped.
        top, left = (high - h) // 2 + (h // 2) % stride, (wide - w) // 2 + (w // 2) % stride
        rows, columns = h // stride, w // stride
        grid = mean[top : top + h : stride, left : left + w : stride][:rows, :columns]
        return np.roll(grid, (-(h // 2 // stride), -(w // 2 // stride)), axis=(0, 1))


def _masks(window: SearchWindow) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Masks of the window's pixels that certainly belong to the target, and to its surroundings."""
    w, h = window.patch
    tw, th = window.target
    shave = _INNER * (tw + th) / 2
    x, y = (np.abs(np.arange(n) + 0.5 - n / 2) for n in (w, h))
    inside = (x[None] < max(tw - shave, tw / 4) / 2) & (y[:, None] < max(th - shave, th / 4) / 2)
    outside = (x[None] > tw / 2) | (y[:, None] > th / 2)
    return inside, outside
