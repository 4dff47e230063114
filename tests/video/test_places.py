"""Beginning and ending anywhere in a source: the frame that is asked for comes, with its number and time."""

import itertools
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import pytest
from films import film
from pictures import gradient

from slimtrack import Box, State, Track
from slimtrack.errors import InputError, SourceError
from slimtrack.video import cameras
from slimtrack.video import film as pictures_of
from slimtrack.video.feed import Footage
from slimtrack.video.frames import Frame, open_frames
from slimtrack.video.results import Row, open_writer

UNEVEN = [
    0,
    33,
    67,
    100,
    180,
    190,
    233,
    300,
    310,
    500,
    533,
    567,
    800,
    833,
    1200,
    1233,
    1300,
    1310,
    1350,
    1400,
]
CODECS = {
    "a.mp4": ("libx264", {"g": "12", "bf": "3"}),
    "open.mp4": ("libx264", {"g": "12", "bf": "3", "x264-params": "open-gop=1"}),
    "open.ts": ("libx264", {"g": "12", "bf": "3", "x264-params": "open-gop=1"}),
    "a.mkv": ("libx265", {"x265-params": "keyint=12:open-gop=1:log-level=none"}),
    "refresh.mkv": ("libx264", {"g": "12", "x264-params": "intra-refresh=1"}),
    "a.h264": ("libx264", {"g": "12"}),
    "b.avi": ("mpeg4", {"g": "12", "bf": "2"}),
    "x.avi": ("libx264", {"g": "12", "bf": "2"}),
    "a.mpg": ("mpeg2video", {"g": "12", "bf": "2"}),
    "a.webm": ("libvpx", {"g": "30", "auto-alt-ref": "1", "lag-in-frames": "16"}),
    "v9.webm": ("libvpx-vp9", {"g": "30", "auto-alt-ref": "1", "lag-in-frames": "16"}),
}


def same(got: Iterable[Frame], wanted: Iterable[Frame]) -> bool:
    return all(
        a.number == b.number and a.time == pytest.approx(b.time, abs=1e-6) and (a.image == b.image).all()
        for a, b in zip(got, wanted, strict=True)
    )


@pytest.mark.parametrize("name", CODECS)
def test_a_frame_that_was_sought_is_the_one_that_was_read(tmp_path: Path, name: str) -> None:
    codec, options = CODECS[name]
    path = film(tmp_path / name, codec=codec, options=options)
    whole = list(open_frames(path).numbered())
    assert [frame.number for frame in whole] == list(range(60))
    for start in (1, 11, 12, 13, 35, 59):
        frames = open_frames(path, start=start, end=start + 2)
        assert same(frames.numbered(), whole[start : start + 2]), start
        assert frames.notes == [] and frames.skipped == 0


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_uneven_frames_are_found_by_number_and_by_time(tmp_path: Path, suffix: str) -> None:
    path = film(tmp_path / f"a.{suffix}", UNEVEN)
    whole = list(open_frames(path).numbered())
    assert [frame.time for frame in whole] == pytest.approx([time / 1000 for time in UNEVEN], abs=1e-6)
    for number, time in enumerate(UNEVEN[1:], start=1):
        assert same(open_frames(path, start=number).numbered(), whole[number:])
        assert same(open_frames(path, start=time / 1000).numbered(), whole[number:])
        assert same(open_frames(path, start=time / 1000 - 0.005).numbered(), whole[number:])
        assert same(open_frames(path, end=time / 1000).numbered(), whole[:number])


def test_times_with_three_digits_find_their_frame(tmp_path: Path) -> None:
    with open_writer(tmp_path / "a.mp4", footage=Footage(30)) as writer:
        for number in range(9):
            writer.add([Row(number, Track(Box(1, 1, 9, 9), 1.0, State.TRACKED))], gradient(90))
    for number in range(1, 9):
        for fps in (None, 30):
            frames = open_frames(tmp_path / "a.mp4", fps=fps, start=round(number / 30, 3))
            assert next(frames.numbered()).number == number


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mpg", "v9.webm"])
def test_a_recording_that_begins_between_key_frames(tmp_path: Path, name: str) -> None:
    codec, options = CODECS[name]
    suffix = "webm" if name.endswith("webm") else "mkv"
    cut = tmp_path / f"cut.{suffix}"
    source = film(tmp_path / f"a.{suffix}", codec=codec, options=options)
    with av.open(str(source)) as old, av.open(str(cut), "w") as new:
        copy = new.add_stream_from_template(old.streams.video[0])
        for packet in itertools.islice(old.demux(video=0), 5, None):
            if packet.dts is not None:
                packet.stream = copy
                new.mux(packet)
    with open_frames(cut) as frames:
        whole = list(frames.numbered())
        assert 25 < len(whole) < 55
    for number in (1, 10, 20):
        wanted = whole[number]
        assert same([next(open_frames(cut, start=wanted.number).numbered())], [wanted])


def test_seeking_decodes_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "a.mp4", range(0, 16000, 40), options={"g": "25"})
    real, calls = pictures_of._decode, []

    def counted(stream: object, packet: object) -> object:
        calls.append(packet)
        return real(stream, packet)

    monkeypatch.setattr(pictures_of, "_decode", counted)
    assert next(open_frames(path, start=390).numbered()).number == 390
    assert len(calls) < 60


def test_a_file_in_which_nothing_can_be_sought_is_read_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film(tmp_path / "a.mp4")
    whole = list(open_frames(path).numbered())
    monkeypatch.setattr(pictures_of.Film, "_jumped", lambda self, stamp: None)
    assert same(open_frames(path, start=33).numbered(), whole[33:])
    assert same(open_frames(path, start=33 * 0.04).numbered(), whole[33:])


def test_sound_before_the_picture_counts(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", range(5000, 7000, 40))
    times = [frame.time for frame in open_frames(path).numbered()]
    assert times[0] == pytest.approx(0) and times[-1] == pytest.approx(1.96)


def test_stamps_that_begin_anew_go_on(tmp_path: Path) -> None:
    film(tmp_path / "a.ts", range(0, 2000, 40), options={"g": "12", "bf": "0"})
    data = (tmp_path / "a.ts").read_bytes()
    (tmp_path / "b.ts").write_bytes(data + data)
    times = [frame.time for frame in open_frames(tmp_path / "b.ts").numbered()]
    steps = [b - a for a, b in itertools.pairwise(times) if a is not None and b is not None]
    assert len(times) == 100 and min(steps) > 0
    assert times[99] == pytest.approx(99 / 25, abs=0.1)


def test_folders_and_arrays(folder: Path) -> None:
    with open_frames(folder, start=3, end=6) as frames:
        got = list(frames.numbered())
        assert frames.count == 3 and frames.skipped == 0
    assert [frame.number for frame in got] == [3, 4, 5] and got[0].time is None
    assert [round(float(frame.image.mean())) for frame in got] == pytest.approx([70, 80, 90], abs=2)
    with open_frames(folder, fps=10, start=0.3, end=0.6) as frames:
        assert [frame.time for frame in frames.numbered()] == pytest.approx([0.3, 0.4, 0.5])
    images = [gradient(value) for value in range(40, 100, 10)]
    with open_frames(iter(images), start=2, end=4) as frames:
        assert [frame.number for frame in frames.numbered()] == [2, 3]
        assert frames.index == 3 and frames.time is None


def test_a_stated_rate_makes_the_times(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4")
    with open_frames(path, fps=50, start=1.0) as frames:
        first = next(frames.numbered())
    assert (first.number, first.time, frames.fps) == (50, 1.0, 50)


def test_a_broken_frame_before_the_start_is_not_told(folder: Path) -> None:
    for name in ("f2", "f7"):
        (folder / f"{name}.jpg").write_bytes(b"broken")
    with open_frames(folder, start=4) as frames:
        assert [frame.number for frame in frames.numbered()] == [4, 5, 7, 8, 9]
        assert frames.skipped == 1 and "frame 6: f7.jpg" in frames.notes[0]


def test_the_count_is_of_what_will_come(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4")
    assert open_frames(path, start=20).count == 40
    assert open_frames(path, start=20, end=30).count == 10
    assert open_frames(path, start=20, end=1000).count == 40
    assert open_frames(path, start=0.4, end=0.8).count == 10


@pytest.mark.parametrize(
    ("start", "end", "sentence"),
    [
        (-1, None, "start is -1, not a frame's number"),
        (float("nan"), None, "start is nan"),
        ("soon", None, "start is 'soon'"),
        (True, None, "start is True"),
        (0, -2.0, r"end is -2\.0"),
        (5, 5, r"end \(5\) is not after start \(5\)"),
        (5.0, 4.0, r"end \(4\.0\) is not after start"),
        (0, 0, r"end \(0\) is not after"),
        (1.0, None, "folder .* has no times: give start and end as frame numbers"),
        (0, 1.0, "has no times"),
    ],
)
def test_places_that_are_none(folder: Path, start: float, end: float | None, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        open_frames(folder, start=start, end=end)


@pytest.mark.parametrize("start", [60, 61, 5000, 2.4, 99.0])
def test_a_start_behind_the_end_is_refused(tmp_path: Path, start: float) -> None:
    path = film(tmp_path / "a.mp4")
    with pytest.raises(SourceError, match=r"a\.mp4 ends before .*; start earlier"):
        open_frames(path, start=start)
    with pytest.raises(SourceError, match="it has 60 frames"):
        open_frames(path, start=60)


def test_numbers_of_numpy(folder: Path) -> None:
    assert next(open_frames(folder, start=np.int64(4)).numbered()).number == 4
    assert next(open_frames(folder, start=np.float32(0.5), fps=2).numbered()).number == 1


def test_frames_that_are_open_take_no_start(folder: Path) -> None:
    with open_frames(folder) as frames, pytest.raises(InputError, match="with opened frames"):
        open_frames(frames, start=3)


def test_a_source_that_was_closed_gives_nothing(tmp_path: Path) -> None:
    frames = open_frames(film(tmp_path / "a.mp4"))
    next(frames)
    frames.close()
    assert list(frames) == []


def test_the_clock_of_a_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    class Capture:
        def __init__(self, number: int) -> None:
            self.left = 5

        def isOpened(self) -> bool:
            return self.left > 0

        def read(self) -> tuple[bool, np.ndarray]:
            self.left -= 1
            return self.left != 2, gradient(90)

        def get(self, what: int) -> float:
            return 30.0

        def release(self) -> None:
            self.left = 0

    ticks = iter([7.0, 7.5, 9.0, 9.25])
    monkeypatch.setattr(cameras.cv2, "VideoCapture", Capture)
    monkeypatch.setattr("time.monotonic", lambda: next(ticks))
    frames = open_frames(0)
    assert [(frame.number, frame.time) for frame in frames.numbered()] == [
        (0, 0),
        (1, 0.5),
        (3, 2),
        (4, 2.25),
    ]
    assert frames.skipped == 1


def test_decoding_needs_no_more_than_the_frames(tmp_path: Path) -> None:
    with av.open(str(film(tmp_path / "a.mp4"))) as container:
        assert len(list(container.decode(video=0))) == 60  # the films of these tests are what they say
