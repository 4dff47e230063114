"""Which channels of a layer to keep (paper 000, III-C and IV-B), and the two simple rules beside it."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from slimtrack.arrays import Features, Floats
from slimtrack.compression.contributions import Quadratic
from slimtrack.errors import InputError

__all__ = ["Augmented", "Channels", "adaptive", "fixed_ratio", "largest_sums", "shrink"]

Channels: TypeAlias = npt.NDArray[np.intp]
"""Indices of channels, rising."""

_FIRST, _GROWTH = 1e-4, 1.25
"""The fixed-ratio rule's first ``lambda_beta`` over the one that leaves nothing, and by how much it grows."""


def shrink(amount: float, x: Floats) -> Floats:
    """The shrinkage operator below equation 16."""
    return np.asarray(np.sign(x) * np.maximum(np.abs(x) - amount, 0))


class Augmented:
    """Equation 11 by augmented Lagrangian (paper 000, equations 12-17).

    The loss is first divided by the mean of the Gram matrix's diagonal, so that ``mu`` and ``lambda_beta``
    mean the same for every layer and target. The matrix of equation 14 is decomposed once; a change of ``mu``
    costs nothing then. What was found for one ``lambda_beta`` is the start for the next.

    Attributes:
        largest: The ``lambda_beta`` from which on nothing is left.
        beta: The weights of the channels ``(c,)``.
        theta: The same, with exact zeros.

    Args:
        loss: What is minimised.
        mu: First Lagrange parameter.
        most: The largest one, ``mu_max``.
        growth: Its factor from step to step, ``rho``.
        tolerance: Converged when the loss of equation 12 changes relatively by no more.
        steps: Give up after so many.
    """

    def __init__(
        self,
        loss: Quadratic,
        *,
        mu: float = 0.05,
        most: float = 1.0,
        growth: float = 1.1,
        tolerance: float = 1e-5,
        steps: int = 300,
    ) -> None:
        count = len(loss.moment)
        scale = max(float(np.trace(loss.gram)) / count, 1e-20)
        values, self._vectors = np.linalg.eigh(loss.gram / scale)
        self._values = np.maximum(values, 0)
        self._moment = loss.moment / scale
        self._turned = self._vectors.T @ self._moment
        self._mu, self._most, self._growth = mu, most, growth
        self._tolerance, self._steps = tolerance, steps
        self.largest = float(np.abs(self._moment).max())
        self.beta: Floats = np.ones(count)
        self.theta: Floats = np.ones(count)
        self._multiplier = np.zeros(count)

    def converge(self, weight: float) -> Floats:
        """Minimises for one ``lambda_beta``; gives ``theta``."""
        before = np.inf
        for _ in range(self._steps):
            loss = self._step(weight)
            apart = float(np.abs(self.beta - self.theta).max())
            if abs(before - loss) <= self._tolerance * max(abs(loss), 1e-9) and apart < 1e-2:
                break
            before = loss
        return self.theta

    def _step(self, weight: float) -> float:
        """Equations 14, 16 and 17; gives the loss of equation 12."""
        mu = self._mu
        turned = self._turned + self._vectors.T @ (mu * self.theta - self._multiplier)
        turned /= self._values + mu
        self.beta = self._vectors @ turned
        self.theta = shrink(weight / mu, self.beta + self._multiplier / mu)
        apart = self.beta - self.theta
        loss = 0.5 * self._values @ turned**2 - self._turned @ turned + weight * np.abs(self.theta).sum()
        loss += apart @ self._multiplier + mu / 2 * apart @ apart
        self._multiplier = self._multiplier + mu * apart
        self._mu = min(self._most, self._growth * mu)
        return float(loss)


def fixed_ratio(loss: Quadratic, count: int, parts: list[Channels] | None = None) -> Channels:
    """Keeps exactly ``count`` channels: the fixed-ratio rule (paper 000, section IV-B).

    A small ``lambda_beta`` is raised geometrically until no more than ``count`` weights stay; once zero at
    convergence, a channel is gone. A step may take more than one channel: of those that it takes, the ones
    with the largest weights before it are kept, so that the number is exact and a higher ratio keeps a subset
    of what a lower one keeps.

    Args:
        loss: The layer's loss.
        count: How many to keep.
        parts: Groups of channels of which equally many must be kept: each is solved with the others whole.
    """
    if parts is None or len(parts) == 1:
        return np.sort(_order(loss, count)[:count])
    each = count // len(parts)
    chosen = [part[_order(loss.part(part), each)[:each]] for part in parts]
    return np.sort(np.concatenate(chosen))


def _order(loss: Quadratic, count: int) -> Channels:
    """The channels, those that stay longest as ``lambda_beta`` grows first; exact for the first ``count``."""
    solver = Augmented(loss)
    alive = np.ones(len(loss.moment), bool)
    lasted = np.zeros(len(alive))
    strength = np.ones(len(alive))
    weight, stage = solver.largest * _FIRST, 0
    while alive.sum() > count and 0 < weight <= solver.largest:
        theta = solver.converge(weight)
        alive &= theta != 0
        stage += 1
        lasted[alive] = stage
        strength[alive] = np.abs(theta[alive])
        weight *= _GROWTH
    return np.lexsort((np.arange(len(alive)), -strength, -lasted))


def adaptive(loss: Quadratic, weight: float) -> Channels:
    """Keeps what a given ``lambda_beta`` leaves (paper 000, section III-C and Fig. 4); at least one channel.

    Args:
        loss: The layer's loss.
        weight: ``lambda_beta``, over the mean of the Gram matrix's diagonal.

    Raises:
        InputError: The weight is negative.
    """
    if weight < 0:
        raise InputError(f"lambda_beta={weight} must not be negative")
    theta = Augmented(loss).converge(weight)
    kept = np.flatnonzero(theta)
    return kept if len(kept) else np.array([int(np.abs(loss.moment).argmax())])


def largest_sums(maps: Features, count: int, parts: list[Channels] | None = None) -> Channels:
    """*maxK*: the channels with the largest sums of magnitudes (paper 000, section IV-B)."""
    sums = np.abs(maps).sum(axis=(1, 2), dtype=np.float64)
    groups = parts or [np.arange(len(maps))]
    each = count // len(groups)
    best = [part[np.argsort(-sums[part], kind="stable")[:each]] for part in groups]
    return np.sort(np.concatenate(best))
