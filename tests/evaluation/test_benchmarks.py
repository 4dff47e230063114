"""The scripts that make the documents' figures."""

import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from slimtrack.calibrations import (
    calibrations_file,
    common_calibration,
    read_calibrations,
    write_calibrations,
)
from slimtrack.confidence import Calibration
from slimtrack.datasets import Dataset
from slimtrack.registry import list_trackers, parse_spec, settings, tracker_class

ROOT = Path(__file__).parents[2]
OURS = ROOT / "src/slimtrack/trackers/calibrations.json"
CALIBRATIONS = read_calibrations(OURS)


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def test_the_names_are_those_of_the_registry():
    names = importlib.import_module("_names").ours()
    assert {parse_spec(name)[0] for name in CALIBRATIONS} <= set(list_trackers(missing=True))
    assert all(settings(name) for name in CALIBRATIONS if "[" in name)
    others = [name for name in list_trackers(missing=True) if name not in names]
    assert {"still", "nanotrack-v3", "opencv:kcf"} <= set(others) and names[0] == "mosse"


class TestFit:
    @pytest.fixture
    def fit(self, monkeypatch, write_sequence, tmp_path):
        """Calls the script, with evidence out of thin air."""
        module = importlib.import_module("fit_calibration")
        write_sequence("A", [[11, 9, 10, 8]] * 3)

        def gather(name, sequences, jobs):
            random = np.random.default_rng(len(name))
            evidence = random.random((60, len(module.USED)))
            labels = evidence.sum(axis=1) + random.random(60) > len(module.USED) / 2 + 0.5
            return evidence, labels, np.repeat(["A", "B", "synthetic-C"], 20), np.ones(60, bool)

        def call(*arguments):
            out = tmp_path / "out"
            module.main([str(tmp_path / "data"), "--out", str(out), *arguments])
            default = read_calibrations(out / "slimtrack" / OURS.name).get("common")
            return default, read_calibrations(out / "trackers" / OURS.name)

        monkeypatch.setattr(module, "gather", gather)
        monkeypatch.setattr(module, "MOST_ECE", 1.0)
        monkeypatch.setattr(module, "write_clips", lambda folder: (folder / "S").mkdir())
        monkeypatch.setattr(module.Dataset, "read", lambda path: [])
        return call

    def test_one_tracker_leaves_the_others_as_they_are(self, fit):
        default, calibrations = fit("--trackers", "kcf")
        assert default is None and list(calibrations) == list(CALIBRATIONS)
        changed = [name for name in CALIBRATIONS if calibrations[name] != CALIBRATIONS[name]]
        assert changed == ["kcf"]

    def test_all_trackers_are_fitted_with_the_default(self, fit):
        default, calibrations = fit()
        here = importlib.import_module("_names").ours()
        assert default not in (None, common_calibration()) and set(calibrations) == set(CALIBRATIONS) | set(
            here
        )
        assert all(calibrations[name] != CALIBRATIONS.get(name) for name in here)

    def test_a_tracker_that_misses_the_bar_has_none(self, fit, capsys, monkeypatch):
        module = importlib.import_module("fit_calibration")
        monkeypatch.setattr(module, "LEAST_AUROC", 1.1)
        _, calibrations = fit("--trackers", "kcf")
        assert "kcf" not in calibrations and set(calibrations) == set(CALIBRATIONS) - {"kcf"}
        assert re.search(r"\| kcf \| 0\.\d+ \| 0\.\d+ \| no \|", capsys.readouterr().out)

    def test_a_plug_in_has_its_own_beside_it(self, fit, tmp_path, monkeypatch):
        path = tmp_path / "mine.py"
        path.write_text(
            "from slimtrack.trackers.kcf import Kcf\n\n\nclass Mine(Kcf, name='mine-fitted'):\n    pass\n"
        )
        cls = tracker_class(f"{path}:mine-fitted")
        assert not cls.calibrated() and calibrations_file(cls) == tmp_path / "calibrations.json"
        before, out = OURS.read_bytes(), str(tmp_path / "data")
        importlib.import_module("fit_calibration").main([out, "--trackers", f"{path}:mine-fitted"])
        assert list(read_calibrations(tmp_path / "calibrations.json")) == ["mine-fitted"]
        assert cls.calibrated() and OURS.read_bytes() == before

    @pytest.mark.parametrize("file", [OURS, calibrations_file()], ids=["ours", "common"])
    def test_what_is_committed_is_what_is_written(self, file, tmp_path):
        write_calibrations(tmp_path / "again.json", read_calibrations(file))
        assert (tmp_path / "again.json").read_text() == file.read_text()


class TestCollect:
    @pytest.fixture
    def jump(self, write_sequence):
        """A still picture whose annotation is elsewhere from its fifth frame on, and at the end absent."""
        boxes = [[11, 9, 10, 8]] * 4 + [[31, 29, 10, 8]] * 4 + [[np.nan] * 4] * 2
        return next(iter(Dataset.read(write_sequence("jump", boxes))))

    @pytest.fixture
    def collect(self, jump):
        return lambda: importlib.import_module("fit_calibration").collect("mosse", jump)

    def test_the_annotation_says_what_is_right_and_what_is_learned(self, collect, monkeypatch):
        learned = []
        monkeypatch.setattr(tracker_class("mosse"), "_learn", lambda *_: learned.append(_[-1].score))
        _, labels, groups, _ = collect()
        assert labels.tolist() == [True] * 3 + [False] * 6 and set(groups) == {"jump"}
        assert learned == [1.0] * 3

    def test_no_calibration_has_a_say(self, collect, monkeypatch):
        before, *_ = collect()
        monkeypatch.setattr(tracker_class("mosse"), "calibration", Calibration({}, -9.0))
        after, *_ = collect()
        assert np.array_equal(before, after, equal_nan=True) and len(before) == 9

    def test_a_target_gone_for_long_is_not_fitted(self, collect, monkeypatch):
        monkeypatch.setattr(importlib.import_module("fit_calibration"), "SOON", 2)
        *_, near = collect()
        assert near.tolist() == [True] * 5 + [False] * 4

    def test_frames_that_are_not_fitted_are_judged(self):
        module = importlib.import_module("fit_calibration")
        rows = np.zeros((40, len(module.USED)))
        rows[:, 0] = np.tile([1.0, 0.0], 20)
        labels, groups = rows[:, 0] > 0, np.repeat(["A", "B"], 20)
        near = np.arange(40) % 20 < 10
        labels[~near] = ~labels[~near]  # would turn the fit around
        found, held = module.fit((rows, labels, groups, near), module.USED, 0.01)
        assert found.weights["peak"] > 0
        assert ((held > 0.5) == (rows[:, 0] > 0)).all()


def test_starts_hold_the_target_in_every_frame(write_sequence):
    boxes = [[11, 9, 10, 8]] * 80
    boxes[35] = [np.nan] * 4
    sequence = next(iter(Dataset.read(write_sequence("gap", boxes))))
    parts = list(importlib.import_module("starts").starts(sequence))
    assert [sequence.frames.index(part.frames[0]) for part in parts] == [0, 36, 43, 50]
    assert all(len(part.frames) == 30 and not part.absent.any() for part in parts)


def row(auc, aucs):
    return {"auc": auc, "p50_ms": 2.0, "sequences": {name: {"auc": value} for name, value in aucs.items()}}


def test_ratios_come_with_the_interval():
    tables = importlib.import_module("tables")
    better = {"kcf": row(0.7, {"A": 0.6, "B": 0.8}), "opencv:kcf": row(0.5, {"A": 0.5, "B": 0.5})}
    text = tables.ratios(better, [{"trackers": better}])
    assert "1.00 times the speed of opencv:kcf, AUC +0.200, 95% interval +0.100 to +0.300" in text
    single = {"kcf": row(0.6, {"A": 0.6}), "opencv:kcf": row(0.5, {"A": 0.5})}
    assert "opencv:kcf, AUC +0.100\n" in tables.ratios(single, [{"trackers": single}])
    assert tables.ratios(better, [{"trackers": {"kcf": better["kcf"]}}]) == ""  # never of two runs


def test_hog_is_timed(capsys):
    importlib.import_module("features").main(["--repeats", "20"])
    text = capsys.readouterr().out
    assert "p50" in text and "p95" in text and "20 calls" in text
