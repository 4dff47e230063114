"""The peak of a response between its samples, by Newton's method."""

import math

import numpy as np

from slimtrack._compiled import compiled
from slimtrack.arrays import Floats, Spectrum

__all__ = ["newton_peak"]

_CLOSE = 1e-3
"""Accuracy in cells at which the iteration stops."""


def newton_peak(response: Floats, spectrum: Spectrum, steps: int = 5) -> tuple[float, float]:
    """Shift (dy, dx) of the maximum of the trigonometric polynomial through the samples of a response.

    Newton's method starts from the highest sample (Danelljan et al., ECCV 2016, section 3.4). If it leaves
    the neighbourhood of that sample, the sample itself is returned.

    Args:
        response: ``(h, w)``.
        spectrum: Its ``rfft2``, ``(h, w // 2 + 1)``.
        steps: Number of Newton steps.
    """
    h, w = response.shape
    start = divmod(int(response.argmax()), w)
    y, x = _newton(spectrum, float(start[0]), float(start[1]), w, steps)
    if max(abs(y - start[0]), abs(x - start[1])) > 1:
        y, x = map(float, start)
    return (y - h if y > h / 2 else y), (x - w if x > w / 2 else x)


@compiled()
def _newton(spectrum, y, x, width, steps):
    """Newton's method for the maximum of the function with that half spectrum, from a nearby point."""
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
