"""Which peak is the target, and what a second one means."""

import numpy as np
import pytest

from slimtrack.online.classifier import label
from slimtrack.online.localisation import Kind, Rules, localised

MIDDLE, SIZE = (9.0, 9.0), (3.6, 3.6)


def peaks(*heights: tuple[float, tuple[float, float]]) -> np.ndarray:
    """A map of 19 x 19 responses; the places are in responses."""
    return np.sum([h * label((y - 0.5, x - 0.5), (18, 18), 0.9) for h, (y, x) in heights], axis=0)


@pytest.mark.parametrize("place", [(9.0, 9.0), (4.3, 12.6), (15.5, 2.2)])
def test_a_single_peak_is_found_between_the_responses(place: tuple[float, float]) -> None:
    found = localised(peaks((0.8, place)), MIDDLE, SIZE, Rules())
    assert (found.y, found.x) == pytest.approx(place, abs=0.06)
    assert found.peak == pytest.approx(0.8, abs=0.04)
    assert found.kind is Kind.CLEAR


def test_a_low_peak_is_no_target() -> None:
    assert localised(peaks((0.2, (9, 9))), MIDDLE, SIZE, Rules()).kind is Kind.ABSENT


def test_a_distractor_is_to_be_learned() -> None:
    found = localised(peaks((0.9, (9, 9)), (0.6, (2, 15))), MIDDLE, SIZE, Rules())
    assert found.kind is Kind.DISTRACTED
    assert (found.y, found.x) == pytest.approx((9, 9), abs=0.1)


def test_the_nearer_of_two_is_the_target_even_if_lower() -> None:
    found = localised(peaks((0.8, (9, 9)), (0.9, (2, 15))), MIDDLE, SIZE, Rules())
    assert found.kind is Kind.DISTRACTED
    assert (found.y, found.x) == pytest.approx((9, 9), abs=0.1)


@pytest.mark.parametrize(("column", "kind"), [(16.2, Kind.UNCERTAIN), (17.0, Kind.DISTRACTED)])
def test_a_target_moves_up_to_four_fifths_of_half_the_map(column: float, kind: Kind) -> None:
    """0.8 * 19 / 2 = 7.6 responses from the middle."""
    assert localised(peaks((0.9, (9, 9)), (0.85, (9, column))), MIDDLE, SIZE, Rules()).kind is kind


@pytest.mark.parametrize(
    ("first", "second"), [((3.0, 3.0), (4.0, 15.0)), ((16.5, 9.0), (9.0, 14.0)), ((1.0, 2.0), (17.0, 16.0))]
)
def test_of_two_near_or_two_far_ones_the_higher_is_taken_but_not_learned(
    first: tuple[float, float], second: tuple[float, float]
) -> None:
    found = localised(peaks((0.9, first), (0.8, second)), MIDDLE, SIZE, Rules())
    assert found.kind is Kind.UNCERTAIN
    assert (found.y, found.x) == pytest.approx(first, abs=0.1)


@pytest.mark.parametrize(("second", "kind"), [((2.0, 15.0), Kind.DISTRACTED), ((12.0, 12.0), Kind.UNCERTAIN)])
def test_a_rival_as_high_as_a_weak_peak_counts_though_no_target_is_that_low(
    second: tuple[float, float], kind: Kind
) -> None:
    """0.24 alone would be "not found"; beside 0.28 it may be the target."""
    first = (9.0, 9.0) if kind is Kind.DISTRACTED else (4.0, 4.0)
    assert localised(peaks((0.28, first), (0.24, second)), MIDDLE, SIZE, Rules()).kind is kind


def test_a_far_lower_peak_that_could_be_no_target_is_none() -> None:
    assert localised(peaks((0.4, (9, 9)), (0.24, (2, 15))), MIDDLE, SIZE, Rules()).kind is Kind.CLEAR
