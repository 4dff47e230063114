"""The search over sizes: several scales of the window, a scale filter on the target's HOG, or both."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from slimtrack.arrays import Floats, Image
from slimtrack.box import Box
from slimtrack.features.hog import Hog
from slimtrack.filters.response import refine
from slimtrack.search import Zoom

__all__ = ["ScaleFilterLike", "ScaleSearch", "SizeSearch", "best_scale", "scale_factors"]

_RANGE = (0.2, 5.0)
"""Largest factor by which a target may become smaller or larger than in the first frame."""

_MODEL_AREA = 512.0
"""Largest number of pixels of a scale sample's patch (Danelljan et al., BMVC 2014)."""

_ASKED = 2
"""Number of evaluations of the scale filter, each at the size found before. A single one is biased towards
the last size, by a tenth or more, as its window over the scales is centred there; that adds up while a target
shrinks or grows."""


def scale_factors(count: int, step: float) -> tuple[float, ...]:
    """``count`` factors around 1, neighbours ``step`` apart."""
    return tuple(step ** (i - (count - 1) // 2) for i in range(count))


def best_scale(responses: Floats, scales: Floats) -> tuple[int, float]:
    """The scale with the highest response, and the interpolated scale of the peak.

    Without interpolation, a target that shrinks by less than half a step per frame would never seem smaller.

    Args:
        responses: ``(S, h, w)``.
        scales: ``(S,)``, neighbours equally far apart in ratio.
    """
    if len(scales) == 1:
        return 0, float(scales[0])
    heights = responses.max(axis=(1, 2))
    best = int(heights.argmax())
    if not 0 < best < len(scales) - 1:
        return best, float(scales[best])
    offset = refine(*(float(height) for height in heights[best - 1 : best + 2]))
    return best, float(scales[best] * (scales[best + 1] / scales[best]) ** offset)


class ScaleFilterLike(Protocol):
    """A filter that finds the target's size.

    Attributes:
        factors: ``(count,)`` sizes, relative to the last one, at which it needs samples.
    """

    @property
    def factors(self) -> Floats:
        """``(count,)`` sizes, relative to the last one, at which it needs samples."""
        ...

    def learn(self, samples: Floats, weight: float) -> None:
        """Mixes samples ``(d, count)``, the middle one the target's size, into the model.

        ``weight`` is the share of the full learning rate, 0 to 1.
        """
        ...

    def best(self, samples: Floats) -> float:
        """The size, relative to the last one, with the highest response to samples ``(d, count)``."""
        ...

    def resized(self, samples: Floats, factor: float) -> Floats:
        """Resamples samples ``(d, count)`` as if they were taken at ``factor`` times their size."""
        ...


class SizeSearch:
    """Estimates the target's size, starting from its size in the first frame.

    Args:
        image: The first frame.
        first: The target in it.
        factors: Sizes, relative to the last one, at which the window is sampled.
        scale_filter: A scale filter; it learns the first frame.
    """

    def __init__(
        self,
        image: Image,
        first: Box,
        factors: Sequence[float] = (1.0,),
        scale_filter: ScaleFilterLike | None = None,
    ) -> None:
        self._first, self._factors = first, np.asarray(factors)
        self._search = None if scale_filter is None else ScaleSearch(image, first, scale_filter)

    def scale(self, box: Box) -> float:
        """The size of a box relative to the first one."""
        return box.w / self._first.w

    def scales(self, box: Box) -> Floats:
        """The scales ``(S,)`` at which the window is sampled, given the last box."""
        return np.asarray(self.scale(box) * self._factors)

    def sized(self, image: Image, box: Box, scale: float) -> Box:
        """The box with the same centre, at a scale that the scale filter, if any, refines."""
        found = self._at(box, scale)
        if self._search is None:
            return found
        return self._at(found, scale * self._search.factor(image, found))

    def learn(self, image: Image, box: Box, weight: float) -> None:
        """Learns the target at ``box``, at ``weight`` (0 to 1) times the full rate."""
        if self._search is not None:
            self._search.learn(image, box, weight)

    def _at(self, box: Box, scale: float) -> Box:
        scale = min(max(scale, _RANGE[0]), _RANGE[1])
        return Box.from_center(box.cx, box.cy, self._first.w * scale, self._first.h * scale)


class ScaleSearch:
    """A scale filter on the target's HOG, which learns from the samples of its last search.

    The articles take new samples around the new box. The samples of the search, resampled to the new size,
    are nearly the same and cost nothing.

    Args:
        image: The first frame.
        first: The target in it.
        filter_: The filter; it learns the first frame.
    """

    def __init__(self, image: Image, first: Box, filter_: ScaleFilterLike) -> None:
        shrink = min(1.0, (_MODEL_AREA / first.area) ** 0.5)
        w, h = (max(round(side * shrink / 4), 2) * 4 for side in (first.w, first.h))
        self._zoom, self._hog, self._filter = Zoom(filter_.factors, (w, h)), Hog(4), filter_
        self._seen = self._samples(image, first), first
        self.learn(image, first)

    def factor(self, image: Image, box: Box) -> float:
        """The target's size relative to that of ``box``, which has the same centre."""
        samples = self._samples(image, box)
        self._seen = samples, box
        found = 1.0
        for _ in range(_ASKED):
            found *= self._filter.best(self._filter.resized(samples, found))
        return found

    def learn(self, image: Image, box: Box, weight: float = 1.0) -> None:
        """Learns the target at ``box``, at ``weight`` (0 to 1) times the full rate."""
        samples, seen = self._seen
        if abs(seen.cx - box.cx) + abs(seen.cy - box.cy) > 1e-3:  # the last search was elsewhere
            self._seen = samples, seen = self._samples(image, box), box
        self._filter.learn(self._filter.resized(samples, box.w / seen.w), weight)

    def _samples(self, image: Image, box: Box) -> Floats:
        patches = self._zoom(image, box)
        return np.asarray(self._hog(patches).reshape(len(patches), -1).T)
