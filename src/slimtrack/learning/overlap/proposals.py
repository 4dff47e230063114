"""Boxes near the target, for training and as starting points of a refinement."""

import torch
from torch import Tensor

from slimtrack.learning.losses import iou

__all__ = ["around", "candidates"]

_SIGMAS = (0.01, 0.05, 0.1, 0.2, 0.3)
"""Standard deviations in sides of the target, of which one is drawn for each box, as in ATOM."""
_LEAST = 0.1
"""Smallest overlap of a candidate."""
_JITTER = (0.1, 0.5)
"""Spans of the proposals' places and sizes in sides of the box, as in ATOM's tracking."""
_ROUNDS = 4
"""How many times a candidate that overlaps less is moved halfway to the target."""


def candidates(box: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Boxes around a box, with normal noise in centres and sizes: ``(N, count, 4)``.

    Args:
        box: ``(N, 4)`` left, top, right, bottom.
        count: How many for each.
        generator: On the device of the boxes.
    """
    n = len(box)
    size = box[:, None, 2:] - box[:, None, :2]
    side = size.prod(-1, keepdim=True).sqrt()
    sigmas = box.new_tensor(_SIGMAS)
    which = torch.randint(len(_SIGMAS), (n, count, 1), generator=generator, device=box.device)
    noise = torch.randn(n, count, 4, generator=generator, device=box.device) * sigmas[which] * side
    middle = (box[:, None, :2] + box[:, None, 2:]) / 2 + noise[..., :2]
    half = torch.maximum(size + noise[..., 2:], 0.2 * size) / 2
    found = torch.cat([middle - half, middle + half], -1)
    for _ in range(_ROUNDS):
        far = iou(found, box[:, None]) < _LEAST
        found = torch.where(far[..., None], (found + box[:, None]) / 2, found)
    return found


def around(box: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Starting points of a refinement: each box ``(N, 4)`` and others near it, ``(N, count, 4)``."""
    size = (box[:, 2:] - box[:, :2])[:, None]
    side = size.prod(-1, keepdim=True).sqrt()
    spans = box.new_tensor([_JITTER[0]] * 2 + [_JITTER[1]] * 2)
    draw = torch.rand(len(box), count, 4, generator=generator, device=box.device) - 0.5
    noise = draw * spans * side
    noise[:, 0] = 0
    middle = ((box[:, :2] + box[:, 2:]) / 2)[:, None] + noise[..., :2]
    half = torch.maximum(size + noise[..., 2:], size.amin(-1, keepdim=True) / 3) / 2
    return torch.cat([middle - half, middle + half], -1)
