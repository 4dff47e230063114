"""The linear filter on spectra, so that what was seen to find a target can be learned from."""

import numpy as np

from slimtrack.arrays import Floats, Spectrum
from slimtrack.filters._average import Average
from slimtrack.filters.fft import irfft2, power, rfft2
from slimtrack.filters.spectra import shifted

__all__ = ["SpectralLinearFilter"]


class SpectralLinearFilter:
    """`LinearFilter` that takes spectra, and learns targets that are not in the middle of their patch.

    For one example it is the solution of paper 001's equation 7; over time numerator and denominator are
    averaged.

    Args:
        label: The wished response ``(h, w)``, 1 at (0, 0).
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
    """

    def __init__(self, label: Floats, *, ridge: float, rate: float) -> None:
        self._label = rfft2(label)
        self._shape = (label.shape[0], label.shape[1])
        self._ridge = np.float32(ridge)
        self._numerator, self._denominator = Average(rate), Average(rate)

    def learn(self, x: Spectrum, shift: tuple[float, float] = (0.0, 0.0), weight: float = 1.0) -> None:
        """Mixes one patch into the model.

        Args:
            x: Spectrum of windowed features, ``(C, h, w // 2 + 1)``.
            shift: Rows and columns that the target lies beside the middle: the response is wished for there.
            weight: Share of the usual learning rate, 0 to 1.
        """
        scale = np.float32(1 / (len(x) * self._shape[0] * self._shape[1]))
        wish = self._label if shift == (0.0, 0.0) else shifted(self._label, self._shape, shift)
        self._numerator.add(np.conj(wish) * x * scale, weight)
        self._denominator.add(power(x).sum(axis=0) * scale, weight)

    def respond(self, z: Spectrum) -> Floats:
        """Responses ``(..., h, w)`` to spectra ``(..., C, h, w // 2 + 1)`` (paper 001, equation 8)."""
        matched = (z * np.conj(self._numerator.value)).sum(axis=-3)
        return np.asarray(irfft2(matched / (self._denominator.value + self._ridge), self._shape))
