"""``slimtrack demo``: a clip, its results and how good they are."""

import importlib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from slimtrack.cli.demo import demo
from slimtrack.errors import OutputError, UnknownNameError
from slimtrack.video.frames import open_frames


def call(*words: object) -> tuple[int, str, BaseException | None]:
    app = typer.Typer()
    app.command()(demo)
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.output, result.exception


@pytest.mark.parametrize("clip", ["plain", "out-of-view"])
def test_the_demo_writes_video_result_and_picture(tmp_path: Path, clip: str) -> None:
    code, text, failure = call("--out", tmp_path / "d", "--tracker", "mosse", "--clip", clip)
    assert code == 0, failure
    assert "mean IoU" in text and "frames a second" in text
    names = {path.name for path in (tmp_path / "d").iterdir()}
    assert names == {"annotated.mp4", "track.csv", "timeline.png"}
    with open_frames(tmp_path / "d" / "annotated.mp4") as frames:
        assert frames.fps == 30 and frames.size == (320, 240)


def test_without_matplotlib_there_is_no_picture_but_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("slimtrack.cli.demo")
    monkeypatch.setattr(module, "_no_picture", lambda: ["matplotlib is missing"])
    code, text, _ = call("--out", tmp_path, "--tracker", "mosse", "--clip", "plain")
    assert code == 0 and "matplotlib is missing" in text and not (tmp_path / "timeline.png").exists()


def test_a_second_demo_leaves_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--tracker", "mosse", "--clip", "plain"]
    assert call(*words)[0] == call(*words)[0] == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["demo", "demo-2"]
    code, _, failure = call(*words, "-o", tmp_path / "out" / "demo")
    assert code != 0 and isinstance(failure, OutputError) and "holds earlier results" in str(failure)
    assert call(*words, "-o", tmp_path / "out" / "demo", "--overwrite")[0] == 0


def test_an_unknown_clip(tmp_path: Path) -> None:
    _, _, failure = call("--clip", "occlusio", "--out", tmp_path)
    assert isinstance(failure, UnknownNameError) and "did you mean occlusion" in str(failure)
