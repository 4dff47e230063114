"""Context-aware linear filter: patches around the target that must not respond."""

import numpy as np

from slimtrack.arrays import Features, Floats, Spectrum
from slimtrack.filters._fft import irfft2, power, rfft2

__all__ = ["ContextFilter"]


class ContextFilter:
    """Linear filter with a wish for zero on context patches (Mueller et al., CVPR 2017; papers' equation 9).

    Per channel ``w_d = conj(y) phi_d(x_0)`` over ``sum_k |phi_k(x_0)|^2 + ridge + weight sum_i sum_k
    |phi_k(x_i)|^2``. For one channel that is the exact minimum; for more, the usual approximation. The filter
    itself is averaged over time, not its numerator and denominator: a frame of strong contrast then counts no
    more than others.

    Args:
        label: The wished response ``(h, w)``, 1 at (0, 0).
        ridge: Weight of the regularisation.
        weight: Weight of the context patches.
        rate: Share of the newest frame in the model.
    """

    def __init__(
        self, label: Floats, *, ridge: float = 1e-4, weight: float = 25.0, rate: float = 0.015
    ) -> None:
        self._label = rfft2(label)
        self._shape = (label.shape[0], label.shape[1])
        self._ridge, self._weight, self._rate = np.float32(ridge), np.float32(weight), np.float32(rate)
        self._filter: Spectrum | None = None

    def learn(self, x: Features, context: Features | None = None) -> None:
        """Mixes windowed features ``(C, h, w)``, with those of context ``(n, C, h, w)``, into the model."""
        spectrum = rfft2(x)
        energy = power(spectrum).sum(axis=0)
        if context is not None:
            energy += self._weight * power(rfft2(context)).sum(axis=(0, 1))
        newest = np.conj(self._label) * spectrum / (energy + self._ridge * np.float32(x.size))
        if self._filter is None:
            self._filter = np.asarray(newest, np.complex64)
        else:
            self._filter += self._rate * (newest - self._filter)

    def respond(self, z: Features) -> Floats:
        """Responses ``(..., h, w)`` on windowed features ``(..., C, h, w)``."""
        assert self._filter is not None, "learn() comes first"
        return np.asarray(irfft2((rfft2(z) * self._filter.conj()).sum(axis=-3), self._shape))
