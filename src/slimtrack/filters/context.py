"""Context-aware linear filter, trained to respond with zero on patches around the target."""

import numpy as np

from slimtrack.arrays import Floats, Spectrum
from slimtrack.filters._average import Average
from slimtrack.filters.fft import rfft2
from slimtrack.filters.spectra import shifted

__all__ = ["ContextFilter"]


class ContextFilter:
    """Linear filter trained to respond with zero on context patches (Mueller et al., CVPR 2017, equation 9).

    The exact minimum for any number of channels. At each frequency, rows of ``A`` are the target's channels
    and those of each context patch times ``sqrt(weight)``; then ``w = A^H (A A^H + ridge)^-1 (y, 0, ..)``, a
    system of ``1 + n`` unknowns instead of ``C``. The filter itself is averaged over time.

    Args:
        label: The desired response ``(h, w)``, 1 at (0, 0).
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

    def learn(self, x: Spectrum, shift: tuple[float, float] = (0.0, 0.0), weight: float = 1.0) -> None:
        """Mixes one patch into the model; see `slimtrack.filters.spectral.GridFilter`.

        ``x`` may have patches of context after the target's: ``(1 + n, C, h, w // 2 + 1)``.
        """
        rows = x if x.ndim == 4 else x[None]
        count = rows.shape[1] * self._shape[0] * self._shape[1]
        weights = np.sqrt(np.where(np.arange(len(rows)), self._weight, np.float32(1)))
        systems = np.ascontiguousarray((rows * weights[:, None, None, None]).transpose(2, 3, 0, 1))
        gram = systems @ systems.conj().swapaxes(-1, -2) + self._ridge * count * np.eye(len(rows))
        wish = np.zeros((*gram.shape[:-1], 1), gram.dtype)
        wish[..., 0, 0] = shifted(self._label, self._shape, shift)
        dual = np.linalg.solve(gram, wish).conj().astype(np.complex64)
        self._filter.add((systems * dual).sum(axis=-2).transpose(2, 0, 1), weight)

    def spectrum(self, z: Spectrum) -> Spectrum:
        """Spectra of the responses ``(..., h, w // 2 + 1)`` to ``(..., C, h, w // 2 + 1)``."""
        return np.asarray((z * self._filter.value.conj()).sum(axis=-3))
