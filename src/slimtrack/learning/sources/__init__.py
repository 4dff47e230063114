"""Annotated pictures of any layout known here, as training sets: one file a layout."""

import math
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from slimtrack.errors import InputError, SourceError
from slimtrack.learning.data import Split, TrainingSet, read_training_set
from slimtrack.learning.sources.clips import Sequences, Tracked
from slimtrack.learning.sources.coco import Coco
from slimtrack.learning.sources.crops import cut_out
from slimtrack.learning.sources.davis import Davis
from slimtrack.learning.sources.shot import Shot, Source
from slimtrack.learning.sources.xml_boxes import Vid, Voc
from slimtrack.learning.sources.yolo import Yolo

__all__ = ["SOURCES", "Choice", "divided", "read_sets", "source_for"]

SOURCES: dict[str, type[Source]] = {
    "vid": Vid, "voc": Voc, "davis": Davis, "coco": Coco, "yolo": Yolo, "tracked": Tracked,
    "sequences": Sequences,
}  # fmt: skip
"""Readers by name, in the order in which they are asked whether they recognise a folder."""

_HELD_OUT = 20
"""One of so many groups is held out where a data set does not say which."""


class Choice(NamedTuple):
    """What is taken of the pictures.

    Attributes:
        without, rare: Sources of an `index.csv` to leave out, to draw seldom.
        limit: At most so many objects in each split, evenly spread.
        memory: How many GiB each split may take.
    """

    without: Collection[str] = ()
    rare: Collection[str] = ()
    limit: int | None = None
    memory: float = math.inf


def read_sets(
    folder: Path, choice: Choice, splits: Collection[Split] = ("train", "val")
) -> list[TrainingSet]:
    """Reads annotated pictures into memory.

    Args:
        folder: Crops with an `index.csv`, or whatever a reader of `SOURCES` recognises.
        choice: What is taken.
        splits: What for.

    Returns:
        A training set a split.

    Raises:
        SourceError: The folder cannot be read; names the file and the line or entry.
        InputError: The pictures would take too much memory.
    """
    if not folder.is_dir():
        raise SourceError(
            f"--data {folder} is not a folder" if folder.exists() else f"--data {folder} does not exist"
        )
    if (folder / "index.csv").is_file():
        without, rare, limit, memory = choice
        return [
            read_training_set(folder, split, without=without, rare=rare, limit=limit, memory=memory)
            for split in splits
        ]
    if choice.without or choice.rare:
        raise InputError(f"--without and --rare name sources of an index.csv, and {folder} has none")
    shots = divided([shot for shot in source_for(folder).shots(folder) if shot.objects], folder)
    return [cut_out(shots[split], folder, choice.limit, choice.memory) for split in splits]


def source_for(folder: Path) -> Source:
    """The first reader that recognises a folder.

    Raises:
        SourceError: None does.
    """
    for source in SOURCES.values():
        if source().recognises(folder):
            return source()
    known = "; ".join(f"{source.layout} ({name})" for name, source in SOURCES.items())
    raise SourceError(
        f"{folder} holds no annotated pictures of a layout known here: index.csv and crops; {known}"
    )


def divided(shots: list[Shot], folder: Path) -> dict[Split, list[Shot]]:
    """Pictures to learn from and to be judged by: as they say themselves, else one group of 20 is held out.

    Raises:
        SourceError: There are fewer than two groups.
    """
    held_out = [shot for shot in shots if shot.split == "val"]
    train = [shot for shot in shots if shot.split != "val"]
    if not held_out:
        groups = sorted({shot.group for shot in shots}, key=lambda name: (zlib.crc32(name.encode()), name))
        chosen = set(groups[: max(len(groups) // _HELD_OUT, 1)])
        held_out = [shot for shot in shots if shot.group in chosen]
        train = [shot for shot in shots if shot.group not in chosen]
    if not train:
        raise SourceError(
            f"{folder} needs pictures of two groups (sequences, stills): one to learn from, one held out"
        )
    return {"train": train, "val": held_out}
