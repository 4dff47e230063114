"""Context-aware filters: patches around the target that must not respond."""

import numpy as np

from slimtrack.arrays import Features, Floats, Image
from slimtrack.box import Box
from slimtrack.filters.context import ContextFilter
from slimtrack.tracker import Track
from slimtrack.trackers._correlation import CorrelationTracker

__all__ = ["ContextTracker"]


class ContextTracker(CorrelationTracker):
    """A linear filter trained with four context patches: above, below, left and right of the target."""

    _context: float
    _ridge: float
    _rate: float
    _filter: ContextFilter

    def _make_filter(self, label: Floats) -> ContextFilter:
        return ContextFilter(label, ridge=self._ridge, weight=self._context, rate=self._rate)

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        self._filter.learn(self._features_at(image, box), self._context_at(image, box), track.score)

    def _context_at(self, image: Image, box: Box) -> Features:
        """Windowed features ``(4, C, h, w)`` in the four directions, of windows that just miss the target."""
        scale = box.w / self._first.w
        away = (self._area**0.5 + 1) / 2
        patches = np.stack([
            self._window.extract(image, box.cx + dx * away * box.w, box.cy + dy * away * box.h, scale)
            for dx, dy in ((0, -1), (0, 1), (-1, 0), (1, 0))
        ])  # fmt: skip
        return self._described(patches)
