"""Grey level and plain colour on a grid of cells."""

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Features, Image

__all__ = ["Grey", "cell_means"]


def cell_means(patch: Image, cell: int) -> Image:
    """Mean colour of each cell: ``(H, W, 3)`` uint8 -> ``(H // cell, W // cell, 3)`` uint8."""
    h, w = patch.shape[0] // cell, patch.shape[1] // cell
    return np.asarray(cv2.resize(patch[: h * cell, : w * cell], (w, h), interpolation=cv2.INTER_AREA))


class Grey:
    """Grey level of each cell in -0.5 .. 0.5.

    Attributes:
        channels: 1.
        stride: Pixels between cells.
        offset: Patch pixel (outer-edge convention) of the centre of cell 0.
        margin: What patch it wants: where it starts from the window's corner, pixels it is larger by.
    """

    channels = 1
    margin = (0.0, 0)

    def __init__(self, cell: int = 4) -> None:
        self.stride = cell
        self.offset = cell / 2

    def __call__(self, patch: Image) -> Features:
        """Features ``(1, h, w)`` of a patch ``(H, W, 3)``, or ``(S, 1, h, w)`` of several."""
        if patch.ndim == 4:
            return np.stack([self(one) for one in patch])
        grey = cv2.cvtColor(cell_means(patch, self.stride), cv2.COLOR_BGR2GRAY)
        return np.asarray(grey[None] * np.float32(1 / 255) - np.float32(0.5))
