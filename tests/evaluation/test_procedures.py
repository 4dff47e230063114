"""How trackers are led through sequences: known times, known frames."""

import dataclasses
import json

import numpy as np
import pytest

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.errors import InputError
from slimtrack.evaluation import Dataset, Store, Watcher, evaluate, summarise
from slimtrack.evaluation.once import DecodedFrames, track_once
from slimtrack.evaluation.procedures import ONE_PASS, RealTime, seen_frames
from slimtrack.evaluation.protocols import OTB
from slimtrack.evaluation.realtime import at_rates, curve, curve_csv, measured_times, stored_times
from slimtrack.evaluation.runs import Step, frame_times
from slimtrack.tracker import REGISTERED, Estimate, Track, Tracker

MISSED = Step.MISSED


class Counts(Tracker):
    """Moves right by one pixel whenever it is asked; its score says how often that was."""

    name = "counts"
    uses_appearance = False

    def _start(self, image: Image, box: Box) -> None:
        self.updates = 0

    def _locate(self, image: Image) -> Estimate:
        self.updates += 1
        return Estimate(self.box.moved(1, 0), score=0.9 - self.updates / 100)

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        pass


@pytest.fixture(autouse=True)
def counts(known_trackers: None) -> None:
    REGISTERED["counts"] = Counts


@pytest.fixture
def data(write_sequence):
    write_sequence("B", [[11 + k, 9, 10, 8] for k in range(9)])
    return Dataset.read(write_sequence("A", [[11 + k, 9, 10, 8] for k in range(12)]))


def times(data, ms, trackers=("counts",), starts=1):
    return {
        (spec, s.name, index): np.full(len(s), float(ms))
        for spec in trackers
        for s in data
        for index in range(starts)
    }


def in_real_time(data, fps, ms, grace=0, **options):
    rules = dataclasses.replace(OTB, procedure=RealTime(fps, grace, times(data, ms)))
    return evaluate(["counts"], data, protocol=rules, **options)


@pytest.mark.parametrize(
    ("ms", "grace", "expected"),
    [
        (60, 0, [0, 2, 4, 6, 8, 10]),  # init counts as well
        (50, 0, list(range(12))),  # done as the next frame comes
        (100, 0, [0, 2, 4, 6, 8, 10]),
        (100.1, 0, [0, 3, 6, 9]),
        (0, 0, list(range(12))),
        (60, 1, [0, 1, 3, 5, 7, 9, 11]),  # the clock waits for init
        (60, 3, [0, 1, 2, 3, 5, 7, 9, 11]),
        (10_000, 0, [0]),
        (10_000, 3, [0, 1, 2, 3]),
    ],
)
def test_frames_that_a_steady_tracker_sees_at_20_a_second(ms, grace, expected):
    assert np.flatnonzero(seen_frames(np.full(12, ms), 20, grace)).tolist() == expected


@pytest.mark.parametrize(
    ("ms", "fps", "grace", "words"),
    [
        ([1.0, 2.0], 0, 0, "expected a number above 0"),
        ([1.0, 2.0], 20, -1, "0 or more"),
        ([1.0, np.nan], 20, 0, "milliseconds"),
        ([1.0, np.inf], 20, 0, "milliseconds"),
    ],
)
def test_no_frame_is_seen_by_bad_numbers(ms, fps, grace, words):
    with pytest.raises(InputError, match=words):
        seen_frames(ms, fps, grace)


def test_a_slow_init_costs_frames_only_if_the_clock_does_not_wait():
    ms = [400.0, *[10.0] * 11]
    assert np.flatnonzero(seen_frames(ms, 20, 0)).tolist() == [0, 8, 9, 10, 11]
    assert seen_frames(ms, 20, 1).all()


def test_done_as_a_frame_comes_is_in_time_whatever_the_rounding():
    for fps in range(5, 120):
        for frames in range(1, 6):
            assert np.flatnonzero(seen_frames([frames * 1000 / fps] * 6, fps, 0))[1] == frames


def test_one_slow_frame_costs_those_behind_it():
    ms = np.full(12, 10.0)
    ms[4] = 170
    assert np.flatnonzero(seen_frames(ms, 20, 0)).tolist() == [0, 1, 2, 3, 4, 8, 9, 10, 11]
    assert seen_frames(ms, 20, 3).all()  # the first late answer


def test_the_last_answer_counts_for_missed_frames(data):
    run = in_real_time(data, 20, 60).runs["counts"]["A"][0]
    assert run.boxes[:, 0].tolist() == [10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15]
    assert run.scores[2:6].tolist() == [0.89, 0.89, 0.88, 0.88]
    assert (run.steps == MISSED).tolist() == [False, True] * 6
    assert np.isnan(run.ms[1::2]).all() and np.isfinite(run.ms[6::2]).all()
    assert run.evidence["score"][2] == 0.89 and np.isnan(run.evidence["score"][3])


def test_who_is_fast_enough_has_the_result_of_the_one_pass_evaluation(data):
    ordinary, quick = evaluate(["counts"], data), in_real_time(data, 20, 0)
    for name in ("A", "B"):
        a, b = ordinary.runs["counts"][name][0], quick.runs["counts"][name][0]
        for part in ("boxes", "scores", "states", "steps"):
            np.testing.assert_array_equal(getattr(a, part), getattr(b, part))
    assert summarise(quick)["trackers"]["counts"]["missed"] == 0


def test_missed_frames_are_counted_and_their_scores_are_not_judged(data):
    row = summarise(in_real_time(data, 20, 60))["trackers"]["counts"]
    assert row["missed"] == pytest.approx((6 + 4) / 21)
    assert row["score_ece"] is not None and np.isfinite(row["score_ece"])


def test_live_frames_are_missed_by_the_times_of_the_run(data, monkeypatch):
    clock = iter(range(0, 10**12, 60_000_000))  # every look at the clock is 60 ms after the last
    monkeypatch.setattr("slimtrack.timing.time.perf_counter_ns", lambda: next(clock))
    course = RealTime(20, grace=0).course("counts", data.sequences[0], 0, Box(10, 8, 10, 8))
    run = track_once(Counts(), DecodedFrames(data.sequences[0].frames), course)
    assert np.flatnonzero(run.steps == Step.SEEN).tolist() == [2, 4, 6, 8, 10]
    assert run.boxes[-1, 0] == 15 and run.init_ms == 60


class Told(Watcher):
    def __init__(self):
        self.runs, self.kept = [], []

    def finished(self, run, sequence, kept):
        (self.kept if kept else self.runs).append(run.sequence)


def test_results_of_rates_never_mix(data, tmp_path):
    """One store: the ordinary runs, two rates and other times; each is found again and none for another."""
    store, found = Store(tmp_path), {}
    for fps, ms in ((20, 0), (20, 60), (10, 160), (20, 110)):
        told = Told()
        found[fps, ms] = in_real_time(data, fps, ms, store=store, watcher=told)
        assert told.kept == []
    boxes = {key: result.runs["counts"]["A"][0].boxes[-1, 0] for key, result in found.items()}
    assert boxes == {(20, 0): 21, (20, 60): 15, (10, 160): 15, (20, 110): 13}
    told = Told()
    again = in_real_time(data, 20, 110, store=store, watcher=told)
    assert told.runs == [] and again.runs["counts"]["A"][0].boxes[-1, 0] == 13
    told = Told()
    in_real_time(data, 20, 60, store=store, watcher=told)
    assert told.kept == []  # the same rate, other frames: their files were replaced
    told = Told()
    evaluate(["counts"], data, store=store, watcher=told)
    assert told.runs == []  # no frame was missed: the ordinary run


def test_live_runs_are_kept_apart(data, tmp_path):
    store, told = Store(tmp_path), Told()
    for fps in (1000, 500):
        rules = dataclasses.replace(OTB, procedure=RealTime(fps))
        evaluate(["counts"], data, store=store, protocol=rules, watcher=told)
    evaluate(["counts"], data, store=store, watcher=told)
    assert told.kept == []


def test_a_curve_needs_one_ordinary_pass_and_one_for_each_rate_that_is_too_fast(data, tmp_path, monkeypatch):
    monkeypatch.setattr("slimtrack.evaluation.realtime.measured_times", lambda _: times(data, 30, starts=5))
    told, asked = Told(), []

    def run(rules):
        asked.append(rules.procedure.name)
        return evaluate(["counts"], data, jitter=1, protocol=rules, store=Store(tmp_path), watcher=told)

    results = at_rates(run, OTB, [20, 50], grace=0)
    assert asked == ["one pass", "20 frames a second, grace 0", "50 frames a second, grace 0"]
    assert len(told.runs) == 2 * 5 * 2 and len(told.kept) == 2 * 5  # at 20 a second no frame is missed
    summary = curve(results)
    rows = summary["curve"]["counts"]
    assert [row["fps"] for row in rows] == [20, 50, None]
    assert rows[0] == rows[2] | {"fps": 20} and rows[1]["auc"] < rows[0]["auc"]
    assert rows[1]["missed"] == pytest.approx(10 / 21) and rows[0]["missed"] == 0
    json.dumps(summary, allow_nan=False)
    lines = curve_csv(summary).splitlines()
    assert lines[0] == "tracker,fps,auc,auc_spread,precision20,normalized_precision,missed"
    assert [line.split(",")[:2] for line in lines[1:]] == [["counts", "20"], ["counts", "50"], ["counts", ""]]


def test_times_are_those_of_the_run_with_the_median_where_there_are_none(data, tmp_path):
    ms = [np.nan, np.nan, 2.0, 4.0, 9.0, np.nan]
    assert frame_times(ms, 7.0).tolist() == [7, 4, 2, 4, 9, 4]
    assert frame_times([np.nan] * 3, np.nan).tolist() == [0, 0, 0]
    result = evaluate(["counts"], data, jitter=1, store=Store(tmp_path))
    measured, stored = measured_times(result), stored_times(tmp_path, ["counts"], data, starts=5)
    assert len(measured) == 10 and measured.keys() == stored.keys()
    for key in measured:
        np.testing.assert_array_equal(measured[key], stored[key])
    assert measured["counts", "A", 3][0] == result.runs["counts"]["A"][3].init_ms


def test_one_sentence_for_what_cannot_be(data, tmp_path):
    evaluate(["counts"], data, store=Store(tmp_path))
    with pytest.raises(InputError, match=r"no times of still on A, first box 0: make them"):
        stored_times(tmp_path, ["still"], data)
    with pytest.raises(InputError, match="first box 1"):
        stored_times(tmp_path, ["counts"], data, starts=5)
    short = times(data, 60) | {("counts", "B", 0): np.zeros(5)}
    with pytest.raises(InputError, match="times of 5 frames, not 9, for counts on B"):
        evaluate(["counts"], data, protocol=dataclasses.replace(OTB, procedure=RealTime(20, 0, short)))
    for fps in (0, -1, np.nan, np.inf):
        with pytest.raises(InputError, match="expected a number above 0"):
            RealTime(fps)
    with pytest.raises(InputError, match="0 or more"):
        RealTime(20, grace=-1)
    for rates, options in (([], {}), ([20, 20], {}), ([20], {"live": True, "times": {}})):
        with pytest.raises(InputError):
            at_rates(lambda rules: pytest.fail("ran"), OTB, rates, grace=0, **options)


def test_absent_frames_are_left_out_in_real_time_too(write_sequence):
    truth = [[11, 9, 10, 8]] * 4 + [[np.nan] * 4] * 3 + [[11, 9, 10, 8]] * 5
    data = Dataset.read(write_sequence("Gone", truth))
    rules = dataclasses.replace(OTB, procedure=RealTime(20, 0, times(data, 60, ["still"])))
    row = summarise(evaluate(["still"], data, protocol=rules))["trackers"]["still"]
    assert row["auc"] == pytest.approx(20 / 21)
    assert row["absent_called_tracked"] == 1 and row["missed"] == 0.5


def test_a_tracker_that_gives_up_is_held_from_there(data):
    """It fails at its fourth update, which is in frame 8."""
    ms = {("gives-up", s.name, 0): np.full(len(s), 60.0) for s in data}
    rules = dataclasses.replace(OTB, procedure=RealTime(20, 0, ms))
    run = evaluate(["gives-up"], data, protocol=rules).runs["gives-up"]["A"][0]
    assert run.failure is not None and run.failure.frame == 8 and run.steps[8] == Step.FAILED
    assert run.boxes[:, 0].tolist() == [10, 10, 11, 11, 12, 12, 13, 13, *[13] * 4]


def test_the_ordinary_procedure_sees_all(data):
    run = evaluate(["counts"], data).runs["counts"]["B"][0]
    assert OTB.procedure is ONE_PASS
    assert run.steps.tolist() == [Step.STARTED, *[Step.SEEN] * 8]
