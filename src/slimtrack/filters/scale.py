"""One-dimensional correlation filter over a pyramid of scales."""

import numpy as np

from slimtrack.arrays import Floats, Spectrum
from slimtrack.filters._average import Average
from slimtrack.filters.fft import fft, ifft
from slimtrack.filters.response import refine

__all__ = ["FastScaleFilter", "ScaleFilter"]


class ScaleFilter:
    """Scale filter of DSST (Danelljan et al., BMVC 2014, section 3.2): a sample is one column a scale.

    Model and response are linear in the samples, and every value of a column counts alike: all that is needed
    of two samples are the inner products of their columns, ``(count, count)`` numbers, and the Fourier
    transform over the scales is taken of these.

    Args:
        count: Number of scales.
        step: Ratio of neighbouring scales.
        ridge: Weight of the regularisation, on sums over a sample's values (the article's 0.01).
        rate: Share of the newest frame in the model.
        sigma: Width of the wished response in scales; by default a quarter of the root of ``count``.

    Attributes:
        factors: Sizes over the last one, from large to small, at which it wants its samples, ``(count,)``.
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
        width = count**0.5 / 4 if sigma is None else sigma
        self._label: Spectrum = fft(np.exp(-0.5 * (steps / width) ** 2).astype(np.float32))
        window = np.hanning(count + 2)[1:-1].astype(np.float32)
        self._transform: Spectrum = fft(np.diag(window)).T.copy()
        self._step, self._ridge = step, np.float32(ridge)
        self._model, self._energy = Average(rate), Average(rate)

    def learn(self, samples: Floats, weight: float = 1.0) -> None:
        """Trains on samples ``(d, count)`` of `factors`, the middle one at scale 1.

        ``weight`` is the share of the usual learning rate, 0 to 1.
        """
        self._model.add(samples, weight)
        self._energy.add(self._products(samples, samples).real, weight)

    def respond(self, samples: Floats) -> Floats:
        """How well samples ``(d, count)`` fit at each scale, ``(count,)``; the middle one is scale 1."""
        return np.asarray(ifft(self._spectrum(samples)).real)

    def best(self, samples: Floats) -> float:
        """The factor, between the steps too, at which samples ``(d, count)`` fit best."""
        values = self.respond(samples)
        at, last = int(values.argmax()), len(values) - 1
        offset = refine(*(float(v) for v in values[at - 1 : at + 2])) if 0 < at < last else 0.0
        return float(self._step ** (last // 2 - at - offset))

    def resized(self, samples: Floats, factor: float) -> Floats:
        """Samples as if taken at ``factor`` times their size: `learn` can do with those that `best` has seen.

        Not in the articles, which take new ones.

        Args:
            samples: ``(d, count)``, float32, one column for each of `factors`.
            factor: The new size over the one that they were taken at, above 0.

        Returns:
            ``(d, count)`` float32, linear between neighbouring scales; beyond the outermost ones, these.
        """
        last = len(self.factors) - 1
        if not last or factor == 1:
            return samples
        coarse = np.log(self.factors[0] / self.factors[1])
        at = np.clip(np.arange(last + 1) - np.log(factor) / coarse, 0, last)
        mixed = np.maximum(1 - np.abs(np.arange(last + 1)[:, None] - at), 0)
        return np.asarray(samples @ mixed.astype(samples.dtype))

    def _spectrum(self, samples: Floats) -> Spectrum:
        """Of the responses to samples."""
        matched = self._products(samples, self._model.value)
        return np.asarray(self._label * matched / (self._energy.value + self._ridge))

    def _products(self, a: Floats, b: Floats) -> Spectrum:
        """Sum over ``d`` of one windowed sample's spectrum times the conjugate of another's, ``(count,)``."""
        half = self._transform @ (a.T @ b)
        return np.asarray((half * self._transform.conj()).sum(axis=1))


class FastScaleFilter(ScaleFilter):
    """Scale filter of fDSST (Danelljan et al., TPAMI 2017): fewer scales, and a response between them.

    The article projects samples onto the principal directions of the model sample, as many as there are
    scales. No response changes by that, and inner products are fewer still. The response is interpolated to
    finer scales in the Fourier domain.

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
        super().__init__(count=count, step=step ** (fine / count), ridge=ridge, rate=rate, sigma=count / 16)
        self._fine, self._fine_step = fine, step

    def respond(self, samples: Floats) -> Floats:
        """How well samples ``(d, count)`` fit at each fine scale, ``(fine,)``.

        Fine scale ``i`` lies at ``i count / fine`` sampled ones; the middle one of those is scale 1.
        """
        return _interpolated(self._spectrum(samples), self._fine)

    def best(self, samples: Floats) -> float:
        """The factor, between the steps too, at which samples ``(d, count)`` fit best."""
        values = self.respond(samples)
        at = int(values.argmax())
        offset = refine(float(values[at - 1]), float(values[at]), float(values[(at + 1) % self._fine]))
        count = len(self.factors)
        return float(self._fine_step ** ((count - 1) // 2 * self._fine / count - at - offset))


def _interpolated(spectrum: Spectrum, count: int) -> Floats:
    """Values at ``count`` points of the periodic function with that spectrum."""
    n = len(spectrum)
    padded = np.zeros(count, spectrum.dtype)
    low = (n + 1) // 2
    padded[:low] = spectrum[:low]
    padded[count - (n - low) :] = spectrum[low:]
    return np.asarray(ifft(padded).real * (count / n))
