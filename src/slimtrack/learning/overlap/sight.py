"""Inputs and outputs of a predictor of the ATOM family for a batch, and validation figures."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from slimtrack.learning.losses import iou
from slimtrack.learning.overlap.network import OverlapNetwork, moved
from slimtrack.learning.overlap.proposals import around, candidates
from slimtrack.learning.overlap.refine import refined

__all__ = ["Sight", "answer", "average", "difference", "figures"]

_PROPOSALS = 10
"""Number of starting points of a refinement, whose best three are averaged (paper 003, section 3.1)."""
_BEST = 3
_JUDGED = 16
"""Number of boxes whose predicted overlap is validated."""


class Sight(NamedTuple):
    """Pairs as the backbone sees them; boxes are left, top, right, bottom in pixels of the views.

    Attributes:
        template, search: Blocks 3 and 4, ``(N, C, h, w)`` each.
        reference, target: ``(N, 4)``: the target in the template and in the search.
        present: ``(N,)`` bool: the search shows the target.
    """

    template: Sequence[Tensor]
    search: Sequence[Tensor]
    reference: Tensor
    target: Tensor
    present: Tensor


def answer(network: OverlapNetwork, sight: Sight, boxes: Tensor) -> Tensor:
    """The predictor's output for boxes ``(N, K, 4)`` in the searches: ``(N, K, outputs)``."""
    predictor = network.predictor
    modulation = predictor.modulation(sight.template[0], sight.template[1], sight.reference)
    return predictor.answer(predictor.search(sight.search[0], sight.search[1]), modulation, boxes)


def average(values: Tensor, present: Tensor) -> Tensor:
    """Mean of ``(N, K)`` over the pairs whose search shows the target."""
    shown = present.to(values.dtype)
    return (values.mean(1) * shown).sum() / shown.sum().clamp(min=1)


def difference(boxes: Tensor, target: Tensor) -> Tensor:
    """The correct output of DRNet's head for boxes ``(.., 4)``: the inverse of `moved`."""
    size, goal = boxes[..., 2:] - boxes[..., :2], target[..., 2:] - target[..., :2]
    shift = (target[..., :2] + target[..., 2:] - boxes[..., :2] - boxes[..., 2:]) / 2
    return torch.cat([shift / size, (goal / size).log()], -1)


def figures(network: OverlapNetwork, sight: Sight, generator: torch.Generator) -> dict[str, Tensor]:
    """Figures of each pair, nan if the target is absent.

    ``before``: overlap of a box near the target; ``overlap``: of the box that the network makes of it, with
    ATOM's settings of the refinement; ``error``, of networks that predict overlaps: how far those of boxes
    near the target are off.
    """
    target = sight.target
    begun = candidates(target, 1, generator)
    found = {"before": iou(begun[:, 0], target)}
    if network.kind == "atom":
        boxes = candidates(target, _JUDGED, generator)
        off = answer(network, sight, boxes)[..., 0] - iou(boxes, target[:, None])
        found["error"] = off.abs().mean(1)
        found["overlap"] = iou(_climbed(network, sight, around(begun[:, 0], _PROPOSALS, generator)), target)
    else:
        found["overlap"] = iou(moved(begun, answer(network, sight, begun))[:, 0], target)
    return {name: torch.where(sight.present, values, torch.nan) for name, values in found.items()}


def _climbed(network: OverlapNetwork, sight: Sight, boxes: Tensor) -> Tensor:
    """Mean of the three refined boxes of highest predicted overlap: ``(N, 4)``."""
    predictor = network.predictor
    modulation = predictor.modulation(sight.template[0], sight.template[1], sight.reference)
    maps = predictor.search(sight.search[0], sight.search[1])

    def overlaps(places: Tensor) -> Tensor:
        return predictor.answer(maps, modulation, places)[..., 0]

    after = refined(overlaps, boxes)
    best = overlaps(after).topk(_BEST, dim=1).indices
    return after.gather(1, best[..., None].expand(-1, -1, 4)).mean(1)
