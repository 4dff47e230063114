"""Refines boxes by gradient ascent over the predicted overlap, as ATOM does; used in validation."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["refined"]


def refined(answer: Callable[[Tensor], Tensor], boxes: Tensor, steps: int = 5, length: float = 2.0) -> Tensor:
    """Gradient ascent over position and size.

    Args:
        answer: Predicted overlaps ``(N, K)`` of boxes ``(N, K, 4)``, left, top, right, bottom.
        boxes: The starting points.
        steps: Number of steps.
        length: Pixels a step for a slope of one overlap a side of the box. ATOM's 1 for its overlaps of -1 to
            1 is 2 here.
    """
    place = torch.cat([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], -1)
    for _ in range(steps):
        with torch.enable_grad():
            place = place.detach().requires_grad_(True)
            (slope,) = torch.autograd.grad(answer(_corners(place)).sum(), place)
        size = place.detach()[..., 2:]
        place = place.detach() + length * slope * size.repeat(1, 1, 2)
        place = torch.cat([place[..., :2], torch.maximum(place[..., 2:], 0.3 * size)], -1)
    return _corners(place)


def _corners(place: Tensor) -> Tensor:
    return torch.cat([place[..., :2], place[..., :2] + place[..., 2:]], -1)
