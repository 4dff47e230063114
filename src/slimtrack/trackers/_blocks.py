"""Several blocks of features, each with its own grid, on one search window."""

from collections.abc import Sequence

import numpy as np

from slimtrack.arrays import Features, Floats, Image
from slimtrack.features.stack import Feature
from slimtrack.search import SearchWindow, cosine_window

__all__ = ["Blocks"]


class Blocks:
    """Windowed features of several kinds that cover the same area, each on a grid of its own.

    Args:
        features: The features; the window's sides are whole multiples of every stride.
        window: The search window.

    Attributes:
        sizes: Height and width of each block's grid, in cells.
        strides: Window pixels between the cells of each block.
    """

    def __init__(self, features: Sequence[Feature], window: SearchWindow) -> None:
        self._features, self._window = tuple(features), window
        w, h = window.patch
        self.strides = [feature.stride for feature in features]
        self.sizes = [(h // stride, w // stride) for stride in self.strides]
        self._cosines = [cosine_window(*size) for size in self.sizes]

    def sample(self, image: Image, cx: float, cy: float, scales: Sequence[float] | Floats) -> list[Features]:
        """The blocks ``(S, C, h, w)`` of several scales at one centre of the frame, cosine windows applied.

        Blocks that need the same pixels share one patch a scale.
        """
        patches: dict[tuple[float, int], Image] = {}
        blocks = []
        for feature, cosine in zip(self._features, self._cosines, strict=True):
            if feature.margin not in patches:
                patches[feature.margin] = self._window.pyramid(image, cx, cy, scales, feature.margin)
            blocks.append(np.asarray(feature(patches[feature.margin]) * cosine))
        return blocks
