"""The filter of ECO: projections, sample space and continuous filter."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slimtrack.arrays import Features, Floats, Spectrum
from slimtrack.filters.eco.continuous import Block, Layout, desired_response
from slimtrack.filters.eco.continuous import samples as function_values
from slimtrack.filters.eco.factorised import JointProblem, principal_projection
from slimtrack.filters.eco.penalty import Penalty, penalty_window
from slimtrack.filters.eco.samples import SampleSpace
from slimtrack.filters.eco.solver import ConjugateGradient, normal_product, responses
from slimtrack.filters.fft import power
from slimtrack.filters.response import Responses

__all__ = ["EcoFilter", "Learning"]

_SMOOTH = 0.3
"""Share of the channels' mean energy in the preconditioner, so that weak channels take no large steps."""

_FORGET = 50
"""The conjugate gradient forgets its direction this many times faster than samples fade."""


_ALONE = 80
"""Conjugate gradient iterations in the first frame if projections are not learned with the filter."""


@dataclass(frozen=True, slots=True)
class Learning:
    """How a filter of ECO learns; the defaults are the article's.

    Attributes:
        label_width: Width of the desired response as a share of the target's mean side.
        rate: Weight of a new sample.
        memory: Maximum number of samples kept.
        interval: The filter is trained with every ``interval``-th sample.
        iterations: Conjugate gradient iterations per training.
        ridge: Weight of the projections' size in the first frame.
    """

    label_width: float = 1 / 16
    rate: float = 0.009
    memory: int = 30
    interval: int = 6
    iterations: int = 5
    ridge: float = 1e-7


class EcoFilter:
    """Continuous convolution filter with factorised channels (ECO, CVPR 2017).

    Args:
        blocks: The blocks before projection.
        dims: Channels of each block after projection.
        target: Height and width of the target as shares of the window's sides.
        learning: How it learns.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        dims: Sequence[int],
        target: tuple[float, float],
        learning: Learning = Learning(),
    ) -> None:
        dims = [min(d, b.channels) for d, b in zip(dims, blocks, strict=True)]
        self._before, self._bowl = Layout(blocks), penalty_window(target)
        self._dims, self._learning = dims, learning
        self._lay_out(dims)
        width = learning.label_width * (target[0] * target[1]) ** 0.5
        self._wish = desired_response(self.layout.shape, (width, width))
        self._filter = np.zeros(self.layout.length, np.complex64)

    def _lay_out(self, dims: Sequence[int]) -> None:
        """Creates everything that depends on the number of projected channels."""
        blocks = self._before.blocks
        self.layout = Layout([Block(d, b.size, b.offset) for d, b in zip(dims, blocks, strict=True)])
        self._penalty = Penalty(self.layout, *self._bowl)
        self._solver = ConjugateGradient(self.layout.twice, kept=(1 - self._learning.rate) ** _FORGET)

    def start(self, features: list[Features], *, steps: int = 10, iterations: int = 20) -> None:
        """Learns projections and filter from the first frame's windowed blocks ``(C, h, w)``.

        Args:
            features: One array per block.
            steps: Gauss-Newton steps; with none, the projections stay the principal directions.
            iterations: Conjugate gradient iterations per step.
        """
        self._projections = [principal_projection(x, d) for x, d in zip(features, self._dims, strict=True)]
        whole = [self._before.transform(x, block) for block, x in enumerate(features)]
        joint = JointProblem(self.layout, whole, self._wish, self._penalty, self._learning.ridge)
        self._remember(joint.project(self._projections))
        if not steps:
            self._train(ConjugateGradient(self.layout.twice), _ALONE)
            return
        # With a filter of zeros, Gauss-Newton would shrink the projections, as they seem to be useless.
        self._train(ConjugateGradient(self.layout.twice), iterations)
        self._filter, self._projections = joint.solve(
            self._filter, self._projections, steps=steps, iterations=iterations
        )
        self._remember(joint.project(self._projections))

    def _remember(self, first: Spectrum) -> None:
        """Begins the sample space with its first sample."""
        self._space = self._empty_space()
        self._space.add(first)
        self._energy = power(first)
        self._since = 0

    def _empty_space(self) -> SampleSpace:
        return SampleSpace(self.layout, capacity=self._learning.memory, rate=self._learning.rate)

    def transform(self, features: Sequence[Features]) -> Spectrum:
        """Projected coefficients ``(S, length)`` of windowed blocks ``(S, C, h, w)``."""
        out = np.empty((len(features[0]), self.layout.length), np.complex64)
        for block, (x, p, target) in enumerate(
            zip(features, self._projections, self.layout.views(out), strict=True)
        ):
            small = p.T @ x.reshape(*x.shape[:2], -1)
            cells = np.asarray(small.reshape(len(x), -1, *x.shape[2:]), np.float32)
            target[:] = self.layout.transform(cells, block)
        return out

    def respond(self, samples: Spectrum) -> Responses:
        """The responses to samples ``(S, length)``, sampled as densely as their spectra allow."""
        spectra = self.spectrum(samples)
        return Responses(function_values(spectra), spectra)

    def spectrum(self, samples: Spectrum) -> Spectrum:
        """The responses' half spectra ``(S, *layout.shape)`` to samples ``(S, length)``."""
        return responses(samples, self._filter, self.layout)

    def at(self, samples: Spectrum, index: int) -> Spectrum:
        """One of several samples, ``(length,)``."""
        return np.asarray(samples[index])

    @property
    def samples(self) -> Spectrum:
        """The remembered samples ``(n, length)``; a view."""
        return self._space.samples

    def contributions(self, block: int, price: float = 1.0) -> tuple[Spectrum, Spectrum, Floats]:
        """The contribution of each channel of a block to the responses, and the desired sum.

        With them, paper 001's equation 12 is ``|| sum_l a_l A_l - B ||^2 + sum_l a_l g_l`` and a constant.

        Args:
            block: The block.
            price: Factor of the regularisation, ``q / || a ||``: all channels over the kept ones.

        Returns:
            A ``(C, n k)``: the channels' responses to the n remembered samples, their k coefficients scaled
            so that sums of squares are those of the functions, times the samples' weights; B ``(n k,)``: the
            desired response minus the contribution of the other blocks; g ``(C,)``: the regularisation of
            each channel's filter.
        """
        part = self.layout.views(self._filter)[block]
        given = self.layout.views(self.samples)[block] * part
        missing = self.layout.cut(self._wish - self.spectrum(self.samples), block) + given.sum(axis=1)
        halves = np.sqrt(self.layout.twice_in(block))
        scales = halves * np.sqrt(self._space.weights)[:, None, None]
        penalties = (part.conj() * self.layout.views(self._penalty(self._filter))[block]).real
        wide = (given * scales[:, None]).swapaxes(0, 1).reshape(len(part), -1)
        regularised = np.float32(price) * (penalties * halves**2).sum(axis=(1, 2))
        return wide, (missing * scales).ravel(), regularised

    def keep(self, chosen: Sequence[npt.NDArray[np.intp]], *, iterations: int = 20) -> None:
        """Keeps only these channels of each block, in the remembered samples too.

        Args:
            chosen: Indices of projected channels, one array per block.
            iterations: Conjugate gradient iterations for the smaller filter.
        """
        at = np.concatenate([
            part[chosen[block]].ravel()
            for block, part in enumerate(self.layout.views(np.arange(self.layout.length)))
        ])  # fmt: skip
        samples, weights = np.take(self.samples, at, axis=1), self._space.weights
        self._projections = [p[:, c] for p, c in zip(self._projections, chosen, strict=True)]
        self._lay_out([len(c) for c in chosen])
        self._filter, self._energy = self._filter[at], self._energy[at]
        self._space = self._empty_space()
        self._space.restore(samples, weights)
        self._train(ConjugateGradient(self.layout.twice), iterations)

    def learn(self, sample: Spectrum, shift: tuple[float, float] = (0.0, 0.0), weight: float = 1.0) -> None:
        """Adds a sample ``(length,)``, shifted so that the target is in its centre; trains if it is due.

        See `slimtrack.filters.spectral.SpectralFilter`.
        """
        sample = self.layout.shift(sample, -shift[0], -shift[1])
        self._space.add(sample, weight)
        self._energy += np.float32(self._learning.rate * weight) * (power(sample) - self._energy)
        self._since += 1
        if self._since >= self._learning.interval:
            self._since = 0
            self._train(self._solver, self._learning.iterations)

    def _train(self, solver: ConjugateGradient, iterations: int) -> None:
        """Improves the filter in place (ECO, equations 9 and 14)."""
        samples, weights = self._space.samples, self._space.weights
        right = (weights @ samples).conj()
        for block, part in enumerate(self.layout.views(right)):
            part *= self.layout.cut(self._wish, block)

        def product(x: Floats) -> Floats:
            f = x.view(np.complex64)
            out = normal_product(samples, weights, f, self.layout)
            out += self._penalty(f)
            return out.view(np.float32)

        solver.solve(
            product, right.view(np.float32), self._filter.view(np.float32), self._preconditioner(), iterations
        )

    def _preconditioner(self) -> Floats:
        """An approximate diagonal of the normal equations: the samples' energy plus the mean penalty."""
        smooth = np.empty_like(self._energy)
        parts = zip(self.layout.views(self._energy), self.layout.views(smooth), strict=True)
        for energy, target in parts:
            target[:] = (1 - _SMOOTH) * energy + _SMOOTH * energy.mean(axis=0)
        return np.repeat(smooth + np.float32(self._penalty.mean), 2)
