"""Where results go: nothing that the user has is lost."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner

import slimtrack.cli
from slimtrack import Box, State, Track
from slimtrack.cli.outputs import Results, new_folder
from slimtrack.errors import InputError, OutputError
from slimtrack.video.frames import open_frames
from slimtrack.video.reading import read_boxes
from slimtrack.video.results import Row, open_writer
from slimtrack.video.synthetic import Clip

BOX = ["--box", "20,20,30,30"]


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film and a folder of images."""
    folder = tmp_path_factory.mktemp("material")
    (folder / "shots").mkdir()
    with open_writer(folder / "film.mp4") as writer:
        for number, image in enumerate(Clip(length=9, width=160, height=120, size=30).images()):
            cv2.imwrite(str(folder / "shots" / f"{number}.png"), image)
            writer.add([Row(number, Track(Box(20, 20, 30, 30), 1.0, State.TRACKED))], image)
    return folder


@pytest.fixture
def place(material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of its own with these."""
    shutil.copytree(material, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: object) -> tuple[int, str]:
    """A run with MOSSE: code and output, the refusal's sentence included."""
    result = CliRunner().invoke(slimtrack.cli.app, ["track", *map(str, words), "-t", "mosse"])
    failure = "" if isinstance(result.exception, SystemExit) else str(result.exception or "")
    return result.exit_code, result.output + failure


def state(folder: Path) -> dict[str, bytes]:
    """All files below a folder with what is in them."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    "words",
    [
        ("out/x/annotated.mp4", "-o", "out/x"),
        ("out/x/annotated.mp4", "-o", "out/x", "--no-video"),
        ("out/x/annotated.mp4", "-o", "out/x", "--overwrite"),
        ("out/x/annotated.mp4", "-o", "link", "--overwrite"),
        ("hard.mp4", "-o", "out/x", "--overwrite"),
        ("film.mp4", "-o", "film.mp4", "--overwrite"),
        ("film.mp4", "-o", "."),
        ("shots", "-o", "shots"),
        ("shots", "-o", "shots/result.mp4"),
        ("shots/*.png", "-o", "shots"),
        ("shots", "--first-frame", "shots/grid.png"),
        ("shots/3.png", "--first-frame", "shots/3.png", "--overwrite"),
    ],
)
def test_the_input_is_never_written(place: Path, words: tuple[str, ...]) -> None:
    (place / "out" / "x").mkdir(parents=True)
    (place / "out" / "x" / "annotated.mp4").write_bytes((place / "film.mp4").read_bytes())
    (place / "link").symlink_to("out/x")
    os.link(place / "out" / "x" / "annotated.mp4", place / "hard.mp4")
    before = state(place)
    code, text = run(*words, *BOX)
    assert (code != 0 and "cannot write" in text and "choose another" in text) or "of its own" in text
    assert state(place) == before


def test_each_run_has_a_folder_of_its_own(place: Path) -> None:
    for folder in ("a", "b"):
        (place / folder).mkdir()
        shutil.copy("film.mp4", place / folder / "clip.mp4")
    for source in ("a/clip.mp4", "b/clip.mp4", "a/clip.mp4"):
        assert run(source, *BOX, "--no-plot")[0] == 0
    assert (
        run("a/clip.mp4", *BOX, "--no-plot", "-t", "kcf")[0] == 0
    )  # run() adds -t mosse: the last one counts
    names = sorted(path.name for path in (place / "out").iterdir())
    assert names == ["clip-mosse", "clip-mosse-2", "clip-mosse-3", "clip-mosse-4"]
    result = CliRunner().invoke(slimtrack.cli.app, ["track", "a/clip.mp4", *BOX, "-t", "kcf", "--no-plot"])
    assert result.exit_code == 0 and (place / "out" / "clip-kcf" / "track.csv").is_file()


def test_results_are_replaced_only_when_that_is_asked_for(place: Path) -> None:
    assert run("film.mp4", *BOX, "-o", "o")[0] == 0
    (place / "o" / "mine.txt").write_text("not a result")
    before = state(place)
    for words in (("-o", "o"), ("-o", "o", "-f", "json", "--no-video", "--no-plot")):
        code, text = run("film.mp4", *BOX, *words)
        assert code != 0 and "o holds earlier results (" in text and "--overwrite" in text
    assert run("film.mp4", "--box", "900,900,30,30", "-o", "o", "--overwrite")[0] != 0
    assert state(place) == before
    code, text = run("film.mp4", "--box", "21,20,30,30", "-o", "o", "--overwrite", "--no-video", "--no-plot")
    assert code == 0 and "annotated.mp4 is from an earlier run" in " ".join(text.split())
    after = state(place)
    assert {name for name in after if after[name] != before.get(name)} == {"o/track.csv"}
    assert set(before) == set(after)
    assert read_boxes("o/track.csv")[0] == Box(21, 20, 30, 30)


def test_a_file_is_written_under_its_name(place: Path) -> None:
    assert run("film.mp4", *BOX, "-o", "new/result.mp4")[0] == 0
    assert set(state(place / "new")) == {"result.mp4", "result.csv"}
    with open_frames("new/result.mp4") as frames:
        assert len(list(frames)) == 9
    code, text = run("film.mp4", *BOX, "-o", "new/result.mp4")
    assert code != 0 and "new holds earlier results (result.csv, result.mp4)" in text
    assert run("film.mp4", *BOX, "-o", "new/only.csv")[0] == 0
    assert run("film.mp4", *BOX, "-o", "new/all.mp4", "-f", "otb,json,mot", "--plot")[0] == 0
    assert set(state(place / "new")) - {"result.mp4", "result.csv", "only.csv"} == {
        "all.mp4", "all.txt", "all.json", "all.mot.txt", "all.png",
    }  # fmt: skip


def test_names_that_are_no_folder() -> None:
    for name in ("result.avi", "a/b.PNG"):
        with pytest.raises(OutputError, match=r"results are written as \.txt, \.csv, .*\.mp4"):
            Results.chosen(Path(name), None)
    assert Results.chosen(Path("out/v1.2"), None, plot=False).folder == Path("out/v1.2")
    with pytest.raises(InputError, match="--no-video is given too"):
        Results.chosen(Path("a.mp4"), None, video=False)


def test_folders_have_names_that_every_system_takes(tmp_path: Path) -> None:
    assert new_folder(tmp_path, "clip-opencv:vit").name == "clip-opencv_vit"
    assert new_folder(tmp_path, "clip-opencv:vit").name == "clip-opencv_vit-2"
    assert new_folder(tmp_path, "a/b\\c*?\udcff.").name == "a_b_c"
    assert new_folder(tmp_path, "..").name == "video"
    assert len(new_folder(tmp_path, "x" * 300).name) == 100
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        new_folder(tmp_path / "file", "a")


def test_a_refused_run_leaves_no_folder(place: Path) -> None:
    before = state(place)
    assert run("film.mp4", "--box", "900,900,30,30")[0] != 0
    assert run("film.mp4", *BOX, "-f", "cvs")[0] != 0
    assert state(place) == before and not (place / "out").exists()


def test_boxes_txt_only_when_asked_for(place: Path) -> None:
    assert run("film.mp4", *BOX, "-o", "a", "--no-plot")[0] == 0
    assert run("film.mp4", *BOX, "-o", "b", "--no-plot", "-f", "csv,otb")[0] == 0
    assert set(state(place / "a")) == {"annotated.mp4", "track.csv"}
    assert set(state(place / "b")) == {"annotated.mp4", "track.csv", "boxes.txt"}


def test_an_image_folder_does_not_read_its_own_pictures(place: Path) -> None:
    code, text = run("film.mp4", *BOX, "-o", "shots")  # another film's images: the user may
    assert code == 0 and "timeline.png is not drawn" in " ".join(text.split())
    assert "shots/track.csv" in state(place)
    with open_frames("shots") as frames:
        assert len(list(frames)) == 9
    code, text = run("film.mp4", *BOX, "-o", "shots", "--overwrite", "--plot")
    assert code != 0 and "would become one of the images in that folder: choose another --out" in text


def test_the_first_frame_with_coordinates(place: Path) -> None:
    code, text = run("film.mp4", "--first-frame", "grid.png", *BOX)
    assert code == 0 and "grid.png" in text and not (place / "out").exists()
    assert cv2.imread("grid.png").shape[1] > 960
    code, text = run("film.mp4", "--first-frame", "grid.png")
    assert code != 0 and "grid.png exists" in text
    assert run("film.mp4", "--first-frame", "grid.png", "--overwrite")[0] == 0


def test_json_lines_are_all_there_is_on_stdout(place: Path) -> None:
    words = ["track", "film.mp4", *BOX, "-t", "mosse", "--json", "-"]
    result = CliRunner().invoke(slimtrack.cli.app, words)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["frame"] for row in rows] == list(range(9)) and rows[0]["box"] == [20, 20, 30, 30]
    assert "9 frames" in result.stderr and not (place / "out").exists()
    result = CliRunner().invoke(slimtrack.cli.app, [*words, "--quiet", "-o", "o"])
    assert len(result.stdout.splitlines()) == 9 and not result.stderr
    assert (place / "o" / "track.csv").is_file()
    assert "give --json -" in run("film.mp4", *BOX, "--json", "a.json")[1]


def test_quiet_says_nothing_but_errors(place: Path) -> None:
    assert run("film.mp4", *BOX, "-o", "o", "--quiet") == (0, "")
    code, text = run("film.mp4", *BOX, "-o", "o", "--quiet")
    assert code != 0 and "earlier results" in text


def test_corners_that_are_no_width_and_height_are_told(place: Path) -> None:
    code, text = run("film.mp4", "--box", "90,60,150,110", "-o", "a")
    assert (
        code == 0 and "reaches outside the frame of 160 x 120 pixels" in text and "--box-format xyxy" in text
    )
    code, text = run("film.mp4", "--box", "90,60,150,110", "--box-format", "xyxy", "-o", "b")
    assert code == 0 and "runs out" not in text
    assert read_boxes("b/track.csv")[0] == Box(90, 60, 60, 50)


def test_a_part_of_the_video(place: Path) -> None:
    assert run("film.mp4", *BOX, "-o", "a", "--start", "3", "--end", "0.28s", "--no-plot")[0] == 0
    lines = Path("a/track.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["frame", "3", "4", "5", "6"]  # 25 frames a second
    assert [line.split(",")[-1] for line in lines] == ["time", "0.1200", "0.1600", "0.2000", "0.2400"]
    with open_frames("a/annotated.mp4") as frames:
        assert len(list(frames)) == 4
    assert run("film.mp4", *BOX, "-o", "b", "--start", "0:00.12", "--end", "7", "--no-plot")[0] == 0
    assert Path("b/track.csv").read_text().splitlines()[1][:40] == lines[1][:40]
    for words, sentence in (
        (("--start", "soon"), "--start 'soon' is neither a frame number (150) nor a time"),
        (("--start", "900"), "ends before frame 900"),
        (("--start", "5", "--end", "5"), "no frame is between them"),
    ):
        code, text = run("film.mp4", *BOX, "-o", "c", *words)
        assert code != 0 and sentence in text and not (place / "c").exists()


def test_the_frame_at_start_with_coordinates(place: Path) -> None:
    for start in ("0", "8"):
        assert run("film.mp4", "--first-frame", f"{start}.png", "--start", start)[0] == 0
    assert Path("0.png").read_bytes() != Path("8.png").read_bytes()


def test_corrections_from_the_command_line(place: Path) -> None:
    words = ["--correct", "3:60,60,30,30", "--correct", "0.24s:100,20,120,45", "--box-format", "xyxy"]
    code, text = run("film.mp4", "--box", "20,20,50,50", *words, "-o", "a")
    assert code != 0 and "--correct 3: '60,60,30,30': its lower right corner" in text
    words[1] = "3:60,60,90,90"
    assert run("film.mp4", "--box", "20,20,50,50", *words, "-o", "a", "--no-plot")[0] == 0
    boxes = read_boxes("a/track.csv")
    assert (boxes[0], boxes[3], boxes[6]) == (Box(20, 20, 30, 30), Box(60, 60, 30, 30), Box(100, 20, 20, 25))


def test_the_same_command_with_resume_goes_on(place: Path) -> None:
    assert run("film.mp4", *BOX, "-o", "whole", "--no-plot")[0] == 0
    words = ["film.mp4", "--box", "20,20,30,30", "--no-plot"]
    assert run(*words, "--end", "4")[0] == 0
    assert run("film.mp4", "--no-plot", "--resume")[0] == 0  # the box is known
    assert [path.name for path in (place / "out").iterdir()] == ["film-mosse"]
    assert read_boxes("out/film-mosse/track.csv") == read_boxes("whole/track.csv")
    code, text = run(*words, "--resume", "--correct", "6:50,50,30,30", "--json", "-", "--quiet")
    assert code == 0 and [json.loads(line)["frame"] for line in text.splitlines()] == [6, 7, 8]
    assert read_boxes("out/film-mosse/track.csv")[5:7] == [
        read_boxes("whole/track.csv")[5],
        Box(50, 50, 30, 30),
    ]
    assert set(state(place / "out")) == {"film-mosse/annotated.mp4", "film-mosse/track.csv"}


def test_resuming_says_what_it_did(place: Path) -> None:
    assert run("film.mp4", *BOX, "-o", "a", "--no-plot", "--end", "4")[0] == 0
    code, text = run("film.mp4", *BOX, "-o", "a", "--no-plot", "--resume")
    assert code == 0 and "continued after frame 3; 4 of 4 frames were tracked again" in " ".join(text.split())


def test_what_cannot_be_resumed(place: Path) -> None:
    before = state(place)
    for words, sentence in (
        ((), "nothing to resume: out/film-mosse does not exist"),
        (("-o", "a"), "nothing to resume: a/track.csv does not exist"),
        (("-o", "a", "-f", "json"), "--resume reads the CSV file of the first run"),
    ):
        code, text = run("film.mp4", *BOX, "--resume", *words)
        assert code != 0 and sentence in text and state(place) == before
    assert run("film.mp4", *BOX, "-o", "a", "--no-plot", "--end", "4")[0] == 0
    before = state(place)
    code, text = run("film.mp4", *BOX, "-o", "a", "--resume", "--start", "1")
    assert code != 0 and "a/track.csv starts with frame 0, not 1" in text and state(place) == before


_SLOW = """
import os, signal, sys
import slimtrack.cli
from slimtrack.video.results import _CsvWriter
write, stop = _CsvWriter.add, int(sys.argv.pop(1))
def add(self, rows, image):
    write(self, rows, image)
    if rows[0].frame == stop:
        os.kill(os.getpid(), signal.SIGINT)  # the table has this frame, the video not yet
_CsvWriter.add = add
slimtrack.cli.main()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
@pytest.mark.parametrize("stop", [0, 4])
def test_ctrl_c_ends_table_and_video_on_one_frame(place: Path, stop: int) -> None:
    words = ["track", "film.mp4", *BOX, "-t", "mosse", "-f", "csv,json", "--no-plot", "-o", "o"]
    done = subprocess.run([sys.executable, "-c", _SLOW, str(stop), *words], capture_output=True, text=True)
    assert done.returncode == 130 and f"Stopped after {stop + 1} frames" in done.stdout, done.stderr
    assert len(read_boxes("o/track.csv")) == stop + 1
    assert len(json.loads(Path("o/track.json").read_text())["frames"]) == stop + 1
    with open_frames("o/annotated.mp4") as frames:
        assert len(list(frames)) == stop + 1
    assert set(state(place / "o")) == {"track.csv", "track.json", "annotated.mp4"}
