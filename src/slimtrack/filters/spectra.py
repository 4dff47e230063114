"""Operations on half spectra (``rfft2``) of many channels: inner products, resampling, shifts."""

from typing import Any

import numpy as np

from slimtrack._compiled import compiled
from slimtrack.arrays import Spectrum

__all__ = ["inner", "resized", "shifted"]


def inner(filters: Spectrum, spectra: Spectrum) -> Spectrum:
    """Sum over channels of ``conj(filters) spectra``: the spectra of the responses.

    Args:
        filters: ``(C, h, w // 2 + 1)`` complex64.
        spectra: ``(S, C, h, w // 2 + 1)`` complex64.

    Returns:
        ``(S, h, w // 2 + 1)`` complex64.
    """
    out = np.zeros((len(spectra), *spectra.shape[2:]), np.complex64)
    _inner(_rows(filters), spectra.reshape(*spectra.shape[:2], -1), out.reshape(len(out), -1))
    return out


def resized(spectrum: Spectrum, width: int, shape: tuple[int, int]) -> Any:
    """The spectrum of the same function on a finer grid (trigonometric interpolation).

    The function's values do not change, so the coefficients grow by the ratio of the numbers of cells. The
    highest frequency of an even grid is split between its two signs.

    Args:
        spectrum: ``(..., h, w // 2 + 1)``.
        width: Its ``w``.
        shape: Height and width of the finer grid.

    Returns:
        ``(..., H, W // 2 + 1)``.
    """
    h, (tall, wide) = spectrum.shape[-2], shape
    if (h, width) == shape:
        return spectrum
    columns = width // 2 + 1
    out = np.zeros((*spectrum.shape[:-2], tall, wide // 2 + 1), spectrum.dtype)
    gain = np.float32(tall * wide / (h * width))
    low = (h + 1) // 2
    out[..., :low, :columns] = spectrum[..., :low, :] * gain
    out[..., tall - (h - low) :, :columns] = spectrum[..., low:, :] * gain
    if h % 2 == 0 and tall > h:
        out[..., tall - h // 2, :] /= 2
        out[..., h // 2, :] = out[..., tall - h // 2, :]
    if width % 2 == 0 and wide > width:
        out[..., columns - 1] /= 2
    return out


def shifted(spectrum: Spectrum, shape: tuple[int, int], shift: tuple[float, float]) -> Any:
    """The spectrum of the same function moved by ``shift`` rows and columns, which may be fractions.

    Args:
        spectrum: ``(..., h, w // 2 + 1)``.
        shape: ``h`` and ``w``.
        shift: Rows and columns.
    """
    if shift == (0.0, 0.0):
        return spectrum
    rows = np.exp(-2j * np.pi * shift[0] * np.fft.fftfreq(shape[0]))
    columns = np.exp(-2j * np.pi * shift[1] / shape[1] * np.arange(spectrum.shape[-1]))
    return spectrum * np.outer(rows, columns).astype(np.complex64)


def _rows(spectrum: Spectrum) -> Spectrum:
    """Joins the axes of frequencies: ``(C, h, k)`` -> ``(C, h k)``, without copying."""
    return spectrum.reshape(len(spectrum), -1)


@compiled(fastmath=True)
def _inner(filters, spectra, out):
    for s in range(len(spectra)):
        for c in range(len(filters)):
            for k in range(filters.shape[1]):
                out[s, k] += filters[c, k].conjugate() * spectra[s, c, k]
