"""Restarts after failures: a box that stays where it is, and a target that moves away from it."""

import dataclasses
import json

import numpy as np
import pytest

from slimtrack.box import Box
from slimtrack.errors import InputError
from slimtrack.evaluation import Dataset, Store, Watcher, evaluate, summarise, to_json
from slimtrack.evaluation.procedures import Restarts
from slimtrack.evaluation.protocols import OTB, VOT, protocol
from slimtrack.evaluation.realtime import at_rates
from slimtrack.evaluation.report.plots import save_plots
from slimtrack.evaluation.restarts import of_all
from slimtrack.evaluation.runs import Step

STARTED, SEEN, MISSED, FAILED = Step
BURNT_IN = dataclasses.replace(VOT, procedure=Restarts(burn_in=1))


def leaving(frames, step):
    """A target 10 wide, so that a box that stays is lost 10 / step frames after its start."""
    return [[11 + step * k, 9, 10, 8] for k in range(frames)]


@pytest.fixture
def one(write_sequence):
    return lambda truth: Dataset.read(write_sequence("A", truth))


def steps(data, rules=VOT, tracker="still", **options):
    return evaluate([tracker], data, protocol=rules, **options).runs[tracker]["A"][0].steps.tolist()


def test_the_target_is_lost_when_nothing_overlaps_and_found_five_frames_later(one):
    data = one(leaving(15, 2.5))  # the edges touch in the fourth frame: no overlap
    once = [STARTED, SEEN, SEEN, SEEN, FAILED, *[MISSED] * 4]
    assert steps(data) == (once * 2)[:15]
    run = evaluate(["still"], data, protocol=VOT).runs["still"]["A"][0]
    assert run.boxes[:, 0].tolist() == [*[10] * 9, *[32.5] * 6]


def test_accuracy_is_the_mean_overlap_after_the_burn_in(one):
    data = one(leaving(30, 0.5))  # lost in frame 20, started again in 25
    row = summarise(evaluate(["still"], data, protocol=VOT))["trackers"]["still"]
    offsets = 0.5 * np.arange(10, 20)
    assert row["accuracy"] == pytest.approx(np.mean((10 - offsets) / (10 + offsets)))
    assert (row["target_lost"], row["target_lost_per_100"]) == (1, pytest.approx(100 / 30))
    assert row["missed"] == pytest.approx(4 / 30) and "auc" not in row
    offsets = 0.5 * np.array([*range(1, 20), *range(1, 5)])
    row = summarise(evaluate(["still"], data, protocol=BURNT_IN))["trackers"]["still"]
    assert row["accuracy"] == pytest.approx(np.mean((10 - offsets) / (10 + offsets)))


def test_nothing_but_burn_in_has_accuracy_0(one):
    row = summarise(evaluate(["still"], one(leaving(15, 2.5)), protocol=VOT))["trackers"]["still"]
    assert row["accuracy"] == 0 and row["target_lost"] == 2


@pytest.mark.parametrize("row", [[np.nan] * 4, [30, 9, 0, 8]])
def test_a_frame_without_the_target_is_no_failure_and_no_start(one, row):
    truth = leaving(15, 2.5)
    truth[4] = truth[9] = truth[10] = row
    expected = [STARTED, SEEN, SEEN, SEEN, SEEN, FAILED, *[MISSED] * 5, STARTED, SEEN, SEEN, SEEN]
    data = one(truth)
    assert steps(data) == expected
    ious = [(10 - 2.5 * k) / (10 + 2.5 * k) for k in (1, 2, 3)]
    found = summarise(evaluate(["still"], data, protocol=BURNT_IN))["trackers"]["still"]
    assert found["accuracy"] == pytest.approx(np.mean(ious * 2))


def test_starts_are_shifted_as_the_first_is(one):
    runs = evaluate(["still"], one(leaving(15, 2.5)), protocol=VOT, jitter=1).runs["still"]["A"]
    found = [
        [Box(*map(float, run.boxes[k]))[:2] for k in np.flatnonzero(run.steps == STARTED)] for run in runs
    ]
    assert [starts[0] for starts in found] == [(10, 8), (9, 8), (11, 8), (10, 7), (10, 9)]
    second = [int(np.flatnonzero(run.steps == STARTED)[1]) for run in runs]
    assert second == [9, 9, 10, 9, 9]  # one pixel to the right is lost one frame later
    assert [starts[1][0] - (10 + 2.5 * k) for starts, k in zip(found, second, strict=True)] == [
        0,
        -1,
        1,
        0,
        0,
    ]


def test_who_follows_is_never_started_again(one):
    data = one(leaving(12, 0))
    assert steps(data) == [STARTED, *[SEEN] * 11]
    row = summarise(evaluate(["still"], data, protocol=VOT))["trackers"]["still"]
    assert (row["accuracy"], row["target_lost"]) == (1, 0)


def test_a_tracker_that_gives_up_has_lost_the_target(one):
    found = steps(one(leaving(12, 1)), tracker="gives-up")
    assert found == [STARTED, SEEN, SEEN, SEEN, FAILED, *[SEEN] * 7]


def test_long_sequences_weigh_more():
    short = {"accuracy": 0.2, "target_lost": 3.0, "frames": 100}
    long = {"accuracy": 0.8, "target_lost": 0.0, "frames": 300}
    assert of_all([short, long]) == {
        "accuracy": pytest.approx(0.65), "target_lost": 3, "target_lost_per_100": 0.75,
    }  # fmt: skip


def test_runs_with_restarts_never_mix_with_others(one, tmp_path):
    class Told(Watcher):
        kept = 0

        def finished(self, run, sequence, kept):
            Told.kept += kept

    data, store = one(leaving(15, 2.5)), Store(tmp_path)
    other = dataclasses.replace(VOT, procedure=Restarts(wait=3))
    starts = [steps(data, rules, store=store, watcher=Told()).count(STARTED) for rules in (OTB, VOT, other)]
    assert starts == [1, 2, 3]
    assert Told.kept == 0
    assert steps(data, OTB, store=store, watcher=Told()).count(STARTED) == 1 and Told.kept == 1


def test_reported_whole(one, tmp_path):
    result = evaluate(["still", "gives-up"], one(leaving(15, 2.5)), protocol=protocol("vot"))
    summary = summarise(result)
    assert json.loads(to_json(summary))["protocol"]["procedure"] == "restarts after failures"
    files = save_plots(result, summary, tmp_path)
    assert [file.name for file in files] == ["robustness.png", "reliability.png"]


def test_restarts_do_not_go_with_a_frame_rate():
    with pytest.raises(InputError, match="protocol vot has restarts after failures"):
        at_rates(lambda rules: pytest.fail("ran"), VOT, [20], grace=0)
