"""BACF: filters as large as the target, trained on every shift of a larger window."""

import numpy as np

from slimtrack.arrays import Features, Floats, Spectrum
from slimtrack.filters._fft import rfft2
from slimtrack.filters.admm import Admm, RegularisedFilter

__all__ = ["BacfFilter"]


class BacfFilter(RegularisedFilter):
    """Background-aware filter (Galoogahi et al., ICCV 2017, equation 3): its negatives are real patches.

    Cropping the target out of every shift of the window is a filter that is zero outside of the target: an
    infinite spatial weight there. The features, not the filters, are averaged over time.

    Args:
        label: The wished response ``(h, w)``, 1 at (0, 0).
        weight: Spatial regularisation ``(h, w)``, infinite off the target.
        rate: Share of the newest frame in the model.
        iterations: Iterations of ADMM a frame.
    """

    def __init__(self, label: Floats, weight: Floats, *, rate: float = 0.013, iterations: int = 2) -> None:
        super().__init__(label, Admm(weight, most=1e3, iterations=iterations))
        self._rate = np.float32(rate)
        self._model: Spectrum | None = None

    def learn(self, x: Features) -> None:
        """Mixes windowed features ``(C, h, w)`` into the model and trains on it."""
        spectrum: Spectrum = rfft2(x)
        if self._model is None:
            self._model, self._filter = spectrum, np.zeros_like(spectrum)
        else:
            self._model += self._rate * (spectrum - self._model)
        assert self._filter is not None
        self._solver.solve(self._model, self._label, self._filter)
