"""Levels that features are brought to, as they are weighted by the cosine window."""

from collections.abc import Sequence

import numpy as np

from slimtrack.arrays import Features, Floats
from slimtrack.compression.channels import Level

__all__ = ["EvenLevel", "FirstLevel", "of_unit_power"]

_LEVEL = 0.1
"""Root mean square that features are brought to: about HOG's, for which filters' settings are published."""


class FirstLevel:
    """A windowing that brings a network's features to HOG's level, by one gain found in the first frame."""

    _gain: np.float32 | None = None

    def __call__(self, features: Features, cosine: Floats) -> Features:
        """The features ``(S, C, h, w)``, times gain and window."""
        if self._gain is None:
            self._gain = np.float32(_LEVEL / max(float(np.sqrt(np.mean(features**2))), 1e-6))
        return np.asarray(features * (self._gain * cosine))


def of_unit_power(features: Features, cosine: Floats) -> Features:
    """Windowed features ``(S, C, h, w)``, each sample divided by the root of its mean square.

    ECO's regularisation has published weights for features of unit power before the cosine window, which
    takes (3/8)^2 of it.
    """
    windowed = features * cosine
    power = np.einsum("schw,schw->s", windowed, windowed) / windowed[0].size
    gain = np.float32(3 / 8) / np.sqrt(power + 1e-10)
    return np.asarray(windowed * gain[:, None, None, None])


class EvenLevel:
    """A windowing that brings channels to mean 0 and nearer to one deviation, as they are in the first frame.

    Args:
        groups: Channels that are compared with each other, such as layers; ``None``: all.
        share: How far they are brought there; see `slimtrack.compression.channels.Level`.
    """

    def __init__(self, groups: Sequence[slice] | None = None, *, share: float = 1.0) -> None:
        self._groups, self._share = groups, share
        self._level: Level | None = None

    def __call__(self, features: Features, cosine: Floats) -> Features:
        """The features ``(S, C, h, w)`` at that level, times the window."""
        if self._level is None:
            self._level = Level(features[0], self._groups, share=self._share)
        return self._level(features, cosine)
