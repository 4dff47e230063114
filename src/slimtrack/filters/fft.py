"""The Fourier transforms that all rooms use, in one module so that the implementation can be replaced.

It is imported on first use: that takes longer than all else that the command line imports.
"""

from typing import Any

import numpy as np

from slimtrack.arrays import Floats

__all__ = ["energy", "fft", "ifft", "irfft2", "power", "rfft2"]


def fft(x: Floats) -> Any:
    """Spectrum over the last axis; complex64 for float32."""
    import scipy.fft

    return scipy.fft.fft(x, workers=1)


def ifft(spectrum: Any) -> Any:
    """The complex array with that spectrum over its last axis."""
    import scipy.fft

    return scipy.fft.ifft(spectrum, workers=1)


def rfft2(x: Floats) -> Any:
    """Spectrum over the last two axes; complex64 for float32."""
    import scipy.fft

    return scipy.fft.rfft2(x, axes=(-2, -1), workers=1)


def irfft2(spectrum: Any, shape: tuple[int, int]) -> Any:
    """The real array of ``shape`` with that spectrum over its last two axes."""
    import scipy.fft

    return scipy.fft.irfft2(spectrum, s=shape, axes=(-2, -1), workers=1)


def energy(spectrum: Any, width: int) -> Any:
    """Sum of squares, over the last three axes, of the real arrays with these spectra (Parseval).

    Args:
        spectrum: ``(..., C, h, w // 2 + 1)``.
        width: The real arrays' ``w``: its middle columns count twice.
    """
    columns = power(spectrum).sum(axis=(-3, -2))
    single = columns[..., 0] + (columns[..., -1] if width % 2 == 0 else 0)
    twice = columns[..., 1 : (width + 1) // 2].sum(axis=-1)
    return np.asarray((single + 2 * twice) / (spectrum.shape[-2] * width))


def power(spectrum: Any) -> Any:
    """Squared magnitude of every coefficient, float32 for complex64."""
    return spectrum.real**2 + spectrum.imag**2
