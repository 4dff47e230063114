"""Image files that hold many pictures: all of them come, or it is said."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from pictures import gradient

from slimtrack.errors import SourceError
from slimtrack.video import stacks
from slimtrack.video.frames import open_frames

IMAGES = [gradient(40 + 5 * number) for number in range(30)]


def tiff(
    pages: list[np.ndarray], kinds: list[int] | None = None, *, order: str = "<", big: bool = False
) -> bytes:
    """An uncompressed grey TIFF (TIFF 6.0; BigTIFF with 64-bit places)."""
    link, count, entry = ("Q", "Q", "HHQQ") if big else ("I", "H", "HHII")
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    data = bytearray(head + (struct.pack(order + "HHQ", 8, 0, 16) if big else struct.pack(order + "I", 8)))
    for number, page in enumerate(pages):
        tags = {
            254: kinds[number] if kinds else 0, 256: page.shape[1], 257: page.shape[0], 258: 8, 259: 1,
            262: 1, 273: 0, 277: 1, 278: page.shape[0], 279: page.size,
        }  # fmt: skip
        size = struct.calcsize(order + count) + len(tags) * struct.calcsize(order + entry)
        tags[273] = len(data) + size + struct.calcsize(order + link)
        data += struct.pack(order + count, len(tags))
        for tag, value in tags.items():
            data += struct.pack(order + entry, tag, 16 if big else 4, 1, value)
        last = number == len(pages) - 1
        data += struct.pack(order + link, 0 if last else tags[273] + page.size)
        data += page.tobytes()
    return bytes(data)


def means(source: Path, **options: int) -> list[int]:
    with open_frames(source, **options) as frames:  # type: ignore[arg-type]
        return [round(float(image.mean())) for image in frames]


WANTED = [round(float(image.mean())) for image in IMAGES]


@pytest.mark.parametrize("kind", ["cv2", "<", ">", "<big", ">big"])
def test_a_tiff_stack_gives_every_page(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "stack.tif"
    if kind == "cv2":
        cv2.imwritemulti(str(path), IMAGES)
    else:
        path.write_bytes(tiff([image[..., 0] for image in IMAGES], order=kind[0], big=kind.endswith("big")))
    with open_frames(path) as frames:
        assert (frames.name, frames.count, frames.fps, frames.size) == ("stack", 30, None, (64, 48))
        assert [round(float(frame.image.mean())) for frame in frames.numbered()] == WANTED
        assert frames.index == 29 and frames.notes == []
    assert means(path, start=17, end=20) == WANTED[17:20]


def test_pages_are_decoded_in_handfuls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cv2.imwritemulti(str(tmp_path / "stack.tif"), IMAGES)
    monkeypatch.setattr(stacks, "_AT_ONCE", 4 * IMAGES[0].nbytes)
    real, sizes = stacks._decoded, []

    def counted(data: np.ndarray, first: int, end: int) -> list[np.ndarray]:
        sizes.append(end - first)
        return real(data, first, end)

    monkeypatch.setattr(stacks, "_decoded", counted)
    assert means(tmp_path / "stack.tif") == WANTED
    assert sizes[0] == 1 and max(sizes) == 4 and sum(sizes) == 30


def test_pages_of_16_bits_are_scaled_alike(tmp_path: Path) -> None:
    cv2.imwritemulti(str(tmp_path / "a.tif"), [image[..., 0].astype(np.uint16) * 16 for image in IMAGES])
    with open_frames(tmp_path / "a.tif") as frames:
        got = [float(image.mean()) for image in frames]
        assert len(frames.notes) == 2 and "10-bit" in frames.notes[0] and "grew" in frames.notes[1]
    assert (np.diff(got) < 0).sum() == 1  # darker once, where the range grew


def test_thumbnails_and_masks_are_no_pages(tmp_path: Path) -> None:
    pages = [IMAGES[0][..., 0], IMAGES[1][:12, :16, 0], IMAGES[2][..., 0], IMAGES[3][..., 0]]
    (tmp_path / "a.tif").write_bytes(tiff(pages, [0, 1, 0, 4]))
    assert means(tmp_path / "a.tif") == [WANTED[0], WANTED[2]]
    (tmp_path / "b.tif").write_bytes(tiff(pages[:2], [0, 1]))
    assert open_frames(tmp_path / "b.tif").count == 1


def test_a_page_that_cannot_be_read_is_told_and_the_rest_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cv2.imwritemulti(str(tmp_path / "a.tif"), IMAGES[:9])
    real = stacks._decoded
    monkeypatch.setattr(
        stacks, "_decoded", lambda data, first, end: real(data, first, 4 if first <= 4 < end else end)
    )
    with open_frames(tmp_path / "a.tif") as frames:
        assert [frame.number for frame in frames.numbered()] == [0, 1, 2, 3, 5, 6, 7, 8]
        assert frames.skipped == 1 and "frame 4: page 4 is not a readable image" in frames.notes[0]


@pytest.mark.parametrize("cut", [3, 9, 30, 200, 5000])
def test_tiffs_that_are_cut_are_one_sentence(tmp_path: Path, cut: int) -> None:
    (tmp_path / "a.tif").write_bytes(tiff([image[..., 0] for image in IMAGES])[:cut])
    try:
        with open_frames(tmp_path / "a.tif") as frames:
            assert len(list(frames)) <= 2
    except SourceError as error:
        assert "a.tif" in str(error)


def test_a_tiff_that_runs_in_a_circle_ends(tmp_path: Path) -> None:
    data = bytearray(tiff([image[..., 0] for image in IMAGES[:2]]))
    second = data.rindex(struct.pack("<HHII", 254, 4, 1, 0)) - 2
    end = second + 2 + 10 * 12
    data[end : end + 4] = struct.pack("<I", 8)  # behind the second comes the first
    assert stacks._pages(bytes(data)) == [0, 1]


def riff(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def animated_webp(durations: list[int]) -> bytes:
    """An animated WebP of still ones (RFC 9649, 2.7): lossless, so that the pictures come back exactly."""
    parts = riff(b"VP8X", struct.pack("<I", 2) + bytes([63, 0, 0, 47, 0, 0])) + riff(b"ANIM", b"\0" * 6)
    for image, duration in zip(IMAGES, durations, strict=False):
        still = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
        place = bytes(6) + bytes([63, 0, 0, 47, 0, 0]) + duration.to_bytes(3, "little") + b"\0"
        parts += riff(b"ANMF", place + still[12:])
    return riff(b"RIFF", b"WEBP" + parts)


def test_an_animated_webp_gives_every_picture_with_its_time(tmp_path: Path) -> None:
    if not hasattr(cv2, "imdecodeanimation"):
        pytest.skip("this OpenCV reads no animations")
    (tmp_path / "a.webp").write_bytes(animated_webp([40] * 10 + [100] * 20))
    with open_frames(tmp_path / "a.webp") as frames:
        assert frames.count == 30 and frames.fps == pytest.approx(30 / 2.4)
        got = list(frames.numbered())
    assert [frame.time for frame in got] == pytest.approx(
        [0.04 * n for n in range(10)] + [0.4 + 0.1 * n for n in range(20)]
    )
    assert all((frame.image == image).all() for frame, image in zip(got, IMAGES, strict=True))
    assert next(open_frames(tmp_path / "a.webp", start=0.95).numbered()).number == 16
    assert means(tmp_path / "a.webp", start=28) == WANTED[28:]


def test_an_opencv_without_animations_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.webp").write_bytes(animated_webp([40] * 3))

    class Older:
        pass

    monkeypatch.setattr(stacks, "cv2", Older())
    with pytest.raises(SourceError, match=r"cannot read animated WebP: install 4\.11 or newer"):
        open_frames(tmp_path / "a.webp")


def animated_png(path: Path) -> Path:
    from films import film

    return film(path, range(0, 1200, 40), codec="apng", options={}, pix_fmt="rgb24", container={"f": "apng"})


def test_an_animated_png_gives_every_picture_with_its_time(tmp_path: Path) -> None:
    path = animated_png(tmp_path / "a.apng").rename(tmp_path / "a.png")
    with open_frames(path) as frames:
        got = list(frames.numbered())
    assert [round(float(frame.image.mean())) for frame in got] == [40 + 3 * number for number in range(30)]
    assert [frame.time for frame in got] == pytest.approx([0.04 * number for number in range(30)])
    assert means(path, start=20) == [40 + 3 * number for number in range(20, 30)]


def test_a_gif_gives_every_picture(tmp_path: Path) -> None:
    from films import film

    path = film(tmp_path / "a.gif", range(0, 1200, 40), codec="gif", options={}, pix_fmt="gray")
    assert len(means(path)) == 30 and len(means(path, start=10)) == 20


@pytest.mark.parametrize("depth", [1, 256])
@pytest.mark.parametrize("suffix", ["pgm", "ppm"])
def test_pictures_one_behind_the_other(tmp_path: Path, suffix: str, depth: int) -> None:
    images = [image if suffix == "ppm" else image[..., 0] for image in IMAGES]
    raw = [image.astype(np.uint16) * depth if depth > 1 else image for image in images]
    parts = [cv2.imencode(f".{suffix}", image)[1].tobytes() for image in raw]
    (tmp_path / f"a.{suffix}").write_bytes(b"".join(parts))
    assert len(means(tmp_path / f"a.{suffix}")) == 30
    (tmp_path / f"a.{suffix}").write_bytes(parts[0] + b"\n")
    assert open_frames(tmp_path / f"a.{suffix}").count == 1


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "pgm", "ppm", "bmp", "jpg"])
def test_one_picture_is_one_frame(tmp_path: Path, suffix: str) -> None:
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), IMAGES[0][..., 0] if suffix == "pgm" else IMAGES[0])
    with open_frames(tmp_path / f"a.{suffix}") as frames:
        assert frames.count == 1 and len(list(frames)) == 1 and frames.notes == []


def test_a_folder_says_that_it_gives_the_first_picture_of_each(tmp_path: Path) -> None:
    for number in range(3):
        cv2.imwritemulti(str(tmp_path / f"{number}.tif"), IMAGES[number:])
    with open_frames(tmp_path) as frames:
        assert [round(float(image.mean())) for image in frames] == WANTED[:3]
        assert len(frames.notes) == 1 and "0.tif holds several pictures" in frames.notes[0]
