"""Spatial regularisation: weights on a filter's coefficients, larger away from the target."""

import numpy as np

from slimtrack.arrays import Floats

__all__ = ["box_weight"]


def box_weight(
    shape: tuple[int, int], target: tuple[float, float], *, inside: float = 1e-3, outside: float = 1e5
) -> Floats:
    """Spatial regularisation with two values (Li et al., CVPR 2018): small on the target, large around it.

    Args:
        shape: Height and width of the filter's grid in cells; the target lies in its middle.
        target: Height and width of the target in cells; at least the middle cells belong to it.
        inside: Weight of a coefficient on the target.
        outside: Weight elsewhere; infinity removes these coefficients (BACF).

    Returns:
        ``(h, w)`` float32, not squared.
    """
    rows, columns = (_within(n, t) for n, t in zip(shape, target, strict=True))
    return np.where(rows[:, None] & columns, np.float32(inside), np.float32(outside))


def _within(count: int, extent: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which of ``count`` cells have their centre inside an extent in the middle."""
    away = np.abs(np.arange(count) + 0.5 - count / 2)
    return np.asarray(away <= max(extent, 1.0) / 2 + 1e-6)
