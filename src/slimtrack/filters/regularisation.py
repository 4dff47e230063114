"""Where a filter may be: weights on its coefficients that grow away from the target."""

import numpy as np

from slimtrack.arrays import Floats

__all__ = ["box_weight", "bowl_weight"]


def box_weight(
    shape: tuple[int, int], target: tuple[float, float], *, inside: float = 1e-3, outside: float = 1e5
) -> Floats:
    """Two-valued spatial regularisation (Li et al., CVPR 2018): light on the target, heavy around it.

    Args:
        shape: Height and width of the filter's grid in cells; the target lies in its middle.
        target: Height and width of the target in cells; at least the middle cells belong to it.
        inside: Weight of a coefficient on the target.
        outside: Weight elsewhere; infinity takes these coefficients away (real negatives, BACF).

    Returns:
        ``(h, w)`` float32, to be squared by who penalises energy.
    """
    rows, columns = (_within(n, t) for n, t in zip(shape, target, strict=True))
    return np.where(rows[:, None] & columns, np.float32(inside), np.float32(outside))


def bowl_weight(
    shape: tuple[int, int],
    target: tuple[float, float],
    *,
    least: float = 1e-4,
    edge: float = 1e-2,
    power: float = 2.0,
) -> Floats:
    """Smooth spatial regularisation (Danelljan et al., ICCV 2015, section 3.1): a bowl over the window.

    Args:
        shape: Height and width of the filter's grid in cells.
        target: Height and width of the target in cells.
        least: Weight in the middle.
        edge: By how much the weight has grown one target size away from the middle, per axis.
        power: How the weight grows.

    Returns:
        ``(h, w)`` float32.
    """
    rows, columns = (
        (np.abs(np.arange(n) + 0.5 - n / 2) / max(t, 1.0)) ** power
        for n, t in zip(shape, target, strict=True)
    )
    return np.asarray(least + (edge - least) * (rows[:, None] + columns), np.float32)


def _within(count: int, extent: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which of ``count`` cells have their centre on an extent of cells in the middle."""
    away = np.abs(np.arange(count) + 0.5 - count / 2)
    return np.asarray(away <= max(extent, 1.0) / 2 + 1e-6)
