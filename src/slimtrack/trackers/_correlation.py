"""What the correlation filter trackers share: a window, a feature, a filter, scales."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from slimtrack.arrays import Features, Floats, Image
from slimtrack.box import Box
from slimtrack.features.stack import Feature
from slimtrack.filters.response import evidence, gaussian_label, peak, refine
from slimtrack.search import SearchWindow, cosine_window
from slimtrack.tracker import Estimate, State, Track, Tracker

__all__ = ["CorrelationTracker", "Filter", "best_scale"]

SCALE_RANGE = (0.2, 5.0)
"""How much smaller or larger than in the first frame a target may become."""


class Filter(Protocol):
    """A filter that learns windowed features and responds to others."""

    def learn(self, x: Features, *, weight: float) -> None:
        """Mixes ``(C, h, w)`` into the model, at ``weight`` (0 to 1) times the usual rate."""
        ...

    def respond(self, z: Features) -> Floats:
        """Responses ``(S, h, w)`` to ``(S, C, h, w)``, peak at the target's shift, wrapped around."""
        ...


def best_scale(responses: Floats, scales: Floats) -> tuple[int, float]:
    """Which of several scales responds most, and the scale between its neighbours at which the peak is.

    Without the latter, a target that shrinks by less than half a step a frame would never seem smaller.

    Args:
        responses: ``(S, h, w)``.
        scales: ``(S,)``, neighbours equally far apart in ratio.
    """
    heights = responses.max(axis=(1, 2))
    best = int(heights.argmax())
    if not 0 < best < len(scales) - 1:
        return best, float(scales[best])
    offset = refine(*(float(height) for height in heights[best - 1 : best + 2]))
    return best, float(scales[best] * (scales[best + 1] / scales[best]) ** offset)


class CorrelationTracker(Tracker):
    """A search window, a feature, a filter; several scales when a tracker asks for them.

    A subclass sets what follows in its constructor, and says in `_make_filter` how its filter is made.
    """

    _feature: Feature
    _area: float
    _label: float
    _pixels: float = 160.0**2
    _least: float = 32.0**2
    _scales: Sequence[float] = (1.0,)

    @abstractmethod
    def _make_filter(self, label: Floats) -> Filter:
        """A new filter that is to respond with ``label`` ``(h, w)``."""

    def _make_window(self, box: Box) -> SearchWindow:
        return SearchWindow.around(
            box, area=self._area, stride=self._feature.stride, pixels=self._pixels, least=self._least
        )

    def _start(self, image: Image, box: Box) -> None:
        self._first = box
        self._window = self._make_window(box)
        w, h = (side // self._feature.stride for side in self._window.patch)
        self._cosine = cosine_window(h, w)
        # In cells: a share of the target's mean side.
        sigma = self._label * math.sqrt(math.prod(self._window.target)) / self._feature.stride
        self._filter = self._make_filter(gaussian_label(h, w, sigma))
        self._prepare()
        self._learn(image, box, Track(box, 1.0, State.TRACKED))

    def _prepare(self) -> None:
        """Sets up what a subclass needs besides; the window is known, nothing is learned yet."""

    def _locate(self, image: Image) -> Estimate:
        scales = self.scale * np.asarray(self._scales)
        responses = self._responses(image, scales)
        best, scale = best_scale(responses, scales)
        dy, dx = (shift * self._feature.stride for shift in peak(responses[best]))
        box = self._window.moved(self._place, dx, dy, scale=scales[best])
        return Estimate(self._resized(box, scale), evidence(responses[best]))

    def _responses(self, image: Image, scales: Floats) -> Floats:
        """Responses ``(S, h, w)`` around the last box, at each of the scales."""
        patches = self._window.pyramid(image, self._place.cx, self._place.cy, scales)
        return self._filter.respond(self._described(patches))

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        self._filter.learn(self._features_at(image, box), weight=track.score)

    @property
    def scale(self) -> float:
        """Size over the first where the target is looked for."""
        return self._place.w / self._first.w

    def _features_at(self, image: Image, box: Box) -> Features:
        return self._described(self._window.extract(image, box.cx, box.cy, box.w / self._first.w))

    def _described(self, patches: Image) -> Features:
        """Windowed features of one patch ``(C, h, w)``, or of several."""
        return np.asarray(self._feature(patches) * self._cosine)

    def _resized(self, box: Box, scale: float) -> Box:
        scale = min(max(scale, SCALE_RANGE[0]), SCALE_RANGE[1])
        return Box.from_center(box.cx, box.cy, self._first.w * scale, self._first.h * scale)
