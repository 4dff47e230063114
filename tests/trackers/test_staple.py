"""Staple's own part: the colour response."""

import numpy as np
import pytest

from slimtrack import Box, create
from slimtrack.filters.response import peak


def scene(box: Box) -> np.ndarray:
    """A flat blue rectangle of whole pixels on flat yellow."""
    image = np.full((360, 480, 3), (10, 200, 220), np.uint8)
    x, y, w, h = map(int, box)
    image[y : y + h, x : x + w] = (220, 30, 20)
    return image


@pytest.mark.parametrize("size", [(40, 32), (41, 31), (120, 96)])  # the last is shrunk to its patch
@pytest.mark.parametrize("shift", [(0, 0), (1, -1), (4, 8), (-8, -4)])
def test_the_colour_response_peaks_where_the_colours_are(
    size: tuple[int, int], shift: tuple[int, int]
) -> None:
    box = Box(180, 120, *size)
    tracker = create("staple")
    tracker.init(scene(box), box)

    pixel = tracker.window.pixel  # type: ignore[attr-defined]

    def found(dx: int, dy: int) -> np.ndarray:
        patch, _ = tracker._wide_patch(scene(box.moved(dx, dy)))  # type: ignore[attr-defined]
        at = peak(tracker._color_response(patch))  # type: ignore[attr-defined]
        return np.array(at[::-1]) * 4 * pixel

    dx, dy = shift
    # There and back are the same way: the parabola through a roof has a bias, but an odd one.
    np.testing.assert_allclose((found(dx, dy) - found(-dx, -dy)) / 2, shift, atol=0.6 * pixel)
    np.testing.assert_allclose(found(dx, dy) + found(-dx, -dy), 0, atol=0.1)
