"""Where to look for a target that is LOST."""

import math

from slimtrack.box import Box

__all__ = ["Lookout"]

_LEASH = 1.0
"""How far a response may lead from where it led when LOST was said, over the target's mean side."""

_RADIUS = 1.5
"""How far around it is looked beside, over the target's mean side: about where search windows end."""

_DIRECTIONS = 8


class Lookout:
    """Looks in turn where the response led to, and at one of nine places around the last believed one.

    A search window reaches little further than the target is large; a target that comes out behind something
    is often just beside it. The response is followed on a short leash, so that a target that has only turned
    around is held.

    Args:
        believed: The last believed box.
        found: Where the response led to when LOST was said.
    """

    def __init__(self, believed: Box, found: Box) -> None:
        self._believed, self._led, self._near = believed, found, found
        self._side = math.sqrt(believed.area)
        self._looks = 0

    def next(self, found: Box) -> Box:
        """The place for the next frame, after one in which this was the most likely box."""
        if self._looks % 2 == 0:
            away = math.hypot(found.cx - self._led.cx, found.cy - self._led.cy)
            self._near = found if away <= _LEASH * self._side else self._led
        self._looks += 1
        return self._around(self._looks // 2) if self._looks % 2 else self._near

    def _around(self, turn: int) -> Box:
        """The last believed box, or that moved in a direction; neighbours not one after the other."""
        number = turn % (_DIRECTIONS + 1)
        if number == 0:
            return self._believed
        angle, reach = 2 * math.pi * 3 * number / _DIRECTIONS, _RADIUS * self._side
        return self._believed.moved(reach * math.cos(angle), reach * math.sin(angle))
