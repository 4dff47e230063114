"""Names for the arrays that pass between the modules."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["AnyArray", "AnyImage", "Features", "Floats", "Image", "Spectrum"]

Image: TypeAlias = npt.NDArray[np.uint8]
"""``(height, width, 3)`` uint8, BGR. Read-only for whoever gets one."""

Features: TypeAlias = npt.NDArray[np.float32]
"""``(channels, h, w)`` float32, C-contiguous; a leading axis when several patches go together."""

Spectrum: TypeAlias = npt.NDArray[np.complex64]
"""``rfft2`` of features over the last two axes, complex64."""

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
"""Any floating-point array."""

AnyArray: TypeAlias = npt.NDArray[Any]
"""An array whose dtype is still to be checked."""

AnyImage: TypeAlias = Any
"""What users give: an array, a PIL image or a torch tensor; types of packages that need not be installed."""
