"""Frames in: every kind of source, and what is wrong with them in life."""

import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from pictures import gradient

from slimtrack.errors import SourceError
from slimtrack.image_files import natural_key
from slimtrack.video.frames import open_frames


def write_video(path: Path, count: int = 30, *, size: tuple[int, int] = (64, 48), **options: str) -> Path:
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"g": "10", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(gradient(40 + 5 * (number % 30), *size), format="bgr24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def brightness(frames: object) -> list[int]:
    return [round(float(image.mean())) for image in frames]  # type: ignore[attr-defined]


def test_a_folder_comes_in_natural_order(folder: Path) -> None:
    with open_frames(folder) as frames:
        assert (frames.name, frames.fps, frames.count, frames.size) == ("clip", None, 10, (64, 48))
        assert brightness(frames) == pytest.approx(list(range(40, 140, 10)), abs=2)
        assert frames.index == 9 and frames.skipped == 0 and frames.notes == []


def test_otb_layout_prefers_the_images_inside(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder, tmp_path / "Seq" / "img")
    cv2.imwrite(str(tmp_path / "Seq" / "preview.jpg"), gradient(0))
    with open_frames(str(tmp_path / "Seq")) as frames:
        assert frames.count == 10 and frames.name == "Seq"


@pytest.mark.parametrize("inside", ["img", "color"])
def test_the_folder_of_images_is_called_after_its_sequence(folder: Path, tmp_path: Path, inside: str) -> None:
    images = tmp_path / "Deer" / inside
    shutil.move(folder, images)
    assert open_frames(images).name == "Deer"
    assert open_frames(str(images / "*.jpg")).name == "Deer"


def test_where_frames_came_from(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_frames("clip").origin == str(folder)
    assert open_frames("clip/f3.jpg").origin == str(folder / "f3.jpg")
    assert open_frames("clip/*.jpg").origin == str(folder / "*.jpg")
    write_video(tmp_path / "a.mp4")
    assert open_frames("a.mp4").origin == str(tmp_path / "a.mp4")
    assert open_frames([gradient(9)]).origin is None


def test_a_glob_and_a_single_image(folder: Path) -> None:
    assert open_frames(str(folder / "f1*.jpg")).count == 2  # f1 and f10
    assert open_frames(folder / "f3.jpg").count == 1


def test_a_video_gives_every_frame_with_its_rate(tmp_path: Path) -> None:
    with open_frames(write_video(tmp_path / "a.mp4")) as frames:
        assert (frames.fps, frames.count, frames.size) == (25, 30, (64, 48))
        got = list(frames)
    assert len(got) == 30 and got[0].dtype == np.uint8 and got[0].shape == (48, 64, 3)
    assert brightness(got) == pytest.approx([40 + 5 * number for number in range(30)], abs=4)


def test_colours_are_bgr(tmp_path: Path) -> None:
    blue = np.zeros((16, 16, 3), np.uint8)
    blue[..., 0] = 255
    cv2.imwrite(str(tmp_path / "blue.png"), blue)
    assert (next(open_frames(tmp_path / "blue.png")) == blue).all()


def test_a_truncated_video_keeps_what_it_has_and_says_so(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mp4", 60, movflags="+faststart").read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    with open_frames(cut) as frames:
        got = list(frames)
        assert 10 < len(got) < 60
        assert any("ends early" in note and "60" in note for note in frames.notes)


def test_a_truncated_matroska_says_so_too(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mkv", 71)
    with open_frames(whole) as frames:
        assert frames.count == 71 and len(list(frames)) == 71 and frames.notes == []
    data = whole.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    with open_frames(tmp_path / "cut.mkv") as frames:
        got = len(list(frames))
        assert 10 < got < 60
        assert len(frames.notes) == 1 and f"ends early, after {got} of about 71 frames" in frames.notes[0]


def test_uneven_frames_of_a_whole_matroska_are_no_cut(tmp_path: Path) -> None:
    path = tmp_path / "uneven.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(40):
            frame = av.VideoFrame.from_ndarray(gradient(40 + number), format="bgr24")
            frame.pts, frame.time_base = number if number < 20 else 5 * number, Fraction(1, 25)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    with open_frames(path) as frames:
        assert len(list(frames)) == 40
        assert frames.count is not None and frames.count > 60 and frames.notes == []


def test_a_video_without_its_index_is_refused(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mp4", 60).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"cut\.mp4 is not a video that can be read.*end"):
        open_frames(tmp_path / "cut.mp4")


def test_a_damaged_video_goes_on_behind_the_damage(tmp_path: Path) -> None:
    data = bytearray(write_video(tmp_path / "a.mp4", 60, movflags="+faststart").read_bytes())
    middle = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[middle : middle + 120] = b"\xff" * 120
    (tmp_path / "bad.mp4").write_bytes(data)
    with open_frames(tmp_path / "bad.mp4") as frames:
        got = brightness(frames)
        assert len(got) + frames.skipped == pytest.approx(60, abs=2)
        assert frames.skipped >= 1 and "skipped" in frames.notes[0]
    assert got[-1] == pytest.approx(40 + 5 * 29, abs=4)  # the last second is whole again


def test_a_broken_image_is_skipped_counted_and_named(folder: Path) -> None:
    (folder / "f5.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a picture")
    (folder / "f6.jpg").write_bytes(b"")
    with open_frames(folder) as frames:
        indices = [frames.index for _ in frames]
    assert indices == [0, 1, 2, 3, 6, 7, 8, 9]
    assert frames.skipped == 2
    assert "2 broken frames were skipped" in frames.notes[0] and "f5.jpg" in frames.notes[0]


def test_a_size_that_changes_is_refused_with_the_frame(folder: Path) -> None:
    cv2.imwrite(str(folder / "f7.jpg"), gradient(90, 80, 48))
    frames = open_frames(folder)
    with pytest.raises(SourceError, match=r"frame 6 is 80 x 48 pixels but those before it are 64 x 48"):
        list(frames)
    assert frames.index == 5


def test_a_video_that_changes_its_size_is_refused(tmp_path: Path) -> None:
    parts = [write_video(tmp_path / f"{w}.h264", 12, size=(w, 48)) for w in (64, 96)]
    joined = tmp_path / "joined.h264"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    with pytest.raises(SourceError, match=r"joined.*frame 12 is 96 x 48"):
        list(open_frames(joined))


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_16_bit_images_are_scaled_by_their_depth(tmp_path: Path, bits: int) -> None:
    top = (1 << bits) - 1
    image = np.linspace(0, top, 64 * 48).reshape(48, 64).round().astype(np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), image)
    with open_frames(tmp_path / "deep.png") as frames:
        got = next(frames)
        assert f"{bits}-bit" in frames.notes[0]
    np.testing.assert_allclose(got[..., 0], image / top * 255, atol=0.51)


def test_grey_and_alpha_are_converted(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), gradient(99)[..., 0])
    cv2.imwrite(str(tmp_path / "alpha.png"), np.dstack([gradient(99), gradient(7)[..., :1]]))
    for name in ("grey.png", "alpha.png"):
        np.testing.assert_array_equal(next(open_frames(tmp_path / name)), gradient(99))


def test_arrays_of_any_kind() -> None:
    images = [np.zeros((4, 5), np.uint8), np.zeros((4, 5, 1), np.uint8), np.zeros((4, 5, 4), np.uint16)]
    assert [image.shape for image in open_frames(images)] == [(4, 5, 3)] * 3
    assert open_frames(iter(images), name="mine", fps=30, count=3).count == 3


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (np.zeros((4, 5, 3)), "frame 0 holds float64"),
        (np.zeros((4, 5, 2), np.uint8), "2 channels"),
        (np.zeros((0, 5, 3), np.uint8), r"\(0, 5, 3\)"),
        ("text", "frame 0 is str"),
    ],
)
def test_other_arrays_are_refused(image: object, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence):
        open_frames([image])  # type: ignore[list-item]


def test_sources_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("this is a shopping list\n" * 20)
    (tmp_path / "nothing.mp4").write_bytes(b"")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"x")
    for source, sentence in {
        str(tmp_path / "empty"): r"empty holds no images",
        str(tmp_path / "text.mp4"): r"text\.mp4 is not a video",
        str(tmp_path / "nothing.mp4"): r"nothing\.mp4 is empty",
        str(tmp_path / "missing.mp4"): r"missing\.mp4' does not exist",
        str(tmp_path / "*.png"): r"no image matches",
        str(tmp_path / "broken"): r"no frame that can be read \(frame 0: a\.png",
        "rtsp://me:secret@127.0.0.1:9/x": r"^rtsp://127\.0\.0\.1:9/x cannot be opened",
    }.items():
        with pytest.raises(SourceError, match=sentence) as caught:
            open_frames(source)
        assert "\n" not in str(caught.value)
    with pytest.raises(SourceError, match="NoneType"):
        open_frames(None)  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="no frame"):
        open_frames([])


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    with pytest.raises(SourceError, match="no video stream"):
        open_frames(tmp_path / "a.wav")


def test_a_camera_that_is_not_there() -> None:
    with pytest.raises(SourceError, match="camera 77 cannot be opened"):
        open_frames("77")


def test_opencv_is_silent_about_a_camera_that_is_not_there() -> None:
    code = (
        "import sys; from slimtrack.video.frames import open_frames\n"
        "try:\n    open_frames('77')\nexcept Exception as error:\n    print(type(error).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("SourceError\n", "")


def test_natural_order() -> None:
    assert sorted(["a10", "a9", "b1", "a09x"], key=natural_key) == ["a9", "a09x", "a10", "b1"]
