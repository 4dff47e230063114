"""Spatial regularisation of continuous filters, applied to their Fourier coefficients."""

import numpy as np

from slimtrack.arrays import AnyArray, Floats, Spectrum
from slimtrack.filters.eco.continuous import Layout, frequencies

__all__ = ["Penalty", "penalty_window"]

_FINE = 256
"""Samples along a side, from which the window's coefficients are computed."""


def penalty_window(
    target: tuple[float, float],
    *,
    least: float = 1e-4,
    edge: float = 1e-2,
    power: float = 2.0,
    sparsity: float = 0.05,
) -> tuple[Floats, Floats]:
    """The penalty ``w(y, x) = u(y) + v(x)``: small on the target, growing towards the background.

    Danelljan et al., ICCV 2015 (SRDCF), section 4.2, with few coefficients as in C-COT and ECO: those
    below ``sparsity`` times the largest are dropped, and the mean is set so that the minimum is ``least``.

    Args:
        target: Height and width of the target as shares of the window's sides.
        least: The penalty on the target's centre.
        edge: The penalty on the middle of the target's edges.
        power: How fast it grows.
        sparsity: Smallest coefficient kept, as a part of the largest.

    Returns:
        Coefficients -n .. n of u and of v, float64; the constant is in v.
    """
    at = np.arange(_FINE) / _FINE
    at = np.minimum(at, 1 - at)
    axes = [np.fft.rfft(np.abs(at / (side / 2)) ** power).real / _FINE * (edge - least) for side in target]
    mean = axes[0][0] + axes[1][0] + least
    kept = []
    for axis in axes:
        axis[0] = 0
        axis[np.abs(axis) < sparsity * mean] = 0
        kept.append(np.trim_zeros(axis, "b") if axis.any() else axis[:1])
    u, v = (np.concatenate([half[:0:-1], half]) for half in kept)
    lowest = sum(np.fft.irfft(np.pad(half, (0, _FINE // 2 + 1 - len(half))) * _FINE).min() for half in kept)
    v[len(v) // 2] = least - lowest
    return u, v


class Penalty:
    """The operator of ``||w f||^2``: multiplication with w^2 in the plane, here on Fourier coefficients.

    With ``w = u + v`` it is three products of narrow matrices: rows by u^2, columns by v^2, both by 2 u v.
    The result is cut to the filter's own frequencies, which is exact for the quadratic form.

    Args:
        layout: The filter's blocks.
        u: Coefficients -n .. n of u.
        v: Coefficients of v.
    """

    def __init__(self, layout: Layout, u: Floats, v: Floats) -> None:
        self._layout = layout
        uu, vv = np.convolve(u, u), np.convolve(v, v)
        self.mean = float(uu[len(uu) // 2] + vv[len(vv) // 2] + 2 * u[len(u) // 2] * v[len(v) // 2])
        self._rows, self._columns, self._mirrored = [], [], []
        for block in layout.blocks:
            k = frequencies(block.shape)[0].astype(int)
            self._rows.append([_band(c, k, k).astype(np.float32) for c in (2 * u, uu)])
            reach = min(len(vv) // 2, block.shape[1] - 1)
            self._columns.append(
                [_band(c, *_ranges(reach, block.shape[1])).astype(np.complex64) for c in (v, vv)]
            )
            self._mirrored.append((-np.arange(block.shape[0]) % block.shape[0], reach))

    def __call__(self, flat: Spectrum) -> Spectrum:
        """``W^H W f`` of a flat filter ``(length,)``, in the same layout."""
        out = np.empty_like(flat)
        parts = zip(self._layout.views(flat), self._layout.views(out), strict=True)
        for block, (f, target) in enumerate(parts):
            mirror, reach = self._mirrored[block]
            # The columns left of 0 are the conjugates of those right of it, in reverse order.
            wide = np.concatenate([f[:, mirror, reach:0:-1].conj(), f], axis=-1)
            once, twice = (np.matmul(wide, band) for band in self._columns[block])
            rows, squares = self._rows[block]
            target[:] = twice + _real_product(rows, once) + _real_product(squares, f)
        return out


def _band(coefficients: Floats, source: AnyArray, target: AnyArray) -> Floats:
    """Matrix whose entry [i, j] is the coefficient of the difference of the places of i and j."""
    reach = len(coefficients) // 2
    apart = source[:, None] - target[None]
    return np.where(np.abs(apart) <= reach, coefficients[np.clip(apart + reach, 0, 2 * reach)], 0)


def _ranges(reach: int, columns: int) -> tuple[AnyArray, AnyArray]:
    return np.arange(-reach, columns), np.arange(columns)


def _real_product(matrix: Floats, spectra: Spectrum) -> Spectrum:
    """A real matrix times complex ``(C, rows, columns)`` from the left."""
    return np.asarray((matrix @ spectra.view(np.float32)).view(np.complex64))
