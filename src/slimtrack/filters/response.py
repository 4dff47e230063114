"""Reading a response: where its peak is, and how much the peak can be trusted."""

import math

import numpy as np
from numba import njit

from slimtrack.arrays import Floats, Spectrum

__all__ = ["evidence", "gaussian_label", "newton_peak", "peak", "refine"]

_CLOSE = 1e-3
"""Cells: a peak's place need not be known better."""

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


def newton_peak(response: Floats, spectrum: Spectrum, steps: int = 5) -> tuple[float, float]:
    """Shift (dy, dx) of the maximum of the trigonometric polynomial that a wrapped response samples.

    Newton's method from the highest sample (Danelljan et al., ECCV 2016, section 3.4). Where it leaves the
    neighbourhood of that sample, the sample itself is the answer.

    Args:
        response: ``(h, w)``.
        spectrum: Its ``rfft2``, ``(h, w // 2 + 1)``.
        steps: Newton steps.
    """
    h, w = response.shape
    start = divmod(int(response.argmax()), w)
    y, x = _newton(spectrum, float(start[0]), float(start[1]), w, steps)
    if max(abs(y - start[0]), abs(x - start[1])) > 1:
        y, x = map(float, start)
    return (y - h if y > h / 2 else y), (x - w if x > w / 2 else x)


@njit(cache=True, nogil=True)
def _newton(spectrum, y, x, width, steps):
    """Newton's method for the maximum of the function with that half spectrum, from a point near it."""
    rows, columns = spectrum.shape
    ky, kx = 2 * math.pi / rows, 2 * math.pi / width
    waves, part = np.empty(columns, np.complex128), np.empty(3, np.complex128)
    for _ in range(steps):
        for j in range(columns):
            # A real signal's half spectrum: columns with a mirror image count twice.
            twice = 1.0 if j == 0 or 2 * j == width else 2.0
            waves[j] = twice * complex(math.cos(kx * j * x), math.sin(kx * j * x))
        slope_y = slope_x = bend_y = bend_x = bend_yx = 0.0
        for i in range(rows):
            k = ky * (i if i <= (rows - 1) // 2 else i - rows)
            turn = complex(math.cos(k * y), math.sin(k * y))
            part[:] = 0
            for j in range(columns):
                q = kx * j
                value = spectrum[i, j] * waves[j]
                part[0] += value
                part[1] += value * q
                part[2] += value * q * q
            bend_y -= k * k * (turn * part[0]).real
            slope_y -= k * (turn * part[0]).imag
            slope_x -= (turn * part[1]).imag
            bend_yx -= k * (turn * part[1]).real
            bend_x -= (turn * part[2]).real
        determinant = bend_y * bend_x - bend_yx * bend_yx
        if not (bend_y < 0 and determinant > 0):
            break
        step_y = (bend_x * slope_y - bend_yx * slope_x) / determinant
        step_x = (bend_y * slope_x - bend_yx * slope_y) / determinant
        y -= step_y
        x -= step_x
        if max(abs(step_y), abs(step_x)) < _CLOSE:
            break
    return y, x


def refine(before: float, centre: float, after: float) -> float:
    """Vertex of the parabola through three samples around a maximum, in [-0.5, 0.5] samples."""
    curve = before - 2 * centre + after
    return 0.5 * (before - after) / curve if curve < 0 else 0.0


def evidence(response: Floats) -> dict[str, float]:
    """How clear the peak of a wrapped response ``(h, w)`` is, in figures that a calibration uses.

    Returns:
        ``peak``, its height; ``psr``, log of 1 + peak-to-sidelobe ratio (Bolme et al., CVPR 2010: outside
        11 x 11 cells).
    """
    h, w = response.shape
    y, x = divmod(int(response.argmax()), w)
    rows, columns = (
        np.arange(at - reach, at + reach + 1) % n
        for at, n, reach in ((y, h, min(_APART, max(h - 2, 0) // 2)), (x, w, min(_APART, max(w - 2, 0) // 2)))
    )
    # The sidelobes' sums are the whole's less those around the peak: in float64, where little is lost.
    whole = response.astype(float)
    around = whole[rows[:, None], columns]
    if around.size == whole.size:
        around = around[:0]
    count = whole.size - around.size
    mean = (float(whole.sum()) - float(around.sum())) / count
    square = (float(np.vdot(whole, whole)) - float(np.vdot(around, around))) / count
    top = float(response[y, x])
    spread = max(square - mean**2, 0.0) ** 0.5 + 1e-6
    return {"peak": top, "psr": math.log1p(max(top - mean, 0.0) / spread)}
