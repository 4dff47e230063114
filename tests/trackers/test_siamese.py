"""How the boxes that a network says are ranked."""

import numpy as np
import pytest

from slimtrack.trackers._siamese import rank

HALF = np.array([[10, 20, 5, 10], [5, 10, 2.5, 10], [10, 20, 5, 10], [5, 10, 2.5, 10]], np.float32)
"""Of the same size as the last box (20 x 10), twice and half as large, and of another shape."""


def ranked(scores: list[float], *, influence: float = 0.0, step: float = 1.0, penalty: float = 0.1):
    grid = np.array([[0, 16, 0, -16], [0, 0, 16, 0]], np.float32)
    window = np.array([1, 0.5, 0.5, 0.5], np.float32)
    values = np.array(scores, np.float32)
    return rank(values, HALF, grid, window, (influence, penalty), (20.0, 10.0), (3.0, -2.0), step)


def test_what_keeps_its_size_keeps_its_score_and_a_change_costs_either_way() -> None:
    _, held, *_ = ranked([1, 1, 1, 1], penalty=1.0)
    same, larger, smaller, other_shape = held.tolist()
    assert same == pytest.approx(1)
    assert larger == pytest.approx(np.exp(-1)) == smaller
    assert other_shape < larger


def test_boxes_are_in_frame_pixels_from_the_last_box() -> None:
    _, _, dx, dy, w, h = ranked([1, 1, 1, 1], step=2.0)
    assert dx.tolist() == [3, 35, 3, -29]
    assert dy.tolist() == [-2, -2, 30, -2]
    assert w.tolist() == [40, 80, 20, 40]
    assert h.tolist() == [20, 40, 10, 40]


def test_a_box_that_reaches_further_on_one_side_has_its_centre_there() -> None:
    sides = np.array([[10], [20], [30], [4]], np.float32)
    one, none = np.ones(1, np.float32), np.zeros((2, 1), np.float32)
    _, _, dx, dy, w, h = rank(one, sides, none, one, (0.0, 0.1), (20.0, 10.0), (0.0, 0.0), 0.5)
    assert (dx[0], dy[0], w[0], h[0]) == (5, -4, 20, 12)


def test_the_window_has_its_share() -> None:
    ranks, held, *_ = ranked([0.5, 0.5, 0.5, 0.5], influence=0.4, penalty=0.0)
    assert held == pytest.approx([0.5] * 4)
    assert ranks == pytest.approx([0.7, 0.5, 0.5, 0.5])


def test_a_box_without_a_side_is_ranked_last() -> None:
    ranks, *_ = rank(
        np.ones(2, np.float32),
        np.array([[10, 0], [5, 0], [10, 0], [5, 0]], np.float32),
        np.zeros((2, 2), np.float32),
        np.zeros(2, np.float32),
        (0.0, 0.1),
        (20.0, 10.0),
        (0.0, 0.0),
        1.0,
    )
    assert np.isfinite(ranks).all() and ranks[1] < 1e-6
