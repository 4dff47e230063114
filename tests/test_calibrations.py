"""A tracker's calibration stands in a file beside it."""

import os
from pathlib import Path

import numpy as np
import pytest

from slimtrack import Box, create
from slimtrack.calibrations import calibration_of, common_calibration, read_calibrations, write_calibrations
from slimtrack.confidence import Calibration
from slimtrack.errors import InputError
from slimtrack.names import VARIABLE, add_names
from slimtrack.registry import tracker_class
from slimtrack.trackers.kcf import Kcf

PLUG_IN = """
from slimtrack import Estimate, Tracker

class Mine(Tracker, name="{name}"):
    def _start(self, image, box): ...
    def _locate(self, image): return Estimate(self.box, {{"clear": 2.0}})
    def _learn(self, image, box, track): ...
"""
FRAME = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)


def score(name: str) -> float:
    tracker = create(name)
    tracker.init(FRAME, Box(20, 15, 16, 12))
    return tracker.update(FRAME).score


def plug_in(folder: Path, name: str) -> str:
    (folder / f"{name}.py").write_text(PLUG_IN.format(name=name))
    return f"{folder / name}.py:{name}"


def test_a_plug_in_brings_its_own_and_one_without_says_so(tmp_path: Path) -> None:
    spec = plug_in(tmp_path, "with-its-own")
    assert not tracker_class(spec).calibrated()
    write_calibrations(tmp_path / "calibrations.json", {"with-its-own": Calibration({"clear": 1.0}, -1.0)})
    assert tracker_class(spec).calibrated()
    assert score(spec) == pytest.approx(1 / (1 + np.exp(1 - 2)))
    assert not tracker_class(plug_in(tmp_path, "without")).calibrated()


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"claer": 1.0}, "named 'claer': did you mean clear"),
        ({"clear": 1.0, "shap": 1.0}, "named 'shap': did you mean shape"),
        ({"x": 1.0}, "named 'x': there are: clear, color, .*shape"),
    ],
)
def test_a_weight_for_a_figure_that_is_not_there_is_refused(
    tmp_path: Path, weights: dict[str, float], words: str
) -> None:
    spec = plug_in(tmp_path, "misspelt")
    write_calibrations(tmp_path / "calibrations.json", {"misspelt": Calibration(weights, 0.0)})
    with pytest.raises(InputError, match=f"calibration of misspelt .*{words}"):
        score(spec)


def test_one_that_derives_from_ours_without_a_name_has_that_ones() -> None:
    class Nameless(Kcf):
        """KCF."""

    class Named(Kcf, name="derived-from-kcf"):
        """Another tracker."""

    assert calibration_of(Nameless, Nameless.name) == calibration_of(Kcf, "kcf") is not None
    assert Nameless.calibrated() and not Named.calibrated()


def test_a_name_that_stands_for_a_tracker_has_its_own_or_that_trackers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    spec = plug_in(tmp_path, "base-of-names")
    names = tmp_path / "names.toml"
    names.write_text(f'[trackers]\nown = "{spec}"\nother = "{spec}"\n')
    add_names(names)
    found = {"base-of-names": Calibration({"clear": 1.0}, 0.0), "own": Calibration({"clear": -1.0}, 0.0)}
    write_calibrations(tmp_path / "calibrations.json", found)
    assert score("own") < 0.5 < score("other") == score(spec)
    assert tracker_class("own").calibrated("own") and not tracker_class("other").calibrated("other")


def test_numbers_are_kept_to_four_digits_and_read_again_when_they_change(tmp_path: Path) -> None:
    file = tmp_path / "calibrations.json"
    assert read_calibrations(file) == {}
    write_calibrations(file, {"a": Calibration({"peak": 1.23456, "grey": -0.0001234567}, 7.0)})
    assert read_calibrations(file) == {"a": Calibration({"peak": 1.235, "grey": -0.0001235}, 7.0)}
    write_calibrations(file, {})
    os.utime(file, ns=(1, 1))
    assert read_calibrations(file) == {}


@pytest.mark.parametrize(
    "text", ["", "[]", '{"a": 3}', '{"a": {"weights": {"peak": "x"}, "bias": 0}}', '{"a": {"bias": 0}}']
)
def test_a_file_of_another_form_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "calibrations.json").write_text(text)
    spec = plug_in(tmp_path, f"broken-{abs(hash(text))}")
    with pytest.raises(InputError, match=r"calibrations file .*calibrations\.json holds something else"):
        score(spec)


def test_there_is_a_common_one() -> None:
    assert "psr" in common_calibration().weights
