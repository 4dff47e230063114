"""Names of files: whatever a file may be called, it is read and written under that name."""

import itertools
import os
import sys
from pathlib import Path

import cv2
import pytest
from films import film
from pictures import gradient

from slimtrack import Box, State, Track
from slimtrack.errors import SourceError
from slimtrack.image_files import image_files
from slimtrack.tracking import Outputs, track_video
from slimtrack.video.frames import open_frames
from slimtrack.video.results import Row, open_writer

NAMES = [
    "2024-01-01T12:30:00.mp4", "pipe:0.mp4", "file:x.mp4", "concat:a|b.mp4", "http:x.mp4", "-x.mp4", "%d.mp4",
    "%03d.mp4", "[a].mp4", "a*b?.mp4", "~x.mp4", "0.mp4", "a b#c.mp4", "a\nb.mp4", "ünï.mp4",
    os.fsdecode(b"\xff.mp4"),
]  # fmt: skip


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if os.name == "nt":
        pytest.skip("Windows allows few of these names")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_a_video_of_any_name_is_read_and_written(there: Path, name: str) -> None:
    film(there / "plain.mp4", range(0, 400, 40)).rename(name)
    for source in (name, f"./{name}", Path(name), there / name):
        with open_frames(source) as frames:
            assert len(list(frames)) == 10
        assert next(open_frames(source, start=4).numbered()).number == 4
    target = f"out-{name}" if name[0] not in "-~%[" else f"{name}.out.mp4"
    with open_writer(target) as writer:
        for number in range(3):
            writer.add([Row(number, Track(Box(1, 1, 9, 9), 1.0, State.TRACKED))], gradient(90))
    assert sorted(os.listdir()) == sorted([name, target])  # noqa: PTH208  (names, not paths)
    assert len(list(open_frames(target))) == 3


@pytest.mark.parametrize("name", ["12:30", "%d", "[a]", "~x", "0", os.fsdecode(b"\xff")])
def test_a_folder_of_any_name_is_read(there: Path, name: str) -> None:
    Path(name).mkdir()
    Path(name, "1.png").write_bytes(cv2.imencode(".png", gradient(90))[1].tobytes())
    assert len(list(open_frames(name))) == 1


@pytest.mark.parametrize("name", ["rtsp://camera", "a://b"])
def test_what_exists_is_no_address(there: Path, name: str) -> None:
    Path(name).parent.mkdir()
    film(there / "plain.mp4", range(0, 400, 40)).rename(name)
    assert len(list(open_frames(name))) == 10


@pytest.mark.parametrize("name", ["x" * 5000, "~nobody-of-this-name/a.mp4", "~nobody-of-this-name/*.png"])
def test_names_that_no_file_can_have(name: str) -> None:
    with pytest.raises(SourceError, match="cannot be opened: ") as caught:
        open_frames(name)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are a thing of Linux")
def test_what_is_not_utf_8_breaks_nothing(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(cv2.imencode(".png", gradient(90 + number))[1].tobytes())
    (folder / "3.png").write_bytes(b"broken")
    with open_frames(folder) as frames:
        assert frames.name == "caf\ufffd" and len(list(frames)) == 3
        assert frames.origin == str(folder)  # a path, by which the file is found again
        "".join(frames.notes).encode()
    summary = track_video(
        folder, (5, 5, 20, 20), tracker="mosse",
        outputs=Outputs(
            [folder / "out" / "a.csv", folder / "out" / "a.json", folder / "out" / "a.mp4"],
            folder / "out" / "a.png",
        ),
    )  # fmt: skip
    assert len(summary.outputs) == 4 and all(path.stat().st_size for path in summary.outputs)


@pytest.mark.parametrize(
    "names",
    [
        ["0.10", "0.5", "10.25"],
        ["0.10", "0.25", "0.5", "2.125", "10.0"],
        ["1", "1.5", "2", "10"],
        ["1700000000.25", "1700000000.5", "1700000001.125"],
        ["9.5e-05", "0.001", "0.01"],
        ["0.0", "0.0333333333333333331", "0.033333333333333333333", "0.1"],
    ],
)
def test_numbers_with_a_fraction_are_in_the_order_of_their_values(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / f"{name}.jpg").touch()
    assert [path.stem for path in image_files(tmp_path)] == names


def test_other_names_stay_in_natural_order(tmp_path: Path) -> None:
    for name in ["v1.9", "v1.10", "1.2.3", "0.5", "0.10"]:
        (tmp_path / f"{name}.jpg").touch()
    assert [path.stem for path in image_files(tmp_path)] == ["0.5", "0.10", "1.2.3", "v1.9", "v1.10"]


def test_folders_of_such_numbers_follow_one_another(tmp_path: Path) -> None:
    for folder, name in itertools.product(["a2", "a10"], ["0.5", "0.10"]):
        (tmp_path / folder).mkdir(exist_ok=True)
        cv2.imwrite(
            str(tmp_path / folder / f"{name}.png"), gradient(int(folder[1:]) + int(float(name) * 200))
        )
    with open_frames(str(tmp_path / "*" / "*.png")) as frames:
        assert [round(float(image[0].mean())) for image in frames] == pytest.approx([22, 102, 30, 110], abs=2)
