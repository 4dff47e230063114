"""One-pass evaluation: what is run, kept, found again and reported."""

import dataclasses
import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

import small_networks
from slimtrack.box import Box
from slimtrack.errors import InputError, MissingError, SourceError, UnknownNameError
from slimtrack.evaluation import Dataset, Store, Watcher, evaluate, runner, runs, summarise, to_json
from slimtrack.evaluation.metrics import measure
from slimtrack.evaluation.once import DecodedFrames, track_once
from slimtrack.evaluation.procedures import Course
from slimtrack.evaluation.runner import Running, first_boxes
from slimtrack.networks import zoo
from slimtrack.networks.network import Network
from slimtrack.registry import create, list_trackers, settings, tracker_class, why_missing
from slimtrack.tracker import REGISTERED

FILE = '''
from slimtrack.tracker import Estimate, Tracker

class FromFile(Tracker, name="from-file"):
    """Stays."""
    uses_appearance = False
    def _start(self, image, box): pass
    def _locate(self, image): return Estimate(self.box, score=0.5)
    def _learn(self, image, box, track): pass
'''


class Told(Watcher):
    """Remembers what it was told."""

    def __init__(self, stop_after=None):
        self.frames, self.runs, self.kept, self.stop_after = 0, [], [], stop_after

    def begin(self, frames):
        self.frames = frames

    def finished(self, run, sequence, kept):
        (self.kept if kept else self.runs).append((run.tracker, run.sequence, run.index))
        if len(self.runs) == self.stop_after:
            raise KeyboardInterrupt


def moving(frames):
    return [[11 + k, 9, 10, 8] for k in range(frames)]


@pytest.fixture
def data(write_sequence):
    write_sequence("B", moving(9))
    return Dataset.read(write_sequence("A", moving(12)))


def test_five_first_boxes():
    box = Box(10, 20, 5, 6)
    assert first_boxes(box, 0) == [box]
    expected = [(10, 20), (9, 20), (11, 20), (10, 19), (10, 21)]
    assert [(b.x, b.y) for b in first_boxes(box, 1)] == expected
    assert all((b.w, b.h) == (5, 6) for b in first_boxes(box, 1))


def test_every_frame_is_kept(data):
    frames = DecodedFrames(data.sequences[0].frames)
    run = track_once(REGISTERED["still"](), frames, Course(Box(10, 8, 10, 8)))
    assert (run.tracker, run.failure, len(frames)) == ("still", None, 12)
    np.testing.assert_array_equal(run.boxes, np.tile([10, 8, 10, 8], (12, 1)))
    assert math.isnan(run.scores[0]) and (run.scores[1:] == 0.75).all()
    assert np.isnan(run.ms[:6]).all() and (run.ms[6:] > 0).all()  # init and five to warm up
    assert run.init_ms > 0 and run.evidence["score"][1:].tolist() == [0.75] * 11
    assert run.cores < 1.5


def test_trackers_take_turns_from_every_first_box(data):
    told = Told()
    specs = ["still", "still[score=0.2]"]
    result = evaluate(specs, data, jitter=1, watcher=told)
    assert told.frames == (12 + 9) * 2 * 5
    assert told.runs[:4] == [(specs[0], "A", 0), (specs[1], "A", 0), (specs[0], "A", 1), (specs[1], "A", 1)]
    assert [run.boxes[0, :2].tolist() for run in result.runs["still"]["A"]] == [
        [10, 8], [9, 8], [11, 8], [10, 7], [10, 9],
    ]  # fmt: skip
    assert result.runs["still[score=0.2]"]["B"][0].scores[3] == 0.2


def test_a_failure_is_said_and_the_box_held(data):
    result = evaluate(["gives-up", "still"], data)
    run = result.runs["gives-up"]["A"][0]
    assert run.failure == runs.Failure(4, "the fourth frame is too much")
    assert run.boxes[:, 0].tolist() == [10, 11, 12, 13, *[13] * 8]
    assert (run.scores[4:] == 0).all() and (run.states[4:] == 2).all() and np.isnan(run.ms).all()
    summary = json.loads(to_json(summarise(result)))["trackers"]
    first = {"sequence": "A", "run": 0, "frame": 4, "message": "the fourth frame is too much"}
    assert summary["gives-up"]["failures"][0] == first and len(summary["gives-up"]["failures"]) == 2
    assert summary["gives-up"]["sequences"]["A"]["failures"] == 1
    assert summary["gives-up"]["fps"] is None and summary["still"]["failures"] == []


def test_a_first_box_that_is_refused_is_a_failure(write_sequence):
    data = Dataset.read(write_sequence("Far", [[500, 500, 10, 8]] * 3))
    run = evaluate(["still"], data).runs["still"]["Far"][0]
    assert run.failure is not None and run.failure.frame == 0 and "outside" not in run.sequence
    assert math.isnan(run.init_ms) and (run.states[1:] == 2).all()


def test_interrupted_and_resumed(data, tmp_path):
    store = Store(tmp_path / "kept")
    with pytest.raises(KeyboardInterrupt):
        evaluate(["still"], data, jitter=1, store=store, watcher=Told(stop_after=7))
    told = Told()
    resumed = evaluate(["still"], data, jitter=1, store=store, watcher=told)
    assert len(told.kept) == 7 and len(told.runs) == 3
    whole = evaluate(["still"], data, jitter=1)
    for name in ("A", "B"):
        for kept, fresh in zip(resumed.runs["still"][name], whole.runs["still"][name], strict=True):
            assert (kept.index, kept.failure) == (fresh.index, fresh.failure)
            for part in ("boxes", "scores", "states"):
                np.testing.assert_array_equal(getattr(kept, part), getattr(fresh, part))
            np.testing.assert_array_equal(kept.evidence["score"], fresh.evidence["score"])
    again = Told()
    evaluate(["still"], data, jitter=1, store=store, fresh=True, watcher=again)
    assert len(again.runs) == 10


def test_finished_failures_are_found_again(data, tmp_path):
    first = evaluate(["gives-up"], data, store=Store(tmp_path))
    second = evaluate(["gives-up"], data, store=Store(tmp_path))
    assert second.runs["gives-up"]["A"][0].failure == first.runs["gives-up"]["A"][0].failure


@pytest.mark.parametrize(
    "change", ["options", "jitter", "threads", "code", "truth", "dataset", "network", "broken file"]
)
def test_nothing_old_is_taken_after_a_change(data, tmp_path, monkeypatch, write_sequence, change):
    store, network = Store(tmp_path / "kept"), tmp_path / "net.onnx"
    network.write_text("old")
    monkeypatch.setattr(REGISTERED["still"], "reads", lambda options: [network])
    evaluate(["still"], data, store=store)
    spec, options = "still", {}
    if change == "options":
        spec = "still[score=0.1]"
    elif change == "jitter":
        options = {"jitter": 2}
    elif change == "threads":
        options = {"running": Running(threads=2)}
    elif change == "code":
        monkeypatch.setattr("slimtrack.evaluation.runner.code_fingerprint", lambda: "another")
    elif change == "truth":
        text = data.sequences[0].frames[0].parent.parent / "groundtruth_rect.txt"
        text.write_text(text.read_text().replace("11,9,10,8", "11,9,10,9"))
        data = Dataset.read(text.parent.parent, ["A"])
    elif change == "network":
        network.write_text("new")
    elif change == "dataset":
        data = Dataset("other", data.sequences)
    else:
        for file in store.folder.rglob("*.npz"):
            file.write_bytes(file.read_bytes()[:200])
    told = Told()
    evaluate([spec], data, store=store, watcher=told, **options)
    assert told.kept == []


@pytest.mark.parametrize("spec", ["dcfnet", "dcfnet[network=mine]", "dcfnet[network=FOLDER/mine.onnx]"])
def test_a_network_file_that_was_replaced_makes_its_runs_old(data, tmp_path, monkeypatch, spec):
    """By the default of the option, by a name, by a path; with a tracker that is none of the tests' own."""
    pytest.importorskip("onnxruntime")
    spec, used = (
        spec.replace("FOLDER", str(tmp_path)),
        tmp_path / ("mine.onnx" if "mine" in spec else "dcfnet.onnx"),
    )
    small_networks.write(tmp_path)
    (tmp_path / "mine.onnx").write_bytes((tmp_path / "dcfnet.onnx").read_bytes())
    monkeypatch.setenv("SLIMTRACK_NETWORKS", str(tmp_path))
    kept = []
    for change in (None, None, used, tmp_path / "vgg19.onnx"):
        if change is not None:
            network = Network.load(change)
            first = network.layers[0].name
            network.replace(first, network.weights(first)[0][::-1].copy()).save(change)
        told = Told()
        evaluate([spec], data, store=Store(tmp_path / "kept"), watcher=told)
        kept.append(len(told.kept))
    assert kept == [0, 2, 0, 2]  # another tracker's network is none of its business


@pytest.fixture
def networks():
    with small_networks.installed():
        yield


@pytest.mark.parametrize("name", [name for name in list_trackers(missing=True) if ":" not in name])
def test_every_tracker_names_the_files_that_it_reads(name, monkeypatch, networks):
    if (reason := why_missing(name)) is not None:
        pytest.skip(reason)
    zoo._known.cache_clear()
    zoo._from_file.cache_clear()
    read, plain = set(), Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: (read.add(path.resolve()), plain(path))[1])
    create(name)
    monkeypatch.setattr(Path, "read_bytes", plain)
    named = tracker_class(name).reads(settings(name))
    assert read == {path.resolve() for path in named}


def test_kept_runs_hold_nothing_that_executes(data, tmp_path):
    evaluate(["still"], data, store=Store(tmp_path))
    for file in tmp_path.rglob("*.npz"):
        with np.load(file, allow_pickle=False) as stored:
            assert {"head", "boxes", "scores", "states", "ms"} <= set(stored)


def test_long_footage_is_decoded_in_chunks(data):
    files = data.sequences[0].frames
    whole, chunked = DecodedFrames(files), DecodedFrames(files, memory=5 * 48 * 64 * 3)
    for a, b in zip(whole, chunked, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not a.flags.writeable and a.dtype == np.uint8


def test_worker_processes_give_the_same(data, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(FILE)
    spec, told = f"{file}:from-file", Told()
    store = Store(tmp_path / "kept")
    shared_out = evaluate([spec], data, jitter=1, running=Running(jobs=2), store=store, watcher=told)
    assert len(told.runs) == 10
    alone = evaluate([spec], data, jitter=1)
    for name in ("A", "B"):
        for a, b in zip(shared_out.runs[spec][name], alone.runs[spec][name], strict=True):
            np.testing.assert_array_equal(a.boxes, b.boxes)
    summary = summarise(shared_out)
    assert summary["trackers"][spec]["noisy"] is True and summary["machine"]["jobs"] == 2


def test_broken_image_is_named(data):
    bad = data.sequences[0].frames[3]
    bad.write_bytes(b"no image")
    with pytest.raises(SourceError, match=bad.name):
        evaluate(["still"], data)


@pytest.mark.parametrize(
    ("specs", "options", "error"),
    [
        ([], {}, InputError),
        (["still", "still"], {}, InputError),
        (["stil"], {}, UnknownNameError),
        (["still[scor=1]"], {}, UnknownNameError),
        (["still"], {"running": Running(jobs=0)}, InputError),
        (["still"], {"jitter": -1.0}, InputError),
        (["still"], {"jitter": math.nan}, InputError),
        (["still"], {"running": Running(threads=0)}, InputError),
    ],
)
def test_bad_requests_are_refused_before_anything_runs(data, specs, options, error):
    told = Told()
    with pytest.raises(error):
        evaluate(specs, data, watcher=told, **options)
    assert told.runs == []


def test_empty_dataset():
    with pytest.raises(InputError, match="no sequence"):
        evaluate(["still"], Dataset("none", ()))


def test_what_is_missing_is_said(data):
    class Needy(REGISTERED["still"]):
        def __init__(self):
            raise MissingError("needy needs a network: get it")

    REGISTERED["needy"] = Needy
    with pytest.raises(MissingError, match="get it"):
        evaluate(["needy"], data)


def test_json_has_the_documented_shape(write_sequence):
    write_sequence("A", moving(12))
    folder = write_sequence("B", [*moving(9), [np.nan] * 4, [np.nan] * 4])
    (folder / "attributes.csv").write_text("sequence,OCC,SV\nA,1,0\nB,1,1\n")
    result = evaluate(["still"], Dataset.read(folder), jitter=1)
    text = to_json(summarise(result))
    summary = json.loads(text)
    assert set(summary) == {"machine", "protocol", "dataset", "trackers"}
    assert summary["dataset"] == {"name": "data", "sequences": 2, "frames": 23}
    assert summary["protocol"]["runs"] == 5 and summary["protocol"]["jitter"] == 1
    row = summary["trackers"]["still"]
    assert set(row) == {
        "auc", "auc_spread", "auc_runs", "precision20", "normalized_precision", "fps", "p50_ms", "p95_ms",
        "p99_ms", "init_ms", "missed", "noisy", "cores_used", "peak_rss_mb", "score_auroc", "score_ece",
        "absent_called_tracked", "failures", "attributes", "sequences",
    }  # fmt: skip
    assert {"auc", "precision20", "fps", "auc_spread", "auc_runs"} <= set(row["sequences"]["A"])
    each = {
        s.name: [measure(run.boxes, s.truth).auc for run in result.runs["still"][s.name]]
        for s in result.dataset
    }
    assert row["sequences"]["A"]["auc"] == pytest.approx(np.mean(each["A"]))
    assert row["auc"] == pytest.approx(np.mean([np.mean(each["A"]), np.mean(each["B"])]))
    assert row["auc_runs"] == pytest.approx(np.mean([each["A"], each["B"]], axis=0).tolist())
    assert row["auc_spread"] == pytest.approx(np.std(row["auc_runs"], ddof=1))
    assert row["absent_called_tracked"] == 1  # it stays, and says so
    assert row["attributes"]["OCC"] == {
        "auc": pytest.approx(row["auc"]), "precision20": pytest.approx(row["precision20"]), "sequences": 2,
    }  # fmt: skip
    assert row["attributes"]["SV"]["auc"] == row["sequences"]["B"]["auc"]
    assert row["score_auroc"] == 0.5  # one score for all says nothing
    assert "NaN" not in text and row["fps"] == pytest.approx(1000 / row["p50_ms"])


def test_single_run_has_no_spread(data):
    assert summarise(evaluate(["still"], data))["trackers"]["still"]["auc_spread"] is None


def test_frames_come_as_bgr(tmp_path):
    image = np.zeros((4, 5, 3), np.uint8)
    image[..., 0] = 200  # blue
    file = tmp_path / "blue.png"
    cv2.imwrite(str(file), image)
    np.testing.assert_array_equal(next(iter(DecodedFrames([file]))), image)


def test_a_run_that_was_kept_waiting_is_noisy(data):
    result = evaluate(["still"], data)
    for several in result.runs["still"].values():
        several[:] = [dataclasses.replace(run, cores=0.6, ms=np.full(len(run.ms), 2.0)) for run in several]
    assert summarise(result)["trackers"]["still"]["noisy"] is True
    for several in result.runs["still"].values():
        several[:] = [dataclasses.replace(run, cores=1.0) for run in several]
    assert summarise(result)["trackers"]["still"]["noisy"] is False


def test_a_noisy_run_is_repeated_once_and_the_quieter_kept(data, monkeypatch):
    medians = iter([3.0, 2.0, 2.0, 3.0, 2.0])  # of the passes below, in their order
    noisy = {1: True, 2: False, 3: True, 4: True, 5: False}
    passes = []

    def once(*args, **named):
        passes.append(named["sequence"])
        run = track_once(*args, **named)
        return dataclasses.replace(run, ms=np.full(len(run.ms), next(medians)), init_ms=float(len(passes)))

    monkeypatch.setattr(runner, "track_once", once)
    monkeypatch.setattr(runner, "disturbed", lambda several: noisy[int(several[0].init_ms)])
    result = evaluate(["still"], data).runs["still"]
    # A: noisy, then quiet: the second. B: noisy both times: the faster.
    assert passes == ["A", "A", "B", "B"]
    assert (result["A"][0].init_ms, result["B"][0].init_ms) == (2, 3)


@pytest.mark.parametrize(("repeats", "passes"), [(0, 1), (1, 2), (3, 4)])
def test_a_run_is_repeated_that_often_and_no_more(data, monkeypatch, repeats, passes):
    told = []

    class Again(Watcher):
        def again(self, *about):
            told.append(about)

    monkeypatch.setattr(runner, "disturbed", lambda several: True)
    evaluate(["still"], data, running=Running(repeats=repeats), watcher=Again())
    assert told == [("still", s.name, 0, len(s)) for s in data for _ in range(passes - 1)]
    with pytest.raises(InputError, match="repeats -1"):
        evaluate(["still"], data, running=Running(repeats=-1))


@pytest.mark.parametrize(("stop_at", "finished"), [(1, None), (2, ["A"]), (3, ["A"]), (None, ["A", "B"])])
def test_ctrl_c_hands_over_what_every_tracker_has_finished(data, monkeypatch, stop_at, finished):
    class Stopped(Told):
        def weighing(self, tracker):
            raise KeyboardInterrupt

    with pytest.raises(runner.Interrupted) as caught:
        evaluate(["still", "gives-up"], data, watcher=Stopped(stop_at))
    part = caught.value.part
    assert (part and [s.name for s in part.dataset]) == finished
    if part:
        rows = summarise(part)["trackers"]
        assert all(list(row["sequences"]) == finished and row["peak_rss_mb"] is None for row in rows.values())


def test_names_in_any_case_are_the_same_tracker(data):
    assert list(evaluate(["STILL"], data).runs) == ["STILL"]
    with pytest.raises(InputError, match="each only once"):
        evaluate(["still", "Still"], data)


def test_what_disturbs_a_run():
    ms = np.full(20, 2.0)
    uneven = np.repeat([1.0, 1.5], 10)
    quiet, noisy = (
        runs.Run("k", "A", 0, *[np.empty(0)] * 3, times, np.empty(0), 1.0, 1.0) for times in (ms, uneven)
    )
    assert runs.disturbed([noisy]) and not runs.disturbed([quiet])
    assert runs.disturbed([dataclasses.replace(quiet, cores=0.6)])


def test_memory_is_each_trackers_own_and_kept(data, tmp_path, monkeypatch):
    asked, store = [], Store(tmp_path / "kept")

    def peak(spec, sequence, *, threads):
        asked.append((spec, sequence.name, threads))
        return {"still": 50.0, "still[score=0.2]": math.nan}[spec]

    monkeypatch.setattr(runner, "peak_memory", peak)
    for _ in range(2):
        summary = summarise(evaluate(["still", "still[score=0.2]"], data, store=store))["trackers"]
        assert [row["peak_rss_mb"] for row in summary.values()] == [50.0, None]
    other = ("still[score=0.2]", "A", 1)  # what could not be measured is tried again
    assert asked == [("still", "A", 1), other, other]
    evaluate(["still"], data, store=store, fresh=True)
    assert asked[3:] == [("still", "A", 1)]
