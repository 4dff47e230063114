"""Where to look for a target that is LOST."""

import math
from typing import ClassVar

from slimtrack.box import Box

__all__ = ["Lookout", "Trail"]

_RADIUS = 1.5
"""Distance of the eight neighbouring places, over the target's mean side: about where search windows end."""

_DIRECTIONS = 8


class Lookout:
    """Alternates between the place of the last response and one of nine places around the last believed box.

    A search window is little larger than the target, and a target that comes out from behind something is
    often just outside of it. The response is followed over a short distance only, which is enough for a
    target that has merely turned around.

    Args:
        believed: The last believed box.
        found: The estimate of the frame in which the target became LOST.

    Attributes:
        leash: How far the search may follow the response from where the target was lost, over the target's
            mean side.
    """

    leash: ClassVar[float] = 1.0

    def __init__(self, believed: Box, found: Box) -> None:
        self._believed, self._led, self._near = believed, found, found
        self._side = math.sqrt(believed.area)
        self._looks = 0

    def next(self, found: Box) -> Box:
        """The place to search in the next frame, given the estimate of this one."""
        if self._looks % 2 == 0:
            away = math.hypot(found.cx - self._led.cx, found.cy - self._led.cy)
            self._near = found if away <= self.leash * self._side else self._led
        self._looks += 1
        return self._around(self._looks // 2) if self._looks % 2 else self._near

    def _around(self, turn: int) -> Box:
        """The last believed box, moved in one of nine directions; successive ones are not neighbours."""
        number = turn % (_DIRECTIONS + 1)
        if number == 0:
            return self._believed
        angle, reach = 2 * math.pi * 3 * number / _DIRECTIONS, _RADIUS * self._side
        return self._believed.moved(reach * math.cos(angle), reach * math.sin(angle))


class Trail(Lookout):
    """The same, but the response is followed wherever it leads, as for trackers that learn nothing wrong."""

    leash = math.inf
