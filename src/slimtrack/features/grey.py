"""Grey level and plain colour on a grid of cells."""

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Features, Image
from slimtrack.features.cells import CellFeature, cell_means

__all__ = ["Grey", "LogGrey"]


class Grey(CellFeature):
    """Grey level of each cell in -0.5 .. 0.5."""

    channels = 1

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
