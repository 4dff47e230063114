"""Score and state: hysteresis and calibration."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimtrack.calibrations import calibrations_file, common_calibration, read_calibrations
from slimtrack.confidence import PATIENT, Calibration, Course, Hysteresis, State, Thresholds
from slimtrack.trackers.kcf import Kcf

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


def test_a_clear_answer_is_followed_whatever_its_score() -> None:
    """It ends the patience, two bring a LOST target back as UNCERTAIN; nothing found is LOST even so."""
    hysteresis = Hysteresis(AT)
    low, high = AT.lost / 2, AT.found - 0.01
    steps = [(low, False), (low, False), (low, True), (low, False), (low, False), (low, False)]
    assert [hysteresis.decide(score, clear=clear) for score, clear in steps] == [U, U, U, U, U, L]
    steps = [(high, True), (high, False), (low, True), (low, True), (high, False), (None, True), (0.9, True)]
    assert [hysteresis.decide(score, clear=clear) for score, clear in steps] == [L, L, L, U, U, L, T]


def peaks(*heights: float, learned: float = 1.0) -> list[dict[str, float]]:
    """What a course says of frames with these peaks; each is taken for usual by ``learned``."""
    course, said = Course(), []
    for height in heights:
        said.append(course.follow({"peak": height}))
        course.learn(learned)
    return said


def test_evidence_is_averaged_over_the_frames() -> None:
    course = Course()
    means = [course.follow({"grey": value})["grey"] for value in (1.0, 0.0, 0.0)]
    assert means == pytest.approx([1.0, 0.6, 0.36])  # four tenths of the newest frame


def test_a_fallen_peak_is_seen_beside_the_usual_one() -> None:
    assert [frame["peak_change"] for frame in peaks(8.0, 8.0)] == [0.0, 0.0]
    fallen = peaks(8.0, 2.0, learned=0.0)[-1]
    assert fallen["peak_change"] == pytest.approx(0.4 * math.log(2 / 8))
    assert fallen["peak"] == pytest.approx(8 + 0.4 * (2 - 8))


def test_what_is_usual_follows_only_frames_that_are_learned() -> None:
    kept, learned = peaks(8.0, *[4.0] * 60, learned=0.0), peaks(8.0, *[4.0] * 60)
    assert kept[-1]["peak_change"] == pytest.approx(math.log(4 / 8), abs=1e-6)
    assert learned[-1]["peak_change"] == pytest.approx(0, abs=0.01)


def test_the_ratio_to_sidelobes_is_judged_by_the_logarithm_of_one_more() -> None:
    course = Course()
    course.follow({"psr": math.e**3 - 1})
    found = course.follow({"psr": math.e - 1})
    assert found["psr_change"] == pytest.approx(0.4 * (1 - 3))
    assert found["psr"] == pytest.approx(3 + 0.4 * (1 - 3))


def test_a_camera_that_always_moves_is_no_sign_of_a_change() -> None:
    course, said = Course(), []
    for scene in (2.0, *[2.0] * 5, 3.0):
        said.append(course.follow({"scene": scene})["scene_change"])
        course.learn(1.0)
    assert said[:-1] == pytest.approx([0.0] * 6)
    assert said[-1] == pytest.approx(0.4)


def test_means_begin_anew_at_another_place_and_what_is_usual_stays() -> None:
    course = Course()
    course.follow({"peak": 8.0, "grey": 1.0})
    course.move()
    found = course.follow({"peak": 4.0, "grey": 0.0})
    assert (found["peak"], found["grey"]) == (4.0, 0.0)
    assert found["peak_change"] == pytest.approx(math.log(4 / 8))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_evidence_that_is_no_number_counts_nothing_and_is_forgotten(value: float) -> None:
    course = Course()
    course.follow({"psr": value, "grey": value})
    said = course.follow({"psr": 0.0, "grey": 0.0})
    assert said == {"psr": 0.0, "grey": 0.0, "psr_change": 0.0}


def test_a_peak_that_vanishes_is_bounded() -> None:
    assert peaks(8.0, *[0.0] * 80, learned=0.0)[-1]["peak_change"] == pytest.approx(-3)
    assert peaks(8.0, *[-1.0] * 80, learned=0.0)[-1]["peak_change"] == pytest.approx(-3)


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


@pytest.mark.parametrize("at", [Thresholds(), PATIENT])
def test_thresholds_are_in_order(at: Thresholds) -> None:
    assert 0 < at.lost <= at.doubt < at.tracked <= at.found < 1
    assert at.patience >= 1


def test_a_patient_tracker_is_lost_after_five_low_scores() -> None:
    assert states(*[0.19] * 5, at=PATIENT) == [U, U, U, U, L]
    assert L not in states(*[0.21] * 9, at=PATIENT)


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


STORED = {"common": common_calibration(), **read_calibrations(calibrations_file(Kcf) or Path())}


@pytest.mark.parametrize("name", STORED)
def test_stored_calibrations_are_finite(name: str) -> None:
    calibration = STORED[name]
    assert math.isfinite(calibration.bias)
    assert all(map(math.isfinite, calibration.weights.values()))


def test_what_is_learned_may_be_less_sure_than_what_is_tracked() -> None:
    assert Thresholds(doubt=0.6).least == 0.6
    assert Thresholds(doubt=0.6, learned=0.3).least == 0.3
