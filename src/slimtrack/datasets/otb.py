"""Annotated sequences in the layout of the Object Tracking Benchmark (OTB)."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path

from slimtrack.datasets.reader import Reader, folders_with
from slimtrack.datasets.rows import read_truth
from slimtrack.datasets.sequence import Sequence, frames_from, frames_in
from slimtrack.errors import SourceError

__all__ = ["Otb"]

_FIRST_FRAME = {"David": 300, "BlurCar1": 247, "BlurCar3": 3, "BlurCar4": 18}
"""Sequences of OTB whose boxes begin after the first image, by the benchmark's own list
(`configSeqs.m`); these and those of `_ENDS_EARLY` come with more images than boxes."""

_ENDS_EARLY = {"Diving", "Football1", "Freeman3", "Freeman4"}
"""Sequences of OTB whose boxes end before their images do."""


class Otb(Reader):
    """The layout of OTB, which many other data sets use.

    A sequence is a folder ``NAME`` with ``NAME/img/*.jpg`` (or other images), in natural order, and
    ``NAME/groundtruth_rect.txt``: one row per frame, x, y, w, h, 1-based, separated by comma, tab or space;
    a row of ``nan`` says that the target is absent. Several targets in one folder
    (``groundtruth_rect.2.txt``) become ``NAME-2``. ``attributes.csv`` (``sequence,OCC,..`` with 0 and 1)
    lies in the folder or one level above. There must be as many rows as images, but for the few sequences
    of which OTB itself says that they are annotated in part (David from image 300 on, for example).
    """

    layout = "NAME/img/*.jpg and NAME/groundtruth_rect.txt"

    def find(self, folder: Path) -> Mapping[str, Path]:
        """The annotation files, one per target."""
        folders = folders_with(folder, "groundtruth_rect*.txt")
        return {name: file for entry in folders for name, file in _named(entry)}

    def read(self, name: str, file: Path) -> Sequence:
        """The images and boxes of one target."""
        truth = read_truth(file)
        frames = _annotated_part(file.parent.resolve().name, frames_in(file.parent / "img"), len(truth))
        return Sequence.checked(name, frames, truth, file, _attributes(file.parent.parent).get(name, ()))


def _named(folder: Path) -> list[tuple[str, Path]]:
    """Names of the sequences in a folder and their annotation files."""
    found = sorted(folder.glob("groundtruth_rect*.txt"))
    files = [file for file in found if re.fullmatch(r"groundtruth_rect(\.\d+)?\.txt", file.name)]
    name = folder.resolve().name
    plain = [file for file in files if file.name == "groundtruth_rect.txt"]
    numbered = [(f"{name}-{file.name.split('.')[1]}", file) for file in files if file not in plain]
    return [(name, plain[0])] if plain else numbered


def _annotated_part(name: str, frames: list[Path], count: int) -> list[Path]:
    """The images that the boxes belong to, for the sequences of OTB known to have more images."""
    if len(frames) > count and name in _ENDS_EARLY:
        return frames[:count]
    if len(frames) > count and name in _FIRST_FRAME:
        return frames_from(frames, _FIRST_FRAME[name], count)
    return frames


def _attributes(folder: Path) -> Mapping[str, tuple[str, ...]]:
    """Names of the attributes of each sequence; none where there is no file."""
    file = next(
        (f for f in (folder / "attributes.csv", folder.resolve().parent / "attributes.csv") if f.is_file()),
        None,
    )
    if file is None:
        return {}
    try:
        rows = list(csv.reader(file.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{file} cannot be read: {error}") from error
    if not rows or not rows[0] or rows[0][0].strip() != "sequence":
        raise SourceError(f"{file}, line 1: expected a head such as sequence,OCC,SV")
    names = [name.strip() for name in rows[0][1:]]
    found = {}
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        flags = [value.strip() for value in row[1:]]
        if len(flags) != len(names) or not set(flags) <= {"0", "1"}:
            raise SourceError(f"{file}, line {number}: expected a name and {len(names)} times 0 or 1")
        found[row[0].strip()] = tuple(name for name, flag in zip(names, flags, strict=True) if flag == "1")
    return found
