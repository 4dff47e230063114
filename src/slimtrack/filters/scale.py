"""One-dimensional correlation filter over a pyramid of scales."""

import numpy as np
import scipy.fft
import scipy.linalg

from slimtrack.arrays import Floats, Spectrum
from slimtrack.filters.response import refine

__all__ = ["FastScaleFilter", "ScaleFilter"]


class ScaleFilter:
    """Scale filter of DSST (Danelljan et al., BMVC 2014, section 3.2): a sample is one column a scale.

    Args:
        count: Number of scales.
        step: Ratio of neighbouring scales.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
        sigma: Width of the wished response in scales; by default a quarter of the root of ``count``.
    """

    def __init__(
        self,
        *,
        count: int = 33,
        step: float = 1.02,
        ridge: float = 0.01,
        rate: float = 0.025,
        sigma: float | None = None,
    ) -> None:
        steps = np.arange(count) - (count - 1) // 2
        self.factors = step ** -steps.astype(float)
        self.step = step
        wish = np.exp(-0.5 * (steps / (count**0.5 / 4 if sigma is None else sigma)) ** 2)
        self._label = scipy.fft.fft(wish.astype(np.float32))
        self._window = np.hanning(count + 2)[1:-1].astype(np.float32)
        self._ridge, self._rate = np.float32(ridge), np.float32(rate)
        self._numerator: Spectrum | None = None
        self._denominator: Floats | None = None

    def learn(self, samples: Floats) -> None:
        """Trains on samples ``(d, count)`` of `factors`, the middle one at scale 1."""
        spectrum = scipy.fft.fft(self._prepared(samples))
        numerator = np.asarray(np.conj(self._label) * spectrum, np.complex64)
        denominator = (spectrum.real**2 + spectrum.imag**2).sum(axis=0)
        if self._numerator is None or self._denominator is None:
            self._numerator, self._denominator = numerator, denominator
        else:
            self._numerator += self._rate * (numerator - self._numerator)
            self._denominator += self._rate * (denominator - self._denominator)

    def best(self, samples: Floats) -> float:
        """The factor, between the steps too, at which samples ``(d, count)`` fit best."""
        assert self._numerator is not None and self._denominator is not None, "learn() comes first"
        spectrum = scipy.fft.fft(self._prepared(samples))
        response = (spectrum * np.conj(self._numerator)).sum(axis=0) / (self._denominator + self._ridge)
        return self._vertex(np.asarray(scipy.fft.ifft(response).real))

    def _prepared(self, samples: Floats) -> Floats:
        return np.asarray(samples * self._window)

    def _vertex(self, values: Floats) -> float:
        at = int(values.argmax())
        beside = [float(values[min(max(at + d, 0), len(values) - 1)]) for d in (-1, 0, 1)]
        offset = refine(*beside) if 0 < at < len(values) - 1 else 0.0
        middle = int(np.argmin(np.abs(self.factors - 1)))
        return float(self.step ** (middle - at - offset))


class FastScaleFilter:
    """Scale filter of fDSST (Danelljan et al., TPAMI 2017): fewer scales, samples projected by PCA.

    The model sample is kept in full; the projection onto its principal directions makes the filter as small
    as the number of scales allows, and the response is interpolated to finer scales in the Fourier domain.

    Args:
        count: Number of scales sampled.
        fine: Number of scales the response is interpolated to.
        step: Ratio of neighbouring fine scales.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
    """

    def __init__(
        self, *, count: int = 17, fine: int = 33, step: float = 1.02, ridge: float = 0.01, rate: float = 0.025
    ) -> None:
        coarse = step ** (fine / count)
        steps = np.arange(count) - (count - 1) // 2
        self.factors = coarse ** -steps.astype(float)
        self._count, self._fine, self._step = count, fine, step
        wish = np.exp(-0.5 * (steps / (count / 16)) ** 2)
        self._label = scipy.fft.fft(wish.astype(np.float32))
        self._window = np.hanning(count + 2)[1:-1].astype(np.float32)
        self._ridge, self._rate = np.float32(ridge), np.float32(rate)
        self._model: Floats | None = None
        self._denominator: Floats | None = None

    def learn(self, samples: Floats) -> None:
        """Trains on samples ``(d, count)`` of `factors`, the middle one at scale 1."""
        if self._model is None:
            self._model = samples.copy()
        else:
            self._model += self._rate * (samples - self._model)
        self._basis = _principal(self._model)
        own = _principal(samples)
        model = scipy.fft.fft((self._basis.T @ self._model) * self._window)
        spectrum = scipy.fft.fft((own.T @ samples) * self._window)
        self._numerator = np.conj(self._label) * model
        energy = (spectrum.real**2 + spectrum.imag**2).sum(axis=0)
        if self._denominator is None:
            self._denominator = energy
        else:
            self._denominator += self._rate * (energy - self._denominator)

    def best(self, samples: Floats) -> float:
        """The factor, between the steps too, at which samples ``(d, count)`` fit best."""
        assert self._denominator is not None, "learn() comes first"
        spectrum = scipy.fft.fft((self._basis.T @ samples) * self._window)
        response = (spectrum * np.conj(self._numerator)).sum(axis=0) / (self._denominator + self._ridge)
        values = _interpolated(response, self._fine)
        at = int(values.argmax())
        offset = refine(float(values[at - 1]), float(values[at]), float(values[(at + 1) % self._fine]))
        # Fine sample i lies at i count / fine coarse steps, and the middle sample is scale 1.
        middle = (self._count - 1) // 2 * self._fine / self._count
        return float(self._step ** (middle - at - offset))


def _principal(samples: Floats) -> Floats:
    """Orthonormal basis ``(d, n)`` of the columns of ``(d, n)``: no information of a sample is lost."""
    return np.asarray(scipy.linalg.qr(samples, mode="economic", check_finite=False)[0])


def _interpolated(spectrum: Floats, count: int) -> Floats:
    """Values at ``count`` points of the periodic function with that spectrum."""
    n = len(spectrum)
    padded = np.zeros(count, spectrum.dtype)
    low = (n + 1) // 2
    padded[:low] = spectrum[:low]
    padded[count - (n - low) :] = spectrum[low:]
    return np.asarray(scipy.fft.ifft(padded).real * (count / n))
