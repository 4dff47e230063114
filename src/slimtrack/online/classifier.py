"""A classifier of two layers that learns the target while it is tracked (ATOM, section 3.2; paper 003, 3.1).

A 1x1 layer reduces the channels, a filter of 4x4 cells makes one map of them, and an activation flattens
values below zero. Both layers are linear, so a filter and a projection together are one filter on all
channels, and the products of Gauss-Newton need only 16 maps a sample, whatever the number of channels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from slimtrack._compiled import compiled
from slimtrack.arrays import Features, Floats
from slimtrack.filters.eco.solver import ConjugateGradient
from slimtrack.online.samples import SampleMemory

__all__ = ["SIDE", "Classifier", "Learning", "Training", "label"]

SIDE = 4
"""Cells of the filter in each direction. A map of h x w cells gives (h + 1) x (w + 1) responses."""
_FLOOR = 0.05
"""The activation does not fall below minus this: background may respond with anything below zero."""
_CHUNK = 16
"""Number of samples processed at a time."""


@dataclass(frozen=True)
class Learning:
    """How the classifier learns; ATOM's published settings.

    Attributes:
        dims: Channels between the layers.
        filter_ridge: Weight of the filter's energy in equation 3.1.
        projection_ridge: Weight of the 1x1 layer's energy.
        steps: Gauss-Newton steps in the first frame.
        first_iterations: Conjugate gradient iterations in each of them.
        iterations: Conjugate gradient iterations of a later training.
        seed: Seed of the initial 1x1 layer.
    """

    dims: int = 64
    filter_ridge: float = 0.1
    projection_ridge: float = 1e-4
    steps: int = 6
    first_iterations: int = 10
    iterations: int = 5
    seed: int = 0


class Classifier:
    """Learns equation 3.1, ``sum_j w_j ||f(x_j) - g_j||^2 + ridges``, by Gauss-Newton and conjugate gradient.

    Attributes:
        projection: ``(dims, C)``.
        filter: ``(16, dims)``: rows in the order of its cells.
    """

    def __init__(self, channels: int, learning: Learning) -> None:
        self._learning = learning
        drawn = np.random.default_rng(learning.seed).normal(0, channels**-0.5, (learning.dims, channels))
        self.projection = drawn.astype(np.float32)
        self.filter: Features = np.zeros((SIDE * SIDE, learning.dims), np.float32)

    def start(self, maps: Features, labels: Features) -> None:
        """Learns both layers from samples ``(n, C, h, w)`` with desired responses ``(n, h + 1, w + 1)``."""
        n, channels, *self._cells = maps.shape
        problem = _Problem(maps.reshape(n, channels, -1), labels, np.full(n, 1 / n, np.float32), self._cells)
        ridges = self._learning.filter_ridge, self._learning.projection_ridge
        diagonal = np.concatenate([
            np.full(layer.size, ridge, np.float32)
            for layer, ridge in zip((self.filter, self.projection), ridges, strict=True)
        ])  # fmt: skip
        for _ in range(self._learning.steps):
            self._joint_step(problem, diagonal)

    def see(self, maps: Features) -> Features:
        """The first layer: ``(dims, h w)`` of ``(C, h, w)``, or of several."""
        *some, channels, _, _ = maps.shape
        return np.asarray(self.projection @ maps.reshape(*some, channels, -1))

    def respond(self, seen: Features) -> Floats:
        """The responses ``(h + 1, w + 1)`` to what `see` gave."""
        return _active(gathered(self.filter @ seen[None], self._cells))[0]

    def train(self, memory: SampleMemory) -> None:
        """Improves the filter on samples that `see` gave; the first layer stays."""
        training = self.training(memory)
        while training.go():
            pass

    def training(self, memory: SampleMemory) -> "Training":
        """`train` in parts."""
        return Training(self, memory, self._learning, self._cells)

    def _joint_step(self, problem: "_Problem", diagonal: Floats) -> None:
        """One Gauss-Newton step on both layers."""
        f, p = self.filter, self.projection
        by_whole, curve = problem.linearised(f @ p)
        both = np.concatenate([f.ravel(), p.ravel()])

        def to_layers(by_whole: Floats) -> Floats:
            return np.concatenate([(by_whole @ p.T).ravel(), (f.T @ by_whole).ravel()])

        def product(v: Floats) -> Floats:
            df, dp = v[: f.size].reshape(f.shape), v[f.size :].reshape(p.shape)
            return to_layers(problem.product(df @ p + f @ dp, curve)) + diagonal * v

        right = -(to_layers(by_whole) + diagonal * both)
        both += _solved(product, right, diagonal, self._learning.first_iterations)
        self.filter, self.projection = both[: f.size].reshape(f.shape), both[f.size :].reshape(p.shape)


class Training:
    """A training of the filter in passes over the samples that take equally long; its making is the first.

    The filter is the old one up to the end. A sample that takes another's place in between counts with the
    other's weight until then.

    Args:
        classifier: Whose filter is improved.
        memory: The samples. Those that are added later, in a place of their own, are not used.
        learning: Its iterations and ridge.
        cells: h and w of the samples' maps.
    """

    def __init__(
        self, classifier: Classifier, memory: SampleMemory, learning: Learning, cells: Sequence[int]
    ) -> None:
        self._classifier, self._memory, self._cells = classifier, memory, cells
        self._weights, self._left = memory.weights, learning.iterations
        self._ridge = np.float32(learning.filter_ridge)
        gradient, self._curve = self._problem().linearised(classifier.filter)
        self._residual = -(gradient + self._ridge * classifier.filter).ravel()
        self._step, self._diagonal = np.zeros_like(self._residual), np.ones_like(self._residual)
        self._solver = ConjugateGradient(self._diagonal)

    def go(self) -> bool:
        """One pass; false if the filter is the new one, with nothing left to do."""
        if self._left == 0:
            return False
        self._residual = self._solver.step(self._product, self._residual, self._step, self._diagonal)
        self._left -= 1
        if self._left == 0:
            f = self._classifier.filter
            self._classifier.filter = np.asarray(f + self._step.reshape(f.shape), np.float32)
        return self._left > 0

    def _product(self, v: Floats) -> Floats:
        shape = self._classifier.filter.shape
        return self._problem().product(v.reshape(shape), self._curve).ravel() + self._ridge * v

    def _problem(self) -> "_Problem":
        memory, n = self._memory, len(self._weights)
        return _Problem(memory.samples[:n], memory.labels[:n], self._weights, self._cells)


class _Problem:
    """The data term of equation 3.1 as a function of one filter on all channels of the samples.

    Args:
        samples: ``(n, C, h w)`` float32.
        labels: ``(n, h + 1, w + 1)`` float32.
        weights: ``(n,)`` float32.
        cells: h and w.
    """

    def __init__(self, samples: Features, labels: Features, weights: Floats, cells: Sequence[int]) -> None:
        self._labels, self._cells = labels, cells
        self._weights = weights[:, None, None]
        # A few at a time stay in the cache for both passes.
        rows = (slice(at, at + _CHUNK) for at in range(0, len(samples), _CHUNK))
        self._chunks = [(samples[each], each) for each in rows]

    def linearised(self, whole: Floats) -> tuple[Floats, Floats]:
        """Half the gradient ``(16, C)`` at a filter, and its products' weights ``(n, h + 1, w + 1)``."""
        gradient, curve = np.zeros_like(whole), np.empty_like(self._labels)
        for chunk, rows in self._chunks:
            raw = gathered(whole @ chunk, self._cells)
            answers = _active(raw)
            slopes = np.where(raw > 0, np.float32(1), answers / np.float32(_FLOOR) + 1)
            weighted = self._weights[rows] * slopes
            gradient += _back(weighted * (answers - self._labels[rows]), chunk)
            curve[rows] = weighted * slopes
        return gradient, curve

    def product(self, v: Floats, curve: Floats) -> Floats:
        """The Gauss-Newton matrix times a filter ``(16, C)``."""
        out = np.zeros_like(v)
        for chunk, rows in self._chunks:
            out += _back(curve[rows] * gathered(v @ chunk, self._cells), chunk)
        return out


def _back(responses: Floats, samples: Features) -> Floats:
    """The transpose of filtering ``(n, C, h w)``: half a gradient ``(16, C)``."""
    return np.asarray((spread(responses) @ samples.swapaxes(1, 2)).sum(0))


def label(center: tuple[float, float], cells: Sequence[int], sigma: float) -> Features:
    """A Gaussian ``(h + 1, w + 1)`` float32.

    Args:
        center: Row and column of its top in cells of the map, the first of which is at (0, 0).
        cells: h and w of the map.
        sigma: Its width in cells.
    """
    lines = [
        np.exp(-0.5 * ((np.arange(n + 1) - 0.5 - at) / sigma) ** 2)
        for n, at in zip(cells, center, strict=True)
    ]
    return np.outer(*lines).astype(np.float32)


def gathered(parts: Floats, cells: Sequence[int]) -> Floats:
    """Sums what the filter's cells see into responses.

    Args:
        parts: ``(n, 16, h w)``: the inner product of one cell of the filter with every cell of the map.
        cells: h and w.

    Returns:
        ``(n, h + 1, w + 1)``: response i has the filter's four cells on cells i - 2 to i + 1 of the map, zero
        outside, and so its middle half a cell before cell i.
    """
    h, w = cells
    out = np.zeros((len(parts), h + 1, w + 1), parts.dtype)
    _gather(parts.reshape(-1, SIDE, SIDE, h, w), out)
    return out


def spread(responses: Floats) -> Floats:
    """The transpose of `gathered`: ``(n, 16, h w)`` of ``(n, h + 1, w + 1)``."""
    n, h, w = responses.shape
    out = np.zeros((n, SIDE, SIDE, h - 1, w - 1), responses.dtype)
    _spread(responses, out)
    return out.reshape(n, SIDE * SIDE, -1)


@compiled(fastmath=True)
def _seeing(shift, cells):
    """The range of responses that see one of a row of cells, ``shift`` cells further."""
    return max(-shift, 0), min(cells - shift, cells + 1)


@compiled(fastmath=True)
def _gather(parts, out):
    count, side, _, h, w = parts.shape
    for n in range(count):
        for row in range(side):
            for column in range(side):
                up, left = row - 2, column - 2  # response (y, x) sees cell (y + up, x + left) here
                (first, last), (begin, end) = _seeing(up, h), _seeing(left, w)
                for y in range(first, last):
                    line = out[n, y, begin:end]
                    part = parts[n, row, column, y + up, begin + left : end + left]
                    for x in range(len(line)):  # slices: indices that cannot be negative make it fast
                        line[x] += part[x]


@compiled(fastmath=True)
def _spread(responses, out):
    count, side, _, h, w = out.shape
    for n in range(count):
        for row in range(side):
            for column in range(side):
                up, left = row - 2, column - 2
                (first, last), (begin, end) = _seeing(up, h), _seeing(left, w)
                for y in range(first, last):
                    line = responses[n, y, begin:end]
                    part = out[n, row, column, y + up, begin + left : end + left]
                    for x in range(len(line)):
                        part[x] = line[x]


def _active(raw: Floats) -> Floats:
    """The activation: the value above zero, below it an exponential towards minus `_FLOOR`."""
    below = np.float32(_FLOOR) * np.expm1(np.minimum(raw, 0) / np.float32(_FLOOR))
    return np.where(raw > 0, raw, below)


def _solved(product: Callable[[Floats], Floats], right: Floats, diagonal: Floats, iterations: int) -> Floats:
    step, residual = np.zeros_like(right), right
    solver = ConjugateGradient(np.ones_like(right))
    for _ in range(iterations):
        residual = solver.step(product, residual, step, diagonal)
    return step
