"""Layouts of annotated pictures: each reader on a tiny tree that shows one bright object per picture."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import cv2  # noqa: E402

from slimtrack.errors import InputError, SourceError  # noqa: E402
from slimtrack.learning.sources import Choice, divided, read_sets, source_for  # noqa: E402
from slimtrack.learning.sources.shot import Labelled, Shot, split_of, spread  # noqa: E402

BOX = 30, 20, 40, 24
"""Left, top, width, height of the object in every picture of 160 by 120."""
COLOUR = 40, 250, 180


def picture(file: Path) -> None:
    """Grey, with the object."""
    image = np.full((120, 160, 3), 100, np.uint8)
    x, y, w, h = BOX
    image[y : y + h, x : x + w] = COLOUR
    file.parent.mkdir(parents=True, exist_ok=True)
    lossless = [cv2.IMWRITE_JPEG_QUALITY, 100, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111]
    assert cv2.imwrite(str(file), image, lossless if file.suffix.lower() in (".jpg", ".jpeg") else [])


def text(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


def xml(left: int, top: int, right: int, bottom: int, more: str = "") -> str:
    corners = f"<xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax>"
    return f"<a><object><name>cat</name>{more}<bndbox>{corners}</bndbox></object></a>"


X, Y, W, H = BOX


def voc(root: Path) -> None:
    for name in ("a", "b"):
        picture(root / "JPEGImages" / f"{name}.jpg")
        text(root / "Annotations" / f"{name}.xml", xml(X + 1, Y + 1, X + W, Y + H))
    text(root / "ImageSets" / "Main" / "val.txt", "b\n")


def vid(root: Path) -> None:
    for split, name in (("train", "x"), ("val", "y")):
        for index in range(3):
            place = Path("VID") / split / name / f"{index:06}"
            picture(root / "Data" / place.with_suffix(".JPEG"))
            content = xml(X, Y, X + W - 1, Y + H - 1, "<trackid>0</trackid>")
            text(root / "Annotations" / place.with_suffix(".xml"), content)


def coco(root: Path) -> None:
    for split in ("train2017", "val2017"):
        picture(root / split / "a.jpg")
        content = {
            "images": [{"id": 7, "file_name": "a.jpg"}],
            "categories": [{"id": 1, "name": "cat"}],
            "annotations": [
                {"image_id": 7, "category_id": 1, "bbox": list(BOX)},
                {"image_id": 7, "category_id": 1, "bbox": [0, 0, 160, 120], "iscrowd": 1},
            ],
        }
        text(root / "annotations" / f"instances_{split}.json", json.dumps(content))
    text(root / "annotations" / "captions_train2017.json", "{}")


def yolo(root: Path) -> None:
    fractions = (X + W / 2) / 160, (Y + H / 2) / 120, W / 160, H / 120
    for split in ("train", "val"):
        picture(root / "images" / split / "a.png")
        text(root / "labels" / split / "a.txt", f"3 {' '.join(map(str, fractions))}\n\n")


def davis(root: Path) -> None:
    for name in ("bear", "car"):
        for index in range(2):
            picture(root / "JPEGImages" / "480p" / name / f"{index:05}.jpg")
            mask = np.zeros((120, 160, 3), np.uint8)
            mask[Y : Y + H, X : X + W] = (0, 0, 128)
            file = root / "Annotations" / "480p" / name / f"{index:05}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), mask)
    text(root / "ImageSets" / "2017" / "val.txt", "car\n")


def otb(root: Path) -> None:
    for name in ("One", "Two"):
        for index in range(2):
            picture(root / name / "img" / f"{index + 1:04}.jpg")
        text(root / name / "groundtruth_rect.txt", f"{X + 1},{Y + 1},{W},{H}\nnan,nan,nan,nan\n")


def got10k(root: Path) -> None:
    for split in ("train", "val"):
        name = f"GOT-10k_{split}_000001"
        for index in range(2):
            picture(root / split / name / f"{index + 1:08}.jpg")
        text(root / split / name / "groundtruth.txt", f"{X + 1},{Y + 1},{W},{H}\n" * 2)
        text(root / split / name / "meta_info.ini", "[METAINFO]\n")


def lasot(root: Path) -> None:
    for name in ("cat-1", "cat-2"):
        for index in range(2):
            picture(root / "cat" / name / "img" / f"{index + 1:08}.jpg")
        text(root / "cat" / name / "groundtruth.txt", f"{X + 1},{Y + 1},{W},{H}\n" * 2)
        for flags in ("full_occlusion.txt", "out_of_view.txt"):
            text(root / "cat" / name / flags, "0,0")


def trackingnet(root: Path) -> None:
    for name in ("a_0", "b_0"):
        for index in range(2):
            picture(root / "TRAIN_0" / "frames" / name / f"{index}.jpg")
        text(root / "TRAIN_0" / "anno" / f"{name}.txt", f"{X},{Y},{W},{H}\n" * 2)


def tracked(root: Path) -> None:
    for name in ("one", "two"):
        for index in range(3):
            picture(root / name / "img" / f"{index:04}.png")
        rows = [
            f"{index},{X},{Y},{W},{H},0.9,{state}"
            for index, state in enumerate(["tracked", "lost", "tracked"])
        ]
        text(root / name / "track.csv", "frame,x,y,w,h,score,state\n" + "\n".join(rows) + "\n")


LAYOUTS = {
    maker.__name__: maker for maker in (voc, vid, coco, yolo, davis, otb, got10k, lasot, trackingnet, tracked)
}


@pytest.fixture(params=LAYOUTS)
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    LAYOUTS[request.param](tmp_path)
    return tmp_path


def test_every_box_lies_on_its_object(tree: Path) -> None:
    for data in read_sets([tree], Choice()):
        assert len(data.objects.picture) >= 1
        for index, (x, y, w, h) in zip(
            data.objects.picture, data.objects.box.round().int().tolist(), strict=True
        ):
            pixels = data.pictures.pixels[index].float()
            inside = pixels[:, y + 1 : y + h - 1, x + 1 : x + w - 1].flatten(1)
            assert inside.mean(1).tolist() == pytest.approx(COLOUR[::-1], abs=6)
            assert pixels[:, y - 2, x - 2].tolist() == pytest.approx([100] * 3, abs=6)
        expected = (
            torch.tensor([BOX]).float().expand_as(data.objects.box)
        )  # the crop begins where its picture does
        torch.testing.assert_close(data.objects.box, expected, atol=1e-3, rtol=0)


def test_frames_of_one_object_share_its_track(tree: Path, request: pytest.FixtureRequest) -> None:
    data = read_sets([tree], Choice(), ["train"])[0]
    stills = request.node.callspec.params["tree"] in ("voc", "coco", "yolo")
    assert len(set(data.objects.track.tolist())) == 1
    assert bool((data.objects.track < 0).all()) == stills


def broken(maker: Callable[[Path], None], root: Path, file: str, content: str) -> Path:
    maker(root)
    assert (root / file).is_file()
    text(root / file, content)
    return root


INSTANCES = "annotations/instances_val2017.json"
ALIEN = '{"images": [], "annotations": [{"image_id": 3, "bbox": [1, 2, 3, 4]}]}'
SHORT = '{"images": [{"id": 3, "file_name": "a"}], "annotations": [{"image_id": 3, "bbox": [1, 2]}]}'
HEAD = "frame,x,y,w,h,state\n"


@pytest.mark.parametrize(
    ("maker", "file", "content", "sentence"),
    [
        (voc, "Annotations/a.xml", "<a>", r"a\.xml cannot be read \(.*line 1"),
        (voc, "Annotations/a.xml", xml(1, 2, 3, 4).replace("xmax", "x"), r"a\.xml, object 1: its bndbox"),
        (vid, "Annotations/VID/val/y/000001.xml", "", r"000001\.xml cannot be read"),
        (coco, INSTANCES, "{", r"instances_val2017\.json is not in COCO's format"),
        (coco, INSTANCES, ALIEN, r"annotations\[0\]: there is no image with the id 3"),
        (coco, INSTANCES, SHORT, r"annotations\[0\]: no bbox of four numbers"),
        (yolo, "labels/val/a.txt", "3 0.5 0.5 0.1 0.1\n3 0.5 x 0.1 0.1", r"line 2: .* is not a class"),
        (yolo, "labels/val/a.txt", "3 0.5 0.5 0.1\n", r"a\.txt, line 1: a class and 3 numbers"),
        (davis, "Annotations/480p/car/00000.png", "no", r"mask .*00000\.png cannot be read"),
        (otb, "Two/groundtruth_rect.txt", "1,2,3,4\n1,2,3\n", r"groundtruth_rect\.txt, line 2"),
        (tracked, "two/track.csv", HEAD + "0,1,2,3,4,here\n", r"track\.csv, line 2: not a row"),
        (tracked, "two/track.csv", HEAD + "9,1,2,3,4,tracked\n", r"line 2: there is no picture for"),
        (voc, "JPEGImages/a.jpg", "no", r"a\.jpg cannot be read as a picture"),
    ],
)
def test_a_bad_file_is_named(
    maker: Callable[[Path], None], file: str, content: str, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=sentence):
        read_sets([broken(maker, tmp_path, file, content)], Choice())


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    coco(tmp_path)
    (tmp_path / "val2017" / "a.jpg").unlink()
    with pytest.raises(SourceError, match=r"val2017/a\.jpg is not there"):
        read_sets([tmp_path], Choice())


def test_what_does_not_fit_into_memory_is_said(tmp_path: Path, training_set: Path) -> None:
    vid(tmp_path)
    sentence = r"3 pictures would take 0\.0 GiB of memory, but 0\.0005 are allowed: take fewer, --limit 1"
    with pytest.raises(InputError, match=sentence):
        read_sets([tmp_path], Choice(memory=0.0005))
    assert len(read_sets([tmp_path], Choice(limit=1, memory=0.0005))[0].objects.picture) == 1
    with pytest.raises(InputError, match="--limit"):
        read_sets([training_set], Choice(memory=0.0005))


def test_an_unknown_folder_is_refused_with_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no annotated pictures of a layout known here: .*\(coco\)"):
        source_for(tmp_path)
    with pytest.raises(SourceError, match="does not exist"):
        read_sets([tmp_path / "nowhere"], Choice())
    yolo(tmp_path)
    with pytest.raises(InputError, match="name sources of an index"):
        read_sets([tmp_path], Choice(without=["a"]))


def test_several_folders_are_read_together(tmp_path: Path, training_set: Path) -> None:
    otb(tmp_path / "a")
    otb(tmp_path / "b")
    coco(tmp_path / "c")
    folders = [tmp_path / name for name in "abc"]
    train, val = read_sets(folders, Choice())
    for data in (train, val):  # each has its own One or Two, and its own picture
        assert sorted(data.objects.track.tolist()) == [-1, 0, 1]
    with pytest.raises(InputError, match=r"has an index\.csv: it cannot be read together"):
        read_sets([training_set, *folders], Choice())


def test_an_outline_is_boxed_and_a_small_object_left_out(tmp_path: Path) -> None:
    yolo(tmp_path)
    left, top, right, bottom = X / 160, Y / 120, (X + W) / 160, (Y + H) / 120
    outline = f"1 {left} {top} {right} {top} {right} {bottom}\n2 0.9 0.9 0.01 0.01\n"
    text(tmp_path / "labels" / "train" / "a.txt", outline)
    data = read_sets([tmp_path], Choice(), ["train"])[0]
    assert data.objects.box.round().tolist() == [list(map(float, BOX))]


def test_a_large_object_is_made_smaller_and_its_neighbour_goes_with_it(tmp_path: Path) -> None:
    image = np.full((1000, 1200, 3), 100, np.uint8)
    image[300:500, 400:600], image[520:700, 620:800] = COLOUR, (0, 0, 255)
    for split in ("train", "val"):
        (tmp_path / split / "images").mkdir(parents=True)
        cv2.imwrite(str(tmp_path / split / "images" / "a.png"), image)
        lines = "0 0.416667 0.4 0.166667 0.2\n0 0.591667 0.61 0.15 0.18\n"
        text(tmp_path / split / "labels" / "a.txt", lines)
    data = read_sets([tmp_path], Choice(), ["train"])[0]
    assert len(data.pictures.pixels) == 2
    main, beside = data.objects.box[data.objects.picture == 0]
    assert main[2:].tolist() == pytest.approx([64, 64], abs=0.5)
    assert beside[2:].tolist() == pytest.approx([57.6, 57.6], abs=0.5)
    assert (beside - main)[:2].tolist() == pytest.approx([70.4, 70.4], abs=0.5)
    assert data.pictures.sizes[0].max() <= 334


def test_one_group_of_twenty_is_held_out_where_nobody_says_which(tmp_path: Path) -> None:
    shots = [Shot(tmp_path / f"{n}.jpg", (Labelled((0, 0, 9, 9)),), f"g{n // 2}") for n in range(80)]
    parts = divided(shots, tmp_path)
    assert len(parts["train"]) == 76
    assert not {shot.group for shot in parts["train"]} & {shot.group for shot in parts["val"]}
    assert divided(shots[::-1], tmp_path)["val"] == parts["val"][::-1]
    with pytest.raises(SourceError, match="needs pictures of two groups"):
        divided(shots[:2], tmp_path)


def test_names_say_their_split() -> None:
    assert split_of("train2017") == split_of("images", "train") == "train"
    assert split_of("valid") == split_of("val2017") == split_of("train", "test") == "val"
    assert split_of("photos") is None


def test_frames_are_spread_evenly() -> None:
    assert spread(range(100), 5) == [0, 20, 40, 60, 80]
    assert spread(range(3), 5) == [0, 1, 2]
