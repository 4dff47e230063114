"""Rates a student's feature maps as a correlation tracker uses them: windowed, scaled to equal energy."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from slimtrack.online.tracking_loss import correlation_filter, gaussian_label, response, tracking_loss

__all__ = ["Filtering", "hit", "level_loss"]

_SIGMA = 0.1
"""Standard deviation of the label in sides of the target, as KCF has it .."""
_FEWEST_CELLS = 0.7
""".. but no fewer cells: on coarse maps nothing would be left of it."""
_NEAR = 0.25
"""Sides of the target within which a peak counts as on it."""


class Filtering(NamedTuple):
    """How filters are solved.

    Attributes:
        extent: Side of both patches in sides of the target.
        ridge: Weight of the filter's own energy as a share of the features' mean energy per frequency.
        suppression: Weight of context patches.
    """

    extent: float = 4.0
    ridge: float = 0.01
    suppression: float = 0.0


def level_loss(maps: Sequence[Tensor], shift: Tensor, present: Tensor, filtering: Filtering) -> Tensor:
    """The correlation tracking loss of one level over the energy of its label, so that levels count alike.

    Args:
        maps: Template, search and context patches, ``(N, C, h, w)`` each.
        shift: ``(N, 2)``: how far the target is off the middle of the search, in sides of the patch.
        present: ``(N,)`` bool: whether the search shows it; if not, zero is the right response.
        filtering: How the filter is solved.
    """
    template, search, *context = _alike(maps)
    height, width = template.shape[-2:]
    sigma = _share(template, filtering)
    label = gaussian_label(shift.new_zeros(1, 2), height, width, sigma * _mean_side(template))
    moved = shift * shift.new_tensor([width, height])
    loss = tracking_loss(
        template, search, moved, width=sigma, ridge=filtering.ridge, context=context,
        suppression=filtering.suppression, present=present,
    )  # fmt: skip
    return loss / label.square().sum()


@torch.no_grad()
def hit(maps: Sequence[Tensor], shift: Tensor, filtering: Filtering) -> Tensor:
    """Whether one level's response peaks on the target: ``(N,)`` 0 or 1; arguments as for `level_loss`."""
    template, search = _alike(maps[:2])
    height, width = template.shape[-2:]
    sigma = _share(template, filtering) * _mean_side(template)
    label = gaussian_label(shift.new_zeros(1, 2), height, width, sigma)[0]
    answered = response(correlation_filter(template, label, filtering.ridge), search)
    goal = gaussian_label(shift * shift.new_tensor([width, height]), height, width, 1.0)
    at = goal.flatten(1).gather(1, answered.flatten(1).argmax(1, keepdim=True))[:, 0]
    distance = (-2 * at.clamp(min=1e-30).log()).sqrt()  # in cells, from a Gaussian of one cell
    return (distance <= max(_NEAR * _mean_side(template) / filtering.extent, 1.0)).float()


def _mean_side(maps: Tensor) -> float:
    return float((maps.shape[-1] * maps.shape[-2]) ** 0.5)


def _share(maps: Tensor, filtering: Filtering) -> float:
    """Standard deviation of the label over the map's mean side."""
    return max(_SIGMA / filtering.extent, _FEWEST_CELLS / _mean_side(maps))


def _alike(maps: Sequence[Tensor]) -> list[Tensor]:
    """Maps under a Hann window, all scaled so that the template's mean energy per frequency is 1."""
    cosine = _hann(maps[0].shape[-2], maps[0])[:, None] * _hann(maps[0].shape[-1], maps[0])
    windowed = [each.float() * cosine for each in maps]
    gain = windowed[0].square().sum((1, 2, 3), keepdim=True).clamp(min=1e-12).rsqrt()
    return [each * gain for each in windowed]


def _hann(cells: int, like: Tensor) -> Tensor:
    at = (torch.arange(cells, device=like.device, dtype=torch.float32) + 0.5) / cells
    return torch.sin(torch.pi * at) ** 2
