"""Losses by which a small network of the ATOM family learns from a large one (paper 003)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from slimtrack.online.roi import precise_roi_pool

__all__ = [
    "BINS", "BOX_BEND", "STRIDES", "adaptive_hard", "correlated", "correlation", "fidelity", "smooth",
    "stacked", "target_response", "weighted_response",
]  # fmt: skip

STRIDES = (2, 4, 8, 16)
"""Strides of blocks 1 to 4."""

BINS = (29, 15, 7, 3)
"""The target's 57.6 pixels in cells of each block, to the next odd number: a kernel with a middle."""

BOX_BEND = 0.1
"""The difference at which smooth L1 becomes a line for DRNet's four numbers, which are small."""

_SIGMA = 0.25
"""Standard deviation of the label in sides of the target, as in ATOM's classifier."""
_LEAST = 1e-6


def stacked(maps: Tensor) -> Tensor:
    """Absolute values of ``(N, C, ..)`` summed over channels, scaled to length 1: ``(N, ..)`` (equation 3.5).

    Departure: the paper does not say how sums over 32 and over 128 channels are made comparable. Here a map's
    own length divides it (Zagoruyko and Komodakis, ICLR 2017), so that only where it is strong is learned.
    """
    total = maps.float().abs().sum(1)
    return total / total.flatten(1).norm(dim=1).clamp(min=_LEAST)[:, None, None]


def fidelity(student: Sequence[Tensor], taught: Sequence[Tensor]) -> Tensor:
    """Squared differences of stacked maps, summed over maps and cells (equation 3.6).

    Args:
        student: Stacked blocks of template and search, ``(N, h, w)`` each.
        taught: The teacher's.

    Returns:
        A number, the mean over samples.
    """
    parts = [
        (own - goal).square().flatten(1).sum(1).mean() for own, goal in zip(student, taught, strict=True)
    ]
    return torch.stack(parts).sum()


def correlated(search: Tensor, kernel: Tensor) -> Tensor:
    """Each sample's search ``(N, C, H, W)`` with its own kernel ``(N, C, k, k)``, k odd: ``(N, H, W)``.

    Zero beyond the border; by FFT, as kernels are up to 29 cells wide.
    """
    size = [cells + kernel.shape[-1] - 1 for cells in search.shape[-2:]]
    product = torch.fft.rfft2(kernel, s=size).conj() * torch.fft.rfft2(search, s=size)
    middle = kernel.shape[-1] // 2
    found = torch.fft.irfft2(product.sum(1), s=size).roll((middle, middle), (1, 2))
    return found[:, : search.shape[-2], : search.shape[-1]]


def correlation(
    template: Sequence[Tensor], search: Sequence[Tensor], reference: Tensor, target: Tensor, present: Tensor
) -> Tensor:
    """Difference of the target's correlation with the search from a Gaussian, over all blocks (equation 3.7).

    Departures: squared differences are averaged over cells, so that blocks count alike; the label's width is
    ATOM's, as the paper gives none.

    Args:
        template: Blocks 1 to 4, ``(N, C, h, w)`` each.
        search: The same of the searches.
        reference: ``(N, 4)``: left, top, right, bottom of the target in the template, in pixels.
        target: The same in the search.
        present: ``(N,)`` bool: pairs that count.
    """
    shown = present.float()
    total = shown.new_zeros(())
    for own, there, stride, bins in zip(template, search, STRIDES, BINS, strict=True):
        answered = correlated(there.float(), _target(own, reference, stride, bins))
        answered = answered / answered.flatten(1).amax(1).clamp(min=_LEAST)[:, None, None]
        off = (answered - _label(target / stride, there.shape[-2], there.shape[-1])).square().mean((1, 2))
        total = total + (off * shown).sum() / shown.sum().clamp(min=1)
    return total


def target_response(template: Tensor, reference: Tensor, block: int) -> Tensor:
    """The stacked features of the target alone (equation 2.7): ``(N, bins, bins)``.

    Args:
        template: Features of the template.
        reference: ``(N, 4)``: the target there, in pixels.
        block: Which of the four, 0 to 3.
    """
    return stacked(_target(template, reference, STRIDES[block], BINS[block]))


def weighted_response(template: Tensor, search: Tensor, reference: Tensor, block: int) -> Tensor:
    """The stacked features of the search, weighted by their correlation with the target (equations 2.8-2.10).

    The paper's second term of 2.8 takes the teacher's features of x; those of z are meant.
    """
    kernel = _target(template, reference, STRIDES[block], BINS[block])
    weight = correlated(search.float(), kernel)
    return stacked(weight[:, None] * search.float())


def smooth(said: Tensor, goal: Tensor, bend: float = 1.0) -> Tensor:
    """Smooth L1 (equation 3.9) of ``(N, K, outputs)``, summed over outputs: ``(N, K)``.

    Args:
        said: Answers.
        goal: What they should be.
        bend: The difference at which the square becomes a line; 1 in the paper.
    """
    return functional.smooth_l1_loss(said, goal, reduction="none", beta=bend).sum(-1)


def adaptive_hard(said: Tensor, taught: Tensor, goal: Tensor, margin: float, bend: float = 1.0) -> Tensor:
    """The true label until the student beats the teacher by a margin (equation 3.10): ``(N, K)``."""
    own = smooth(said, goal, bend)
    return torch.where(smooth(taught, goal, bend) - own < margin, own, 0.0)


def _target(template: Tensor, box: Tensor, stride: int, bins: int) -> Tensor:
    """The target's features, cut out by precise RoI pooling: ``(N, C, bins, bins)``."""
    pooled: Tensor = precise_roi_pool(template.float(), box[:, None] / stride, bins)
    return pooled[:, 0]


def _label(box: Tensor, height: int, width: int) -> Tensor:
    """Gaussians of height 1 at the centres of boxes ``(N, 4)`` in cells: ``(N, height, width)``."""
    side = (box[:, 2:] - box[:, :2]).prod(1).sqrt()
    lines = []
    for axis, cells in ((1, height), (0, width)):
        at = torch.arange(cells, device=box.device, dtype=box.dtype)
        off = at - (box[:, axis, None] + box[:, axis + 2, None]) / 2
        lines.append(torch.exp(-(off / (_SIGMA * side)[:, None]).square() / 2))
    return lines[0][:, :, None] * lines[1][:, None, :]
