"""One-dimensional correlation filter over a pyramid of scales."""

import numpy as np
import scipy.linalg

from slimtrack.arrays import Floats, Spectrum
from slimtrack.filters._average import Average
from slimtrack.filters._fft import fft, ifft, power
from slimtrack.filters.response import refine

__all__ = ["FastScaleFilter", "ScaleFilter"]


class _Pyramid:
    """Scales from large to small, with the wished response and the window over them.

    Attributes:
        factors: Sizes over the last one at which a filter wants its samples, ``(count,)``.
    """

    def __init__(self, count: int, step: float, sigma: float) -> None:
        steps = np.arange(count) - (count - 1) // 2
        self.factors = step ** -steps.astype(float)
        self._label = fft(np.exp(-0.5 * (steps / sigma) ** 2).astype(np.float32))
        self._window = np.hanning(count + 2)[1:-1].astype(np.float32)

    def resized(self, samples: Floats, factor: float) -> Floats:
        """Samples as if taken at ``factor`` times their size: `learn` can do with those that `best` has seen.

        Not in the article, which takes new ones.

        Args:
            samples: ``(d, count)``, float32, one column for each of `factors`.
            factor: The new size over the one that they were taken at, above 0.

        Returns:
            ``(d, count)`` float32, linear between neighbouring scales; beyond the outermost ones, these.
        """
        last = len(self.factors) - 1
        if not last:
            return samples
        coarse = np.log(self.factors[0] / self.factors[1])
        at = np.clip(np.arange(last + 1) - np.log(factor) / coarse, 0, last)
        low = np.minimum(at.astype(int), last - 1)
        share = (at - low).astype(samples.dtype)
        return np.asarray(samples[:, low] * (1 - share) + samples[:, low + 1] * share)


class ScaleFilter(_Pyramid):
    """Scale filter of DSST (Danelljan et al., BMVC 2014, section 3.2): a sample is one column a scale.

    Args:
        count: Number of scales.
        step: Ratio of neighbouring scales.
        ridge: Weight of the regularisation, on sums over a sample's values (the article's 0.01).
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
        super().__init__(count, step, count**0.5 / 4 if sigma is None else sigma)
        self._step, self._ridge = step, np.float32(ridge)
        self._numerator, self._denominator = Average(rate), Average(rate)

    def learn(self, samples: Floats, weight: float = 1.0) -> None:
        """Trains on samples ``(d, count)`` of `factors`, the middle one at scale 1.

        ``weight`` is the share of the usual learning rate, 0 to 1.
        """
        spectrum = fft(samples * self._window)
        self._numerator.add(np.asarray(np.conj(self._label) * spectrum, np.complex64), weight)
        self._denominator.add(power(spectrum).sum(axis=0), weight)

    def respond(self, samples: Floats) -> Floats:
        """How well samples ``(d, count)`` fit at each scale, ``(count,)``; the middle one is scale 1."""
        spectrum = fft(samples * self._window)
        matched = (spectrum * np.conj(self._numerator.value)).sum(axis=0)
        return np.asarray(ifft(matched / (self._denominator.value + self._ridge)).real)

    def best(self, samples: Floats) -> float:
        """The factor, between the steps too, at which samples ``(d, count)`` fit best."""
        values = self.respond(samples)
        at, last = int(values.argmax()), len(values) - 1
        offset = refine(*(float(v) for v in values[at - 1 : at + 2])) if 0 < at < last else 0.0
        return float(self._step ** (last // 2 - at - offset))


class FastScaleFilter(_Pyramid):
    """Scale filter of fDSST (Danelljan et al., TPAMI 2017): fewer scales, samples projected by PCA.

    The model sample is kept in full; the projection onto its principal directions makes the filter as small
    as the number of scales allows, and the response is interpolated to finer scales in the Fourier domain.

    Args:
        count: Number of scales sampled.
        fine: Number of scales the response is interpolated to.
        step: Ratio of neighbouring fine scales.
        ridge: Weight of the regularisation, on sums over a sample's values (the article's 0.01).
        rate: Share of the newest frame in the model.
    """

    def __init__(
        self, *, count: int = 17, fine: int = 33, step: float = 1.02, ridge: float = 0.01, rate: float = 0.025
    ) -> None:
        super().__init__(count, step ** (fine / count), count / 16)
        self._fine, self._step, self._ridge = fine, step, np.float32(ridge)
        self._model, self._denominator = Average(rate), Average(rate)

    def learn(self, samples: Floats, weight: float = 1.0) -> None:
        """Trains on samples ``(d, count)`` of `factors`, the middle one at scale 1.

        ``weight`` is the share of the usual learning rate, 0 to 1.
        """
        self._model.add(samples, weight)
        self._basis = _principal(self._model.value)
        self._numerator = np.conj(self._label) * fft((self._basis.T @ self._model.value) * self._window)
        newest = fft((_principal(samples).T @ samples) * self._window)
        self._denominator.add(power(newest).sum(axis=0), weight)

    def respond(self, samples: Floats) -> Floats:
        """How well samples ``(d, count)`` fit at each fine scale, ``(fine,)``.

        Fine scale ``i`` lies at ``i count / fine`` sampled ones; the middle one of those is scale 1.
        """
        denominator = self._denominator.value + self._ridge
        spectrum = fft((self._basis.T @ samples) * self._window)
        return _interpolated((spectrum * np.conj(self._numerator)).sum(axis=0) / denominator, self._fine)

    def best(self, samples: Floats) -> float:
        """The factor, between the steps too, at which samples ``(d, count)`` fit best."""
        values = self.respond(samples)
        at = int(values.argmax())
        offset = refine(float(values[at - 1]), float(values[at]), float(values[(at + 1) % self._fine]))
        count = len(self.factors)
        return float(self._step ** ((count - 1) // 2 * self._fine / count - at - offset))


def _principal(samples: Floats) -> Floats:
    """Orthonormal basis ``(d, n)`` of the columns of ``(d, n)``: no information of a sample is lost."""
    return np.asarray(scipy.linalg.qr(samples, mode="economic", check_finite=False)[0])


def _interpolated(spectrum: Spectrum, count: int) -> Floats:
    """Values at ``count`` points of the periodic function with that spectrum."""
    n = len(spectrum)
    padded = np.zeros(count, spectrum.dtype)
    low = (n + 1) // 2
    padded[:low] = spectrum[:low]
    padded[count - (n - low) :] = spectrum[low:]
    return np.asarray(ifft(padded).real * (count / n))
