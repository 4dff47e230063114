"""Factorised convolution: a projection of each block's channels, learned with the filter in frame 1."""

import numpy as np

from slimtrack.arrays import Features, Floats, Spectrum
from slimtrack.filters.eco.continuous import Layout
from slimtrack.filters.eco.penalty import Penalty
from slimtrack.filters.eco.solver import ConjugateGradient, responses
from slimtrack.filters.fft import power

__all__ = ["JointProblem", "principal_projection"]


def principal_projection(features: Features, dims: int) -> Floats:
    """The first principal directions of the channels of ``(C, h, w)``: ``(C, dims)``, orthonormal columns."""
    flat = features.reshape(len(features), -1).astype(float)
    centred = flat - flat.mean(axis=1, keepdims=True)
    _, vectors = np.linalg.eigh(centred @ centred.T)
    return np.asarray(vectors[:, ::-1][:, :dims], np.float32)


class JointProblem:
    """Filter ``f`` and projections ``P`` of one sample by Gauss-Newton (ECO, section 3.1).

    The loss is ``|| sum_b z_b P_b f_b - y ||^2 + ||w f||^2 + ridge sum_b ||P_b||^2`` (equations 5-6), z the
    sample before projection. In each step ``z P f`` is replaced by ``z P f + z dP f_0`` (equation 7), and the
    quadratic problem in (f, dP) is solved by conjugate gradient. Unknowns are one real vector: the filter's
    numbers, then the entries of every ``dP``.

    Args:
        layout: Layout of the projected sample and the filter.
        sample: Each block's coefficients before projection, ``(C_b, rows, columns)``.
        wish: Coefficients of the desired response, ``layout.shape``.
        penalty: The spatial regularisation.
        ridge: Weight of the projections' size.
    """

    def __init__(
        self, layout: Layout, sample: list[Spectrum], wish: Spectrum, penalty: Penalty, ridge: float
    ) -> None:
        self._layout, self._sample, self._wish = layout, sample, wish
        self._penalty, self._ridge = penalty, np.float32(ridge)

    def solve(
        self, filter_: Spectrum, projections: list[Floats], *, steps: int, iterations: int
    ) -> tuple[Spectrum, list[Floats]]:
        """Improves a filter and projections.

        Args:
            filter_: The filter to start from, ``(length,)``.
            projections: The projections to start from, ``(C_b, dims_b)``.
            steps: Gauss-Newton steps.
            iterations: Conjugate gradient iterations per step.

        Returns:
            The new filter and projections.
        """
        filter_, projections = filter_.copy(), list(projections)
        counts = np.concatenate([self._layout.twice, np.ones(sum(p.size for p in projections), np.float32)])
        for _ in range(steps):
            self.linearise(filter_, projections)
            x = self._packed(filter_.view(np.float32), [np.zeros_like(p) for p in projections])
            ConjugateGradient(counts).solve(self.product, self.right, x, self.diagonal, iterations)
            filter_, changes = self._unpacked(x)
            projections = [p + change for p, change in zip(projections, changes, strict=True)]
        return filter_.copy(), projections

    def linearise(self, filter_: Spectrum, projections: list[Floats]) -> None:
        """Computes `product`, `right` and `diagonal` of the quadratic problem around a point."""
        self._shapes = [p.shape for p in projections]
        self._projected = self.project(projections)
        self._fixed = self._layout.views(filter_.copy())
        data = self._projected.real**2 + self._projected.imag**2
        blocks = zip(self._sample, self._fixed, strict=True)
        changes = [_correlated(power(z) + 0j, power(f) + 0j) + self._ridge for z, f in blocks]
        self.diagonal = self._packed(np.repeat(data + np.float32(self._penalty.mean), 2), changes)
        right, asked = self._collected(self._wish)
        decay = [c - self._ridge * p for c, p in zip(asked, projections, strict=True)]
        self.right = self._packed(right.view(np.float32), decay)

    def project(self, projections: list[Floats]) -> Spectrum:
        """The projected sample, ``(length,)``."""
        out = np.empty(self._layout.length, np.complex64)
        for p, z, target in zip(projections, self._sample, self._layout.views(out), strict=True):
            target[:] = _projected(p, z)
        return out

    def product(self, x: Floats) -> Floats:
        """The Gauss-Newton matrix times a vector."""
        filter_, changes = self._unpacked(x)
        response = responses(self._projected[None], filter_, self._layout)[0]
        for block, (change, z, f) in enumerate(zip(changes, self._sample, self._fixed, strict=True)):
            self._layout.add(response, (_projected(change, z) * f).sum(axis=0), block)
        data, moved = self._collected(response)
        data += self._penalty(filter_)
        moved = [m + self._ridge * change for m, change in zip(moved, changes, strict=True)]
        return self._packed(data.view(np.float32), moved)

    def _collected(self, response: Spectrum) -> tuple[Spectrum, list[Floats]]:
        """The adjoint: maps a response back to the filter and the projections."""
        data, changes = np.empty_like(self._projected), []
        for block, (x, target) in enumerate(
            zip(self._layout.views(self._projected), self._layout.views(data), strict=True)
        ):
            part = self._layout.cut(response, block)
            target[:] = x.conj() * part
            changes.append(_correlated(self._sample[block], self._fixed[block].conj() * part))
        return data, changes

    def _packed(self, filter_: Floats, changes: list[Floats]) -> Floats:
        return np.concatenate([filter_, *(change.ravel() for change in changes)])

    def _unpacked(self, x: Floats) -> tuple[Spectrum, list[Floats]]:
        ends = np.cumsum([2 * self._layout.length, *(a * b for a, b in self._shapes)])
        parts = np.split(x, ends[:-1])
        changes = [part.reshape(shape) for part, shape in zip(parts[1:], self._shapes, strict=True)]
        return parts[0].view(np.complex64), changes


def _projected(projection: Floats, spectra: Spectrum) -> Spectrum:
    """``P^T z``: ``(dims, rows, columns)`` of ``(C, rows, columns)``."""
    flat = np.ascontiguousarray(spectra).view(np.float32).reshape(len(spectra), -1)
    return np.asarray((projection.T @ flat).view(np.complex64).reshape(-1, *spectra.shape[1:]))


def _correlated(a: Spectrum, b: Spectrum) -> Floats:
    """Inner products ``(len(a), len(b))`` of the real functions with these half spectra."""
    b = b.copy()
    b[..., 1:] *= 2
    rows = [np.ascontiguousarray(x).view(np.float32).reshape(len(x), -1) for x in (a, b)]
    return np.asarray(rows[0] @ rows[1].T)
