"""Score and state: hysteresis and calibration."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimtrack.calibrations import CALIBRATIONS, DEFAULT
from slimtrack.confidence import Calibration, Hysteresis, State, Thresholds

AT = Thresholds(tracked=0.6, doubt=0.4, lost=0.2, found=0.3, patience=3)
T, U, L = State.TRACKED, State.UNCERTAIN, State.LOST


def states(*scores: float | None, at: Thresholds = AT) -> list[State]:
    hysteresis = Hysteresis(at)
    return [hysteresis.decide(score) for score in scores]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ((0.9, 0.5, 0.41), [T, T, T]),  # a tracked one stays tracked above doubt
        ((0.39, 0.5, 0.59, 0.6), [U, U, U, T]),  # an uncertain one comes back at tracked
        ((0.1, 0.1, 0.1), [U, U, L]),  # patience
        ((0.1, 0.1, 0.25, 0.1, 0.1, 0.1), [U, U, U, U, U, L]),  # patience starts anew
        ((None,), [L]),  # nothing found: at once
        ((None, 0.25, 0.29), [L, L, L]),  # below found it stays lost
        ((None, 0.3, 0.5, 0.6), [L, U, U, T]),  # found again, believed later
        ((None, 0.9), [L, T]),
        ((0.2, 0.2, 0.2, 0.2), [U, U, U, U]),  # lost is strict
        ((0.1, 0.1, 0.1, None, 0.1), [U, U, L, L, L]),
    ],
)
def test_hysteresis_step_by_step(scores: tuple[float | None, ...], expected: list[State]) -> None:
    assert states(*scores) == expected


def with_peaks(*frames: tuple[float | None, float | None]) -> list[State]:
    hysteresis = Hysteresis(AT)
    return [hysteresis.decide(*frame) for frame in frames]


USUAL = (0.9, 8.0)
UP, DOWN = 0.41 * 8, 0.39 * 8  # around `held` of the usual height


@pytest.mark.parametrize(("peak", "expected"), [(UP, [U, U, U]), (DOWN, [U, U, L]), (None, [U, U, L])])
def test_lost_takes_a_low_peak_too_where_there_is_one(peak: float | None, expected: list[State]) -> None:
    assert with_peaks(USUAL, *[(0.1, peak)] * 3)[1:] == expected


@pytest.mark.parametrize("first", [0.05, 0.0, -1.0, math.nan])
def test_a_peak_of_a_bad_beginning_is_not_the_usual_one(first: float) -> None:
    assert with_peaks(*[(0.02, first)] * 3) == [U, U, L]
    assert with_peaks((0.02, first), USUAL, *[(0.1, DOWN)] * 3)[2:] == [U, U, L]


def test_a_peak_that_is_no_number_counts_as_fallen_and_is_forgotten() -> None:
    nan = (0.9, math.nan)
    assert with_peaks(USUAL, nan, *[(0.1, math.nan)] * 3)[2:] == [U, U, L]
    assert with_peaks(USUAL, nan, *[(0.1, UP)] * 3)[2:] == [U, U, U]


def test_a_peak_that_sinks_slowly_is_still_the_usual_one() -> None:
    peaks = [8.0 * 0.97**k for k in range(200)]
    states = with_peaks(USUAL, *((0.1, peak) for peak in peaks), *[(0.1, peaks[-1] / 10)] * 3)
    assert set(states[1:201]) == {U}  # looks different by now, and is followed all the same
    assert states[201:] == [U, U, L]


def test_the_usual_height_waits_while_a_target_is_lost() -> None:
    gone = [(0.1, DOWN)] * 3
    elsewhere = [(0.25, 0.45 * 8)] * 60  # high enough to hold, below found: no reason to come back
    states = with_peaks(USUAL, *gone, *elsewhere, (0.35, 8.0), *[(0.1, UP * 0.97)] * 3)
    assert set(states[4:64]) == {L}
    assert states[64:] == [U, U, U, L]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([(None, None), (0.25, 8.0)], [L, U]),  # a blink: the response is back, and that will do
        ([(None, None), (None, None), (0.25, 8.0)], [L, L, U]),
        ([(None, None), (0.25, DOWN), (0.25, 8.0)], [L, L, U]),
        ([(None, None), *[(0.1, DOWN)] * 3, (0.25, 8.0)], [L, L, L, L, L]),  # its looks spoke against it, too
        ([*[(0.1, DOWN)] * 3, (None, None), (0.25, 8.0)], [U, U, L, L, L]),
        ([(None, None), (0.25, None)], [L, L]),
    ],
)
def test_a_blink_is_over_with_the_response(
    frames: list[tuple[float | None, float | None]], expected: list[State]
) -> None:
    assert with_peaks(USUAL, *frames)[1:] == expected


@given(st.lists(st.tuples(st.none() | st.floats(0, 1), st.none() | st.floats(-1, 10)), max_size=60))
def test_lost_always_has_its_reason(frames: list[tuple[float | None, float | None]]) -> None:
    states, before = with_peaks(*frames), T
    for index, state in enumerate(states):
        if state is L and before is not L and frames[index][0] is not None:
            last = frames[index - AT.patience + 1 : index + 1]
            assert len(last) == AT.patience and all(s is not None and s < AT.lost for s, _ in last)
        before = state


@given(st.lists(st.none() | st.floats(0, 1), max_size=60))
def test_hysteresis_never_jumps_without_reason(scores: list[float | None]) -> None:
    before, low = T, 0
    for score, state in zip(scores, states(*scores), strict=True):
        low = low + 1 if score is not None and score < AT.lost else 0
        if state is L and before is not L:
            assert score is None or low >= AT.patience
        if before is L and state is not L:
            assert score is not None and score >= AT.found
        if state is T:
            assert score is not None and score >= AT.doubt
        before = state


def test_the_default_thresholds_are_in_order() -> None:
    at = Thresholds()
    assert 0 < at.lost <= at.found < at.tracked < 1
    assert at.found <= at.doubt < at.tracked
    assert at.patience >= 1


@pytest.mark.parametrize("calibration", [DEFAULT, *CALIBRATIONS.values()])
def test_thresholds_fitted_to_a_tracker_are_in_order(calibration: Calibration) -> None:
    at = Thresholds().fitted(calibration)
    assert at.doubt == calibration.doubt
    assert 0 < at.lost <= at.found <= at.doubt < at.tracked < 1


def test_states_are_their_names() -> None:
    assert [str(state) for state in State] == ["tracked", "uncertain", "lost"]


def test_calibration_is_logistic() -> None:
    calibration = Calibration({"psr": 0.5, "apce": -1.0}, 0.25)
    logit = 0.25 + 0.5 * 3 - 1.0 * 2
    assert calibration.score({"psr": 3, "apce": 2, "other": 99}) == pytest.approx(1 / (1 + math.exp(-logit)))
    assert calibration.score({}) == pytest.approx(1 / (1 + math.exp(-0.25)))


@given(st.floats(-1e30, 1e30))
def test_calibration_stays_in_range(value: float) -> None:
    assert 0 <= Calibration({"psr": 1.0}, 0.0).score({"psr": value}) <= 1


@pytest.mark.parametrize("calibration", [DEFAULT, *CALIBRATIONS.values()])
def test_stored_calibrations_are_finite(calibration: Calibration) -> None:
    assert math.isfinite(calibration.bias)
    assert all(map(math.isfinite, calibration.weights.values()))
