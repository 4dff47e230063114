"""What is said about the end of a file: the truth about cut ones, nothing about whole ones."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from films import film

from slimtrack.video.frames import open_frames
from slimtrack.video.wholeness import is_cut_off

SUFFIXES = ["mp4", "mov", "mkv", "webm", "avi"]
CODECS = {"webm": "libvpx-vp9", "avi": "mpeg4"}


def of(path: Path) -> tuple[int, list[str]]:
    with open_frames(path) as frames:
        return len(list(frames)), frames.notes


def whole(folder: Path, suffix: str, **options: object) -> Path:
    container = {"movflags": "+faststart"} if suffix in ("mp4", "mov") else {}
    codec = CODECS.get(suffix, "libx264")
    return film(folder / f"a.{suffix}", codec=codec, container=container, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_a_file_is_told_by_its_parts(tmp_path: Path, suffix: str) -> None:
    path = whole(tmp_path, suffix)
    data = path.read_bytes()
    assert is_cut_off(path) is False
    assert of(path) == (60, [])
    for share in (0.99, 0.9, 0.6):
        path.write_bytes(data[: int(len(data) * share)])
        assert is_cut_off(path) is True


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_cut_says_so(tmp_path: Path, suffix: str) -> None:
    path = whole(tmp_path, suffix)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * (0.8 if suffix == "avi" else 0.6))])  # a half of it is head
    count, notes = of(path)
    assert 5 < count < 55
    total = "" if suffix == "avi" else " 60 frames"  # of which FFmpeg guesses from what is there
    assert sum("the source ends early, after " in note and total in note for note in notes) == 1


@pytest.mark.parametrize("suffix", ["ts", "mpg", "flv", "h264", "txt"])
def test_other_formats_do_not_tell(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "txt":
        path.write_text("nothing of the kind")
    else:
        film(path, codec={"mpg": "mpeg2video", "flv": "flv1"}.get(suffix, "libx264"))
        assert of(path) == (60, [])
    assert is_cut_off(path) is None


def test_pictures_that_are_left_out_are_not_missing(tmp_path: Path) -> None:
    times = [40 * number for number in (*range(10), *range(15, 35), *range(60, 90))]
    for name in ("gap.avi", "gap.mp4", "gap.mkv", "gap.ts"):
        path = film(tmp_path / name, times, codec="mpeg4", options={"g": "250", "bf": "0"})
        assert of(path) == (60, []), name


def trimmed(source: Path, target: Path, first: int) -> Path:
    """A copy from frame ``first`` on, without encoding: what comes before it is there, but not shown."""
    with (
        av.open(str(source)) as old,
        av.open(str(target), "w", options={"avoid_negative_ts": "disabled", "use_editlist": "1"}) as new,
    ):
        stream = old.streams.video[0]
        copy = new.add_stream_from_template(stream)
        shift = int(Fraction(first, 25) / stream.time_base)
        for packet in old.demux(stream):
            if packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
                new.mux(packet)
    return target


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("depth", ["0", "2"])
def test_an_edit_list_hides_no_frame_that_is_missed(tmp_path: Path, suffix: str, depth: str) -> None:
    source = film(tmp_path / f"a.{suffix}", options={"g": "250", "bf": depth})
    path = trimmed(source, tmp_path / f"b.{suffix}", 40)
    count, notes = of(path)
    assert 18 <= count <= 20 and notes == []
    with open_frames(path) as frames:
        assert frames.count is not None and abs(frames.count - count) <= 2
    wanted = list(open_frames(path))
    got = next(open_frames(path, start=10).numbered())
    assert got.number == 10 and (got.image == wanted[10]).all()


def test_a_film_that_begins_late_ends_in_time(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", range(5000, 7000, 40))
    assert of(path) == (50, [])
    assert open_frames(path).count == 50


@pytest.mark.parametrize("said", [10, 600])
def test_a_count_in_a_head_that_is_wrong_is_no_end(tmp_path: Path, said: int) -> None:
    path = film(tmp_path / "a.avi", codec="mpeg4", options={"g": "12", "bf": "0"})
    data = bytearray(path.read_bytes())
    for name, place in ((b"avih", 8 + 16), (b"strh", 8 + 32)):  # dwTotalFrames and dwLength
        at = data.find(name) + place
        assert struct.unpack_from("<I", data, at) == (60,)
        struct.pack_into("<I", data, at, said)
    path.write_bytes(data)
    assert of(path) == (60, [])


def test_a_fragmented_film_is_whole_wherever_it_stops(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", container={"movflags": "frag_keyframe+empty_moov"})
    assert is_cut_off(path) is False and of(path) == (60, [])


@pytest.mark.parametrize("junk", [b"\0" * 100, b"\xff" * 100, b"RIFF"])
def test_what_follows_a_file_is_nothing_that_it_lacks(tmp_path: Path, junk: bytes) -> None:
    for suffix in SUFFIXES:
        path = whole(tmp_path, suffix)
        path.write_bytes(path.read_bytes() + junk)
        count, notes = of(path)
        assert count == 60 and notes == [], suffix


def test_random_bytes_are_no_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    heads = [b"\x1a\x45\xdf\xa3", b"RIFF", b"\0\0\0\x18ftyp", b"\0\0\0\x01mdat"]
    for number in range(200):
        path = tmp_path / "a"
        path.write_bytes(heads[number % 4] + rng.integers(0, 256, number // 4, dtype=np.uint8).tobytes())
        assert is_cut_off(path) in (True, False, None)
