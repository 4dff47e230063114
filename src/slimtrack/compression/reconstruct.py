"""New weights for pruned filters, from one sample (paper 000, III-D)."""

import numpy as np

from slimtrack.arrays import Features, Floats

__all__ = ["factors", "reweighted"]


def factors(parts: Features, wished: Floats, ridge: float) -> Floats:
    """One factor for each small filter of an output channel (paper 000, equations 19-20).

    The ridge is taken relative to the mean of ``parts parts^T``'s diagonal, so that it means the same at
    every depth; equation 20 has it plain. With fewer cells than filters the same solution comes from the
    smaller system of cells.

    Args:
        parts: What each input channel adds, ``(c, N)``: the rows ``Y_ij``.
        wished: ``(N,)``, without the bias.
        ridge: ``lambda_W``.

    Returns:
        ``(c,)`` float64.
    """
    count, width = parts.shape
    level = ridge * float(np.square(parts, dtype=np.float64).sum()) / count + 1e-12
    if width < count:
        system = (parts.T @ parts).astype(np.float64)
        system.flat[:: width + 1] += level
        return np.asarray(parts @ np.linalg.solve(system, wished), np.float64)
    system = (parts @ parts.T).astype(np.float64)
    system.flat[:: count + 1] += level
    return np.asarray(np.linalg.solve(system, (parts @ wished).astype(np.float64)))


def reweighted(weights: Features, values: Features, wished: Floats, ridge: float) -> Features:
    """Filters whose small filters are weighted so that the outputs come back (paper 000, equations 18-20).

    Each small filter keeps its structure and gets one factor.

    Args:
        weights: Filters ``(n, c, k)`` of the pruned network.
        values: Samples ``(k, c, N)`` of its own maps on the target.
        wished: ``(n, N)``: the original network's outputs there, without the bias.
        ridge: ``lambda_W``.

    Returns:
        ``(n, c, k)`` float32.
    """
    out = np.empty_like(weights)
    for filters, new, aim in zip(weights, out, wished, strict=True):
        parts = np.zeros(values.shape[1:], np.float32)
        for u in range(len(values)):
            parts += filters[:, u, None] * values[u]
        new[:] = filters * factors(parts, aim, ridge)[:, None].astype(np.float32)
    return out
