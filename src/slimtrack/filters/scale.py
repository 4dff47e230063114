"""Scale filters: one-dimensional correlation filters over a pyramid of scales."""

import numpy as np

from slimtrack.arrays import Floats, Spectrum
from slimtrack.filters._average import Average
from slimtrack.filters.fft import fft, ifft
from slimtrack.filters.response import refine

__all__ = ["FastScaleFilter", "ScaleFilter"]


class ScaleFilter:
    """Scale filter of DSST (Danelljan et al., BMVC 2014, section 3.2); a sample has one column per scale.

    Model and response are linear in the samples, and all values of a column have the same weight. So two
    samples only enter through the inner products of their columns, ``(count, count)`` numbers, and only these
    are transformed over the scales.

    Args:
        count: Number of scales.
        step: Ratio of neighbouring scales.
        ridge: Weight of the regularisation, on sums over a sample's values (the article's 0.01).
        rate: Share of the newest frame in the model.
        sigma: Width of the desired response in scales. Default: a quarter of the square root of ``count``.

    Attributes:
        factors: ``(count,)`` sizes, relative to the last one and from large to small, at which samples are
            taken.
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
        """The response ``(count,)`` to samples ``(d, count)`` at each scale; the middle one is scale 1."""
        return np.asarray(ifft(self._spectrum(samples)).real)

    def best(self, samples: Floats) -> float:
        """The factor with the highest response to samples ``(d, count)``, interpolated between steps."""
        values = self.respond(samples)
        at, last = int(values.argmax()), len(values) - 1
        offset = refine(*(float(v) for v in values[at - 1 : at + 2])) if 0 < at < last else 0.0
        return float(self._step ** (last // 2 - at - offset))

    def resized(self, samples: Floats, factor: float) -> Floats:
        """Resamples samples as if they were taken at ``factor`` times their size.

        With it, `learn` can use the samples of `best`; the articles take new ones.

        Args:
            samples: ``(d, count)``, float32, one column for each of `factors`.
            factor: The new size over the size at which they were taken, above 0.

        Returns:
            ``(d, count)`` float32, interpolated linearly between scales; the outermost ones are repeated.
        """
        last = len(self.factors) - 1
        if not last or factor == 1:
            return samples
        coarse = np.log(self.factors[0] / self.factors[1])
        at = np.clip(np.arange(last + 1) - np.log(factor) / coarse, 0, last)
        mixed = np.maximum(1 - np.abs(np.arange(last + 1)[:, None] - at), 0)
        return np.asarray(samples @ mixed.astype(samples.dtype))

    def _spectrum(self, samples: Floats) -> Spectrum:
        """The spectrum of the responses to samples."""
        matched = self._products(samples, self._model.value)
        return np.asarray(self._label * matched / (self._energy.value + self._ridge))

    def _products(self, a: Floats, b: Floats) -> Spectrum:
        """Sum over ``d`` of one windowed sample's spectrum times the conjugate of another's, ``(count,)``."""
        half = self._transform @ (a.T @ b)
        return np.asarray((half * self._transform.conj()).sum(axis=1))


class FastScaleFilter(ScaleFilter):
    """Scale filter of fDSST (Danelljan et al., TPAMI 2017): fewer scales, with an interpolated response.

    The article projects samples onto as many principal directions of the model sample as there are scales.
    This does not change the responses, and working on inner products is cheaper still. The response is
    interpolated to finer scales in the Fourier domain.

    Args:
        count: Number of sampled scales.
        fine: Number of scales to which the response is interpolated.
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
        """The response ``(fine,)`` to samples ``(d, count)`` at each fine scale.

        Fine scale ``i`` is at position ``i count / fine`` of the sampled scales; their middle one is scale 1.
        """
        return _interpolated(self._spectrum(samples), self._fine)

    def best(self, samples: Floats) -> float:
        """The factor with the highest response to samples ``(d, count)``, interpolated between steps."""
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
