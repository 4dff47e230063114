"""Finds the target and distractors in a map of responses (ATOM, section 3.4)."""

import enum
from dataclasses import dataclass

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Floats
from slimtrack.filters.response import refine

__all__ = ["Finding", "Kind", "Rules", "localised"]

_FINE = 5
"""Points of the interpolated map per response, in each direction."""


class Kind(enum.Enum):
    """What was found in a map of responses."""

    CLEAR = "clear"
    DISTRACTED = "distracted"
    """Something else responds, too; it is to be learned as a hard negative."""
    UNCERTAIN = "uncertain"
    """It cannot be said which of two the target is: nothing is to be learned."""
    ABSENT = "absent"


@dataclass(frozen=True)
class Rules:
    """ATOM's published thresholds.

    Attributes:
        absent: Height of the peak below which the target was not found.
        distractor: Height of the second peak, over the first, from which it may be the target.
        hard_negative: The same, from which it is to be learned as what the target is not; only if it is also
            above `absent`.
        near: Sides of the area around a peak that belongs to it, over the target's sides.
        moved: Distance over which a target does not move in a frame, over half the side of the map.
    """

    absent: float = 0.25
    distractor: float = 0.8
    hard_negative: float = 0.5
    near: float = 2.2
    moved: float = 0.8


@dataclass(frozen=True)
class Finding:
    """The target in a map of responses.

    Attributes:
        y, x: Its place, in responses; the first one is at (0, 0).
        peak: The response there.
        kind: What else was found.
    """

    y: float
    x: float
    peak: float
    kind: Kind


def localised(
    responses: Floats, expected: tuple[float, float], size: tuple[float, float], rules: Rules
) -> Finding:
    """The peak that is the target.

    Args:
        responses: ``(h, w)`` float32.
        expected: Row and column where the target was last.
        size: Height and width of the target, in responses.
        rules: The thresholds.
    """
    fine = cv2.resize(
        np.asarray(responses, np.float32), None, fx=_FINE, fy=_FINE, interpolation=cv2.INTER_CUBIC
    )
    first = _peak(fine)
    if first[2] < rules.absent:
        return Finding(*first, Kind.ABSENT)
    second = _peak(_without(fine, first, size, rules.near))
    if second[2] > rules.distractor * first[2]:
        reach = rules.moved * (responses.shape[0] * responses.shape[1]) ** 0.5 / 2
        far = [np.hypot(y - expected[0], x - expected[1]) > reach for y, x, _ in (first, second)]
        if far[0] == far[1]:
            return Finding(*first, Kind.UNCERTAIN)
        return Finding(*(second if far[0] else first), Kind.DISTRACTED)
    distracted = second[2] > max(rules.hard_negative * first[2], rules.absent)
    return Finding(*first, Kind.DISTRACTED if distracted else Kind.CLEAR)


def _peak(fine: Floats) -> tuple[float, float, float]:
    """Row and column of the highest point, in responses, and its height."""
    y, x = divmod(int(fine.argmax()), fine.shape[1])
    at = [
        index + (refine(*map(float, line[index - 1 : index + 2])) if 0 < index < len(line) - 1 else 0.0)
        for index, line in ((y, fine[:, x]), (x, fine[y]))
    ]
    row, column = ((each + 0.5) / _FINE - 0.5 for each in at)
    return row, column, float(fine[y, x])


def _without(
    fine: Floats, peak: tuple[float, float, float], size: tuple[float, float], near: float
) -> Floats:
    """The map with zeros around a peak."""
    rest = fine.copy()
    rows, columns = (
        slice(
            max(round((at + 0.5 - near * side / 2) * _FINE), 0),
            max(round((at + 0.5 + near * side / 2) * _FINE), 0),
        )
        for at, side in zip(peak[:2], size, strict=True)
    )
    rest[rows, columns] = 0
    return rest
