"""What the correlation filter trackers share: a window, a feature, a filter, scales."""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from slimtrack.arrays import Features, Floats, Image
from slimtrack.box import Box
from slimtrack.errors import InputError
from slimtrack.features.stack import Feature
from slimtrack.filters.response import evidence, peak
from slimtrack.search import SearchWindow, cosine_window
from slimtrack.tracker import Estimate, Tracker

__all__ = ["CorrelationTracker", "Filter", "positive"]

SCALE_RANGE = (0.2, 5.0)
"""How much smaller or larger than in the first frame a target may become."""


class Filter(Protocol):
    """A filter that learns windowed features and responds to others."""

    def learn(self, x: Features) -> None:
        """Mixes ``(C, h, w)`` into the model."""
        ...

    def respond(self, z: Features) -> Floats:
        """Responses ``(S, h, w)`` to ``(S, C, h, w)``, peak at the target's shift, wrapped around."""
        ...


def positive(**values: float) -> None:
    """Refuses options that must be greater than zero.

    Raises:
        InputError: One is not.
    """
    for name, value in values.items():
        if not value > 0:
            raise InputError(f"option {name}={value!r} must be greater than 0")


class CorrelationTracker(Tracker):
    """A search window, a feature, a filter; several scales when a tracker asks for them.

    A subclass sets what follows in its constructor, and says in `_make_filter` how its filter is made.
    """

    _feature: Feature
    _area: float
    _pixels: float = 160.0**2
    _scales: Sequence[float] = (1.0,)

    def _make_filter(self, window: SearchWindow) -> Filter:
        raise TypeError(f"{type(self).__name__} must say how its filter is made")

    def _make_window(self, box: Box) -> SearchWindow:
        return SearchWindow.around(box, area=self._area, stride=self._feature.stride, pixels=self._pixels)

    def _start(self, image: Image, box: Box) -> None:
        self._first = box
        self._window = self._make_window(box)
        w, h = (side // self._feature.stride for side in self._window.patch)
        self._cosine = cosine_window(h, w)
        self._filter = self._make_filter(self._window)
        self._learn(image, box)

    def _locate(self, image: Image) -> Estimate:
        scales = self.scale * np.asarray(self._scales)
        patches = self._window.pyramid(image, self.box.cx, self.box.cy, scales)
        responses = self._filter.respond(self._feature(patches) * self._cosine)
        best = int(responses.max(axis=(1, 2)).argmax())
        dy, dx = (shift * self._feature.stride for shift in peak(responses[best]))
        box = self._window.moved(self.box, dx, dy, scale=scales[best])
        return Estimate(self._resized(box, scales[best]), evidence(responses[best]))

    def _learn(self, image: Image, box: Box) -> None:
        self._filter.learn(self._features_at(image, box))

    @property
    def scale(self) -> float:
        """The last believed size over the first."""
        return self.box.w / self._first.w

    def _features_at(self, image: Image, box: Box) -> Features:
        patch = self._window.extract(image, box.cx, box.cy, box.w / self._first.w)
        return self._feature(patch) * self._cosine

    def _resized(self, box: Box, scale: float) -> Box:
        scale = min(max(scale, SCALE_RANGE[0]), SCALE_RANGE[1])
        return Box.from_center(box.cx, box.cy, self._first.w * scale, self._first.h * scale)

    def _label_sigma(self, window: SearchWindow, share: float) -> float:
        """Width of the wished response in cells: ``share`` of the target's mean side."""
        return share * math.sqrt(window.target[0] * window.target[1]) / self._feature.stride
