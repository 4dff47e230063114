"""The sampler of a correlation tracker: features of a search window, each kind on a grid of its own."""

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
"""Weights features ``(S, C, h, w)`` by a cosine window ``(h, w)``, and brings them to a level if it likes."""


class Sampler(Protocol):
    """Cuts a search window out of a frame and describes it.

    Attributes:
        blocks: The kinds of features that it gives, and the grid of each.
    """

    blocks: Sequence[Block]

    def sample(self, image: Image, cx: float, cy: float, scales: Sequence[float] | Floats) -> list[Features]:
        """The blocks ``(S, C, h, w)`` of several scales at one centre of the frame, windows applied."""
        ...


class FeatureGrids:
    """Windowed features of several kinds that cover the same area, each on a grid of its own.

    All kinds share one patch a scale, as large as the largest margin asks for, and cut their part out of it
    at whole pixels. A part may so lie up to half a pixel aside, the same in every frame: as learning and
    looking agree, no response moves.

    Args:
        features: The features; the window's sides are whole multiples of every stride.
        window: The search window.
        one_scale: Features that are computed at the middle one of several scales only.
        windowing: What weights them; the bare cosine window by default.

    Attributes:
        features: The features; one of the same geometry may be put in another's place.
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

        Features named in ``one_scale`` give ``(1, C, h, w)``.
        """
        return self.describe(self._window.pyramid(image, cx, cy, scales, (self._start, self._extra)))

    def describe(self, patches: Image) -> list[Features]:
        """The blocks of patches ``(S, H, W, 3)`` with the margin that the features want."""
        middle = (len(patches) - 1) // 2  # where `scale_factors` has its 1
        found = []
        for index, (feature, cosine) in enumerate(zip(self.features, self._cosines, strict=True)):
            first = round(feature.margin[0] - self._start)
            h, w = (side + feature.margin[1] for side in self._window.patch[::-1])
            chosen = slice(middle, middle + 1) if index in self._one_scale else slice(None)
            part = np.ascontiguousarray(patches[chosen, first : first + h, first : first + w])
            found.append(np.asarray(self._windowing(feature(part), cosine)))
        return found
