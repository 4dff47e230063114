"""Filters trained by ridge regression over all shifts of a patch, in the Fourier domain."""

from typing import Literal, TypeAlias

import numpy as np

from slimtrack.arrays import Floats, Spectrum
from slimtrack.filters._average import Average
from slimtrack.filters.fft import energy, irfft2, power, rfft2
from slimtrack.filters.spectra import shifted

__all__ = ["Kernel", "KernelFilter", "LinearFilter", "kernel_correlation"]

Kernel: TypeAlias = Literal["linear", "gaussian", "polynomial"]


def kernel_correlation(
    x: Spectrum, z: Spectrum, width: int, kernel: Kernel = "gaussian", *, sigma: float = 0.5, power: int = 9
) -> Spectrum:
    """Spectrum of the kernel between ``z`` and all shifts of ``x`` (Henriques et al., TPAMI 2015, section 5).

    The inner products are divided by the number of values ``C h w``, so that ``sigma`` does not depend on it.

    Args:
        x: Spectrum of the model, ``(C, h, w // 2 + 1)``.
        z: Spectrum of one patch, or of several, ``(..., C, h, w // 2 + 1)``.
        width: ``w`` of the real arrays.
        kernel: Gaussian ``exp(-|x - z|^2 / sigma^2)``, polynomial ``(x z + 1)^power`` or linear ``x z``.
        sigma: Bandwidth of the Gaussian.
        power: Degree of the polynomial.

    Returns:
        ``(..., h, w // 2 + 1)`` complex64.
    """
    channels, h = x.shape[-3:-1]
    count = np.float32(channels * h * width)
    cross = (z * x.conj()).sum(axis=-3)
    if kernel == "linear":
        return np.asarray(cross / count)
    products = irfft2(cross, (h, width))
    if kernel == "polynomial":
        return np.asarray(rfft2((products / count + np.float32(1)) ** power))
    squares = (energy(x, width) + energy(z, width)).astype(np.float32)[..., None, None]
    distance = np.maximum((squares - 2 * products) / count, 0)
    return np.asarray(rfft2(np.exp(distance * np.float32(-1 / sigma**2))))


class KernelFilter:
    """Kernelized correlation filter (Henriques et al., TPAMI 2015; paper 000, equations 1-3).

    Args:
        label: The desired response ``(h, w)``, 1 at (0, 0).
        kernel: Which kernel.
        sigma: Bandwidth of the Gaussian kernel.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
    """

    def __init__(
        self,
        label: Floats,
        *,
        kernel: Kernel = "gaussian",
        sigma: float = 0.5,
        ridge: float = 1e-4,
        rate: float = 0.02,
    ) -> None:
        self._label = rfft2(label)
        self._shape = (label.shape[0], label.shape[1])
        self._kernel, self._sigma = kernel, sigma
        self._ridge = np.float32(ridge)
        self._model, self._alpha = Average(rate), Average(rate)

    def learn(self, x: Spectrum, shift: tuple[float, float] = (0.0, 0.0), weight: float = 1.0) -> None:
        """Trains on one patch, moved to the middle; see `slimtrack.filters.spectral.GridFilter`."""
        x = shifted(x, self._shape, (-shift[0], -shift[1]))
        self._model.add(x, weight)
        self._alpha.add(self._label / (self._correlate(x, x) + self._ridge), weight)

    def spectrum(self, z: Spectrum) -> Spectrum:
        """Spectra of the responses ``(..., h, w // 2 + 1)`` to ``(..., C, h, w // 2 + 1)``."""
        return np.asarray(self._alpha.value * self._correlate(self._model.value, z))

    def _correlate(self, x: Spectrum, z: Spectrum) -> Spectrum:
        return kernel_correlation(x, z, self._shape[1], self._kernel, sigma=self._sigma)


class LinearFilter:
    """Linear filter per channel with a shared denominator, both averaged over time.

    Danelljan et al., BMVC 2014 (DSST), equations 3-5: numerator ``conj(y) phi_d``, denominator
    ``sum_k |phi_k|^2 + ridge``. For one example it is the solution of paper 001's equation 7.

    Args:
        label: The desired response ``(h, w)``, 1 at (0, 0).
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
    """

    def __init__(self, label: Floats, *, ridge: float = 1e-2, rate: float = 0.025) -> None:
        self._label = rfft2(label)
        self._shape = (label.shape[0], label.shape[1])
        self._ridge = np.float32(ridge)
        self._numerator, self._denominator = Average(rate), Average(rate)

    def learn(self, x: Spectrum, shift: tuple[float, float] = (0.0, 0.0), weight: float = 1.0) -> None:
        """Mixes one patch into the model; see `slimtrack.filters.spectral.GridFilter`."""
        scale = np.float32(1 / (len(x) * self._shape[0] * self._shape[1]))
        wish = shifted(self._label, self._shape, shift)
        self._numerator.add(np.conj(wish) * x * scale, weight)
        self._denominator.add(power(x).sum(axis=0) * scale, weight)

    def spectrum(self, z: Spectrum) -> Spectrum:
        """Spectra of the responses ``(..., h, w // 2 + 1)`` (paper 001, equation 8)."""
        matched = (z * np.conj(self._numerator.value)).sum(axis=-3)
        return np.asarray(matched / (self._denominator.value + self._ridge))
