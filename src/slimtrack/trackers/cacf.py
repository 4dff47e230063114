"""CACF and DCF-CA: the context-aware correlation filter on HOG."""

from typing import Any

import numpy as np

from slimtrack.arrays import Features, Floats, Image
from slimtrack.box import Box
from slimtrack.confidence import PATIENT
from slimtrack.features.hog import Hog
from slimtrack.filters.context import ContextFilter
from slimtrack.trackers._options import Context, HogCell, Rate
from slimtrack.trackers._ridge import RidgeTracker

__all__ = ["Cacf", "ContextTracker", "DcfCa"]


class ContextTracker(RidgeTracker):
    """A tracker whose filter must not respond beside the target (Mueller et al., CVPR 2017)."""

    def __init__(self, *, context: Context, **options: Any) -> None:
        super().__init__(**options)
        self._context = context

    def _make_filter(self, label: Floats, target: tuple[float, float]) -> ContextFilter:
        return ContextFilter(label, ridge=self._ridge, weight=self._context, rate=self._rate)

    def _sample_at(self, image: Image, box: Box) -> Any:
        """With the windows above, below, left and right that just miss the target, which must not respond."""
        return self._filter.transform([self._with_context(image, box)])

    def _with_context(self, image: Image, box: Box) -> Features:
        """Features ``(5, C, h, w)`` of the target's window and of those four."""
        dx, dy = (side * (self._area**0.5 + 1) / 2 for side in (box.w, box.h))
        beside = (box.moved(0, -dy), box.moved(0, dy), box.moved(-dx, 0), box.moved(dx, 0))
        return np.concatenate([self.features_at(image, at)[0] for at in (box, *beside)])


class Cacf(ContextTracker, name="cacf"):
    """Context-aware correlation filter on HOG (Mueller et al., CVPR 2017).

    The baseline of paper 001.
    """

    def __init__(
        self, *, context: Context = 25.0, rate: Rate = 0.015, cell: HogCell = 4, **options: Any
    ) -> None:
        super().__init__(context=context, rate=rate, **options)
        self._features = (Hog(cell),)


class DcfCa(Cacf, name="dcf-ca"):
    """DCF with context: DCF's window and rate, CACF's filter (Mueller et al., CVPR 2017)."""

    thresholds = PATIENT

    def __init__(self, *, rate: Rate = 0.02, **options: Any) -> None:
        super().__init__(rate=rate, **options)
