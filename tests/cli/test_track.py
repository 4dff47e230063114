"""``slimtrack track``: what it writes, what it prints, what it refuses."""

import importlib
import io
import json
import shutil
from pathlib import Path

import cv2
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

import slimtrack
from slimtrack import Box, State, Track, Tracker
from slimtrack.arrays import Image
from slimtrack.cli.screen import Meter
from slimtrack.cli.track import parse_options, track
from slimtrack.errors import (
    InputError,
    MissingError,
    OutputError,
    SlimtrackError,
    SourceError,
    UnknownNameError,
)
from slimtrack.tracker import Estimate
from slimtrack.video.reading import read_boxes
from slimtrack.video.results import Row
from slimtrack.video.synthetic import Clip


class Still(Tracker, name="test-still"):
    """Says the first box for ever.

    Args:
        score: What it says of itself.
        kind: A word.
    """

    uses_appearance = False

    def __init__(self, *, score: float = 0.9, kind: str = "a") -> None:
        self._said = score

    def _start(self, image: Image, box: Box) -> None:
        pass

    def _locate(self, image: Image) -> Estimate:
        return Estimate(self.box, score=self._said)

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        pass


class Threaded(Still, name="test-threaded"):
    """Says as its score how many threads it was given.

    Args:
        threads: Threads.
    """

    def __init__(self, *, threads: int = 1) -> None:
        super().__init__(score=threads / 10)


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    path = tmp_path / "my shots"
    path.mkdir()
    for number, image in enumerate(Clip(length=9, width=160, height=120, size=30).images()):
        cv2.imwrite(str(path / f"{number}.png"), image)
    return path


def call(*words: object) -> tuple[int, str, BaseException | None]:
    app = typer.Typer()
    app.command()(track)
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=True)
    failure = None if isinstance(result.exception, SystemExit) else result.exception
    return result.exit_code, result.output, failure


def test_a_folder_is_tracked_into_files(shots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, text, _ = call(shots, "--box", "20,20,30,30", "--tracker", "test-still", "--set", "score=0.7")
    assert code == 0, text
    out = tmp_path / "out" / "my_shots-test-still"
    assert {path.name for path in out.iterdir()} == {"annotated.mp4", "track.csv", "timeline.png"}
    assert read_boxes(out / "track.csv") == [Box(20, 20, 30, 30)] * 9
    assert "9 frames" in text and "frames a second" in text and "tracked 100%" in text
    assert ",0.7000,tracked," in (out / "track.csv").read_text()


def test_only_what_is_asked_for_is_written(shots: Path, tmp_path: Path) -> None:
    words = ["--box", "20 20 30 30", "-t", "test-still", "-f", "json,mot", "--no-video", "--no-plot"]
    code, text, _ = call(shots, *words, "--out", tmp_path / "here")
    assert code == 0, text
    assert {path.name for path in (tmp_path / "here").iterdir()} == {"track.json", "track.mot.txt"}


def test_two_sequences_of_a_data_set_have_two_folders(
    shots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("Deer", "David"):
        shutil.copytree(shots, tmp_path / "data" / name / "img")
        words = ["--box", "20,20,30,30", "-t", "test-still", "--no-video", "--no-plot"]
        assert call(tmp_path / "data" / name / "img", *words)[0] == 0
    folders = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert folders == ["David-test-still", "Deer-test-still"]


def test_json_says_how_it_was_made(shots: Path, tmp_path: Path) -> None:
    words = [
        "--box",
        "20,20,30,30",
        "-t",
        "test-still[kind=b]",
        "--set",
        "score=0.5",
        "-f",
        "json",
        "--no-video",
    ]
    assert call(shots, *words, "--no-plot", "--out", tmp_path, "--threads", "2")[0] == 0
    said = json.loads((tmp_path / "track.json").read_text())
    del said["frames"]
    assert said == {
        "slimtrack": slimtrack.__version__, "source": str(shots), "name": "my shots", "size": [160, 120],
        "fps": None, "tracker": "test-still", "box": [20, 20, 30, 30], "threads": 2,
        "options": {"score": 0.5, "kind": "b"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "score"),
    [([], 0.1), (["--threads", "3"], 0.3), (["--threads", "3", "--set", "threads=2"], 0.2)],
)
def test_a_tracker_that_counts_its_threads_is_told_them(
    shots: Path, tmp_path: Path, words: list[str], score: float
) -> None:
    options = ["--box", "20,20,30,30", "-t", "test-threaded", "--no-video", "--no-plot", "--out", tmp_path]
    assert call(shots, *options, *words)[0] == 0
    assert f",{score:.4f}," in (tmp_path / "track.csv").read_text()


def test_a_folder_that_is_a_file(shots: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    words = ["--box", "20,20,30,30", "-t", "test-still", "--out"]
    for out, what in (("file", "it is a file"), ("file/deeper", f"{tmp_path / 'file'} is a file")):
        _, _, failure = call(shots, *words, tmp_path / out)
        assert isinstance(failure, OutputError) and f"{what}; give another folder" in str(failure)
        assert "space" not in str(failure)


def test_a_clip_too_short_to_time_says_so(shots: Path, tmp_path: Path) -> None:
    for number in range(6, 9):
        (shots / f"{number}.png").unlink()
    code, text, _ = call(shots, "--box", "20,20,30,30", "-t", "test-still", "--out", tmp_path)
    assert code == 0 and "not measured" in text and "frames a second" not in text


@pytest.mark.parametrize(
    ("words", "kind", "sentence"),
    [
        (["--box", "1,2,3"], InputError, "'1,2,3' is not four numbers"),
        (["--box", "1,2,3,four"], InputError, "is not four numbers"),
        (["--box", "900,900,30,30"], InputError, "0% of its area inside the frame of 160 x 120"),
        (["--box", "20,20,30,30", "--set", "score"], InputError, "not of the form key=value"),
        (["--box", "20,20,30,30", "--set", "scor=1"], UnknownNameError, "did you mean score"),
        (["--box", "20,20,30,30", "--set", "score=x"], InputError, "is not a number"),
        (["--box", "20,20,30,30", "--format", "cvs"], UnknownNameError, "did you mean csv"),
        (["--box", "20,20,30,30", "--tracker", "test-stil"], UnknownNameError, "did you mean test-still"),
    ],
)
def test_mistakes_are_one_sentence(
    shots: Path, words: list[str], kind: type[SlimtrackError], sentence: str
) -> None:
    code, _, failure = call(shots, "-t", "test-still", *words)
    assert code != 0 and isinstance(failure, kind) and sentence in str(failure) and "\n" not in str(failure)


def test_a_missing_file(tmp_path: Path) -> None:
    _, _, failure = call(tmp_path / "no.mp4", "--box", "1,2,3,4", "-t", "test-still")
    assert isinstance(failure, SourceError) and "no.mp4" in str(failure)


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ([], "give --box x,y,w,h (--first-frame FILE shows coordinates)"),
        (["--box", "20,20,30,30", "--show"], "leave it out"),
    ],
)
def test_windows_without_a_screen(
    shots: Path, words: list[str], remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    _, _, failure = call(shots, "-t", "test-still", *words)
    assert isinstance(failure, MissingError) and "needs a screen" in str(failure)
    assert str(failure).endswith(remedy)


def test_windows_without_an_opencv_that_has_them(shots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                NONE\n")
    monkeypatch.setattr("slimtrack._cv2.cv2.getBuildInformation", cv2.getBuildInformation)
    _, _, failure = call(shots, "-t", "test-still")
    assert isinstance(failure, MissingError) and "pip install opencv-python" in str(failure)


def test_ctrl_c_is_told_and_keeps_the_files(
    shots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopping(self: Meter, image: Image, row: Row) -> bool:
        if row.frame == 4:
            raise KeyboardInterrupt
        return True

    monkeypatch.setattr(Meter, "__call__", stopping)
    code, text, _ = call(shots, "--box", "20,20,30,30", "-t", "test-still", "--out", tmp_path / "o")
    assert code == 130 and "Stopped after 5 frames" in text
    assert len(read_boxes(tmp_path / "o" / "track.csv")) == 5


def test_progress_begins_after_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Row(0, Track(Box(0, 0, 1, 1), 1.0, State.TRACKED))
    terminal = Console(file=io.StringIO(), force_terminal=True)
    monkeypatch.setattr("slimtrack.cli.screen.live_console", lambda: terminal)
    with Meter(10) as meter:
        assert meter(Clip(length=1).mask(0), row)
        assert meter._progress is None
        monkeypatch.setattr(importlib.import_module("slimtrack.cli.screen"), "_PATIENCE", -1.0)
        assert meter(Clip(length=1).mask(0), row)
        assert meter._progress is not None


def test_parsing() -> None:
    assert parse_options("test-still[kind=b]", ["score=0.25"]) == {"score": 0.25}
