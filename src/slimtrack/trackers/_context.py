"""Context-aware filters: patches around the target that must not respond."""

import numpy as np

from slimtrack.arrays import Features, Image
from slimtrack.box import Box
from slimtrack.errors import InputError
from slimtrack.filters.context import ContextFilter
from slimtrack.filters.response import gaussian_label
from slimtrack.search import SearchWindow
from slimtrack.trackers._correlation import CorrelationTracker

__all__ = ["ContextTracker"]


class ContextTracker(CorrelationTracker):
    """A linear filter trained with four context patches: above, below, left and right of the target."""

    _context: float
    _ridge: float
    _rate: float
    _label: float
    _filter: ContextFilter

    def _make_filter(self, window: SearchWindow) -> ContextFilter:
        if self._context < 0:
            raise InputError(f"option context={self._context!r} must not be negative")
        w, h = (side // self._feature.stride for side in window.patch)
        label = gaussian_label(h, w, self._label_sigma(window, self._label))
        return ContextFilter(label, ridge=self._ridge, weight=self._context, rate=self._rate)

    def _learn(self, image: Image, box: Box) -> None:
        self._filter.learn(self._features_at(image, box), self._context_at(image, box))

    def _context_at(self, image: Image, box: Box) -> Features:
        """Windowed features ``(4, C, h, w)`` in the four directions, of windows that just miss the target."""
        scale = box.w / self._first.w
        away = (self._area**0.5 + 1) / 2
        patches = np.stack([
            self._window.extract(image, box.cx + dx * away * box.w, box.cy + dy * away * box.h, scale)
            for dx, dy in ((0, -1), (0, 1), (-1, 0), (1, 0))
        ])  # fmt: skip
        return np.asarray(self._feature(patches) * self._cosine)
