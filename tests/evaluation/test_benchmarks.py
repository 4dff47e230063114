"""The scripts that make the documents' figures."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from slimtrack.calibrations import CALIBRATIONS, DEFAULT
from slimtrack.confidence import Calibration
from slimtrack.datasets import Dataset
from slimtrack.registry import list_trackers, tracker_class

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def test_the_names_are_those_of_the_registry():
    names = importlib.import_module("_names").ours()
    assert set(CALIBRATIONS) <= set(list_trackers(missing=True))
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
            return evidence, labels, np.repeat(["A", "B", "synthetic-C"], 20)

        def call(*arguments):
            module.main([str(tmp_path / "data"), "--out", str(tmp_path / "out.py"), *arguments])
            found = {}
            exec((tmp_path / "out.py").read_text(), found)
            return found["DEFAULT"], found["CALIBRATIONS"]

        monkeypatch.setattr(module, "gather", gather)
        monkeypatch.setattr(module, "MOST_ECE", 1.0)
        monkeypatch.setattr(module, "write_clips", lambda folder: (folder / "S").mkdir())
        monkeypatch.setattr(module.Dataset, "read", lambda path: [])
        return call

    def test_one_tracker_leaves_the_others_as_they_are(self, fit):
        default, calibrations = fit("--trackers", "kcf")
        assert default == DEFAULT and list(calibrations) == list(CALIBRATIONS)
        changed = [name for name in CALIBRATIONS if calibrations[name] != CALIBRATIONS[name]]
        assert changed == ["kcf"]

    def test_all_trackers_are_fitted_with_the_default(self, fit):
        default, calibrations = fit()
        here = importlib.import_module("_names").ours()
        assert default != DEFAULT and set(calibrations) == set(CALIBRATIONS) | set(here)
        assert all(calibrations[name] != CALIBRATIONS.get(name) for name in here)

    def test_a_tracker_that_misses_the_bar_has_none(self, fit, capsys, monkeypatch):
        module = importlib.import_module("fit_calibration")
        monkeypatch.setattr(module, "LEAST_AUROC", 1.1)
        _, calibrations = fit("--trackers", "kcf")
        assert "kcf" not in calibrations and set(calibrations) == set(CALIBRATIONS) - {"kcf"}
        assert re.search(r"\| kcf \| 0\.\d+ \| 0\.\d+ \| no \|", capsys.readouterr().out)

    def test_what_is_written_is_formatted(self, fit, tmp_path):
        pytest.importorskip("ruff")
        fit()
        command = [sys.executable, "-m", "ruff", "format", "--check", "--config", ROOT / "pyproject.toml"]
        done = subprocess.run([*command, tmp_path / "out.py"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_what_is_committed_is_what_is_written(self):
        text = importlib.import_module("fit_calibration").module_text(DEFAULT, CALIBRATIONS)
        assert text == (ROOT / "src/slimtrack/calibrations.py").read_text()


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
        _, labels, groups = collect()
        assert labels.tolist() == [True] * 3 + [False] * 6 and set(groups) == {"jump"}
        assert learned == [1.0] * 3

    def test_no_calibration_has_a_say(self, collect, monkeypatch):
        before, _, _ = collect()
        monkeypatch.setattr(tracker_class("mosse"), "calibration", Calibration({}, -9.0))
        after, _, _ = collect()
        assert np.array_equal(before, after) and len(before) == 9


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
