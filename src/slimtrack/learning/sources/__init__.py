"""Annotated pictures of any layout known here, as training sets; one file per layout."""

import math
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from slimtrack.errors import InputError, SourceError
from slimtrack.learning.data import Split, TrainingSet, read_training_set
from slimtrack.learning.sources.clips import Sequences, Tracked
from slimtrack.learning.sources.coco import Coco
from slimtrack.learning.sources.crops import cut_out
from slimtrack.learning.sources.davis import Davis
from slimtrack.learning.sources.shot import Labelled, Shot, Source
from slimtrack.learning.sources.xml_boxes import Vid, Voc
from slimtrack.learning.sources.yolo import Yolo

__all__ = ["SOURCES", "Choice", "divided", "read_sets", "source_for"]

SOURCES: dict[str, type[Source]] = {
    "vid": Vid, "voc": Voc, "davis": Davis, "coco": Coco, "yolo": Yolo, "tracked": Tracked,
    "sequences": Sequences,
}  # fmt: skip
"""Readers by name, in the order in which they are asked whether they recognise a folder."""

_HELD_OUT = 20
"""Where a data set does not say what is held out, one group of this many is."""


class Choice(NamedTuple):
    """Which pictures are taken.

    Attributes:
        without, rare: Sources of an `index.csv` to leave out, to draw seldom.
        limit: Maximum number of objects in each split, evenly spread.
        memory: Most memory for each split, in GiB.
    """

    without: Collection[str] = ()
    rare: Collection[str] = ()
    limit: int | None = None
    memory: float = math.inf


def read_sets(
    folders: Sequence[Path], choice: Choice, splits: Collection[Split] = ("train", "val")
) -> list[TrainingSet]:
    """Reads annotated pictures into memory.

    Args:
        folders: What readers of `SOURCES` recognise, one or several; or an `index.csv` with crops, alone.
        choice: Which pictures are taken.
        splits: The splits to read.

    Returns:
        One training set per split.

    Raises:
        SourceError: A folder cannot be read; names the file and the line or entry.
        InputError: The pictures would take too much memory, or folders cannot be read together.
    """
    indexed = [folder for folder in folders if (folder / "index.csv").is_file()]
    if indexed and len(folders) > 1:
        raise InputError(f"--data {indexed[0]} has an index.csv: it cannot be read together with others")
    if indexed:
        without, rare, limit, memory = choice
        return [
            read_training_set(indexed[0], split, without=without, rare=rare, limit=limit, memory=memory)
            for split in splits
        ]
    if choice.without or choice.rare:
        raise InputError(f"--without and --rare name sources of an index.csv, and {folders[0]} has none")
    parts = [_shots(folder, str(number)) for number, folder in enumerate(folders)]
    return [
        cut_out([shot for part in parts for shot in part[split]], folders[0], choice.limit, choice.memory)
        for split in splits
    ]


def _shots(folder: Path, mark: str) -> dict[Split, list[Shot]]:
    """The pictures of a folder by split; ``mark`` tells its tracks from those of other folders."""
    if not folder.is_dir():
        raise SourceError(
            f"--data {folder} is not a folder" if folder.exists() else f"--data {folder} does not exist"
        )
    shots = [shot for shot in source_for(folder).shots(folder) if shot.objects]
    return divided([shot._replace(objects=_marked(shot.objects, mark)) for shot in shots], folder)


def _marked(objects: tuple[Labelled, ...], mark: str) -> tuple[Labelled, ...]:
    return tuple(item._replace(track=f"{mark}/{item.track}") if item.track else item for item in objects)


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
    """Training and validation pictures: as the data set says, or else one group of 20 is held out.

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
