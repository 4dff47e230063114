"""Context-aware linear filter: patches around the target that must not respond."""

import numpy as np

from slimtrack.arrays import Features, Floats
from slimtrack.filters._average import Average
from slimtrack.filters.fft import irfft2, rfft2

__all__ = ["ContextFilter"]


class ContextFilter:
    """Linear filter with a wish for zero on context patches (Mueller et al., CVPR 2017; papers' equation 9).

    The exact minimum for any number of channels. At each frequency, rows of ``A`` are the target's channels
    and those of each context patch times ``sqrt(weight)``; then ``w = A^H (A A^H + ridge)^-1 (y, 0, ..)``, a
    system of ``1 + n`` unknowns instead of ``C``. The filter itself is averaged over time.

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
        self._ridge, self._weight = ridge, np.float32(weight)
        self._filter = Average(rate)

    def learn(self, x: Features, context: Features | None = None, weight: float = 1.0) -> None:
        """Mixes windowed features ``(C, h, w)``, with those of context ``(n, C, h, w)``, into the model.

        ``weight`` is the share of the usual learning rate, 0 to 1.
        """
        rows = rfft2(x)[None]
        if context is not None:
            rows = np.concatenate([rows, np.sqrt(self._weight) * rfft2(context)])
        systems = np.ascontiguousarray(rows.transpose(2, 3, 0, 1))  # (h, w / 2 + 1, 1 + n, C)
        gram = systems @ systems.conj().swapaxes(-1, -2) + self._ridge * x.size * np.eye(len(rows))
        wish = np.zeros((*gram.shape[:-1], 1), gram.dtype)
        wish[..., 0, 0] = self._label
        dual = np.linalg.solve(gram, wish).conj().astype(np.complex64)
        self._filter.add((systems * dual).sum(axis=-2).transpose(2, 0, 1), weight)

    def respond(self, z: Features) -> Floats:
        """Responses ``(..., h, w)`` on windowed features ``(..., C, h, w)``."""
        return np.asarray(irfft2((rfft2(z) * self._filter.value.conj()).sum(axis=-3), self._shape))
