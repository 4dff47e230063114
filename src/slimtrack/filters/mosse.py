"""MOSSE: the minimum output sum of squared error filter."""

import numpy as np

from slimtrack.arrays import Floats
from slimtrack.filters._average import Average
from slimtrack.filters.fft import irfft2, power, rfft2

__all__ = ["MosseFilter", "normalised"]


def normalised(grey: Floats) -> Floats:
    """Log of grey levels 0..255, mean 0 and deviation 1 (Bolme et al., CVPR 2010, section 3.1)."""
    level = np.log1p(grey.astype(np.float32))
    level -= level.mean()
    return np.asarray(level / (level.std() + np.float32(1e-5)))


class MosseFilter:
    """Numerator and denominator of the MOSSE filter (Bolme et al., CVPR 2010, equations 10-12).

    Args:
        label: The wished response ``(h, w)``, 1 at (0, 0).
        rate: Share of the newest frame in the model.
        ridge: Added to the denominator, as a share of the patch's energy.
    """

    def __init__(self, label: Floats, *, rate: float = 0.125, ridge: float = 0.01) -> None:
        self._label = rfft2(label)
        self._shape = (label.shape[0], label.shape[1])
        self._ridge = np.float32(ridge * label.size)
        self._numerator, self._denominator = Average(rate), Average(rate)

    def learn(self, x: Floats, weight: float = 1.0) -> None:
        """Trains on windowed patches, ``(h, w)`` one or ``(n, h, w)`` several of one moment.

        ``weight`` is the share of the usual learning rate, 0 to 1.
        """
        spectrum = rfft2(x.reshape(-1, *self._shape))
        self._numerator.add((self._label * spectrum.conj()).mean(axis=0), weight)
        self._denominator.add(power(spectrum).mean(axis=0), weight)

    def respond(self, z: Floats) -> Floats:
        """Response ``(h, w)`` on a windowed patch ``(h, w)``."""
        filtered = rfft2(z) * self._numerator.value / (self._denominator.value + self._ridge)
        return np.asarray(irfft2(filtered, self._shape))
