"""Where to look for a lost target."""

import math

import pytest

from slimtrack import Box
from slimtrack.lookout import Lookout, Trail

BELIEVED, LED = Box(100, 80, 20, 45), Box(110, 80, 20, 45)
SIDE = 30.0
"""Root of the area."""


def away(a: Box, b: Box) -> float:
    return math.hypot(a.cx - b.cx, a.cy - b.cy)


def places(found: Box, count: int) -> list[Box]:
    lookout = Lookout(BELIEVED, LED)
    return [lookout.next(found) for _ in range(count)]


def test_it_looks_at_the_believed_place_and_in_eight_directions_in_turn() -> None:
    around = places(LED, 18)[::2]
    assert around[0] == BELIEVED
    assert [away(box, BELIEVED) for box in around[1:]] == pytest.approx([1.5 * SIDE] * 8)
    angles = {
        round(math.degrees(math.atan2(b.cy - BELIEVED.cy, b.cx - BELIEVED.cx))) % 360 for b in around[1:]
    }
    assert angles == set(range(0, 360, 45))
    assert all((box.w, box.h) == (BELIEVED.w, BELIEVED.h) for box in around)


def test_between_it_follows_the_response_on_a_leash() -> None:
    near, far = LED.moved(SIDE - 1, 0), LED.moved(SIDE + 1, 0)
    assert places(near, 4)[1::2] == [near, near]
    assert places(far, 4)[1::2] == [LED, LED]


def test_what_was_found_around_is_not_where_the_response_led() -> None:
    lookout = Lookout(BELIEVED, LED)
    lookout.next(LED)
    assert lookout.next(LED.moved(5, 5)) == LED  # found at the believed place, not where the response led


def test_a_trail_has_no_leash() -> None:
    trail, far = Trail(BELIEVED, LED), LED.moved(500, 0)
    assert [trail.next(far) for _ in range(4)][1::2] == [far, far]
    assert trail.next(far) == Lookout(BELIEVED, LED)._around(2)
