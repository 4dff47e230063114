"""Results out: what was written is read back, and nothing is lost when something goes wrong."""

import errno
import json
import math
import os
from pathlib import Path

import av
import numpy as np
import pytest
from pictures import gradient

from slimtrack import Box, State, Track
from slimtrack.errors import OutputError, SourceError, UnknownNameError
from slimtrack.files import atomic_write
from slimtrack.video.feed import Footage
from slimtrack.video.past import Past
from slimtrack.video.reading import read_boxes, read_rows
from slimtrack.video.results import FORMATS, Row, open_writer

ROWS = [
    Row(0, Track(Box(0, 0, 10, 20), 1.0, State.TRACKED), None, 0.0),
    Row(1, Track(Box(1.25, -2.5, 10.1234, 20), 0.875, State.UNCERTAIN), 1.5, 0.04),
    Row(4, Track(Box(3, 4, 11, 21), 0.1, State.LOST), 2.0),
]
BOXES = [ROWS[0].track.box, ROWS[1].track.box, None, None, ROWS[2].track.box]


def write(path: Path, rows: list[Row] = ROWS, size: tuple[int, int] = (64, 48), **options: object) -> Path:
    with open_writer(path, **options) as writer:  # type: ignore[arg-type]
        for row in rows:
            writer.add([row], gradient(90, *size))
    return path


@pytest.mark.parametrize("name", ["new/folder/boxes.txt", "track.csv"])
def test_boxes_come_back_with_their_frames(tmp_path: Path, name: str) -> None:
    assert read_boxes(write(tmp_path / name)) == BOXES


def test_otb_and_mot_count_from_one(tmp_path: Path) -> None:
    first = write(tmp_path / "a.txt").read_text().splitlines()
    assert first[0] == "1.0000,1.0000,10.0000,20.0000" and first[2] == "nan,nan,nan,nan" and len(first) == 5
    lines = write(tmp_path / "a.mot.txt").read_text().splitlines()
    assert lines[2] == "5,1,4.0000,5.0000,11.0000,21.0000,0.1000,-1,-1,-1"


def test_csv_says_all_about_a_frame(tmp_path: Path) -> None:
    lines = write(tmp_path / "a.csv").read_text().splitlines()
    assert lines[0] == "frame,x,y,w,h,score,state,ms,time"
    assert lines[1].endswith("1.0000,tracked,,0.0000") and lines[2].endswith("0.8750,uncertain,1.5000,0.0400")
    assert lines[3].endswith(",0.1000,lost,2.0000,")  # a time that nobody knows


def test_csv_keeps_all_digits_of_a_box_that_was_given(tmp_path: Path) -> None:
    box = Box(100 / 3, 20, 640 * 0.07, 1e-5 + 9)
    rows = [Row(0, Track(box, 1.0, State.TRACKED)), Row(1, Track(box, 0.5, State.TRACKED), 1.0)]
    lines = write(tmp_path / "a.csv", rows).read_text().splitlines()
    assert Box(*map(float, lines[1].split(",")[1:5])) == box
    assert lines[2].startswith("1,33.3333,20.0000,44.8000,9.0000,")


TWO = [[Row(n, ROWS[0].track, 1.0, target=2), Row(n, ROWS[1].track, 1.0, target=5)] for n in (0, 3)]


@pytest.mark.parametrize("form", ["csv", "json", "mot", "mp4"])
def test_several_targets_in_one_file(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"a{FORMATS[form]}"
    with open_writer(path, targets=2) as writer:
        for rows in TWO:
            writer.add(rows, gradient(90))
    if form == "csv":
        assert read_rows(path) == [row for rows in TWO for row in rows]
        assert read_boxes(path, target=5) == [ROWS[1].track.box, None, None, ROWS[1].track.box]
        with pytest.raises(OutputError, match="holds several targets"):
            Past.read(path, {})
    elif form == "json":
        assert [row["target"] for row in json.loads(path.read_text())["frames"]] == [2, 5, 2, 5]
    elif form == "mot":
        assert [line.split(",")[:2] for line in path.read_text().splitlines()] == [
            ["1", "2"], ["1", "5"], ["4", "2"], ["4", "5"],
        ]  # fmt: skip
    else:
        with av.open(str(path)) as container:
            assert len(list(container.decode(video=0))) == 2


def test_a_frame_of_several_targets_is_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with open_writer(path, targets=2) as writer:
        for rows in TWO:
            writer.add(rows, gradient(90))
    with open_writer(path, targets=2) as writer:
        assert writer.keep([row for rows in [*TWO, TWO[0]] for row in rows][:5]) == 5
        writer.add([Row(9, ROWS[0].track)], gradient(90))
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == 3


def test_otb_text_holds_one_target(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="holds one target, not 2"):
        open_writer(tmp_path / "a.txt", targets=2)


def test_json_parses_after_every_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    writer = open_writer(path, about={"tracker": "kcf", "size": (64, 48)})
    assert json.loads(path.read_text()) == {"tracker": "kcf", "size": [64, 48], "frames": []}
    for number, row in enumerate(ROWS, start=1):
        writer.add([row], gradient(90))
        assert len(json.loads(path.read_text())["frames"]) == number
    writer.close()
    _, second, last = json.loads(path.read_text())["frames"]
    assert last == {"frame": 4, "time": None, "box": [3, 4, 11, 21], "score": 0.1, "state": "lost", "ms": 2.0}
    assert second["time"] == 0.04


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.mot.txt"])
def test_lines_are_on_disk_before_the_file_is_closed(tmp_path: Path, name: str) -> None:
    writer = open_writer(tmp_path / name)
    writer.add([ROWS[0]], gradient(90))
    assert (tmp_path / name).read_text().endswith("\n") and "10.0000" in (tmp_path / name).read_text()
    writer.close()


@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
def test_the_video_is_one_that_browsers_play(tmp_path: Path, size: tuple[int, int]) -> None:
    rows = [Row(number, ROWS[number % 3].track) for number in range(15)]
    path = write(tmp_path / "a.mp4", rows, size, footage=Footage(30.0))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate, stream.frames) == (64, 48, 30, 15)
        assert len(list(container.decode(stream))) == 15
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # the index in front: it plays while it loads
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_video_that_is_never_closed_plays(tmp_path: Path) -> None:
    writer = open_writer(tmp_path / "a.mp4")
    for row in ROWS * 10:
        writer.add([row], gradient(90))
    (tmp_path / "crash.mp4").write_bytes((tmp_path / "a.mp4").read_bytes())  # what a killed process leaves
    with av.open(str(tmp_path / "crash.mp4")) as container:
        assert len(list(container.decode(video=0))) >= 29
    writer.close()


def test_a_video_without_frames_leaves_nothing(tmp_path: Path) -> None:
    open_writer(tmp_path / "a.mp4").close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fps", [math.nan, 0.0, 90000.0, None])
def test_rates_that_are_none(tmp_path: Path, fps: float | None) -> None:
    path = write(tmp_path / "a.mp4", [Row(n, ROWS[0].track) for n in range(3)], footage=Footage(fps))
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == 25


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("form", FORMATS)
def test_a_full_disk_is_one_sentence(form: str) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*/dev/full.*no space left on device") as caught:
        write(Path("/dev/full"), form=form)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.json"])
def test_what_was_written_before_the_disk_was_full_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    writer = open_writer(tmp_path / name)
    writer.add([ROWS[0]], gradient(90))
    before = (tmp_path / name).read_text()
    file = writer._file  # type: ignore[attr-defined]
    real, calls = file._write, []

    def filling(data: bytes) -> None:
        calls.append(data)
        real(data[: len(data) // 2] if len(calls) == 1 else data)
        if len(calls) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(file, "_write", filling)
    with pytest.raises(OutputError, match="no space left"):
        writer.add([ROWS[1]], gradient(90))
    writer.close()
    assert (tmp_path / name).read_text() == before


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/deeper: .*file is a file; give another folder"):
        open_writer(tmp_path / "file" / "deeper" / "a.csv")
    with pytest.raises(OutputError, match="it is a folder"):
        (tmp_path / "a.csv").mkdir()
        open_writer(tmp_path / "a.csv")
    with pytest.raises(OutputError, match=r"cannot tell the format of .*a\.xyz"):
        open_writer(tmp_path / "a.xyz")
    with pytest.raises(UnknownNameError, match="did you mean json"):
        open_writer(tmp_path / "a.xyz", "jsn")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="permission denied"):
        open_writer(tmp_path / "a.csv")


@pytest.mark.parametrize("separator", [",", "\t", " ", ", "])
def test_otb_text_of_others(tmp_path: Path, separator: str) -> None:
    (tmp_path / "a.txt").write_text(separator.join(["1", "2", "3", "4"]) + "\nnan nan nan nan\n\n")
    assert read_boxes(tmp_path / "a.txt") == [Box(0, 1, 3, 4), None]


def test_a_byte_order_mark_is_no_part_of_a_number(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf1,2,3,4\r\n")
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfframe,x,y,w,h\n0,1,2,3,4\n")
    assert read_boxes(tmp_path / "a.txt") == [Box(0, 1, 3, 4)]
    assert read_boxes(tmp_path / "a.csv") == [Box(1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("row", "what"), [("1,nan,3,4", "partly nan"), ("1,2,inf,4", "not finite"), ("", "not four numbers")]
)
def test_rows_that_would_be_misread_are_refused(tmp_path: Path, row: str, what: str) -> None:
    (tmp_path / "a.txt").write_text(f"1,2,3,4\n{row}\n1,2,3,4\n")
    with pytest.raises(SourceError, match=rf"a\.txt, line 2: .*{what}"):
        read_boxes(tmp_path / "a.txt")


def test_files_that_hold_no_boxes(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1,2,3,4\n1,2,3\n")
    with pytest.raises(SourceError, match=r"a\.txt, line 2: '1,2,3' has 3 numbers, not four"):
        read_boxes(tmp_path / "a.txt")
    (tmp_path / "a.csv").write_text("frame,x,y,w,h\n0,1,2,3,four\n")
    with pytest.raises(SourceError, match=r"a\.csv, line 2"):
        read_boxes(tmp_path / "a.csv")
    (tmp_path / "b.txt").write_bytes(bytes(range(256)))
    with pytest.raises(SourceError, match="not a text file"):
        read_boxes(tmp_path / "b.txt")
    with pytest.raises(SourceError, match="no such file"):
        read_boxes(tmp_path / "c.txt")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    with atomic_write(path) as file:
        file.write("one\n")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as file:
        file.write("two\n")
        raise ZeroDivisionError
    assert path.read_text() == "one\n" and list(path.parent.iterdir()) == [path]
    with atomic_write(path, "wb") as raw:
        raw.write(np.arange(3, dtype=np.uint8).tobytes())
    assert path.read_bytes() == b"\0\1\2"
    with pytest.raises(OutputError, match="it is a folder"), atomic_write(tmp_path / "deep"):
        pass
