"""Losses of a tracker network: score, box, and a teacher's answers."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from slimtrack.learning.siamese import STRIDE, Answer, cell_centres

__all__ = ["Lesson", "best_boxes", "corners", "giou", "iou", "losses"]

_CENTRE = 0.25
"""Cells within this share of the box's sides around its centre predict the box."""
_LEAD = 0.05
"""A teacher's box teaches until the student's overlap is better by this (paper 003, 3.10)."""
_TRUSTED = 0.6
"""A teacher's box teaches only where its overlap with the true one is this large."""


class Lesson(NamedTuple):
    """A teacher's answers in the student's search view.

    Attributes:
        scores: ``(N, n, n)`` probabilities at the student's cells.
        known: ``(N, n, n)`` bool: whether the teacher's view covers this cell.
        box: ``(N, 4)``: left, top, right, bottom of its best box, in the student's search pixels.
    """

    scores: Tensor
    known: Tensor
    box: Tensor


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Overlap of boxes given as left, top, right, bottom in the last dimension."""
    common, joint, _ = _areas(a, b)
    return common / joint


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised overlap (Rezatofighi et al., CVPR 2019): -1 to 1."""
    common, joint, hull = _areas(a, b)
    return common / joint - (hull - joint) / hull


def _areas(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Intersection, union, hull."""
    size_a, size_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    common = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    inner = common.clamp(min=0).prod(-1)
    return inner, (size_a.prod(-1) + size_b.prod(-1) - inner).clamp(min=1e-6), hull.prod(-1).clamp(min=1e-6)


def corners(sides: Tensor) -> Tensor:
    """Boxes that the cells predict: ``(N, 4, n, n)`` sides to ``(N, n, n, 4)`` left, top, right, bottom."""
    centres = cell_centres(sides.shape[-1], sides.device)
    return torch.cat([centres - sides[:, :2], centres + sides[:, 2:]], 1).permute(0, 2, 3, 1)


def best_boxes(answer: Answer) -> Tensor:
    """The box of each sample's highest score: ``(N, 4)``."""
    boxes = corners(answer.sides).flatten(1, 2)
    best = answer.score.flatten(1).argmax(1)
    return boxes[torch.arange(len(boxes), device=boxes.device), best]


def losses(answer: Answer, box: Tensor, present: Tensor, lesson: Lesson | None = None) -> dict[str, Tensor]:
    """The weighted parts of the loss; their sum is minimised.

    Args:
        answer: The network's output.
        box: ``(N, 4)`` left, top, right, bottom of the target in search pixels.
        present: ``(N,)`` bool; where false, there is no target and `box` means nothing.
        lesson: The teacher's answers; ``None`` without a teacher.
    """
    boxes = corners(answer.sides)
    true = box[:, None, None]
    middle, inside = _places(box, answer.score.shape[-1])
    middle, inside = middle & present[:, None, None], inside & present[:, None, None]
    count = middle.sum().clamp(min=1)
    overlap = iou(boxes.detach(), true).clamp(0, 1)
    goal = torch.where(middle, overlap, 0.0)
    # Cells of the target outside its middle neither predict the box nor count as background.
    parts = {"score": _quality(answer.score, goal, torch.where(inside & ~middle, 0.2, 1.0)) / count}
    parts["giou"] = 2 * ((1 - giou(boxes, true)) * middle).sum() / count
    parts["edges"] = 0.5 * (_edges(boxes, true) * middle).sum() / count
    if lesson is not None:
        parts |= _imitation(answer, boxes, overlap, middle, box, lesson)
    return parts


def _places(box: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """Cells in the middle of the box (one at least), and all cells inside it: ``(N, n, n)`` bool."""
    centres = cell_centres(cells, box.device)[None]
    middle = ((box[:, :2] + box[:, 2:]) / 2)[:, :, None, None]
    size = (box[:, 2:] - box[:, :2])[:, :, None, None]
    away = (centres - middle).abs()
    return (away <= (_CENTRE * size).clamp(min=STRIDE / 2)).all(1), (away <= size / 2).all(1)


def _quality(logits: Tensor, goal: Tensor, weight: Tensor) -> Tensor:
    """Quality focal loss (Li et al., NeurIPS 2020), summed."""
    error = (torch.sigmoid(logits.detach()) - goal).abs()
    loss = functional.binary_cross_entropy_with_logits(logits, goal, reduction="none")
    return (weight * error.square() * loss).sum()


def _edges(a: Tensor, b: Tensor) -> Tensor:
    """Mean distance of the four edges, relative to the true box's size; smooth at zero."""
    size = (b[..., 2:] - b[..., :2]).repeat(*([1] * (b.ndim - 1)), 2).clamp(min=4.0)
    return functional.smooth_l1_loss(a / size, (b / size).expand_as(a), beta=0.05, reduction="none").mean(-1)


def _imitation(
    answer: Answer, boxes: Tensor, overlap: Tensor, middle: Tensor, box: Tensor, lesson: Lesson
) -> dict[str, Tensor]:
    scores = lesson.scores
    weight = lesson.known * (0.03 + torch.maximum(scores, torch.sigmoid(answer.imitation.detach())))
    loss = functional.binary_cross_entropy_with_logits(answer.imitation, scores, reduction="none")
    parts = {"imitation": (weight * loss).sum() / scores.sum().clamp(min=len(scores))}
    taught = iou(lesson.box, box)[:, None, None]
    led = middle & (taught > _TRUSTED) & (overlap < taught + _LEAD)
    parts["taught"] = (_edges(boxes, lesson.box[:, None, None]) * led).sum() / middle.sum().clamp(min=1)
    return parts
