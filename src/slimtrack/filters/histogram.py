"""Colour histograms of target and surroundings, and where in a patch the target's colours are."""

import numpy as np
import numpy.typing as npt

from slimtrack.arrays import Floats
from slimtrack.filters._average import Average

__all__ = ["ColorModel", "color_bins"]

_LEVELS = 32
"""Levels a channel (Bertinetto et al., CVPR 2016)."""


def color_bins(patch: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    """Index of each pixel's colour among 32^3, ``(..., 3)`` uint8 -> ``(...)``."""
    level = patch >> 3
    wide = level.astype(np.intp)
    return np.asarray(wide[..., 0] + _LEVELS * wide[..., 1] + _LEVELS**2 * wide[..., 2])


class ColorModel:
    """Share of each colour that belongs to the target (Bertinetto et al., CVPR 2016, equation 18).

    Args:
        rate: Share of the newest frame in the histograms.
    """

    def __init__(self, rate: float = 0.04) -> None:
        self._histograms = Average(rate)
        self._share = np.zeros(_LEVELS**3, np.float32)

    def learn(
        self,
        bins: npt.NDArray[np.intp],
        inside: npt.NDArray[np.bool_],
        outside: npt.NDArray[np.bool_],
        weight: float = 1.0,
    ) -> None:
        """Adds a patch of colour indices ``(h, w)`` with masks of sure target and sure surroundings.

        ``weight`` is the share of the usual learning rate, 0 to 1.
        """
        self._histograms.add(np.stack([_frequencies(bins[mask]) for mask in (inside, outside)]), weight)
        target, rest = self._histograms.value
        both = target + rest
        self._share = np.divide(target, both, out=np.zeros_like(both), where=both > 0)

    def likelihood(self, bins: npt.NDArray[np.intp]) -> Floats:
        """Probability of each pixel to be the target's, ``(h, w)`` float32; 0 for colours never seen."""
        return self._share[bins]


def _frequencies(bins: npt.NDArray[np.intp]) -> Floats:
    counts = np.bincount(bins, minlength=_LEVELS**3).astype(np.float32)
    return counts / np.float32(max(len(bins), 1))
