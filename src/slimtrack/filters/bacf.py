"""BACF: filters as large as the target, trained on every shift of a larger window."""

import numpy as np

from slimtrack.arrays import Floats, Spectrum
from slimtrack.filters.admm import Admm, RegularisedFilter
from slimtrack.filters.spectra import shifted

__all__ = ["BacfFilter"]


class BacfFilter(RegularisedFilter):
    """Background-aware filter (Galoogahi et al., ICCV 2017, equation 3): its negatives are real patches.

    Cropping the target from every shift of the window is equivalent to a filter that is zero outside the
    target, that is, to an infinite spatial weight there. The features are averaged over time, not the
    filters.

    Args:
        label: The desired response ``(h, w)``, 1 at (0, 0).
        weight: Spatial regularisation ``(h, w)``, infinite outside the target.
        rate: Share of the newest frame in the model.
        iterations: Iterations of ADMM a frame.
    """

    def __init__(self, label: Floats, weight: Floats, *, rate: float = 0.013, iterations: int = 2) -> None:
        super().__init__(label, Admm(weight, most=1e3, iterations=iterations))
        self._rate = np.float32(rate)
        self._model: Spectrum | None = None

    def learn(self, x: Spectrum, shift: tuple[float, float] = (0.0, 0.0), weight: float = 1.0) -> None:
        """Mixes the spectra of windowed features, shifted to the middle, into the model and trains on it.

        See `slimtrack.filters.spectral.GridFilter`.
        """
        x = shifted(x, self._shape, (-shift[0], -shift[1]))
        if self._model is None:
            self._model, self._filter = x.copy(), np.zeros_like(x)
        else:
            self._model += self._rate * np.float32(weight) * (x - self._model)
        assert self._filter is not None
        self._solver.solve(self._model, self._label, self._filter)
