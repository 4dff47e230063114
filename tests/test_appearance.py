"""What a box shows, from the frame and from a picture of its surroundings."""

import cv2
import numpy as np
import pytest

from slimtrack import Box
from slimtrack.appearance import Appearance
from slimtrack.search import View

BOX = Box(120, 90, 40, 30)


@pytest.fixture
def image() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC))


def seen(image: np.ndarray, area: Box) -> View:
    """The area in its own pixels."""
    x, y, w, h = (int(value) for value in area)
    return View(image[y : y + h, x : x + w], area)


def test_a_view_says_where_a_box_is_in_it() -> None:
    view = View(np.zeros((50, 100, 3), np.uint8), Box(100, 80, 200, 200))
    assert view.place(Box(150, 120, 40, 60)) == Box(25, 10, 20, 15)
    assert view.holds(Box(100, 80, 200, 200)) and not view.holds(Box(100, 80, 201, 200))


def test_a_view_shows_what_the_frame_shows(image: np.ndarray) -> None:
    appearance = Appearance(image, BOX)
    moved = BOX.moved(5, -3)
    from_frame = appearance.evidence(image, moved)
    from_view = appearance.evidence(image, moved, seen(image, Box(80, 50, 120, 110)))
    assert from_view == pytest.approx(from_frame, abs=0.02)
    assert appearance.evidence(image, BOX, seen(image, Box(80, 50, 120, 110)))["grey"] > 0.99


def test_a_view_that_ends_at_the_box_is_not_used(image: np.ndarray) -> None:
    appearance = Appearance(image, BOX)
    assert appearance.evidence(image, BOX, seen(image, BOX)) == appearance.evidence(image, BOX)
