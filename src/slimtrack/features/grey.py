"""Grey level and plain colour on a grid of cells."""

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Features, Image

__all__ = ["Grey", "LogGrey", "cell_means"]


def cell_means(patch: Image, cell: int) -> Image:
    """Mean colour of each cell: ``(.., H, W, 3)`` uint8 -> ``(.., H // cell, W // cell, 3)`` uint8."""
    h, w = patch.shape[-3] // cell, patch.shape[-2] // cell
    # Several patches are treated as one tall picture: no cell spans two of them.
    tall = patch[..., : h * cell, : w * cell, :].reshape(-1, w * cell, 3)
    means = cv2.resize(tall, (w, len(tall) // cell), interpolation=cv2.INTER_AREA)
    return np.asarray(means.reshape(*patch.shape[:-3], h, w, 3))


class Grey:
    """Grey level of each cell in -0.5 .. 0.5.

    Attributes:
        channels: 1.
        stride: Pixels between cells.
        offset: Patch pixel (outer-edge convention) of the centre of cell 0.
        margin: ``(start, extra)``: where the patch begins relative to the window, and how many pixels it is
            larger.
    """

    channels = 1
    margin = (0.0, 0)

    def __init__(self, cell: int = 4) -> None:
        self.stride = cell
        self.offset = cell / 2

    def __call__(self, patch: Image) -> Features:
        """Features ``(1, h, w)`` of a patch ``(H, W, 3)``, or ``(S, 1, h, w)`` of several."""
        means = cell_means(patch, self.stride)
        grey = cv2.cvtColor(means.reshape(-1, 1, 3), cv2.COLOR_BGR2GRAY)
        level = grey.reshape(*means.shape[:-3], 1, *means.shape[-3:-1])
        return np.asarray(level * np.float32(1 / 255) - np.float32(0.5))


class LogGrey:
    """Logarithm of the grey level of each pixel; mean 0 and deviation 1 in every patch.

    Bolme et al., CVPR 2010, section 3.1.

    Attributes:
        channels: 1.
        stride: 1: a cell is a pixel.
        offset: Patch pixel (outer-edge convention) of the centre of cell 0.
        margin: (start, extra): the patch is the window.
    """

    channels, stride, offset, margin = 1, 1, 0.5, (0.0, 0)

    def __call__(self, patch: Image) -> Features:
        """Features ``(1, H, W)`` of a patch ``(H, W, 3)``, or ``(S, 1, H, W)`` of several."""
        grey = cv2.cvtColor(patch.reshape(-1, patch.shape[-2], 3), cv2.COLOR_BGR2GRAY)
        level = np.log1p(grey.astype(np.float32)).reshape(*patch.shape[:-3], 1, -1)
        level -= level.mean(axis=-1, keepdims=True)
        level /= level.std(axis=-1, keepdims=True) + np.float32(1e-5)
        return np.asarray(level.reshape(*patch.shape[:-3], 1, *patch.shape[-3:-1]))
