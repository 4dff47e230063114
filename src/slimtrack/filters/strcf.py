"""STRCF: spatially regularised filters that stay close to those of the last frame."""

import numpy as np

from slimtrack.arrays import Floats, Spectrum
from slimtrack.filters.admm import Admm, RegularisedFilter

__all__ = ["StrcfFilter"]

_LEAST = 0.01
"""Lower bound of a frame's weight; below it the filter hardly changes."""


class StrcfFilter(RegularisedFilter):
    """Spatial-temporal regularised filter (Li et al., CVPR 2018, equation 6): trained on one frame at a time.

    The penalties are tuned to the energy of HOG features. The solution of a frame is the anchor of the next.

    Args:
        label: The desired response ``(h, w)``, 1 at (0, 0).
        weight: Spatial regularisation ``(h, w)`` (`slimtrack.filters.regularisation`).
        temporal: Weight of the distance to the last frame's filter.
        iterations: Iterations of ADMM a frame.
    """

    def __init__(self, label: Floats, weight: Floats, *, temporal: float = 16.0, iterations: int = 2) -> None:
        super().__init__(label, Admm(weight, iterations=iterations))
        self._temporal = temporal

    def learn(self, x: Spectrum, shift: tuple[float, float] = (0.0, 0.0), weight: float = 1.0) -> None:
        """Trains on the spectra of windowed features; see `slimtrack.filters.spectral.GridFilter`.

        STRCF has no learning rate. A lower ``weight`` holds the filter closer to that of the last frame.
        """
        if self._filter is None:
            self._filter = np.zeros_like(x)
            self._solver.solve(x, self._wish(shift), self._filter)
        else:
            self._solver.solve(x, self._wish(shift), self._filter, self._temporal / max(weight, _LEAST))
