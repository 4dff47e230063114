"""Boxes in COCO's JSON."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slimtrack.errors import SourceError
from slimtrack.learning.sources.shot import Labelled, Shot, Source, split_of

__all__ = ["Coco"]


class Coco(Source):
    """COCO (Lin et al., ECCV 2014) and exports in its format; crowds are left out."""

    layout = "annotations/instances_*.json and a folder of pictures a split; or SPLIT/_annotations.coco.json"

    def recognises(self, folder: Path) -> bool:
        """Whether there are annotations."""
        return bool(_files(folder))

    def shots(self, folder: Path) -> Iterator[Shot]:
        """The pictures of every file of annotations."""
        for file in _files(folder):
            yield from _shots(file, folder)


def _files(folder: Path) -> list[Path]:
    """Files of boxes: COCO keeps captions and keypoints beside them."""
    whole = sorted((folder / "annotations").glob("*.json"))
    named = [file for file in whole if file.name.startswith("instances")]
    return (named or whole) + sorted(folder.glob("*/_annotations.coco.json"))


def _shots(file: Path, folder: Path) -> Iterator[Shot]:
    try:
        content = json.loads(file.read_bytes())
        pictures = {entry["id"]: str(entry["file_name"]) for entry in content["images"]}
        names = {entry["id"]: str(entry["name"]) for entry in content.get("categories", ())}
        annotations = content["annotations"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{file} is not in COCO's format ({type(error).__name__}: {error})") from error
    objects: dict[Any, list[Labelled]] = defaultdict(list)
    for number, entry in enumerate(annotations):
        key, found = _object(entry, names, pictures, f"{file}, annotations[{number}]")
        if not entry.get("iscrowd"):
            objects[key].append(found)
    split = split_of(file.parent.name, file.stem.removeprefix("instances_"))
    for key, items in objects.items():
        yield Shot(_picture(file, folder, pictures[key]), tuple(items), pictures[key], split)


def _object(entry: Any, names: dict[Any, str], pictures: dict[Any, str], where: str) -> tuple[Any, Labelled]:
    try:
        x, y, w, h = map(float, entry["bbox"])
        key = entry["image_id"]
        name = names.get(entry.get("category_id"), "")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"{where}: no bbox of four numbers with an image_id") from error
    if key not in pictures:
        raise SourceError(f"{where}: there is no image with the id {key!r}")
    return key, Labelled((x, y, w, h), name)


def _picture(file: Path, folder: Path, name: str) -> Path:
    """Where a picture is: beside the file, in the split's own folder, or in ``images``."""
    split = file.stem.removeprefix("instances_")
    places = [file.parent, folder / split, folder / "images" / split, folder / "images", folder]
    return next((place / name for place in places if (place / name).is_file()), folder / split / name)
