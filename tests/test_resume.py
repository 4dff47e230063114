"""A run that goes on from an earlier one ends as if it had never been interrupted."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from slimtrack import Box, State, Track, Tracker
from slimtrack.arrays import Image
from slimtrack.errors import InputError, OutputError, SourceError
from slimtrack.tracker import Estimate
from slimtrack.tracking import Outputs, Summary, track_video
from slimtrack.video.encoding import Encoder
from slimtrack.video.feed import Footage
from slimtrack.video.frames import Frame, open_frames
from slimtrack.video.past import Past
from slimtrack.video.reading import read_boxes, read_rows
from slimtrack.video.results import Row, open_writer
from slimtrack.video.synthetic import Clip

CLIP = Clip(length=40, width=160, height=120, size=30)
START = Box(100 / 3, 20, 30, 30)
NAMES = ("track.csv", "track.json", "boxes.txt", "track.mot.txt", "annotated.mp4")


class Wanderer(Tracker, name="test-wanderer"):
    """Goes where the picture and all that it has seen since `init` lead it.

    Args:
        pace: How far it goes.
    """

    uses_appearance = False
    updates = 0

    def __init__(self, *, pace: float = 1.0) -> None:
        self._pace = pace

    def _start(self, image: Image, box: Box) -> None:
        self._memory = float(image.mean())

    def _locate(self, image: Image) -> Estimate:
        type(self).updates += 1
        self._memory = self._memory * 0.9 + float(image[::7, ::7].mean()) % 1.7
        dx, dy = np.cos(self._memory), np.sin(self._memory)
        return Estimate(self.box.moved(self._pace * dx, self._pace * dy), score=0.9)

    def _learn(self, image: Image, box: Box, *_: object) -> None:
        pass


def run(folder: Path, *, stop: int | None = None, resume: bool = False, **options: object) -> Summary:
    """A run into a folder, stopped behind a frame."""
    frames = open_frames(CLIP.images(), fps=25.0)
    corrections: dict[float, Box] = options.setdefault("corrections", {})  # type: ignore[assignment]
    return track_video(
        frames, options.pop("box", START), tracker=options.pop("tracker", Wanderer()),  # type: ignore[arg-type]
        outputs=Outputs(
            [folder / name for name in options.pop("names", NAMES)],  # type: ignore[attr-defined]
            past=Past.read(folder / "track.csv", corrections) if resume else None,
        ),
        on_progress=lambda _, row: row.frame != stop, **options,  # type: ignore[arg-type]
    )  # fmt: skip


def told(folder: Path) -> dict[str, object]:
    """What the files of a folder say, but for milliseconds."""
    rows = json.loads((folder / "track.json").read_text())["frames"]
    lines = [line.split(",") for line in (folder / "track.csv").read_text().splitlines()]
    return {
        "csv": [[*fields[:7], fields[7] == "", *fields[8:]] for fields in lines],
        "json": [row | {"ms": row["ms"] is None} for row in rows],
        "otb": (folder / "boxes.txt").read_text(),
        "mot": (folder / "track.mot.txt").read_text(),
        "times": [round(frame.time or 0.0, 4) for frame in film(folder)],
    }


def film(folder: Path) -> list[Frame]:
    with open_frames(folder / "annotated.mp4") as frames:
        return list(frames.numbered())


def assert_same(folder: Path, other: Path) -> None:
    """Both hold the same results; pictures may differ by what encoding loses."""
    assert told(folder) == told(other)
    for ours, theirs in zip(film(folder), film(other), strict=True):
        assert np.abs(ours.image.astype(float) - theirs.image).mean() < 6, (
            ours.number
        )  # a frame later: 7 to 11


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("stop", [0, 5, 25, 38])
def test_the_result_is_that_of_an_unbroken_run(tmp_path: Path, stop: int) -> None:
    run(tmp_path / "whole")
    assert run(tmp_path / "broken", stop=stop).interrupted
    assert len(read_boxes(tmp_path / "broken" / "track.csv")) == stop + 1
    before = read_rows(tmp_path / "broken" / "track.csv")
    summary = run(tmp_path / "broken", resume=True)
    assert summary.frames == 40 and not summary.interrupted and summary.again == stop + 1
    assert_same(tmp_path / "broken", tmp_path / "whole")
    assert read_rows(tmp_path / "broken" / "track.csv")[: stop + 1] == before  # with their milliseconds
    assert set(files(tmp_path / "broken")) == set(NAMES)


def test_again_and_again(tmp_path: Path) -> None:
    run(tmp_path / "whole")
    run(tmp_path / "broken", stop=7)
    for stop in (9, 9, 20, 33):
        run(tmp_path / "broken", resume=True, stop=stop)
        assert len(film(tmp_path / "broken")) == stop + 1
        assert len(read_rows(tmp_path / "broken" / "track.csv")) == stop + 1
    run(tmp_path / "broken", resume=True)
    assert_same(tmp_path / "broken", tmp_path / "whole")


def test_a_complete_run_stays_complete(tmp_path: Path) -> None:
    run(tmp_path / "a")
    before = told(tmp_path / "a")
    assert run(tmp_path / "a", resume=True).frames == 40
    assert told(tmp_path / "a") == before and set(files(tmp_path / "a")) == set(NAMES)


def test_after_a_crash_the_video_may_be_behind_and_a_line_torn(tmp_path: Path) -> None:
    run(tmp_path / "whole")
    run(tmp_path / "broken", stop=25)
    table = tmp_path / "broken" / "track.csv"
    table.write_text(table.read_text() + "26,33.1,20")
    rows = read_rows(table)
    assert len(rows) == 26
    (tmp_path / "broken" / "annotated.mp4").unlink()
    with open_writer(tmp_path / "broken" / "annotated.mp4", footage=Footage(25.0)) as writer:
        for image, row in zip(CLIP.images(), rows[:20], strict=False):
            writer.add([row], image)
    run(tmp_path / "broken", resume=True)
    assert_same(tmp_path / "broken", tmp_path / "whole")
    (tmp_path / "broken" / "annotated.mp4").write_bytes(b"torn")  # nothing of it can be read
    run(tmp_path / "broken", resume=True)
    assert_same(tmp_path / "broken", tmp_path / "whole")


def test_a_correction_keeps_what_lies_before_it(tmp_path: Path) -> None:
    by_hand = {30: Box(61.7, 40, 25, 25)}
    run(tmp_path / "whole", corrections=by_hand)
    run(tmp_path / "mended")
    before = (tmp_path / "mended" / "track.csv").read_text().splitlines()
    Wanderer.updates = 0
    summary = run(tmp_path / "mended", resume=True, corrections=by_hand)
    # to see that it is the same run, after frame 30, to warm up
    assert Wanderer.updates == 9 + 9 + 2
    assert summary.again == 10 and summary.frames == 40
    assert (tmp_path / "mended" / "track.csv").read_text().splitlines()[:31] == before[:31]
    assert_same(tmp_path / "mended", tmp_path / "whole")


def test_corrections_add_up(tmp_path: Path) -> None:
    first, second = {12: Box(61.7, 40, 25, 25)}, {1.2: Box(20, 20, 40, 40)}
    run(tmp_path / "whole", corrections=first | second)
    run(tmp_path / "mended", corrections=first, stop=20)
    Wanderer.updates = 0
    # the same command again: nothing becomes void
    again = run(tmp_path / "mended", resume=True, corrections=first).again
    assert again == 10 + 9
    assert Wanderer.updates == 9 + 8 + 19 + 2
    run(tmp_path / "mended", resume=True, corrections=second)
    assert_same(tmp_path / "mended", tmp_path / "whole")


def test_a_correction_at_the_next_frame_needs_no_tracking_again(tmp_path: Path) -> None:
    run(tmp_path / "a", stop=24)
    Wanderer.updates = 0
    run(tmp_path / "a", resume=True, corrections={25: Box(10, 10, 30, 30)})
    assert Wanderer.updates == 9 + 14 + 2
    assert read_boxes(tmp_path / "a" / "track.csv")[25] == Box(10, 10, 30, 30)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"tracker": Wanderer(pace=2.0)},
            r"tracking frame 1 again gives .*, but .*track\.csv has .*: resuming",
        ),
        (
            {"box": Box(10, 10, 30, 30)},
            r"starts with the box 33\.3333,20,30,30, not 10,10,30,30: resuming",
        ),
    ],
)
def test_another_run_is_refused(tmp_path: Path, options: dict[str, object], sentence: str) -> None:
    run(tmp_path / "a", stop=20)
    before = files(tmp_path / "a")
    with pytest.raises(InputError, match=sentence) as caught:
        run(tmp_path / "a", resume=True, **options)
    assert files(tmp_path / "a") == before and not getattr(caught.value, "__notes__", None)


def test_other_frames_are_refused(tmp_path: Path) -> None:
    outputs = [tmp_path / "track.csv"]
    track_video(CLIP.images(), START, tracker=Wanderer(), outputs=outputs, start=5)
    before = files(tmp_path)
    past = Past.read(tmp_path / "track.csv", {})
    for images, start, sentence in (
        (CLIP.images(), 0, "starts with frame 5, not 0"),
        (list(CLIP.images())[:20], 5, "has frame 20, but the video ends before it"),
    ):
        with pytest.raises(InputError, match=sentence):
            track_video(images, START, tracker=Wanderer(), outputs=Outputs(outputs, past=past), start=start)
    assert files(tmp_path) == before


def test_nothing_to_go_on_from(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"there is nothing to resume: .*does not exist"):
        Past.read(tmp_path / "track.csv", {})
    (tmp_path / "track.csv").write_text("frame,x,y,w,h,score,state,ms,time\n0,1,2")
    with pytest.raises(OutputError, match=r"there is nothing to resume: .*holds no frames"):
        Past.read(tmp_path / "track.csv", {})
    (tmp_path / "track.csv").write_text("frame,x,y,w,h\n0,1,2,3,4\n")
    with pytest.raises(SourceError, match="line 2: not a row of a table that track wrote"):
        Past.read(tmp_path / "track.csv", {})


def breaking(after: int, error: BaseException) -> Iterator[Image]:
    for number, image in enumerate(CLIP.images()):
        if number == after:
            raise error
        yield image


@pytest.mark.parametrize(("after", "kept"), [(12, 21), (30, 30)])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SourceError("torn")])
def test_what_ends_it_again_costs_nothing(
    tmp_path: Path, after: int, kept: int, error: BaseException
) -> None:
    run(tmp_path, stop=20, names=("track.csv", "annotated.mp4"))
    frames = open_frames(breaking(after, error), fps=25.0)
    try:
        summary = track_video(
            frames, START, tracker=Wanderer(),
            outputs=Outputs(
                [tmp_path / "track.csv", tmp_path / "annotated.mp4"],
                past=Past.read(tmp_path / "track.csv", {}),
            ),
        )  # fmt: skip
        assert summary.interrupted and isinstance(error, KeyboardInterrupt)
    except SourceError:
        assert isinstance(error, SourceError)
    assert set(files(tmp_path)) == {"track.csv", "annotated.mp4"}
    assert len(read_rows(tmp_path / "track.csv")) == kept
    with open_frames(tmp_path / "annotated.mp4") as video:
        assert len(list(video)) == kept


def test_a_correction_that_fails_leaves_the_earlier_rows(tmp_path: Path) -> None:
    run(tmp_path, names=("track.csv",))
    before = files(tmp_path)
    frames = open_frames(breaking(30, SourceError("torn")), fps=25.0)
    by_hand = {25: Box(10, 10, 30, 30)}
    with pytest.raises(SourceError) as caught:
        track_video(
            frames, START, tracker=Wanderer(), corrections=by_hand,
            outputs=Outputs([tmp_path / "track.csv"], past=Past.read(tmp_path / "track.csv", by_hand)),
        )  # fmt: skip
    assert (tmp_path / "track.csv").read_bytes() == before["track.csv"]
    (part,) = [path for path in tmp_path.iterdir() if path.name not in before]
    assert len(read_rows(part)) == 30 and part.name in caught.value.__notes__[0]


def test_pictures_are_taken_over_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, stop=20)
    before = film(tmp_path)
    drawn: list[int] = []
    add = Encoder.add

    def noted(self: Encoder, image: Image, number: int, time: float | None) -> None:
        drawn.append(number)
        add(self, image, number, time)

    monkeypatch.setattr(Encoder, "add", noted)
    run(tmp_path, resume=True)
    assert drawn == list(range(21, 40))
    for earlier, frame in zip(before, film(tmp_path), strict=False):
        assert (earlier.image == frame.image).all()


def test_a_video_of_another_kind_is_drawn_anew(tmp_path: Path) -> None:
    run(tmp_path / "whole")
    run(tmp_path / "broken", stop=20)
    with av.open(str(tmp_path / "broken" / "annotated.mp4"), "w") as other:
        stream = other.add_stream("libx264", rate=25, options={"preset": "ultrafast", "profile": "baseline"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for image in list(CLIP.images())[:21]:
            other.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        other.mux(stream.encode())
    run(tmp_path / "broken", resume=True)
    assert_same(tmp_path / "broken", tmp_path / "whole")


_LITTLE_ROOM = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))  # as a disk that is full: no file grows further
import slimtrack.cli
slimtrack.cli.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of a process there")
def test_after_a_full_disk_both_can_be_read_and_gone_on_with(tmp_path: Path) -> None:
    with open_writer(tmp_path / "film.mp4", footage=Footage(25.0)) as writer:
        for image, box in zip(CLIP.images(), CLIP.truth, strict=True):
            writer.add([Row(0, Track(box or START, 1.0, State.TRACKED))], image)
    words = ["track", "film.mp4", "--box", "20,20,30,30", "-t", "mosse", "--no-plot", "-o", "out"]
    small = [sys.executable, "-c", _LITTLE_ROOM, *words]
    done = subprocess.run(small, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "slimtrack: cannot write out/annotated.mp4: file too large" in done.stderr
    rows = read_rows(tmp_path / "out" / "track.csv")
    assert f"{len(rows)} frames are kept in out/track.csv" in done.stderr
    with av.open(str(tmp_path / "out" / "annotated.mp4")) as video:
        assert 5 < len(list(video.decode(video=0))) <= len(rows) < 40  # none of them torn
    with open_frames(tmp_path / "film.mp4") as frames:
        track_video(
            frames, Box(20, 20, 30, 30), tracker="mosse",
            outputs=Outputs(
                [tmp_path / "out" / "track.csv", tmp_path / "out" / "annotated.mp4"],
                past=Past.read(tmp_path / "out" / "track.csv", {}),
            ),
        )  # fmt: skip
    assert len(read_rows(tmp_path / "out" / "track.csv")) == len(film(tmp_path / "out")) == 40
