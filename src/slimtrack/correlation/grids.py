"""Samplers of correlation trackers: features of a search window, each kind on its own grid."""

import math
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import numpy as np

from slimtrack.arrays import Features, Floats, Image
from slimtrack.features.stack import Feature
from slimtrack.filters.eco.continuous import Block
from slimtrack.search import SearchWindow, cosine_window

__all__ = ["FeatureGrids", "Sampler", "Windowing"]

Windowing: TypeAlias = Callable[[Features, Floats], Features]
"""Multiplies features ``(S, C, h, w)`` by a cosine window ``(h, w)``, and may scale them."""


class Sampler(Protocol):
    """Cuts a search window from a frame and computes its features.

    Attributes:
        blocks: The kinds of features, each with its grid.
    """

    blocks: Sequence[Block]

    def sample(self, image: Image, cx: float, cy: float, scales: Sequence[float] | Floats) -> list[Features]:
        """The blocks ``(S, C, h, w)`` of several scales at one centre of the frame, windows applied."""
        ...


class FeatureGrids:
    """Windowed features of several kinds over the same area, each on its own grid.

    All kinds share one patch per scale, as large as the largest margin needs, and use whole pixels of it. So
    a part may be shifted by up to half a pixel, equally in learning and searching, which does not move
    responses.

    Args:
        features: The features; the window's sides are whole multiples of every stride.
        window: The search window.
        one_scale: Features that are computed only at the middle one of several scales.
        windowing: How features are windowed. Default: the plain cosine window.

    Attributes:
        features: The features; each may be replaced by one with the same grid.
        blocks: Channels and grid of each.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        window: SearchWindow,
        *,
        one_scale: Sequence[int] = (),
        windowing: Windowing = np.multiply,
    ) -> None:
        self.features, self._window = list(features), window
        self._one_scale, self._windowing = one_scale, windowing
        w, h = window.patch
        self.blocks: Sequence[Block] = [Block(f.channels, (h // f.stride, w // f.stride)) for f in features]
        self._cosines = [cosine_window(*block.size) for block in self.blocks]
        self._start = min(feature.margin[0] for feature in features)
        self._extra = math.ceil(max(sum(feature.margin) for feature in features) - self._start)

    def sample(self, image: Image, cx: float, cy: float, scales: Sequence[float] | Floats) -> list[Features]:
        """The blocks ``(S, C, h, w)`` of several scales at one centre of the frame, windows applied.

        Features in ``one_scale`` give ``(1, C, h, w)``.
        """
        return self.describe(self._window.pyramid(image, cx, cy, scales, (self._start, self._extra)))

    def describe(self, patches: Image) -> list[Features]:
        """The blocks of patches ``(S, H, W, 3)``, which include the margin that the features need."""
        middle = (len(patches) - 1) // 2  # the index at which `scale_factors` has 1
        found = []
        for index, (feature, cosine) in enumerate(zip(self.features, self._cosines, strict=True)):
            first = round(feature.margin[0] - self._start)
            h, w = (side + feature.margin[1] for side in self._window.patch[::-1])
            chosen = slice(middle, middle + 1) if index in self._one_scale else slice(None)
            part = np.ascontiguousarray(patches[chosen, first : first + h, first : first + w])
            found.append(np.asarray(self._windowing(feature(part), cosine)))
        return found
