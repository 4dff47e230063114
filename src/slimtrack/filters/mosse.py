"""MOSSE: the minimum output sum of squared error filter."""

import numpy as np

from slimtrack.arrays import Floats, Spectrum
from slimtrack.filters._average import Average
from slimtrack.filters.fft import power, rfft2
from slimtrack.filters.spectra import shifted

__all__ = ["MosseFilter"]


class MosseFilter:
    """Numerator and denominator of the one-channel MOSSE filter (Bolme et al., CVPR 2010, equations 10-12).

    Args:
        label: The desired response ``(h, w)``, 1 at (0, 0).
        rate: Share of the newest frame in the model.
        ridge: Added to the denominator, as a share of the patch's energy.
    """

    def __init__(self, label: Floats, *, rate: float = 0.125, ridge: float = 0.01) -> None:
        self._label = rfft2(label)
        self._shape = (label.shape[0], label.shape[1])
        self._ridge = np.float32(ridge * label.size)
        self._numerator, self._denominator = Average(rate), Average(rate)

    def learn(self, x: Spectrum, shift: tuple[float, float] = (0.0, 0.0), weight: float = 1.0) -> None:
        """Trains on one patch; see `slimtrack.filters.spectral.GridFilter`.

        ``x`` may hold several patches of one frame: ``(n, C, h, w // 2 + 1)``.
        """
        spectrum = x.reshape(-1, *x.shape[-2:])
        wish = shifted(self._label, self._shape, shift)
        self._numerator.add((wish * spectrum.conj()).mean(axis=0), weight)
        self._denominator.add(power(spectrum).mean(axis=0), weight)

    def spectrum(self, z: Spectrum) -> Spectrum:
        """Spectra of the responses ``(S, h, w // 2 + 1)`` to ``(S, 1, h, w // 2 + 1)``."""
        return np.asarray(z[:, 0] * self._numerator.value / (self._denominator.value + self._ridge))
