"""The frame with coordinates: lines lie where their numbers say."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from slimtrack import Box
from slimtrack.errors import OutputError
from slimtrack.video.grid import grid, write_image


def _changed(plain: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows in which more than half of the pixels differ."""
    differs = (plain != other).any(axis=2)
    return np.flatnonzero(differs.mean(axis=0) > 0.5), np.flatnonzero(differs.mean(axis=1) > 0.5)


@pytest.mark.parametrize(("size", "scale", "step"), [((640, 360), 1.5, 50), ((3840, 2160), 0.5, 200)])
def test_lines_lie_at_round_coordinates(size: tuple[int, int], scale: float, step: int) -> None:
    image = np.full((size[1], size[0], 3), (90, 120, 60), np.uint8)
    drawn = grid(image)
    inside = np.flatnonzero((drawn == (90, 120, 60)).all(axis=2).any(axis=0))
    left = int(inside[0])  # the margin holds the numbers
    top = int(np.flatnonzero((drawn == (90, 120, 60)).all(axis=2).any(axis=1))[0])
    shown = drawn[top : top + round(size[1] * scale), left : left + round(size[0] * scale)]
    columns, rows = _changed(np.full_like(shown, (90, 120, 60)), shown)
    for found, side in ((columns, size[0]), (rows, size[1])):
        expected = [round(at * scale) for at in range(step, side, step)]
        assert all(at in found for at in expected)
        assert all(min(abs(at - e) for e in [*expected, round(side * scale)]) <= 2 for at in found)


def test_a_box_is_drawn_where_it_is() -> None:
    image = np.full((100, 200, 3), 128, np.uint8)
    extra = (grid(image, Box(50, 20, 100, 40)) != grid(image)).any(axis=2)
    rows, columns = np.flatnonzero(extra.any(axis=1)), np.flatnonzero(extra.any(axis=0))
    assert columns[-1] - columns[0] == pytest.approx(100 * 4.8, abs=8)
    assert rows[-1] - rows[0] == pytest.approx(40 * 4.8, abs=8)


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (500, 3)])
def test_sizes_of_all_kinds(size: tuple[int, int]) -> None:
    assert grid(np.zeros((size[1], size[0], 3), np.uint8)).size > 0


def test_a_picture_by_its_suffix(tmp_path: Path) -> None:
    image = np.full((20, 30, 3), 7, np.uint8)
    write_image(tmp_path / "deep" / "a.png", image)
    assert (cv2.imread(str(tmp_path / "deep" / "a.png")) == image).all()
    for name in ("a", "a.xyz"):
        with pytest.raises(OutputError, match=r"a picture's name that ends in \.png or \.jpg"):
            write_image(tmp_path / name, image)
