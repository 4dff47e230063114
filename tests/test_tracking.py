"""From source to result: what is tracked, timed and written, also when it ends before its time."""

import importlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from slimtrack import Box, State, Tracker
from slimtrack.arrays import Image
from slimtrack.errors import InputError, OutputError, SourceError, UnknownNameError
from slimtrack.tracker import Estimate, Track
from slimtrack.tracking import Outputs, Summary, follow, track_video
from slimtrack.video.frames import open_frames
from slimtrack.video.reading import read_boxes
from slimtrack.video.results import Row
from slimtrack.video.synthetic import Clip

CLIP = Clip(length=14, width=160, height=120, size=30)
START = Box(10, 10, 30, 30)


class Drifter(Tracker, name="test-drifter"):
    """Moves one pixel to the right a frame.

    Args:
        score: What it says of itself.
    """

    uses_appearance = False

    def __init__(self, *, score: float = 0.9) -> None:
        self._said = score

    def _start(self, image: Image, box: Box) -> None:
        pass

    def _locate(self, image: Image) -> Estimate:
        return Estimate(self.box.moved(1, 0), score=self._said)

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        pass


class Compiler(Drifter, name="test-compiler"):
    """Takes a tenth of a second the first time, as code does that is compiled."""

    def __init__(self) -> None:
        super().__init__()
        self._ready: set[str] = set()

    def _compile(self, part: str) -> None:
        if part not in self._ready:
            time.sleep(0.1)
        self._ready.add(part)

    def _start(self, image: Image, box: Box) -> None:
        self._compile("start")

    def _locate(self, image: Image) -> Estimate:
        self._compile("locate")
        return super()._locate(image)


def interrupted(after: int) -> Iterator[Image]:
    for number, image in enumerate(CLIP.images()):
        if number == after:
            raise KeyboardInterrupt
        yield image


def test_follow_gives_a_track_a_frame() -> None:
    tracks = list(follow(CLIP.images(), START, tracker="test-drifter", score=0.8))
    assert len(tracks) == 14
    assert (tracks[0].box, tracks[0].score, tracks[0].state) == (START, 1.0, State.TRACKED)
    assert tracks[13].box == START.moved(13, 0) and tracks[13].score == 0.8


def test_follow_takes_frames_a_tracker_and_numbers() -> None:
    with open_frames(CLIP.images()) as frames:
        tracks = follow(frames, (10, 10, 30, 30), tracker=Drifter())
        next(tracks)
        next(tracks)
        assert frames.index == 1


def test_a_step_says_all_that_a_loop_needs(tmp_path: Path) -> None:
    images = list(CLIP.images())
    for number, image in enumerate(images):
        cv2.imwrite(str(tmp_path / f"{number:03d}.png"), image)
    for broken in ("004", "005", "013"):
        (tmp_path / f"{broken}.png").write_bytes(b"broken")
    with open_frames(tmp_path, fps=10) as frames:
        steps = follow(frames, START, tracker=Drifter())
        got = list(steps)
    assert [step.number for step in got] == [0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12]
    assert [step.time for step in got] == pytest.approx([step.number / 10 for step in got])
    assert [step.skipped for step in got] == [0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0]
    assert all((step.image == images[step.number]).all() for step in got)
    assert got[4].track == Track(START.moved(4, 0), 0.9, State.TRACKED)
    assert (got[4].box, got[4].score, got[4].state) == (START.moved(4, 0), 0.9, State.TRACKED)
    assert got[0].ms is None and (got[4].ms or 0.0) > 0
    assert steps.frames.skipped == 3 and "013.png" in steps.frames.notes[0]  # the last one is told as well


def test_follow_begins_and_ends_where_it_is_told() -> None:
    steps = list(follow(CLIP.images(), START, tracker=Drifter(), start=5, end=9))
    assert [step.number for step in steps] == [5, 6, 7, 8]
    assert steps[0].box == START and steps[3].box == START.moved(3, 0)
    assert (steps[0].image == list(CLIP.images())[5]).all()
    with pytest.raises(SourceError, match="ends before frame 14"):
        follow(CLIP.images(), START, tracker=Drifter(), start=14)


def test_following_can_be_ended_early() -> None:
    steps = follow(CLIP.images(), START, tracker=Drifter())
    next(steps)
    steps.close()
    assert list(steps) == [] and list(steps.frames) == []


def test_follow_refuses_at_once() -> None:
    with pytest.raises(SourceError, match="does not exist"):
        follow("nowhere.mp4", START, tracker="test-drifter")
    with pytest.raises(InputError, match="inside the frame"):
        follow(CLIP.images(), (500, 500, 10, 10), tracker="test-drifter")
    with pytest.raises(UnknownNameError, match="test-drifter"):
        follow(CLIP.images(), START, tracker="test-drifer")
    with pytest.raises(InputError, match="not with a tracker object"):
        follow(CLIP.images(), START, tracker=Drifter(), score=0.5)
    with pytest.raises(InputError, match="not a name or an object with init"):
        follow(CLIP.images(), START, tracker=3)  # type: ignore[arg-type]


def test_everything_is_written_and_summed_up(tmp_path: Path) -> None:
    outputs = [tmp_path / name for name in ("a.txt", "a.csv", "a.json", "a.mot.txt", "a.mp4")]
    wanted = Outputs(outputs, tmp_path / "a.png")
    summary = track_video(CLIP.images(), START, tracker=Drifter(), outputs=wanted)
    assert summary.outputs == [*outputs, tmp_path / "a.png"] and all(path.stat().st_size for path in outputs)
    assert summary.frames == 14 and not summary.interrupted and summary.tracker == "test-drifter"
    assert summary.fps is not None and summary.p50_ms is not None and summary.p95_ms is not None
    assert summary.fps == pytest.approx(1000 / summary.p50_ms) and summary.p50_ms <= summary.p95_ms
    assert summary.shares == {State.TRACKED: 1.0, State.UNCERTAIN: 0.0, State.LOST: 0.0}
    assert read_boxes(tmp_path / "a.txt") == read_boxes(tmp_path / "a.csv")
    assert read_boxes(tmp_path / "a.txt")[13] == START.moved(13, 0)


def test_a_part_of_a_video_keeps_its_numbers_and_times(tmp_path: Path) -> None:
    track_video(CLIP.images(), START, tracker=Drifter(), outputs=[tmp_path / "whole.mp4"])
    outputs = [tmp_path / "a.csv", tmp_path / "a.mp4"]
    summary = track_video(
        tmp_path / "whole.mp4", START, tracker=Drifter(), outputs=Outputs(outputs, tmp_path / "a.png"),
        start=0.2, end=11,
    )  # fmt: skip
    assert [row.frame for row in summary.rows] == [5, 6, 7, 8, 9, 10]
    assert [row.time for row in summary.rows] == pytest.approx([0.2, 0.24, 0.28, 0.32, 0.36, 0.4])
    boxes = read_boxes(tmp_path / "a.csv")
    assert boxes[:5] == [None] * 5 and boxes[5] == START and boxes[10] == START.moved(5, 0)
    with open_frames(tmp_path / "a.mp4") as frames:
        assert len(list(frames)) == 6


def test_warm_up_is_not_counted() -> None:
    summary = track_video(CLIP.images(), START, tracker=Drifter())
    slow = [row.ms for row in summary.rows][6:]
    assert summary.p50_ms == pytest.approx(np.median(slow))  # type: ignore[arg-type]
    assert summary.rows[0].ms is None and summary.init_ms > 0


def test_compiling_is_in_no_time() -> None:
    summary = track_video(CLIP.images(), START, tracker=Compiler())
    assert summary.init_ms < 50 and max(row.ms or 0.0 for row in summary.rows) < 50
    assert summary.frames == 14 and summary.rows[13].track.box == START.moved(13, 0)


def test_a_clip_too_short_has_no_speed() -> None:
    summary = track_video(list(CLIP.images())[:6], START, tracker=Drifter())
    assert summary.frames == 6 and summary.fps is None and summary.p50_ms is None


def test_a_run_without_end_keeps_its_memory_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("slimtrack.video.summary"), "_MOST_ROWS", 100)
    summary = Summary("x")
    for number in range(1000):
        state = State.LOST if number % 4 == 3 else State.TRACKED
        summary.add(Row(number, Track(START, 1.0, state), 1000.0 if number < 6 else 2.0))
    assert summary.frames == 1000 and len(summary.rows) <= 100
    assert [row.frame for row in summary.rows] == list(range(0, 1000, summary.every))
    assert summary.shares[State.LOST] == 0.25 and summary.fps == 500


def test_the_head_of_a_json_file_says_how_it_was_made(tmp_path: Path) -> None:
    track_video(
        CLIP.images(), START, tracker="test-drifter[score=0.8]",
        outputs=Outputs([tmp_path / "a.json"], about={"by": tmp_path}),
    )  # fmt: skip
    said = json.loads((tmp_path / "a.json").read_text())
    assert (said["options"], said["box"], said["source"]) == ({"score": 0.8}, [*START], None)
    assert said["by"] == str(tmp_path)  # what JSON does not know is written as text


def test_ctrl_c_keeps_everything(tmp_path: Path) -> None:
    outputs = [tmp_path / name for name in ("a.txt", "a.json", "a.mp4")]
    summary = track_video(interrupted(7), START, tracker=Drifter(), outputs=outputs)
    assert summary.interrupted and summary.frames == 7
    assert len(read_boxes(tmp_path / "a.txt")) == 7
    assert len(json.loads((tmp_path / "a.json").read_text())["frames"]) == 7
    with open_frames(tmp_path / "a.mp4") as frames:
        assert len(list(frames)) == 7


def test_a_callback_can_end_the_run() -> None:
    summary = track_video(CLIP.images(), START, tracker=Drifter(), on_progress=lambda _, row: row.frame < 4)
    assert summary.interrupted and summary.frames == 5


def test_a_source_that_fails_half_way_keeps_what_was_written(tmp_path: Path) -> None:
    images = [*list(CLIP.images())[:6], np.zeros((50, 50, 3), np.uint8)]
    with pytest.raises(SourceError, match="frame 6 is 50 x 50"):
        track_video(images, START, tracker=Drifter(), outputs=[tmp_path / "a.csv"])
    assert len(read_boxes(tmp_path / "a.csv")) == 6


def test_broken_frames_keep_their_numbers(tmp_path: Path) -> None:
    for number, image in enumerate(CLIP.images()):
        cv2.imwrite(str(tmp_path / f"{number:03d}.png"), image)
    (tmp_path / "004.png").write_bytes(b"broken")
    summary = track_video(tmp_path, START, tracker=Drifter(), outputs=[tmp_path / "out" / "a.txt"])
    boxes = read_boxes(tmp_path / "out" / "a.txt")
    assert summary.skipped == 1 and "004.png" in summary.notes[0]
    assert len(boxes) == 14 and boxes[4] is None and boxes[5] == START.moved(4, 0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_ends_the_run_and_the_other_files_stay(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no space left"):
        track_video(
            CLIP.images(),
            START,
            tracker=Drifter(),
            outputs={tmp_path / "a.csv": "csv", "/dev/full": "mp4"},
        )
    assert (tmp_path / "a.csv").read_text().startswith("frame,")


@pytest.mark.parametrize("name", ["a.csv", "a.mp4"])
def test_earlier_results_outlive_a_run_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    outputs = [tmp_path / "a.csv", tmp_path / "a.mp4"]
    track_video(CLIP.images(), START, tracker=Drifter(), outputs=outputs)
    before = {path: path.read_bytes() for path in outputs}
    images = [*list(CLIP.images())[:6], np.zeros((50, 50, 3), np.uint8)]
    with pytest.raises(SourceError, match="frame 6") as caught:
        track_video(images, START.moved(1, 0), tracker=Drifter(), outputs=outputs)
    assert {path: path.read_bytes() for path in outputs} == before
    (kept,) = caught.value.__notes__
    assert kept.startswith("6 frames are kept in ")
    part = next(Path(word) for word in kept.split(" kept in ")[1].split(", ") if word.endswith(name[1:]))
    if part.suffix == ".csv":
        assert len(read_boxes(part)) == 6
    else:
        with open_frames(part) as frames:
            assert len(list(frames)) == 6


def test_a_run_that_fails_before_its_first_frame_leaves_nothing(tmp_path: Path) -> None:
    outputs = [tmp_path / "a.csv", tmp_path / "deep" / "a.mp4", tmp_path / "file" / "a.json"]
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        track_video(CLIP.images(), START, tracker=Drifter(), outputs=outputs)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "deep"}


def test_a_correction_begins_anew() -> None:
    rows: list[Row] = []
    at = {4: Box(50, 60, 30, 30), 9: Box(70, 20, 20, 20)}
    summary = track_video(
        CLIP.images(), START, tracker=Drifter(), on_progress=lambda _, row: rows.append(row), corrections=at
    )
    boxes = [row.track.box for row in rows]
    assert boxes[3:6] == [START.moved(3, 0), Box(50, 60, 30, 30), Box(51, 60, 30, 30)]
    assert boxes[8:11] == [Box(54, 60, 30, 30), Box(70, 20, 20, 20), Box(71, 20, 20, 20)]
    assert [row.frame for row in rows if row.ms is None] == [0, 4, 9]
    assert rows[4].track.score == 1.0 and summary.frames == 14 and not summary.notes


def test_a_correction_at_a_time_or_a_broken_frame(tmp_path: Path) -> None:
    for number, image in enumerate(CLIP.images()):
        cv2.imwrite(str(tmp_path / f"{number:03d}.png"), image)
    (tmp_path / "004.png").write_bytes(b"broken")
    rows: list[Row] = []
    for at, first in (({4: Box(50, 60, 30, 30)}, 5), ({0.75: Box(50, 60, 30, 30)}, 8)):
        rows.clear()
        with open_frames(tmp_path, fps=10.0) as frames:
            track_video(
                frames, START, tracker=Drifter(), corrections=at, on_progress=lambda _, row: rows.append(row)
            )
        assert [row.frame for row in rows if row.ms is None] == [0, first]


@pytest.mark.parametrize(
    ("place", "box", "sentence"),
    [
        (20, START, None),
        (5, Box(500, 0, 9, 9), "correction at frame 5: box 500,0,9,9 has 0% of its area inside"),
        (2, START, "correction at frame 2 lies before the first frame, which is frame 3"),
        (4.0, START, "correction at 4 seconds: the source has no times, give a frame number"),
    ],
)
def test_corrections_that_cannot_be(tmp_path: Path, place: float, box: Box, sentence: str | None) -> None:
    def run() -> Summary:
        outputs = [tmp_path / "a.csv"]
        return track_video(
            CLIP.images(), START, tracker=Drifter(), start=3, corrections={place: box}, outputs=outputs
        )

    if sentence is None:
        assert run().notes == [f"the correction at frame {place} was not reached"]
        return
    with pytest.raises(InputError, match=sentence):
        run()
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_stopped_before_its_first_frame_has_no_results(tmp_path: Path) -> None:
    class Stopped(Drifter):
        def _start(self, image: Image, box: Box) -> None:
            if self._warm:
                raise KeyboardInterrupt
            self._warm = True

        _warm = False

    (tmp_path / "a.csv").write_text("earlier")
    outputs = [tmp_path / "a.csv", tmp_path / "b.json"]
    summary = track_video(CLIP.images(), START, tracker=Stopped(), outputs=outputs)
    assert summary.interrupted and not summary.outputs
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "earlier"
