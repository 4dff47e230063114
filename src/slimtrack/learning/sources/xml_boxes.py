"""Boxes in XML files of PASCAL's format: VOC, and ILSVRC's videos."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

from slimtrack.errors import SourceError
from slimtrack.learning.sources.shot import Labelled, Shot, Source, split_of, spread

__all__ = ["Vid", "Voc"]


class Voc(Source):
    """PASCAL VOC (Everingham et al., IJCV 2010); pixels count from 1, difficult objects are left out."""

    layout = "Annotations/*.xml and JPEGImages/*.jpg"

    def recognises(self, folder: Path) -> bool:
        """Whether there are annotations and pictures."""
        return (folder / "JPEGImages").is_dir() and any((folder / "Annotations").glob("*.xml"))

    def shots(self, folder: Path) -> Iterator[Shot]:
        """All pictures; the lists in ``ImageSets/Main`` say what is held out."""
        held_out = _listed(folder / "ImageSets" / "Main" / "val.txt")
        for file in sorted((folder / "Annotations").glob("*.xml")):
            picture = folder / "JPEGImages" / f"{file.stem}.jpg"
            split = split_of("val" if file.stem in held_out else "train") if held_out else None
            yield Shot(picture, tuple(_objects(file, first=1)), file.stem, split)


class Vid(Source):
    """ILSVRC's object detection from video (Russakovsky et al., IJCV 2015); pixels count from 0."""

    layout = "Annotations/VID/train/../NAME/*.xml and Data/VID/train/../NAME/*.JPEG"

    def recognises(self, folder: Path) -> bool:
        """Whether there are videos and their annotations."""
        return (folder / "Annotations" / "VID").is_dir() and (folder / "Data" / "VID").is_dir()

    def shots(self, folder: Path) -> Iterator[Shot]:
        """Some frames of each video."""
        top = folder / "Annotations" / "VID"
        for video in sorted({file.parent for file in top.rglob("*.xml")}):
            name = video.relative_to(top)
            for file in spread(sorted(video.glob("*.xml"))):
                picture = folder / "Data" / "VID" / name / f"{file.stem}.JPEG"
                found = (item._replace(track=f"{name}/{item.track}") for item in _objects(file, first=0))
                yield Shot(picture, tuple(found), str(name), split_of(name.parts[0]))


def _listed(file: Path) -> set[str]:
    return (
        {line.split()[0] for line in file.read_text().splitlines() if line.strip()}
        if file.is_file()
        else set()
    )


def _objects(file: Path, first: int) -> Iterator[Labelled]:
    """The objects of one file, their corners inclusive.

    Raises:
        SourceError: It is not such a file; names the object.
    """
    try:
        root = ElementTree.parse(file).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise SourceError(f"{file} cannot be read ({error})") from error
    for number, item in enumerate(root.iter("object"), 1):
        if item.findtext("difficult") == "1":
            continue
        try:
            left, top, right, bottom = (
                float(item.findtext(f"bndbox/{key}", "")) for key in ("xmin", "ymin", "xmax", "ymax")
            )
        except ValueError as error:
            raise SourceError(f"{file}, object {number}: its bndbox lacks a number") from error
        box = left - first, top - first, right - left + 1, bottom - top + 1
        yield Labelled(box, item.findtext("name", ""), item.findtext("trackid", ""))
