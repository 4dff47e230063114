"""Reading a response: where its peak is, and how much the peak can be trusted."""

import math

import numpy as np

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
    start = np.array(divmod(int(response.argmax()), w), float)
    ky = 2j * np.pi * np.fft.fftfreq(h)
    kx = 2j * np.pi * np.arange(w // 2 + 1) / w
    # A real signal's half spectrum: columns with a mirror image count twice.
    twice = np.where((np.arange(w // 2 + 1) == 0) | (2 * np.arange(w // 2 + 1) == w), 1.0, 2.0)
    at = start.copy()
    for _ in range(steps):
        row, column = np.exp(ky * at[0]), twice * np.exp(kx * at[1])
        rows = np.stack([row, row * ky, row * ky**2]) @ spectrum
        columns = np.stack([column, column * kx, column * kx**2], axis=1)
        value = (rows @ columns).real  # [i, j]: i times derived by y, j times by x
        slope = np.array([value[1, 0], value[0, 1]])
        bend = np.array([[value[2, 0], value[1, 1]], [value[1, 1], value[0, 2]]])
        if not (bend[0, 0] < 0 and np.linalg.det(bend) > 0):
            break
        step = np.linalg.solve(bend, slope)
        at -= step
        if np.abs(step).max() < _CLOSE:
            break
    if np.abs(at - start).max() > 1:
        at = start
    dy, dx = (float(v - n if v > n / 2 else v) for v, n in zip(at, (h, w), strict=True))
    return dy, dx


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
