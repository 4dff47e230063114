"""Names for the arrays that pass between the modules."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["AnyArray", "AnyImage", "Features", "Floats", "Image", "Spectrum"]

Image: TypeAlias = npt.NDArray[np.uint8]
"""``(height, width, 3)`` uint8, BGR. Must not be written to."""

Features: TypeAlias = npt.NDArray[np.float32]
"""``(channels, h, w)`` float32, C-contiguous; with a leading axis for several patches."""

Spectrum: TypeAlias = npt.NDArray[np.complex64]
"""``rfft2`` of features over the last two axes, complex64."""

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
"""Any floating-point array."""

AnyArray: TypeAlias = npt.NDArray[Any]
"""An array whose dtype is not known yet."""

AnyImage: TypeAlias = Any
"""An image from the user: an array, a PIL image or a torch tensor. Neither package has to be installed."""
