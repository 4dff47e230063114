"""Frames as a player shows them: turned, mirrored, of deep greys; the film among several streams."""

import re
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from films import film
from pictures import gradient

from slimtrack.arrays import Image
from slimtrack.errors import SourceError
from slimtrack.video.converting import Converter
from slimtrack.video.frames import open_frames

CORNERS = np.zeros((48, 64), np.uint8)
CORNERS[:24, :32], CORNERS[:24, 32:], CORNERS[24:, :32] = 60, 110, 160
CORNERS[24:, 32:] = 210
ONE, W = 1 << 16, 1 << 30
SHOWN = {  # a, b, c, d: where a pixel (x, y) is shown, at (a x + c y, b x + d y)
    "as it is": ((1, 0, 0, 1), CORNERS),
    "mirrored": ((-1, 0, 0, 1), CORNERS[:, ::-1]),
    "upside down": ((1, 0, 0, -1), CORNERS[::-1]),
    "half turn": ((-1, 0, 0, -1), CORNERS[::-1, ::-1]),
    "clockwise": ((0, 1, -1, 0), CORNERS.T[:, ::-1]),
    "counterclockwise": ((0, -1, 1, 0), CORNERS.T[::-1]),
    "transposed": ((0, 1, 1, 0), CORNERS.T),
    "the other diagonal": ((0, -1, -1, 0), CORNERS.T[::-1, ::-1]),
}


def still(path: Path, image: Image, codec: str = "libx264", pix_fmt: str = "yuv420p", **options: str) -> Path:
    """A film of three times the same picture, which is grey or BGR."""
    form = {2: "gray16le" if image.dtype == np.uint16 else "gray", 3: "bgr24"}[image.ndim]
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25, options={"bf": "0"} | options)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = pix_fmt
        for _ in range(3):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format=form)))
        file.mux(stream.encode())
    return path


def turned(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """The file with another matrix in its track's head (ISO 14496-12, 8.3.2)."""
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, W)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("how", SHOWN)
@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mov", "mpeg4")])
def test_a_frame_lies_as_a_player_shows_it(tmp_path: Path, how: str, name: str, codec: str) -> None:
    matrix, wanted = SHOWN[how]
    with open_frames(turned(still(tmp_path / name, CORNERS, codec), *matrix)) as frames:
        assert frames.size == wanted.shape[::-1]
        for image in frames:
            assert image.flags.c_contiguous
            assert np.abs(image[..., 0].astype(int) - wanted).mean() < 4


@pytest.mark.parametrize(("turn", "aspect"), [("as it is", Fraction(4, 3)), ("clockwise", Fraction(3, 4))])
def test_the_shape_of_a_pixel_turns_with_it(tmp_path: Path, turn: str, aspect: Fraction) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        file.mux(stream.encode(av.VideoFrame.from_ndarray(gradient(90), format="bgr24")))
        file.mux(stream.encode())
    assert open_frames(turned(path, *SHOWN[turn][0])).aspect == aspect
    assert open_frames([gradient(90)]).aspect == 1


def thermal(seed: int = 0) -> Image:
    """16 bits of which a thermal camera uses a few hundred steps."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(48, 64)), (0, 0), 3)
    return (7400 + 300 * noise / np.abs(noise).max()).astype(np.uint16)


@pytest.mark.parametrize(
    ("codec", "pix_fmt"),
    [("ffv1", "gray16le"), ("ffv1", "gray12le"), ("png", "gray16be"), ("ffv1", "ya16le")],
)
def test_deep_greys_of_a_film_are_those_of_a_folder(tmp_path: Path, codec: str, pix_fmt: str) -> None:
    image = thermal()
    if pix_fmt == "gray12le":
        image >>= 4  # FFmpeg has them in the upper bits
        image <<= 4
    if pix_fmt not in {format.name for format in av.Codec(codec, "w").video_formats}:
        pytest.skip(f"this {codec} writes no {pix_fmt}")
    cv2.imwrite(str(tmp_path / "a.png"), image)
    folder = next(open_frames(tmp_path / "a.png"))
    with open_frames(
        still(tmp_path / f"film.{'mov' if codec == 'png' else 'mkv'}", image, codec, pix_fmt)
    ) as frames:
        got = frames.first
        assert "faint contrast" in frames.notes[0]
    assert np.abs(got.astype(int) - folder).max() <= 8 and np.ptp(got) > 100


def test_deep_colours_keep_their_faint_contrast(tmp_path: Path) -> None:
    image = np.dstack([thermal(seed) for seed in range(3)])
    cv2.imwrite(str(tmp_path / "a.png"), image)
    wanted = next(open_frames(tmp_path / "a.png"))
    with av.open(str(tmp_path / "a.mkv"), "w") as file:
        stream = file.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "gbrp16le"
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[..., ::-1]), format="rgb48le")
        file.mux(stream.encode(picture))
        file.mux(stream.encode())
    np.testing.assert_allclose(next(open_frames(tmp_path / "a.mkv")), wanted, atol=2)


def test_films_of_eight_bits_are_not_stretched(tmp_path: Path) -> None:
    faint = np.full((48, 64), 100, np.uint8)
    faint[:24] = 110
    with open_frames(still(tmp_path / "a.mkv", faint, "ffv1", "gray")) as frames:
        assert (frames.first[..., 0] == faint).all() and frames.notes == []


def test_faint_contrast_is_stretched_with_room_on_both_sides() -> None:
    notes: list[str] = []
    convert = Converter(notes)
    first = np.linspace(7000, 7400, 10_000).reshape(100, 100).round().astype(np.uint16)
    got = convert(first, "first")[..., 0]
    assert (int(got.min()), int(got.max())) == pytest.approx((64, 191), abs=1)
    assert convert(first + 190, "second")[..., 0].max() == pytest.approx(252, abs=1)  # the scale is kept
    assert notes == ["16-bit images were of faint contrast (7000 to 7400 of 16383): it was stretched"]


def test_dead_pixels_do_not_take_the_contrast_away() -> None:
    image = np.linspace(7000, 7400, 40_000).reshape(200, 200).round().astype(np.uint16)
    image[0, :9], image[9, :9] = 0, 65535
    assert np.ptp(Converter([])(image, "it")[10:]) > 100


def test_a_scale_that_shows_nothing_is_made_anew() -> None:
    notes: list[str] = []
    convert = Converter(notes)
    dark = np.random.default_rng(0).integers(0, 200, (40, 40)).astype(np.uint16)
    assert np.ptp(convert(dark, "frame 0")) > 150
    later = convert(dark * 300, "frame 7")
    assert np.ptp(later) > 150 and len(np.unique(later)) > 50
    assert len(notes) == 2 and "from frame 7 on" in notes[1]
    assert (convert(dark * 300, "frame 8") == later).all() and len(notes) == 2


def test_a_flat_first_frame_decides_nothing() -> None:
    notes: list[str] = []
    convert = Converter(notes)
    assert np.ptp(convert(np.full((40, 40), 7000, np.uint16), "frame 0")) == 0 and notes == []
    assert np.ptp(convert(np.tile(np.arange(7000, 7040, dtype=np.uint16), (40, 1)), "frame 1")) > 100


def test_the_alpha_of_16_bits_has_no_say() -> None:
    image = np.full((40, 40, 4), 65535, np.uint16)
    image[..., :3] = np.arange(40)[:, None, None] * 100
    notes: list[str] = []
    Converter(notes)(image, "it")
    assert "12-bit" in notes[0]


def several(path: Path, *, cover: bool, long: tuple[int, int] = (64, 48)) -> Path:
    """A film whose first stream is one small picture, and whose second is the film."""
    with av.open(str(path), "w") as file:
        small = file.add_stream("mjpeg", rate=1)
        small.width, small.height, small.pix_fmt = 32, 32, "yuvj420p"
        if cover:
            small.disposition = av.stream.Disposition.attached_pic
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = *long, "yuv420p"
        file.mux(small.encode(av.VideoFrame.from_ndarray(gradient(200, 32, 32), format="bgr24")))
        file.mux(small.encode())
        for _ in range(20):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(gradient(90, *long), format="bgr24")))
        file.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize("cover", [True, False])
@pytest.mark.parametrize("size", [(64, 48), (16, 16)])
def test_the_film_is_taken_and_not_its_cover(
    tmp_path: Path, suffix: str, cover: bool, size: tuple[int, int]
) -> None:
    with open_frames(several(tmp_path / f"a.{suffix}", cover=cover, long=size)) as frames:
        assert len(list(frames)) == 20 and frames.size == size
        if not (cover and suffix == "mov"):  # FFmpeg leaves covers out of these
            taken = r"of its 2 video streams number \d \(h264, \d+ x \d+\) was taken, "
            assert re.fullmatch(taken + r"not number \d \(mjpeg, 32 x 32\)", frames.notes[0])
    assert next(open_frames(tmp_path / f"a.{suffix}", start=15).numbered()).number == 15


def test_of_two_films_the_larger_is_taken(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as file:
        streams = []
        for size in ((32, 32), (64, 48)):
            stream = file.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            streams.append(stream)
        for _ in range(20):
            for stream in streams:
                image = gradient(90, stream.width, stream.height)
                file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        for stream in streams:
            file.mux(stream.encode())
    with open_frames(tmp_path / "a.mkv") as frames:
        assert frames.size == (64, 48)


def test_music_with_a_cover_is_no_film(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as file:
        cover = file.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        sound = file.add_stream("aac", rate=8000, layout="mono")
        file.mux(cover.encode(av.VideoFrame.from_ndarray(gradient(90, 32, 32), format="bgr24")))
        file.mux(cover.encode())
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        file.mux(sound.encode(frame))
        file.mux(sound.encode())
    with pytest.raises(SourceError, match=r"a\.mp4 has no video stream, only a cover picture"):
        open_frames(path)


def test_a_plain_film_says_nothing_of_streams(tmp_path: Path) -> None:
    assert open_frames(film(tmp_path / "a.mp4")).notes == []
