"""Filters trained by ridge regression over all shifts of a patch, in the Fourier domain."""

from typing import Literal, TypeAlias

import numpy as np

from slimtrack.arrays import Features, Floats, Spectrum
from slimtrack.filters._average import Average
from slimtrack.filters.fft import energy, irfft2, power, rfft2

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
        label: The wished response ``(h, w)``, 1 at (0, 0).
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

    def learn(self, x: Features, weight: float = 1.0) -> None:
        """Trains on the windowed features ``(C, h, w)`` of the target and mixes the result into the model.

        ``weight`` is the share of the usual learning rate, 0 to 1.
        """
        spectrum = rfft2(x)
        kernel = self._correlate(spectrum, spectrum)
        self._model.add(spectrum, weight)
        self._alpha.add(self._label / (kernel + self._ridge), weight)

    def respond(self, z: Features) -> Floats:
        """Responses ``(..., h, w)`` on windowed features ``(..., C, h, w)``."""
        kernel = self._correlate(self._model.value, rfft2(z))
        return np.asarray(irfft2(self._alpha.value * kernel, self._shape))

    def _correlate(self, x: Spectrum, z: Spectrum) -> Spectrum:
        return kernel_correlation(x, z, self._shape[1], self._kernel, sigma=self._sigma)


class LinearFilter:
    """Linear filter per channel with a shared denominator, both averaged over time.

    Danelljan et al., BMVC 2014 (DSST), equations 3-5: numerator ``conj(y) phi_d``, denominator
    ``sum_k |phi_k|^2 + ridge``.

    Args:
        label: The wished response ``(h, w)``, 1 at (0, 0).
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
    """

    def __init__(self, label: Floats, *, ridge: float = 1e-2, rate: float = 0.025) -> None:
        self._label = rfft2(label)
        self._shape = (label.shape[0], label.shape[1])
        self._ridge = np.float32(ridge)
        self._numerator, self._denominator = Average(rate), Average(rate)

    def learn(self, x: Features, weight: float = 1.0) -> None:
        """Trains on windowed features ``(C, h, w)`` and mixes the result into the model.

        ``weight`` is the share of the usual learning rate, 0 to 1.
        """
        scale = np.float32(1 / x.size)
        spectrum = rfft2(x)
        self._numerator.add(np.conj(self._label) * spectrum * scale, weight)
        self._denominator.add(power(spectrum).sum(axis=0) * scale, weight)

    def respond(self, z: Features) -> Floats:
        """Responses ``(..., h, w)`` on windowed features ``(..., C, h, w)``."""
        matched = (rfft2(z) * np.conj(self._numerator.value)).sum(axis=-3)
        return np.asarray(irfft2(matched / (self._denominator.value + self._ridge), self._shape))
