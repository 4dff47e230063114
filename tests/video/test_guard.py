"""What is tracked is never written over."""

import os
from pathlib import Path

import cv2
import pytest
from pictures import gradient

from slimtrack import Box
from slimtrack.errors import OutputError
from slimtrack.tracker import State, Track
from slimtrack.tracking import track_video
from slimtrack.video.frames import open_frames
from slimtrack.video.guard import guard_files, guard_folder
from slimtrack.video.results import Row, open_writer


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "films" / "annotated.mp4"
    with open_writer(path) as writer:
        for number in range(3):
            writer.add([Row(number, Track(Box(1, 1, 9, 9), 1.0, State.TRACKED))], gradient(90, 64, 48))
    return path


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    path = tmp_path / "shots"
    path.mkdir()
    for number in range(3):
        cv2.imwrite(str(path / f"{number}.png"), gradient(90, 64, 48))
    return path


def origin(source: Path | str) -> str | None:
    with open_frames(source) as frames:
        return frames.origin


def test_the_input_by_any_name(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "soft.mp4").symlink_to(film)
    os.link(film, tmp_path / "hard.mp4")
    (tmp_path / "linked").symlink_to(film.parent)
    monkeypatch.chdir(tmp_path)
    names = [film, "soft.mp4", "hard.mp4", "linked/annotated.mp4", "films/../films/annotated.mp4"]
    for source in (film, "soft.mp4", "hard.mp4"):
        for name in names:
            with pytest.raises(OutputError, match="is the input itself; choose another file"):
                guard_files(origin(source), [tmp_path / "fine.csv", name])
    guard_files(origin(film), ["films/result.mp4", tmp_path / "new" / "annotated.mp4"])  # beside it is fine


def test_a_folder_that_holds_the_input(film: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(film.parent)
    for folder in (film.parent, tmp_path / "linked"):
        with pytest.raises(OutputError, match=r"holds the input annotated\.mp4; choose another folder"):
            guard_folder(origin(film), folder)
    guard_folder(origin(film), film.parent / "results")
    guard_folder(origin(film), tmp_path)


def test_among_the_images_of_a_folder(shots: Path, tmp_path: Path) -> None:
    for out in ("timeline.png", "0.png", "track.csv"):
        with pytest.raises(OutputError, match="cannot write"):
            guard_files(origin(shots), [shots / out])
    with pytest.raises(OutputError, match="it is the input; choose another folder"):
        guard_folder(origin(shots), shots)
    guard_files(origin(shots), [shots / "results" / "timeline.png"])


def test_among_the_images_that_a_data_set_keeps_deeper(shots: Path, tmp_path: Path) -> None:
    (tmp_path / "Deer").mkdir()
    shots.rename(tmp_path / "Deer" / "img")
    with pytest.raises(OutputError, match="lie among the input's images"):
        guard_files(origin(tmp_path / "Deer"), [tmp_path / "Deer" / "img" / "timeline.png"])


def test_a_folder_that_would_take_the_place_of_the_images(shots: Path) -> None:
    with pytest.raises(OutputError, match="lie among the input's images"):  # shots/img is read before shots
        guard_files(origin(shots), [shots / "img" / "timeline.png"])


def test_pictures_that_a_pattern_would_take(shots: Path, tmp_path: Path) -> None:
    for pattern, out in (
        (shots / "*.png", shots / "timeline.png"),
        (tmp_path / "**" / "*.png", tmp_path / "out" / "x" / "timeline.png"),
        (tmp_path / "*" / "*.png", tmp_path / "out" / "timeline.png"),
    ):
        with pytest.raises(OutputError, match="would take it for a frame"):
            guard_files(origin(str(pattern)), [out])
    guard_files(origin(str(shots / "*.png")), [shots / "out" / "timeline.png", shots / "result.mp4"])
    with pytest.raises(OutputError, match=r"holds the input \d\.png"):
        guard_folder(origin(str(shots / "*.png")), shots)


def test_what_has_no_file_has_nothing_to_lose(tmp_path: Path) -> None:
    for place in (None, "camera 0", "rtsp://host/stream"):
        guard_files(place, [tmp_path / "a.mp4"])
        guard_folder(place, tmp_path)


def test_programs_are_guarded_too(film: Path) -> None:
    before = film.read_bytes()
    with pytest.raises(OutputError, match="is the input itself"):
        track_video(film, Box(10, 10, 20, 20), tracker="mosse", outputs=[film])
    with pytest.raises(OutputError, match="is the input itself"):
        track_video(film, Box(10, 10, 20, 20), tracker="mosse", outputs={film: "csv"})
    assert film.read_bytes() == before and sorted(film.parent.iterdir()) == [film]
