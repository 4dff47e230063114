"""``slimtrack track``: what it writes, what it prints, what it refuses."""

import importlib
from pathlib import Path

import cv2
import pytest
import typer
from typer.testing import CliRunner

from slimtrack import Box, State, Track, Tracker
from slimtrack.arrays import Image
from slimtrack.cli.track import Meter, parse_box, parse_options, track
from slimtrack.errors import InputError, MissingError, SlimtrackError, SourceError, UnknownNameError
from slimtrack.tracker import Estimate
from slimtrack.video.results import Row, read_boxes
from slimtrack.video.synthetic import Clip


class Still(Tracker, name="test-still"):
    """Says the first box for ever.

    Args:
        score: What it says of itself.
        kind: A word.
    """

    judged = False

    def __init__(self, *, score: float = 0.9, kind: str = "a") -> None:
        self._said = score

    def _start(self, image: Image, box: Box) -> None:
        pass

    def _locate(self, image: Image) -> Estimate:
        return Estimate(self.box, score=self._said)

    def _learn(self, image: Image, box: Box) -> None:
        pass


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
    out = tmp_path / "out" / "my_shots"
    assert {path.name for path in out.iterdir()} >= {
        "annotated.mp4",
        "track.csv",
        "boxes.txt",
        "timeline.png",
    }
    assert read_boxes(out / "boxes.txt") == [Box(20, 20, 30, 30)] * 9
    assert "9 frames" in text and "frames a second" in text and "tracked 100%" in text
    assert ",0.7000,tracked," in (out / "track.csv").read_text()


def test_only_what_is_asked_for_is_written(shots: Path, tmp_path: Path) -> None:
    words = ["--box", "20 20 30 30", "-t", "test-still", "-f", "json,mot", "--no-video", "--no-plot"]
    code, text, _ = call(shots, *words, "--out", tmp_path / "here")
    assert code == 0, text
    assert {path.name for path in (tmp_path / "here").iterdir()} == {"track.json", "track.mot.txt"}


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


@pytest.mark.parametrize("words", [[], ["--box", "20,20,30,30", "--show"]])
def test_windows_without_a_screen(shots: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    _, _, failure = call(shots, "-t", "test-still", *words)
    assert isinstance(failure, MissingError) and "needs a screen" in str(failure)


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
    assert len(read_boxes(tmp_path / "o" / "boxes.txt")) == 5


def test_progress_begins_after_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Row(0, Track(Box(0, 0, 1, 1), 1.0, State.TRACKED))
    with Meter(10) as meter:
        assert meter(Clip(length=1).mask(0), row)
        assert meter._progress is None
        monkeypatch.setattr(importlib.import_module("slimtrack.cli.track"), "_PATIENCE", -1.0)
        assert meter(Clip(length=1).mask(0), row)
        assert meter._progress is not None


def test_parsing() -> None:
    assert parse_box("1.5, 2,3 ,4") == Box(1.5, 2, 3, 4)
    assert parse_options("test-still[kind=b]", ["score=0.25"]) == {"score": 0.25}
