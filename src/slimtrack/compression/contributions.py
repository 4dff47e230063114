"""Losses over the contributions of a convolution's input channels (paper 000, equations 7-10).

With ``X_i`` the ``k x N`` samples of input channel i at N cells and ``W_i`` its ``k x n`` filters, its
contribution is ``W_i^T X_i``. Contributions are never computed: their inner products only need the blocks of
two Gram matrices: ``<W_i^T X_i, W_j^T X_j> = sum over u, v of (X X^T)_{iu,jv} (W W^T)_{iu,jv}``.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slimtrack.arrays import Features, Floats
from slimtrack.compression.information import Mask
from slimtrack.networks.layers import Layer

__all__ = ["Quadratic", "Samples", "cells", "gram", "quadratic", "samples"]


@dataclass(frozen=True, slots=True)
class Quadratic:
    """The loss of equation 10 as ``1/2 beta^T gram beta - beta^T moment`` and a constant.

    Attributes:
        gram: ``C C^T + lambda_B D D^T``, ``(c, c)`` float64.
        moment: ``C A^T - lambda_B D B^T``, ``(c,)`` float64.
    """

    gram: Floats
    moment: Floats

    def __add__(self, other: "Quadratic") -> "Quadratic":
        """The sum of two losses, of two layers that read a channel or of two parts of a convolution."""
        return Quadratic(self.gram + other.gram, self.moment + other.moment)

    def placed(self, at: npt.NDArray[np.intp], count: int) -> "Quadratic":
        """The same loss over ``count`` channels, with these channels at the indices ``at``."""
        gram, moment = np.zeros((count, count)), np.zeros(count)
        gram[np.ix_(at, at)], moment[at] = self.gram, self.moment
        return Quadratic(gram, moment)

    def part(self, at: npt.NDArray[np.intp]) -> "Quadratic":
        """The loss over some channels, with the others unchanged (``beta = 1``)."""
        others = np.setdiff1d(np.arange(len(self.moment)), at)
        fixed = self.gram[np.ix_(at, others)].sum(axis=1)
        return Quadratic(self.gram[np.ix_(at, at)], self.moment[at] - fixed)


@dataclass(frozen=True, slots=True)
class Samples:
    """Input samples of a convolution at some cells of its output.

    Attributes:
        values: ``(k, C, N)`` float32: the values under each of the k places of the kernel.
        weights: ``(N,)`` float32: number of cells that each sample represents.
    """

    values: Features
    weights: Floats


def cells(mask: Mask, most: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
    """Rows and columns of at most ``most`` cells of a mask, evenly spread, and how many each represents."""
    flat = np.flatnonzero(mask)
    if len(flat) > most:
        # A golden-ratio step visits rows and columns evenly, where equal steps could fall on one column.
        steps = np.sort((np.arange(most) * 0.6180339887498949) % 1)
        chosen = flat[np.unique((steps * len(flat)).astype(np.intp))]
    else:
        chosen = flat
    rows, columns = np.divmod(chosen, mask.shape[1])
    share = len(flat) / max(len(chosen), 1)
    return rows, columns, np.full(len(chosen), share, np.float32)


def samples(maps: Features, layer: Layer, mask: Mask, most: int = 1 << 30) -> Samples:
    """The samples of equation 7 at the masked cells of a convolution's output.

    Args:
        maps: The layer's input, ``(C, h, w)``.
        layer: The convolution.
        mask: ``(h', w')``, of its output.
        most: Largest number of cells, evenly spread.
    """
    rows, columns, weights = cells(mask, most)
    (kh, kw), (sy, sx), (dy, dx) = layer.kernel, layer.stride, layer.dilation
    top, left, bottom, right = layer.pads
    padded = np.pad(maps, ((0, 0), (top, bottom), (left, right)))
    values = np.empty((kh * kw, len(maps), len(rows)), np.float32)
    for u in range(kh * kw):
        y, x = divmod(u, kw)
        values[u] = padded[:, rows * sy + y * dy, columns * sx + x * dx]
    return Samples(values, weights)


def gram(weights: Features, values: Features) -> Floats:
    """Inner products of all contributions ``(c, c)`` float64 (paper 000, ``C C^T`` of equation 14).

    Args:
        weights: Filters ``(n, c, k)``.
        values: Samples ``(k, c, N)``.
    """
    count = len(values)
    filters = np.ascontiguousarray(weights.transpose(2, 1, 0))
    total = np.zeros((weights.shape[1],) * 2)
    for u in range(count):
        for v in range(u, count):
            block = values[u] @ values[v].T
            block *= filters[u] @ filters[v].T
            total += block
            if u != v:  # the block of (v, u) is its transpose
                total += block.T
    return total


def quadratic(
    weights: Features,
    bias: Floats,
    target: Samples,
    rest: Samples,
    ours: npt.NDArray[np.intp],
    background: float,
) -> Quadratic:
    """The loss of equation 10 for the channels ``ours`` of what a convolution reads.

    There are two departures from the paper. If the convolution also reads channels of other layers (behind a
    concatenation), these are treated like the bias: in the background they belong to ``B``, and ``A`` is what
    our channels add. Both losses are divided by their number of cells, so that ``background`` does not depend
    on how much larger the patch is than the target.

    Args:
        weights: Filters ``(n, c, k)``.
        bias: ``(n,)``.
        target: Samples on the target, of all ``c`` channels.
        rest: Samples in the background.
        ours: Which of the c channels are weighted by beta.
        background: The equation's ``lambda_B``.
    """
    inside, outside = (np.sqrt(_normalised(part, gain)) for part, gain in ((target, 1.0), (rest, background)))
    mine = weights[:, ours]
    values = np.concatenate([target.values[:, ours] * inside, rest.values[:, ours] * outside], axis=2)
    wished = _outputs(mine, target.values[:, ours] * inside)
    others = np.setdiff1d(np.arange(weights.shape[1]), ours)
    unwished = _outputs(weights[:, others], rest.values[:, others] * outside) + bias[:, None] * outside
    aims = np.concatenate([wished, -unwished], axis=1)
    moment = np.zeros(len(ours))
    for u in range(len(values)):
        moment += np.einsum("nc,cn->c", mine[:, :, u], values[u] @ aims.T, optimize=True)
    return Quadratic(gram(mine, values), moment)


def _normalised(part: Samples, gain: float) -> Floats:
    return np.asarray(part.weights * (gain / max(float(part.weights.sum()), 1.0)), np.float32)


def _outputs(weights: Features, values: Features) -> Features:
    """The outputs of a convolution without bias, ``(n, N)``."""
    out = np.zeros((len(weights), values.shape[2]), np.float32)
    for u in range(len(values)):
        out += weights[:, :, u] @ values[u]
    return out
