"""Reading a response: where its peak is, and how much the peak can be trusted."""

import math

import numpy as np

from slimtrack.arrays import Floats

__all__ = ["evidence", "gaussian_label", "peak", "refine"]

_APART = 5
"""Cells around the peak left out of the sidelobes (an 11 x 11 window, as MOSSE has it)."""


def gaussian_label(h: int, w: int, sigma: float) -> Floats:
    """The wished response ``(h, w)`` float32: a Gaussian of ``sigma`` cells, 1 at (0, 0), wrapped around."""
    y, x = (np.minimum(np.arange(n), n - np.arange(n)) for n in (h, w))
    return np.asarray(np.exp(-0.5 * (y[:, None] ** 2 + x[None] ** 2) / sigma**2), np.float32)


def peak(response: Floats) -> tuple[float, float]:
    """Shift (dy, dx) of the highest point of a wrapped response ``(h, w)``, to a fraction of a cell."""
    h, w = response.shape
    y, x = divmod(int(response.argmax()), w)
    centre = float(response[y, x])
    dy = y + refine(float(response[y - 1, x]), centre, float(response[(y + 1) % h, x]))
    dx = x + refine(float(response[y, x - 1]), centre, float(response[y, (x + 1) % w]))
    return (dy - h if dy > h / 2 else dy), (dx - w if dx > w / 2 else dx)


def refine(before: float, centre: float, after: float) -> float:
    """Vertex of the parabola through three samples around a maximum, in [-0.5, 0.5] samples."""
    curve = before - 2 * centre + after
    return 0.5 * (before - after) / curve if curve < 0 else 0.0


def evidence(response: Floats) -> dict[str, float]:
    """How clear the peak of a wrapped response ``(h, w)`` is.

    Returns:
        ``peak``, its height; ``psr``, log of 1 + peak-to-sidelobe ratio (Bolme et al., CVPR 2010: outside
        11 x 11 cells); ``apce``, log of 1 + average peak-to-correlation energy (Wang et al., CVPR 2017);
        ``second``, the highest sidelobe over the peak.
    """
    h, w = response.shape
    y, x = divmod(int(response.argmax()), w)
    top = float(response[y, x])
    low = float(response.min())
    ry, rx = min(_APART, (h - 2) // 2), min(_APART, (w - 2) // 2)
    rolled = response[(np.arange(y - ry, y + h - ry)) % h][:, (np.arange(x - rx, x + w - rx)) % w]
    rest = np.concatenate([rolled[2 * ry + 1 :].ravel(), rolled[: 2 * ry + 1, 2 * rx + 1 :].ravel()])
    if rest.size == 0:
        rest = response.ravel()
    spread = float(rest.std()) + 1e-6
    mean_square = float(np.mean((response - low) ** 2)) + 1e-12
    return {
        "peak": top,
        "psr": math.log1p(max(top - float(rest.mean()), 0.0) / spread),
        "apce": math.log1p((top - low) ** 2 / mean_square),
        "second": float(rest.max()) / top if top > 1e-6 else 1.0,
    }
