"""Every layout on a tiny tree of its own: names, images, boxes, absences, and what is said of broken ones."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from slimtrack.datasets import Dataset, Reader, Sequence
from slimtrack.datasets.layouts import READERS, reader_for
from slimtrack.errors import InputError, SourceError, UnknownNameError

NAN = [np.nan] * 4


def images(folder: Path, numbers: Iterable[int], form: str = "{:08d}.jpg") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / form.format(number)).touch()


def text(file: Path, *lines: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n")
    return file


def otb(root: Path) -> Path:
    images(root / "A" / "img", range(1, 4), "{:04d}.jpg")
    return text(root / "A" / "groundtruth_rect.txt", "11,21,30,40", "NaN,NaN,NaN,NaN", "12,21,30,40")


def got10k(root: Path) -> Path:
    images(root / "GOT-10k_Val_000001", range(1, 4))
    text(root / "list.txt", "GOT-10k_Val_000001")
    text(root / "GOT-10k_Val_000001" / "meta_info.ini", "[METAINFO]")
    text(root / "GOT-10k_Val_000001" / "absence.label", "0", "1", "0")
    return text(
        root / "GOT-10k_Val_000001" / "groundtruth.txt", "11.0,21.0,30.0,40.0", "5,5,5,5", "12,21,30,40"
    )


def lasot(root: Path) -> Path:
    images(root / "cat" / "cat-1" / "img", range(1, 4))
    text(root / "cat" / "cat-1" / "full_occlusion.txt", "0,1,0")
    text(root / "cat" / "cat-1" / "out_of_view.txt", "0,0,0")
    return text(root / "cat" / "cat-1" / "groundtruth.txt", "11,21,30,40", "0,0,0,0", "12,21,30,40")


def vot(root: Path) -> Path:
    images(root / "ball" / "color", range(1, 4))
    text(root / "list.txt", "ball")
    return text(
        root / "ball" / "groundtruth.txt", "25,20,40,40,25,60,10,40", "nan,nan,nan,nan", "11,20,30,40"
    )


def trackingnet(root: Path) -> Path:
    images(root / "TRAIN_0" / "frames" / "-abc_0", range(3), "{}.jpg")
    return text(root / "TRAIN_0" / "anno" / "-abc_0.txt", "10,20,30,40", "10,20,0,0", "11,20,30,40")


def uav123(root: Path) -> Path:
    images(root / "data_seq" / "UAV123" / "car1", range(1, 9), "{:06d}.jpg")
    entry = (
        r"struct('name','{}','path','F:\UAV123\data_seq\UAV123\car1\','startFrame',{},'endFrame',{},'nz',6)"
    )
    long, parts = (
        entry.format("car1_2", 1, 8),
        ",...\n".join((entry.format("car1_1", 1, 4), entry.format("car1_2", 4, 6))),
    )
    text(
        root / "configSeqs.m",
        "function seqs=configSeqs",
        f"seqUAV20L = {{{long}}};",
        f"seqUAV123 = {{{parts}}};",
    )
    text(root / "anno" / "UAV20L" / "car1_2.txt", *["1,1,2,2"] * 8)
    text(root / "anno" / "UAV123" / "car1_1.txt", *["1,1,2,2"] * 4)
    return text(root / "anno" / "UAV123" / "car1_2.txt", "11,21,30,40", "NaN,NaN,NaN,NaN", "12,21,30,40")


TREES = {
    "otb": otb,
    "got10k": got10k,
    "lasot": lasot,
    "vot": vot,
    "trackingnet": trackingnet,
    "uav123": uav123,
}
Tree = Callable[[Path], Path]

each = pytest.mark.parametrize(("layout", "tree"), TREES.items())


def read_last(root: Path, layout: str | None = None) -> Sequence:
    return Dataset.read(root, layout=layout).sequences[-1]


@each
def test_a_layout_is_recognised(tmp_path: Path, layout: str, tree: Tree) -> None:
    tree(tmp_path)
    assert set(TREES) == set(READERS)
    assert isinstance(reader_for(tmp_path), READERS[layout])


@each
def test_boxes_are_zero_based_edges_and_absent_ones_nan(tmp_path: Path, layout: str, tree: Tree) -> None:
    tree(tmp_path)
    sequence = read_last(tmp_path)
    middle = [10, 20, 0, 0] if layout == "trackingnet" else NAN  # it says nothing of absences
    np.testing.assert_array_equal(sequence.truth, [[10, 20, 30, 40], middle, [11, 20, 30, 40]])
    assert len(sequence) == 3
    assert all(file.is_file() for file in sequence.frames)
    assert not sequence.truth.flags.writeable


@each
@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("1,2,3", "3 numbers"),
        ("1,2,x,4", "is not"),
        ("1,2,nan,4", "partly nan"),
        ("1,2,inf,4", "not finite"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, layout: str, tree: Tree, row: str, what: str) -> None:
    file = tree(tmp_path)
    lines = file.read_text().splitlines()
    text(file, lines[0], row, lines[2])
    with pytest.raises(SourceError, match=rf"{file.name}, line 2: .*{what}"):
        Dataset.read(tmp_path)


@each
def test_a_missing_row_is_told(tmp_path: Path, layout: str, tree: Tree) -> None:
    file = tree(tmp_path)
    text(file, *file.read_text().splitlines()[:2])
    with pytest.raises(SourceError, match=f"{file.name}|absence.label|full_occlusion"):
        Dataset.read(tmp_path)


@pytest.mark.parametrize("truth", [np.empty((0, 4)), np.empty(0)])
def test_a_reader_that_finds_no_row_is_refused(truth: np.ndarray) -> None:
    with pytest.raises(SourceError, match=r"sequence A: there is no image with a row in boxes\.csv"):
        Sequence.checked("A", [], truth, Path("boxes.csv"))


@pytest.mark.parametrize("shape", [(8,), (2, 5)])
def test_rows_of_a_reader_that_are_no_boxes_are_refused(shape: tuple[int, ...]) -> None:
    frames = [Path(f"{number}.png") for number in range(shape[0])]
    with pytest.raises(SourceError, match=r"sequence A: the rows of boxes\.csv are an array of .*\(N, 4\)"):
        Sequence.checked("A", frames, np.ones(shape), Path("boxes.csv"))


@each
def test_a_first_box_alone_measures_nothing(tmp_path: Path, layout: str, tree: Tree) -> None:
    file = tree(tmp_path)
    text(file, file.read_text().splitlines()[0])
    for flags in (*file.parent.glob("*.label"), *file.parent.glob("[fo]*_*.txt")):
        flags.unlink()
    with pytest.raises(SourceError, match="only the first box"):
        Dataset.read(tmp_path)


@each
def test_images_that_are_not_there(tmp_path: Path, layout: str, tree: Tree) -> None:
    tree(tmp_path)
    for image in read_last(tmp_path).frames:
        image.unlink()
    with pytest.raises(SourceError, match=r"holds no (images|sequence)|2 images in"):
        Dataset.read(tmp_path, layout=layout)


@each
def test_empty_file_of_boxes(tmp_path: Path, layout: str, tree: Tree) -> None:
    file = tree(tmp_path)
    file.write_text("\n")
    with pytest.raises(SourceError, match=f"{file.name} holds no boxes"):
        Dataset.read(tmp_path)


# ------------------------------------------------------------------------------- what one layout alone has


def test_got10k_says_absence_by_minus_ones_too(tmp_path: Path) -> None:
    file = got10k(tmp_path)
    file.with_name("absence.label").unlink()
    text(file, "11,21,30,40", "-1,-1,-1,-1", "12,21,30,40")
    assert read_last(tmp_path).absent.tolist() == [False, True, False]
    assert [s.name for s in Dataset.read(file.parent)] == ["GOT-10k_Val_000001"]


@pytest.mark.parametrize("flags", ["0,2,0", "0,1", "a"])
@pytest.mark.parametrize(("tree", "name"), [(lasot, "out_of_view.txt"), (got10k, "absence.label")])
def test_flags_are_one_a_frame(tmp_path: Path, tree: Tree, name: str, flags: str) -> None:
    text(tree(tmp_path).with_name(name), flags)
    with pytest.raises(SourceError, match=rf"{name} must hold 3 values 0 or 1"):
        Dataset.read(tmp_path)


@pytest.mark.parametrize("part", [".", "cat", "cat/cat-1"])
def test_lasot_whole_a_class_and_one_sequence(tmp_path: Path, part: str) -> None:
    lasot(tmp_path)
    assert [s.name for s in Dataset.read(tmp_path / part)] == ["cat-1"]


def test_lasot_hides_what_is_out_of_view(tmp_path: Path) -> None:
    text(lasot(tmp_path).with_name("out_of_view.txt"), "0,0,1")
    assert read_last(tmp_path).absent.tolist() == [False, True, True]


def test_vot_of_several_targets_and_with_images_beside(tmp_path: Path) -> None:
    file = vot(tmp_path)
    file.rename(file.with_name("groundtruth_left.txt"))
    text(file.with_name("groundtruth_right.txt"), *["1,2,3,4"] * 3)
    assert [s.name for s in Dataset.read(tmp_path)] == ["ball-left", "ball-right"]
    for image in (file.parent / "color").iterdir():
        image.rename(file.parent / image.name)
    (file.parent / "color").rmdir()
    assert [len(s) for s in Dataset.read(tmp_path)] == [3, 3]


@pytest.mark.parametrize("row", ["m0,0,5,5,3,2", "1,2,3,4,5", "1,2,3,4,5,6,7"])
def test_vot_reads_boxes_and_polygons_alone(tmp_path: Path, row: str) -> None:
    text(vot(tmp_path), "1,2,3,4", row, "1,2,3,4")
    with pytest.raises(SourceError, match=r"groundtruth\.txt, line 2"):
        Dataset.read(tmp_path)


@pytest.mark.parametrize("part", [".", "TRAIN_0"])
def test_trackingnet_whole_and_a_chunk(tmp_path: Path, part: str) -> None:
    trackingnet(tmp_path)
    images(tmp_path / "TRAIN_0" / "frames" / "-abc_0", range(10, 11), "{}.jpg")
    text(tmp_path / "TRAIN_0" / "anno" / "-abc_0.txt", *["1,2,3,4"] * 4)
    (sequence,) = Dataset.read(tmp_path / part)
    assert [file.stem for file in sequence.frames] == ["0", "1", "2", "10"]


def test_uav123_parts_begin_where_the_set_says(tmp_path: Path) -> None:
    file = uav123(tmp_path)
    first, second = Dataset.read(tmp_path)
    assert [s.name for s in (first, second)] == ["car1_1", "car1_2"]
    assert [[int(f.stem) for f in s.frames] for s in (first, second)] == [[1, 2, 3, 4], [4, 5, 6]]
    (long,) = Dataset.read(file.parents[1] / "UAV20L")
    assert [int(f.stem) for f in long.frames] == list(range(1, 9))


def test_uav123_without_its_list(tmp_path: Path) -> None:
    uav123(tmp_path)
    text(tmp_path / "configSeqs.m", "seqUAV123 = {};")
    with pytest.raises(SourceError, match=r"configSeqs\.m does not list which images of seqUAV123 car1_1 is"):
        Dataset.read(tmp_path)
    (tmp_path / "configSeqs.m").unlink()
    with pytest.raises(SourceError, match=r"configSeqs\.m cannot be read"):
        Dataset.read(tmp_path)


# ----------------------------------------------------------------------------------------- readers of others


def test_a_layout_that_is_named_is_not_guessed(tmp_path: Path) -> None:
    got10k(tmp_path)
    with pytest.raises(SourceError, match="holds no sequence of the layout lasot"):
        Dataset.read(tmp_path, layout="lasot")
    with pytest.raises(UnknownNameError, match="did you mean lasot"):
        Dataset.read(tmp_path, layout="lasott")


class Mine(Reader):
    """A layout of somebody's."""

    layout = "NAME.mine"

    def find(self, folder: Path) -> dict[str, Path]:
        return {file.stem: file for file in folder.glob("*.mine")}

    def read(self, name: str, file: Path) -> Sequence:
        return Sequence(name, (file,), np.ones((1, 4)))


class Entry:
    """An entry point as an installed package declares it."""

    def __init__(self, name: str, found: object) -> None:
        self.name, self.value, self.found = name, f"package:{name}", found

    def load(self) -> object:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def test_readers_of_installed_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [Entry("broken", ImportError("no such module")), Entry("mine", Mine)]
    monkeypatch.setattr(
        "slimtrack.datasets.layouts.entry_points", lambda kind: entries if kind == "dataset" else []
    )
    (tmp_path / "a.mine").touch()
    assert [s.name for s in Dataset.read(tmp_path)] == ["a"]
    assert [s.name for s in Dataset.read(tmp_path, layout="mine")] == ["a"]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            "Other = 3",
            "'Other' cannot be used: it is not a class derived from slimtrack.datasets.reader.Reader",
        ),
        ("from slimtrack.datasets import Reader\nclass Other(Reader): ...", "it does not define find, read"),
        ("1/0", "failed to import"),
    ],
)
def test_a_file_without_a_reader(tmp_path: Path, content: str, what: str) -> None:
    file = text(tmp_path / "other.py", content)
    with pytest.raises(InputError, match=what):
        Dataset.read(tmp_path, layout=f"{file}:Other")
    with pytest.raises(InputError, match=r"layout file .*absent\.py does not exist"):
        Dataset.read(tmp_path, layout=f"{tmp_path / 'absent.py'}:Other")


def test_a_file_says_which_readers_it_has(tmp_path: Path) -> None:
    file = text(
        tmp_path / "mine.py",
        "from slimtrack.datasets import Reader\n"
        "class Mine(Reader):\n"
        "    layout = 'NAME.mine'\n"
        "    def find(self, folder): return {}\n"
        "    def read(self, name, file): ...\n",
    )
    with pytest.raises(InputError, match=r"say which of its layouts, as .*mine\.py:NAME; there are: Mine"):
        Dataset.read(tmp_path, layout=str(file))
    with pytest.raises(UnknownNameError, match=r"no layout in .*mine\.py named 'Other': there are: Mine"):
        Dataset.read(tmp_path, layout=f"{file}:Other")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0)
    with pytest.raises(SourceError, match="shut cannot be read: permission denied"):
        Dataset.read(tmp_path / "shut")
