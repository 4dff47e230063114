"""Reading OTB folders: what is accepted, and what is said about the rest."""

import cv2
import numpy as np
import pytest

from slimtrack.box import Box
from slimtrack.datasets import Dataset, read_truth
from slimtrack.errors import SourceError, UnknownNameError
from slimtrack.evaluation.once import DecodedFrames
from slimtrack.video.frames import open_frames


@pytest.mark.parametrize("sep", [",", "\t", " ", ", ", "   ", " \t", ";"])
def test_separators_all_read_the_same(tmp_path, sep):
    file = tmp_path / "boxes.txt"
    file.write_text(sep.join(["11", "9.5", "10", "8"]) + "\r\n" + sep.join(["nan"] * 4) + "\n\n")
    boxes = read_truth(file)
    np.testing.assert_array_equal(boxes, [[10, 8.5, 10, 8], [np.nan] * 4])


def test_first_pixel_is_the_outer_edge(write_sequence):
    (sequence,) = Dataset.read(write_sequence("A", [[1, 1, 1, 1]]))
    assert sequence.first_box == Box(0, 0, 1, 1)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("1,2,3", "3 numbers"),
        ("1,2,3,4,5,6,7,8", "8 numbers"),
        ("1,2,x,4", "not four numbers"),
        ("1,2,,4", "not four numbers"),
        ("1,2,nan,4", "partly nan"),
        ("1,2,inf,4", "not finite"),
        ("", "not four numbers"),
    ],
)
def test_malformed_row_is_named(tmp_path, row, what):
    file = tmp_path / "groundtruth_rect.txt"
    file.write_text(f"1,2,3,4\n{row}\n5,6,7,8\n")
    with pytest.raises(SourceError, match=rf"groundtruth_rect\.txt, line 2: .*{what}"):
        read_truth(file)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe1,2\x00"])
def test_file_that_holds_no_text_of_boxes(tmp_path, content):
    file = tmp_path / "boxes.txt"
    file.write_bytes(content)
    with pytest.raises(SourceError, match=r"boxes\.txt"):
        read_truth(file)


def test_dataset_in_order_with_attributes(write_sequence):
    write_sequence("B", [[1, 2, 3, 4]] * 12, suffix=".png")
    folder = write_sequence("A", [[1, 2, 3, 4], [np.nan] * 4])
    (folder / "attributes.csv").write_text("sequence,OCC,SV\nA,0,1\nother,1,1\n")
    data = Dataset.read(folder)
    assert (data.name, [s.name for s in data], [len(s) for s in data]) == ("data", ["A", "B"], [2, 12])
    assert [s.attributes for s in data] == [("SV",), ()]
    assert data.sequences[0].absent.tolist() == [False, True]
    assert not data.sequences[0].truth.flags.writeable


def test_attributes_one_level_above(write_sequence):
    folder = write_sequence("A", [[1, 2, 3, 4]])
    (folder.parent / "attributes.csv").write_text("sequence,OCC\nA,1\n")
    assert Dataset.read(folder).sequences[0].attributes == ("OCC",)
    assert Dataset.read(folder / "A").sequences[0].attributes == ("OCC",)


@pytest.mark.parametrize("text", ["name,OCC\n", "sequence,OCC\nA,2\n", "sequence,OCC\nA\n", ""])
def test_malformed_attributes(write_sequence, text):
    folder = write_sequence("A", [[1, 2, 3, 4]])
    (folder / "attributes.csv").write_text(text)
    with pytest.raises(SourceError, match=r"attributes\.csv, line \d"):
        Dataset.read(folder)


def test_folder_of_one_sequence(write_sequence):
    data = Dataset.read(write_sequence("Alone", [[1, 2, 3, 4]]) / "Alone")
    assert (data.name, [s.name for s in data]) == ("Alone", ["Alone"])


def test_frames_in_natural_order(write_sequence):
    folder = write_sequence("A", [[1, 2, 3, 4]] * 3)
    images = folder / "A" / "img"
    for old, new in (("0001", "9"), ("0002", "10"), ("0003", "100")):
        (images / f"{old}.jpg").rename(images / f"{new}.jpg")
    (images / "._9.jpg").write_text("not a frame")
    assert [f.name for f in Dataset.read(folder).sequences[0].frames] == ["9.jpg", "10.jpg", "100.jpg"]


@pytest.mark.parametrize("suffix", [".tif", ".webp", ".PNG"])
def test_what_can_be_tracked_can_be_benched(write_sequence, suffix):
    (sequence,) = Dataset.read(write_sequence("A", [[1, 1, 4, 4]] * 2, suffix=suffix))
    assert len(sequence) == 2


def test_deep_images_are_the_same_in_bench_and_track(write_sequence):
    folder = write_sequence("A", [[1, 1, 4, 4]] * 3, suffix=".png")
    for number in (1, 2, 3):
        image = np.full((48, 64), 200 * number, np.uint16)
        image[0, 0] = 1023 if number == 1 else 0
        cv2.imwrite(str(folder / "A" / "img" / f"{number:04d}.png"), image)
    (sequence,) = Dataset.read(folder)
    with open_frames(folder / "A") as frames:
        tracked = list(frames)
    for memory in (1 << 30, 1):  # at once, and a frame at a time
        benched = DecodedFrames(sequence.frames, memory)
        for _ in range(2):
            np.testing.assert_array_equal(list(benched), tracked)
    assert tracked[1][5, 5].tolist() == [100] * 3


def test_several_targets_in_one_folder(write_sequence):
    folder = write_sequence("Two", [[1, 2, 3, 4]])
    (folder / "Two" / "groundtruth_rect.txt").rename(folder / "Two" / "groundtruth_rect.1.txt")
    (folder / "Two" / "groundtruth_rect.2.txt").write_text("5,6,7,8\n")
    assert [s.name for s in Dataset.read(folder)] == ["Two-1", "Two-2"]


@pytest.mark.parametrize("frames", [2, 5])
def test_counts_must_match(write_sequence, frames):
    folder = write_sequence("A", [[1, 2, 3, 4]] * 3, frames=frames)
    with pytest.raises(SourceError, match=f"sequence A: {frames} images .* but 3 rows"):
        Dataset.read(folder)


def test_sequences_that_otb_annotates_in_part(write_sequence):
    write_sequence("Diving", [[1, 2, 3, 4]] * 3, frames=5)
    folder = write_sequence("BlurCar3", [[1, 2, 3, 4]] * 2, frames=5)
    later, first = Dataset.read(folder).sequences
    assert [f.stem for f in first.frames] == ["0001", "0002", "0003"]
    assert [f.stem for f in later.frames] == ["0003", "0004"]


@pytest.mark.parametrize("first", [[np.nan] * 4, [1, 2, 0, 4]])
def test_first_frame_needs_a_box(write_sequence, first):
    with pytest.raises(SourceError, match="line 1: the first frame has no box"):
        Dataset.read(write_sequence("A", [first, [1, 2, 3, 4]]))


def test_nothing_there(tmp_path, write_sequence):
    (tmp_path / "file").write_text("")
    for path, what in (("missing", "does not exist"), ("file", "not a folder"), (".", "holds no sequence")):
        with pytest.raises(SourceError, match=what):
            Dataset.read(tmp_path / path)
    folder = write_sequence("A", [[1, 2, 3, 4]], frames=0)
    with pytest.raises(SourceError, match="holds no images"):
        Dataset.read(folder)
    (folder / "A" / "img").rmdir()
    with pytest.raises(SourceError, match="img does not exist"):
        Dataset.read(folder)


def test_unknown_sequence_suggests(write_sequence):
    folder = write_sequence("Jumping", [[1, 2, 3, 4]])
    assert len(Dataset.read(folder, names=["Jumping"])) == 1
    with pytest.raises(UnknownNameError, match="did you mean Jumping"):
        Dataset.read(folder, names=["Jumpin"])


@pytest.mark.parametrize(("part", "count", "frames", "absent"), [("otb", 17, 3839, 0), ("dev", 9, 2523, 185)])
def test_real_datasets(shared, part, count, frames, absent):
    data = Dataset.read(shared(f"sequences/{part}"))
    assert (len(data), sum(map(len, data)), sum(int(s.absent.sum()) for s in data)) == (count, frames, absent)
    assert all(bool(s.attributes) == (part == "otb") for s in data)
