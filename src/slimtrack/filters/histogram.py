"""Colour histograms of target and surroundings, which give the target's probability at each pixel."""

import numpy as np
import numpy.typing as npt

from slimtrack._compiled import compiled
from slimtrack.arrays import Floats

__all__ = ["ColorModel"]

_LEVELS = 32
"""Levels per colour channel (Bertinetto et al., CVPR 2016)."""


class ColorModel:
    """Share of each colour that belongs to the target (Bertinetto et al., CVPR 2016, equation 18).

    Args:
        rate: Share of the newest frame in the histograms.
    """

    def __init__(self, rate: float = 0.04) -> None:
        self._rate, self._begun = rate, False
        self._histograms = np.zeros((2, _LEVELS**3), np.float32)
        self._share = np.zeros(_LEVELS**3, np.float32)

    def learn(
        self,
        patch: npt.NDArray[np.uint8],
        inside: npt.NDArray[np.bool_],
        outside: npt.NDArray[np.bool_],
        weight: float = 1.0,
    ) -> None:
        """Learns a patch ``(h, w, 3)`` uint8 with masks ``(h, w)`` of certain target and surroundings.

        ``weight`` is the share of the usual learning rate, 0 to 1.
        """
        counts = np.zeros_like(self._histograms)
        _count(patch, inside, counts[0])
        _count(patch, outside, counts[1])
        counts /= np.maximum(counts.sum(axis=1, keepdims=True), 1)
        rate = self._rate * weight if self._begun else 1.0
        self._begun = True
        _mix(counts, np.float32(rate), self._histograms, self._share)

    def likelihood(self, patch: npt.NDArray[np.uint8]) -> Floats:
        """Probability that each pixel of ``(h, w, 3)`` uint8 is on the target; 0 for unknown colours."""
        out = np.empty(patch.shape[:2], np.float32)
        _look_up(patch, self._share, out)
        return out


@compiled()
def _color(pixel):
    """Index of a colour among 32^3."""
    return (pixel[0] >> 3) + _LEVELS * np.intp(pixel[1] >> 3) + _LEVELS**2 * np.intp(pixel[2] >> 3)


@compiled()
def _count(patch, mask, counts):
    for y in range(patch.shape[0]):
        for x in range(patch.shape[1]):
            if mask[y, x]:
                counts[_color(patch[y, x])] += 1


@compiled()
def _mix(newest, rate, histograms, share):
    """Running averages of the histograms, and the target's share of each colour."""
    for k in range(len(share)):
        target = histograms[0, k] + rate * (newest[0, k] - histograms[0, k])
        rest = histograms[1, k] + rate * (newest[1, k] - histograms[1, k])
        histograms[0, k], histograms[1, k] = target, rest
        both = target + rest
        share[k] = target / both if both > 0 else np.float32(0)


@compiled()
def _look_up(patch, share, out):
    for y in range(patch.shape[0]):
        for x in range(patch.shape[1]):
            out[y, x] = share[_color(patch[y, x])]
