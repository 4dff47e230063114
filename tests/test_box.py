"""Boxes: conversions, clipping, overlap."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimtrack import Box
from slimtrack.box import overlap
from slimtrack.errors import InputError

places = st.floats(-1e4, 1e4)
sides = st.floats(0.01, 1e4)
boxes = st.builds(Box, places, places, sides, sides)
any_boxes = st.builds(Box, places, places, places, places)  # sides may be negative


def test_the_outer_edge_convention() -> None:
    pixel = Box(0, 0, 1, 1)
    assert (pixel.cx, pixel.cy) == (0.5, 0.5)
    assert (pixel.right, pixel.bottom, pixel.area) == (1, 1, 1)


def test_a_box_is_four_numbers_in_order() -> None:
    assert tuple(Box(1, 2, 3, 4)) == (1, 2, 3, 4)
    assert str(Box(1, 2.5, 3, 4)) == "1,2.5,3,4"
    np.testing.assert_array_equal(np.array(list(Box(1, 2, 3, 4))), [1, 2, 3, 4])


def test_a_box_is_a_sequence() -> None:
    box = Box(1, 2.5, 3, 4)
    x, y, w, h = box
    assert (x, y, w, h) == tuple(box) == (1, 2.5, 3, 4) and list(box) == [*box]
    assert (len(box), box[1], box[-1], box[1:3], 2.5 in box, box.index(3)) == (4, 2.5, 4, (2.5, 3), True, 2)
    array = np.array(box)
    assert array.shape == (4,) and array.dtype == np.float64 and array.tolist() == [1, 2.5, 3, 4]
    assert np.array([box, box]).shape == (2, 4) and np.asarray(box, dtype=np.float32)[1] == 2.5
    with pytest.raises(IndexError):
        box[4]
    assert {box: 1}[Box(1, 2.5, 3, 4)] == 1 and pickle.loads(pickle.dumps(box)) == box
    assert box != (1, 2.5, 3, 4)


def test_corners_and_whole_pixels() -> None:
    box = Box(1.4, 2.5, 3.2, 4.4)
    assert box.xyxy == (1.4, 2.5, 1.4 + 3.2, 2.5 + 4.4)
    assert box.int_xyxy == (1, 3, 5, 7) and box.int_xywh == (1, 3, 4, 4)
    assert all(type(value) is int for value in (*box.int_xyxy, *box.int_xywh))
    assert Box(-1.5, -0.5, 1, 1).int_xyxy == (-1, 0, 0, 1)  # halves go one way on both sides of zero
    assert Box.from_corners(*box.xyxy) == Box(1.4, 2.5, pytest.approx(3.2), pytest.approx(4.4))  # type: ignore[arg-type]


@given(boxes)
def test_whole_boxes_agree(box: Box) -> None:
    left, top, right, bottom = box.int_xyxy
    x, y, w, h = box.int_xywh
    assert (x, y, x + w, y + h) == (left, top, right, bottom) and w >= 0 and h >= 0
    assert all(abs(a - b) <= 0.5 for a, b in zip(box.int_xyxy, box.xyxy, strict=True))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_box_that_is_not_finite_has_no_pixels(bad: float) -> None:
    with pytest.raises(InputError, match="not finite, so it cannot be rounded to pixels"):
        Box(1, bad, 3, 4).int_xyxy  # noqa: B018


def test_a_box_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Box(1, 2, 3, 4).x = 5  # type: ignore[misc]


@given(boxes)
def test_centre_and_corners_come_back(box: Box) -> None:
    by_centre = Box.from_center(box.cx, box.cy, box.w, box.h)
    by_corners = Box.from_corners(box.x, box.y, box.right, box.bottom)
    np.testing.assert_allclose(list(by_centre), list(box), atol=1e-8)
    np.testing.assert_allclose(list(by_corners), list(box), atol=1e-8)


@given(boxes, places, places)
def test_moving_keeps_the_size(box: Box, dx: float, dy: float) -> None:
    moved = box.moved(dx, dy)
    assert (moved.w, moved.h) == (box.w, box.h)
    assert (moved.x, moved.y) == (box.x + dx, box.y + dy)


@given(boxes, st.floats(0.1, 10))
def test_scaling_keeps_the_centre(box: Box, factor: float) -> None:
    scaled = box.scaled(factor)
    np.testing.assert_allclose((scaled.cx, scaled.cy), (box.cx, box.cy), atol=1e-6)
    np.testing.assert_allclose(scaled.area, box.area * factor**2, rtol=1e-9)


@given(any_boxes, st.floats(1, 2000), st.floats(1, 2000))
def test_clipped_lies_inside(box: Box, width: float, height: float) -> None:
    inside = box.clipped(width, height)
    assert 0 <= inside.x <= width
    assert 0 <= inside.y <= height
    assert inside.right <= width + 1e-9
    assert inside.bottom <= height + 1e-9
    assert inside.area <= box.area * (1 + 1e-9) + 1e-9
    again = inside.clipped(width, height)
    np.testing.assert_allclose(list(again), list(inside), atol=1e-9)


def test_clipped_where_nothing_is_inside() -> None:
    assert Box(-20, -20, 10, 10).clipped(100, 100).area == 0
    assert Box(200, 10, 10, 10).clipped(100, 100).area == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", range(4))
def test_is_finite(bad: float, at: int) -> None:
    values = [1.0, 2.0, 3.0, 4.0]
    assert Box(*values).is_finite
    values[at] = bad
    assert not Box(*values).is_finite


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Box(0, 0, 10, 10), 1.0),
        (Box(5, 0, 10, 10), 1 / 3),
        (Box(5, 5, 10, 10), 25 / 175),
        (Box(10, 0, 10, 10), 0.0),  # edges that touch have nothing in common
        (Box(2, 2, 5, 5), 0.25),
        (Box(0, 0, 0, 0), 0.0),
        (Box(0, 0, -10, 10), 0.0),
    ],
)
def test_iou_known_answers(other: Box, expected: float) -> None:
    box = Box(0, 0, 10, 10)
    assert box.iou(other) == pytest.approx(expected)
    assert overlap(list(box), list(other)) == pytest.approx(expected)


def test_iou_of_two_empty_boxes_is_zero() -> None:
    empty = Box(3, 3, 0, 0)
    assert empty.iou(empty) == 0
    assert overlap(list(empty), list(empty)) == 0


@given(any_boxes, any_boxes)
def test_iou_is_symmetric_and_bounded(a: Box, b: Box) -> None:
    assert a.iou(b) == pytest.approx(b.iou(a))
    assert 0 <= a.iou(b) <= 1 + 1e-9
    # Near-degenerate sides lose digits in the subtraction of the edges; hence the absolute tolerance.
    assert float(overlap(list(a), list(b))) == pytest.approx(a.iou(b), abs=1e-6)


@given(boxes)
def test_iou_with_itself_is_one(box: Box) -> None:
    assert box.iou(box) == pytest.approx(1, abs=1e-6)


def test_iou_equals_counting_pixels() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        a, b = (Box(*rng.integers(0, 20, 2), *rng.integers(1, 20, 2)) for _ in range(2))
        masks = np.zeros((2, 40, 40), bool)
        for mask, (x, y, w, h) in zip(masks, (a, b), strict=True):
            mask[int(y) : int(y + h), int(x) : int(x + w)] = True
        expected = (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
        assert a.iou(b) == pytest.approx(expected)


def test_overlap_broadcasts_and_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.uniform(0, 50, (6, 1, 4)), rng.uniform(0, 50, (5, 4))
    a.setflags(write=False)
    b.setflags(write=False)
    matrix = overlap(a, b)
    assert matrix.shape == (6, 5)
    assert matrix.dtype == np.float64
    for i, p in enumerate(a[:, 0]):
        for j, q in enumerate(b):
            assert matrix[i, j] == pytest.approx(Box(*p).iou(Box(*q)))


def test_overlap_keeps_nan() -> None:
    rows = np.array([[0, 0, 10, 10], [np.nan] * 4, [0, np.nan, 10, 10]])
    result = overlap(rows, [0, 0, 10, 10])
    assert result[0] == 1
    assert np.isnan(result[1:]).all()
