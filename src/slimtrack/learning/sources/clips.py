"""Sequences of one target: those of `slimtrack.datasets`, and clips followed by `slimtrack track`."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from slimtrack.confidence import State
from slimtrack.datasets.layouts import READERS, reader_for
from slimtrack.datasets.reader import Reader
from slimtrack.datasets.rows import text_of
from slimtrack.datasets.sequence import Sequence, frames_in
from slimtrack.errors import SourceError
from slimtrack.learning.data import Split
from slimtrack.learning.sources.shot import Labelled, Shot, Source, split_of, spread

__all__ = ["Sequences", "Tracked"]


class Sequences(Source):
    """GOT-10k, LaSOT, TrackingNet, OTB and whatever else `slimtrack bench` measures on."""

    layout = f"what `slimtrack bench` reads: {', '.join(READERS)}; also in train and val below the folder"

    def recognises(self, folder: Path) -> bool:
        """Whether a reader of sequences knows the folder, or its splits."""
        return any(_reader(part) for part in _parts(folder))

    def shots(self, folder: Path) -> Iterator[Shot]:
        """Some frames of each sequence."""
        for part in _parts(folder):
            split = split_of(part.name) if part != folder else None
            if (reader := _reader(part)) is not None:
                for name, file in reader.find(part).items():
                    yield from _frames(reader.read(name, file), split)


def _parts(folder: Path) -> list[Path]:
    """The folder, or the splits that are in it."""
    splits = [folder / name for name in ("train", "val") if (folder / name).is_dir()]
    return splits or [folder]


def _reader(folder: Path) -> Reader | None:
    try:
        return reader_for(folder)
    except SourceError:
        return None


def _frames(sequence: Sequence, split: Split | None) -> Iterator[Shot]:
    """Some frames in which the target is there."""
    there = np.flatnonzero(~sequence.absent & (sequence.truth[:, 2:] > 0).all(1))
    for index in spread(there.tolist()):
        x, y, w, h = sequence.truth[index].tolist()
        target = Labelled((x, y, w, h), track=sequence.name)
        yield Shot(sequence.frames[index], (target,), sequence.name, split)


class Tracked(Source):
    """Clips that `slimtrack track` followed: pictures, and its table beside them or beside their folder."""

    layout = "NAME/img/*.jpg and NAME/track.csv, written by `slimtrack track`"

    def recognises(self, folder: Path) -> bool:
        """Whether there is a table with pictures."""
        return next(_tables(folder), None) is not None

    def shots(self, folder: Path) -> Iterator[Shot]:
        """Some frames of each clip in which the target was TRACKED."""
        for file in _tables(folder):
            frames = frames_in(file.parent / "img")
            for number, found in spread(_rows(file, len(frames))):
                yield Shot(frames[number], (found,), file.parent.name)


def _tables(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if (entry / "track.csv").is_file() and (entry / "img").is_dir():
            yield entry / "track.csv"


def _rows(file: Path, frames: int) -> list[tuple[int, Labelled]]:
    """Frame numbers and boxes of the rows that can be believed.

    Raises:
        SourceError: A line is not a row of such a table.
    """
    found = []
    for number, row in enumerate(csv.DictReader(text_of(file).splitlines()), 2):
        try:
            frame, state = int(row["frame"]), State(row["state"])
            x, y, w, h = (float(row[key]) for key in "xywh")
        except (KeyError, TypeError, ValueError) as error:
            raise SourceError(f"{file}, line {number}: not a row of a table that track wrote") from error
        if not 0 <= frame < frames:
            raise SourceError(f"{file}, line {number}: there is no picture for frame {frame}, only {frames}")
        if state is State.TRACKED:
            found.append((frame, Labelled((x, y, w, h), track=f"{file.parent.name}/{row.get('target', 1)}")))
    return found
