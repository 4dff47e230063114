"""Windowings that also scale features to a common magnitude."""

from collections.abc import Sequence

import numpy as np

from slimtrack.arrays import Features, Floats
from slimtrack.compression.channels import Level

__all__ = ["EvenLevel", "FirstLevel", "of_unit_power"]

_LEVEL = 0.1
"""Root mean square of scaled features: about HOG's, for which filter settings are published."""


class FirstLevel:
    """Scales a network's features to HOG's magnitude, by one gain from the first frame, and windows them."""

    _gain: np.float32 | None = None

    def __call__(self, features: Features, cosine: Floats) -> Features:
        """The features ``(S, C, h, w)``, times gain and window."""
        if self._gain is None:
            self._gain = np.float32(_LEVEL / max(float(np.sqrt(np.mean(features**2))), 1e-6))
        return np.asarray(features * (self._gain * cosine))


def of_unit_power(features: Features, cosine: Floats) -> Features:
    """Windowed features ``(S, C, h, w)``, each sample divided by its root mean square.

    The published weights of ECO's regularisation assume unit power before the cosine window, which leaves
    (3/8)^2 of the power.
    """
    windowed = features * cosine
    power = np.einsum("schw,schw->s", windowed, windowed) / windowed[0].size
    gain = np.float32(3 / 8) / np.sqrt(power + 1e-10)
    return np.asarray(windowed * gain[:, None, None, None])


class EvenLevel:
    """Centres channels, scales them towards one standard deviation of the first frame, and windows them.

    Args:
        groups: Channels that are compared with each other, such as layers; ``None``: all.
        share: How far channels are scaled; see `slimtrack.compression.channels.Level`.
    """

    def __init__(self, groups: Sequence[slice] | None = None, *, share: float = 1.0) -> None:
        self._groups, self._share = groups, share
        self._level: Level | None = None

    def __call__(self, features: Features, cosine: Floats) -> Features:
        """The scaled features ``(S, C, h, w)``, times the window."""
        if self._level is None:
            self._level = Level(features[0], self._groups, share=self._share)
        return self._level(features, cosine)
