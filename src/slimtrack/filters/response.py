"""Finds the peak of a response, and measures how clear it is."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slimtrack.arrays import Floats, Spectrum

__all__ = ["APART", "Responses", "evidence", "gaussian_label", "peak", "refine"]

_LOWEST = 1e-6
"""Lower bound of a peak in a ratio."""

APART = 5
"""Cells on each side of the peak that do not count as sidelobe (11 x 11 cells, as in MOSSE)."""


@dataclass(frozen=True, slots=True)
class Responses:
    """A filter's responses to several windows; the middle of a window is at (0, 0), wrapped around.

    Attributes:
        values: ``(S, h, w)``.
        spectra: Their half spectra, ``(S, h, w // 2 + 1)``.
    """

    values: Floats
    spectra: Spectrum


def gaussian_label(h: int, w: int, sigma: float) -> Floats:
    """The desired response ``(h, w)`` float32: a Gaussian of ``sigma`` cells, 1 at (0, 0), wrapped around."""
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


def evidence(response: Floats, apart: int = APART) -> dict[str, float]:
    """Measures how clear the peak of a wrapped response ``(h, w)`` is, as evidence for the score.

    Args:
        response: Its values.
        apart: Cells on each side of the peak that do not count as sidelobe.

    Returns:
        ``peak``, its height; ``psr``, the peak-to-sidelobe ratio (Bolme et al., CVPR 2010: outside 11 x 11
        cells); ``second``, the highest sidelobe over the peak, -1 to 1.
    """
    h, w = response.shape
    y, x = divmod(int(response.argmax()), w)
    rows, columns = (
        np.arange(at - reach, at + reach + 1) % n
        for at, n, reach in ((y, h, min(apart, max(h - 2, 0) // 2)), (x, w, min(apart, max(w - 2, 0) // 2)))
    )
    # Sums over the sidelobes are those of the whole minus those around the peak, in float64 for accuracy.
    whole = response.astype(float)
    around = whole[rows[:, None], columns]
    if around.size == whole.size:
        around = around[:0]
    count = whole.size - around.size
    mean = (float(whole.sum()) - float(around.sum())) / count
    square = (float(np.vdot(whole, whole)) - float(np.vdot(around, around))) / count
    top = float(response[y, x])
    spread = max(square - mean**2, 0.0) ** 0.5 + 1e-6
    psr = max(top - mean, 0.0) / spread
    return {"peak": top, "psr": psr, "second": _second(response, rows, columns, top)}


def _second(response: Floats, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], top: float) -> float:
    """The highest value outside these rows and columns over the peak, -1 to 1; 0 if nothing is left."""
    if len(rows) * len(columns) >= response.size:
        return 0.0
    rest = response.copy()
    rest[rows[:, None], columns] = -np.inf
    return min(max(float(rest.max()) / max(top, _LOWEST), -1.0), 1.0)
