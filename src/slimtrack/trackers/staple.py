"""Staple: a HOG filter and colour histograms, added."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from slimtrack._cv2 import cv2
from slimtrack.arrays import Floats, Image
from slimtrack.box import Box
from slimtrack.features.grey import Grey
from slimtrack.features.hog import Hog
from slimtrack.features.stack import Stack
from slimtrack.filters.correlation import LinearFilter
from slimtrack.filters.histogram import ColorModel, color_bins
from slimtrack.filters.scale import ScaleFilter
from slimtrack.search import SearchWindow, extract
from slimtrack.tracker import Track
from slimtrack.trackers._correlation import checked, within
from slimtrack.trackers.dsst import ScaledTracker

__all__ = ["Staple"]

_INNER = 0.2
"""Share of the target's mean side shaved off the box for the sure-target histogram."""


class Staple(ScaledTracker, name="staple"):
    """Sum of template and pixel-wise learners (Bertinetto et al., CVPR 2016): HOG filter, colours, scale.

    Args:
        color: Weight of the colour response in the sum; the HOG filter's is the rest.
        ridge: Weight of the filter's regularisation.
        rate: Share of the newest frame in the filter.
        color_rate: Share of the newest frame in the histograms.
        label: Width of the wished response, as a share of the target's mean side.
    """

    _pixels = 150.0**2

    def __init__(
        self,
        *,
        color: float = 0.3,
        ridge: float = 1e-3,
        rate: float = 0.01,
        color_rate: float = 0.04,
        label: float = 1 / 16,
    ) -> None:
        checked(ridge=ridge, rate=rate, label=label)
        within(0, 1, color=color, color_rate=color_rate)
        self._color, self._ridge, self._rate = color, ridge, rate
        self._color_rate, self._label = color_rate, label
        self._feature = Stack(Hog(), Grey())

    def _make_filter(self, label: Floats) -> LinearFilter:
        return LinearFilter(label, ridge=self._ridge, rate=self._rate)

    def _make_scale_filter(self) -> ScaleFilter:
        return ScaleFilter()

    def _make_window(self, box: Box) -> SearchWindow:
        """The target and half its mean side of surroundings on each side."""
        mean = (box.w + box.h) / 2
        around = Box.from_center(box.cx, box.cy, box.w + mean, box.h + mean)
        whole = SearchWindow.around(around, area=1.0, stride=4, pixels=self._pixels)
        return SearchWindow(whole.patch, whole.pixel, (box.w / whole.pixel, box.h / whole.pixel))

    def _prepare(self) -> None:
        super()._prepare()
        self._colors = ColorModel(self._color_rate)
        self._inside, self._outside = _masks(self._window)

    def _height(self, evidence: Mapping[str, float]) -> float | None:
        """The peak-to-sidelobe ratio: colours answer everywhere a little, so the peak does not fall far."""
        return math.expm1(evidence["psr"])

    def _responses(self, image: Image, scales: Floats) -> Floats:
        template = super()._responses(image, scales)
        return (1 - self._color) * template + self._color * self._color_response(image)

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        super()._learn(image, box, track)
        patch = self._window.extract(image, box.cx, box.cy, box.w / self._first.w)
        self._colors.learn(color_bins(patch), self._inside, self._outside, track.score)

    def _color_response(self, image: Image) -> Floats:
        """Mean likelihood of the target's colours in its box at every shift of the filter's grid, wrapped."""
        w, h = self._window.patch
        tw, th = (max(round(side), 1) for side in self._window.target)
        wide, high = w + 2 * (tw // 2 + 1), h + 2 * (th // 2 + 1)
        step = self._window.pixel * self.scale
        # The middle of an even number of pixels lies between two; the blur is read at the later one's centre.
        cx, cy = self._place.cx - 0.5 * step, self._place.cy - 0.5 * step
        patch = extract(image, cx, cy, wide * step, high * step, (wide, high))
        likelihood = self._colors.likelihood(color_bins(patch))
        mean = cv2.blur(likelihood, (tw | 1, th | 1), borderType=cv2.BORDER_CONSTANT)
        stride = self._feature.stride
        # Shift 0 is the patch's centre; the filter's response counts shifts from its first cell, wrapped.
        top, left = (high - h) // 2 + (h // 2) % stride, (wide - w) // 2 + (w // 2) % stride
        rows, columns = h // stride, w // stride
        grid = mean[top : top + h : stride, left : left + w : stride][:rows, :columns]
        return np.roll(grid, (-(h // 2 // stride), -(w // 2 // stride)), axis=(0, 1))


def _masks(window: SearchWindow) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Pixels of the window that are surely the target, and surely its surroundings."""
    w, h = window.patch
    tw, th = window.target
    shave = _INNER * (tw + th) / 2
    x, y = (np.abs(np.arange(n) + 0.5 - n / 2) for n in (w, h))
    inside = (x[None] < max(tw - shave, tw / 4) / 2) & (y[:, None] < max(th - shave, th / 4) / 2)
    outside = (x[None] > tw / 2) | (y[:, None] > th / 2)
    return inside, outside
