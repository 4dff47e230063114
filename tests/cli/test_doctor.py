import builtins
import importlib
import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import slimtrack
from slimtrack.cli import app
from slimtrack.errors import MissingError
from slimtrack.networks.find import VARIABLE
from slimtrack.registry import DEFAULT_TRACKER

doctor = importlib.import_module("slimtrack.cli.doctor")


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["doctor", *words], env={"COLUMNS": "200", "TERM": "dumb"})


def findings() -> dict[tuple[str, str], dict[str, Any]]:
    result = run("--json")
    return {(each["topic"], each["name"]): each for each in json.loads(result.output)}


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (VARIABLE, doctor.DATA_VARIABLE):
        monkeypatch.delenv(variable, raising=False)


def test_it_shows_the_machine_and_ends_with_0() -> None:
    result = run()
    assert result.exit_code == 0
    for word in (
        "processor",
        "cores",
        "python",
        "slimtrack",
        "OpenCV",
        "numba",
        "H.264",
        "onnxruntime",
        "Missing",
    ):
        assert word in result.output


def test_what_is_there_is_told_with_its_version() -> None:
    found = findings()
    assert found["machine", "processor"]["value"]
    assert "opencv" in found["OpenCV", "package"]["value"]
    assert (
        "loaded from its cache in" in found["numba", "numba"]["value"]
        or "compiled now" in found["numba", "numba"]["value"]
    )
    assert found["video", "H.264 encoder"]["value"] == "libx264"
    assert int(found["threads", "OpenCV"]["value"]) >= 0
    assert "kcf" in found["trackers", "available"]["value"]


def test_it_says_why_the_default_tracker_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    assert findings()["trackers", "the default"] == {
        "topic": "trackers", "name": "the default", "value": DEFAULT_TRACKER, "remedy": "", "required": False,
    }  # fmt: skip
    pytest.importorskip("onnxruntime")
    there = importlib.util.find_spec
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # it does not load
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "onnxruntime" or there(name))
    assert "cannot be imported" in findings()["trackers", "the default"]["remedy"]


def test_it_says_where_compiled_code_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (Path(findings()["numba", "compiled code"]["value"])).is_dir()

    class Loop:
        stats = type("Stats", (), {"cache_misses": {}, "cache_path": None})

    stub = type("Hog", (), {"loop": Loop, "fhog": staticmethod(lambda image: None)})
    monkeypatch.setattr(doctor.importlib, "import_module", lambda name: stub)
    nowhere = findings()["numba", "compiled code"]
    assert nowhere["value"] == "kept nowhere"
    assert "set NUMBA_CACHE_DIR to a folder" in nowhere["remedy"]


def test_it_says_what_the_extra_for_networks_is_for() -> None:
    purposes = {name: purpose for name, purpose, _ in doctor._PACKAGES}
    assert "extra onnx: importing, cutting and compressing networks" in purposes["onnx"]


def test_every_missing_thing_says_what_it_is_for_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda package: None)
    found = findings()
    for package, _, command in doctor._PACKAGES:
        (finding,) = [each for (_, name), each in found.items() if name == package]
        assert finding["value"] == "missing"
        assert finding["remedy"].endswith(f"run `{command}`")
    assert found["networks", VARIABLE]["value"] == "not set"


def test_a_cause_has_one_line_however_many_trackers_it_keeps_away() -> None:
    text = run().output
    to_fetch = text.count("run `slimtrack network fetch ")
    to_make = text.count("says how to make them")
    assert (to_fetch, to_make) == (1, 1) or text.count("needs ONNX Runtime") == 1
    assert text.count(f"{VARIABLE} is not set") <= 2
    (names,) = [name for topic, name in findings() if topic == "trackers" and "nanotrack-v2" in name]
    assert {"nanotrack-v1", "vittrack"} <= set(names.split(", "))


def test_only_packages_that_are_used_are_asked_for() -> None:
    sources = "".join(path.read_text() for path in Path(slimtrack.__file__).parent.rglob("*.py"))
    for package, _, _ in doctor._PACKAGES:
        assert re.search(rf"^\s*(import|from) {package}\b", sources, re.MULTILINE), package


def test_without_opencv_it_ends_with_1_and_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    class Absent:
        def __getattr__(self, name: str) -> Any:
            raise MissingError("OpenCV is not installed: run `pip install opencv-python-headless`")

    monkeypatch.setattr(doctor, "cv2", Absent())
    result = run()
    assert result.exit_code == 1
    assert "OpenCV (required): all image operations: OpenCV is not installed" in result.output


def test_without_pyav_it_ends_with_1_and_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refusing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "av":
            raise ImportError("no av")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refusing)
    result = run()
    assert result.exit_code == 1
    assert "PyAV (required): reading and writing video: run `pip install av` (no av)" in result.output


def test_networks_are_listed_per_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fear_xs").mkdir()
    (tmp_path / "fear_xs" / "search.onnx").write_bytes(b"")
    gone, empty = tmp_path / "gone", tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv(VARIABLE, os.pathsep.join(map(str, (tmp_path, gone, empty))))
    found = findings()
    assert found["networks", str(tmp_path)]["value"] == "fear_xs"
    assert found["networks", str(empty)]["value"] == "no network in it"
    assert "does not exist" in found["networks", str(gone)]["remedy"]


def test_a_folder_of_networks_that_may_not_be_looked_into_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "closed"))
    asked = Path.is_dir

    def refuse(path: Path) -> bool:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return asked(path)

    monkeypatch.setattr(Path, "is_dir", refuse)
    assert findings()["networks", str(tmp_path / "closed")]["remedy"].endswith(": permission denied")


def test_a_folder_of_networks_may_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    assert ("networks", str(tmp_path)) in {
        (each["topic"], each["name"])
        for each in json.loads(run("--json", "--networks", str(tmp_path)).output)
    }


def test_a_file_of_names_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIMTRACK_NAMES", str(tmp_path / "none.toml"))
    found = findings()["trackers", "SLIMTRACK_NAMES"]
    assert found["value"] == "unreadable" and "none.toml cannot be read" in found["remedy"]


def test_datasets_are_counted_and_bad_ones_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    (good / "Walk" / "img").mkdir(parents=True)
    bad.mkdir()
    (good / "Walk" / "img" / "0001.jpg").write_bytes(b"")
    (good / "Walk" / "groundtruth_rect.txt").write_text("1,1,5,5\n")
    monkeypatch.setenv(doctor.DATA_VARIABLE, os.pathsep.join(map(str, (good, bad))))
    found = findings()
    assert found["data", str(good)]["value"] == "1 sequence"
    assert found["data", str(bad)]["value"] == "unreadable"
    assert "holds no sequence" in found["data", str(bad)]["remedy"]


def test_paths_are_whole_and_names_are_listed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    path, names = "/a/long/path/" * 12 + "end", ", ".join(f"tracker-{number}" for number in range(9))
    found = [
        doctor.Finding("numba", "compiled code", path),
        doctor.Finding("trackers", names, "missing", "why"),
    ]
    monkeypatch.setattr(doctor, "examine", lambda: iter(found))
    text = run().output
    assert path in re.sub(r"\s+", "", text)
    assert "  tracker-0, tracker-1, tracker-2 and 6 more (optional): why" in text


def test_nothing_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: iter([doctor.Finding("machine", "python", "3")]))
    result = run()
    assert result.exit_code == 0
    assert "Nothing is missing." in result.output
