"""What features on a grid of square cells share."""

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Image

__all__ = ["CellFeature", "cell_means"]


class CellFeature:
    """A feature on cells that cover the window; the centre of the first is half a cell from its corner.

    Attributes:
        channels: Number of channels.
        stride: Pixels between cells.
        offset: Patch pixel (outer-edge convention) of the centre of cell 0.
        margin: ``(start, extra)``: where the patch begins relative to the window, and how many pixels it is
            larger.
    """

    channels: int
    margin = (0.0, 0)

    def __init__(self, cell: int = 4) -> None:
        self.stride = cell
        self.offset = cell / 2


def cell_means(patch: Image, cell: int) -> Image:
    """Mean colour of each cell: ``(.., H, W, 3)`` uint8 -> ``(.., H // cell, W // cell, 3)`` uint8."""
    h, w = patch.shape[-3] // cell, patch.shape[-2] // cell
    # Several patches are treated as one tall picture: no cell spans two of them.
    tall = patch[..., : h * cell, : w * cell, :].reshape(-1, w * cell, 3)
    means = cv2.resize(tall, (w, len(tall) // cell), interpolation=cv2.INTER_AREA)
    return np.asarray(means.reshape(*patch.shape[:-3], h, w, 3))
