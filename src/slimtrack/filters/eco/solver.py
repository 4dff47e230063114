"""Preconditioned conjugate gradient with a memory, and the normal equations of the filter."""

from collections.abc import Callable

import numpy as np

from slimtrack._compiled import compiled
from slimtrack.arrays import Floats, Spectrum
from slimtrack.filters.eco.continuous import Layout

__all__ = ["ConjugateGradient", "normal_product", "responses"]


class ConjugateGradient:
    """Preconditioned conjugate gradient by Polak and Ribiere that keeps its direction between calls.

    Samples change little between two calls, so the last direction is worth keeping (ECO, section 3.3). Its
    weight falls as samples change; where the Polak-Ribiere factor is negative, it is dropped, and the next
    step is one of steepest descent.

    Args:
        twice: How often each number counts in inner products, ``(n,)`` float32.
        kept: Share of the last direction that outlives a call; 0 starts every call anew.
    """

    def __init__(self, twice: Floats, *, kept: float = 0.0) -> None:
        self._twice, self._kept = twice, kept
        self._direction: Floats | None = None
        self._last: Floats | None = None
        self._rho = 1.0

    def solve(
        self,
        product: Callable[[Floats], Floats],
        right: Floats,
        x: Floats,
        preconditioner: Floats,
        iterations: int,
    ) -> None:
        """Improves ``x`` in place towards ``A x = right``.

        Args:
            product: ``A`` times a vector; symmetric and positive definite in the weighted inner product.
            right: The right side ``(n,)`` float32.
            x: The unknown ``(n,)`` float32: start and result.
            preconditioner: An approximate diagonal of ``A``.
            iterations: Number of steps.
        """
        if not self._kept:
            self._direction = None
        # A larger old rho makes the next factor smaller: the old direction fades.
        self._rho /= max(self._kept, 1e-6)
        residual: Floats = right - product(x)
        for _ in range(iterations):
            residual = self.step(product, residual, x, preconditioner)

    def step(
        self, product: Callable[[Floats], Floats], residual: Floats, x: Floats, preconditioner: Floats
    ) -> Floats:
        """One step of `solve`, from the residual ``right - A x``; returns the residual after it."""
        scaled = residual / preconditioner
        rho = self._dot(residual, scaled)
        if not rho > 0:
            return residual
        self._direction = self._turned(scaled, rho)
        self._last, self._rho = residual, rho
        image = product(self._direction)
        step = np.float32(rho / self._dot(self._direction, image))
        x += step * self._direction
        return np.asarray(residual - step * image)

    def _turned(self, scaled: Floats, rho: float) -> Floats:
        """The next direction."""
        if self._direction is None or self._last is None:
            return scaled
        factor = (rho - self._dot(self._last, scaled)) / self._rho
        return np.asarray(scaled + np.float32(max(factor, 0.0)) * self._direction)

    def _dot(self, a: Floats, b: Floats) -> float:
        return float(np.dot(a * self._twice, b))


@compiled(fastmath=True)
def _respond(sample, f, table, plane, part):
    """Sum over blocks and channels of sample times filter, on the finest half spectrum."""
    rows = plane.shape[0]
    plane[:] = 0
    for first, channels, h, w in table:
        size = h * w
        block = part[:size]
        block[:] = 0
        for c in range(channels):
            x = sample[first + c * size : first + (c + 1) * size]
            g = f[first + c * size : first + (c + 1) * size]
            for i in range(size):
                block[i] += x[i] * g[i]
        for r in range(h):
            line = r if r <= h // 2 else r + rows - h
            for q in range(w):
                plane[line, q] += block[r * w + q]


@compiled(fastmath=True)
def _collect(sample, weight, table, plane, part, out):
    """Adds weight x conj(sample) x plane to ``out``."""
    rows = plane.shape[0]
    for first, channels, h, w in table:
        size = h * w
        block = part[:size]
        for r in range(h):
            line = r if r <= h // 2 else r + rows - h
            for q in range(w):
                block[r * w + q] = np.conj(plane[line, q]) * weight
        for c in range(channels):
            x = sample[first + c * size : first + (c + 1) * size]
            o = out[first + c * size : first + (c + 1) * size]
            for i in range(size):
                o[i] += np.conj(x[i] * block[i])


@compiled(fastmath=True)
def _normal_product(samples, weights, f, table, plane, part, out):
    for j in range(len(samples)):  # one sample at a time stays in the cache for both passes
        _respond(samples[j], f, table, plane, part)
        _collect(samples[j], weights[j], table, plane, part, out)


def normal_product(samples: Spectrum, weights: Floats, f: Spectrum, layout: Layout) -> Spectrum:
    """``sum_j weight_j X_j^H X_j f``: the data term of the normal equations (ECO, equation 9).

    Args:
        samples: ``(n, length)`` complex64.
        weights: ``(n,)`` float32.
        f: The filter ``(length,)``.
        layout: Layout of samples and filter.

    Returns:
        ``(length,)`` complex64.
    """
    out = np.zeros_like(f)
    plane = np.empty(layout.shape, np.complex64)
    part = np.empty(plane.size, np.complex64)
    _normal_product(samples, weights, f, layout.table, plane, part, out)
    return out


def responses(samples: Spectrum, f: Spectrum, layout: Layout) -> Spectrum:
    """The responses' half spectra ``(n, *layout.shape)`` to samples ``(n, length)``."""
    out = np.empty((len(samples), *layout.shape), np.complex64)
    part = np.empty(out[0].size, np.complex64)
    for sample, plane in zip(samples, out, strict=True):  # a scale each; what it calls is compiled
        _respond(sample, f, layout.table, plane, part)
    return out
