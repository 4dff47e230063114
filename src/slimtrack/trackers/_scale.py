"""Search over sizes: a scale filter on the target's HOG."""

from typing import Protocol

import numpy as np

from slimtrack.arrays import Floats, Image
from slimtrack.box import Box
from slimtrack.features.hog import Hog
from slimtrack.filters.scale import FastScaleFilter
from slimtrack.search import Zoom

__all__ = ["ScaleFilterLike", "ScaleSearch", "scale_search"]

_MODEL_AREA = 512.0
"""Most pixels of a scale sample's patch (Danelljan et al., BMVC 2014)."""

_ASKED = 2
"""How often the filter is asked, each time at the size found: its window over the scales lies still and draws
every answer towards the last size, by a tenth or more, which adds up while a target shrinks or grows."""


class ScaleFilterLike(Protocol):
    """A filter that finds the target's size.

    Attributes:
        factors: Sizes over the last one at which it wants samples, ``(count,)``.
    """

    @property
    def factors(self) -> Floats: ...

    def learn(self, samples: Floats, weight: float) -> None:
        """Mixes samples ``(d, count)``, the middle one the target's size, into the model.

        ``weight`` is the share of the usual learning rate, 0 to 1.
        """
        ...

    def best(self, samples: Floats) -> float:
        """The size over the last one at which samples ``(d, count)`` fit best."""
        ...

    def resized(self, samples: Floats, factor: float) -> Floats:
        """Samples ``(d, count)`` as if taken at ``factor`` times their size."""
        ...


class ScaleSearch:
    """A scale filter on the target's HOG, which learns from the samples that it was last asked with.

    The articles take new samples around the box that was found; those that were seen, moved to the size
    found, are nearly the same and cost nothing.

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
        """The target's size over that of ``box``, which is centred on it."""
        samples = self._samples(image, box)
        self._seen = samples, box
        found = 1.0
        for _ in range(_ASKED):
            found *= self._filter.best(self._filter.resized(samples, found))
        return found

    def learn(self, image: Image, box: Box, weight: float = 1.0) -> None:
        """Learns the target at ``box``, at ``weight`` (0 to 1) times the usual rate."""
        samples, seen = self._seen
        if abs(seen.cx - box.cx) + abs(seen.cy - box.cy) > 1e-3:  # it was looked for elsewhere
            self._seen = samples, seen = self._samples(image, box), box
        self._filter.learn(self._filter.resized(samples, box.w / seen.w), weight)

    def _samples(self, image: Image, box: Box) -> Floats:
        patches = self._zoom(image, box)
        return np.asarray(self._hog(patches).reshape(len(patches), -1).T)


def scale_search(image: Image, first: Box, rate: float) -> ScaleSearch | None:
    """A search with the fast scale filter, begun in the first frame; none for a rate of 0."""
    return ScaleSearch(image, first, FastScaleFilter(rate=rate)) if rate else None
