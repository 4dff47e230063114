"""What every reader of annotated pictures returns: pictures with boxes, not yet opened."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple, TypeVar

from slimtrack.learning.data import Split

__all__ = ["Labelled", "Shot", "Source", "split_of", "spread"]

Item = TypeVar("Item")


class Labelled(NamedTuple):
    """A box in a picture.

    Attributes:
        box: x, y, w, h as `Box`: pixels from the outer edge of the top-left one, or fractions of the picture
            where its `Shot` says so.
        category: What it is, empty if unknown: other boxes of the same category serve as look-alikes.
        track: The same for one object in several pictures; empty for a still.
    """

    box: tuple[float, float, float, float]
    category: str = ""
    track: str = ""


class Shot(NamedTuple):
    """An annotated picture.

    Attributes:
        picture: The file.
        objects: What is in it.
        group: Pictures of a group are all trained with or all held out: frames of one sequence.
        split: The split to which the data set assigns it; empty if it does not.
        fractions: Boxes are fractions of the picture's sides.
    """

    picture: Path
    objects: tuple[Labelled, ...]
    group: str
    split: Split | None = None
    fractions: bool = False


class Source(ABC):
    """Reads one layout of annotated pictures.

    Attributes:
        layout: How its files lie, for help and errors.
    """

    layout: ClassVar[str]

    @abstractmethod
    def recognises(self, folder: Path) -> bool:
        """Whether a folder has this layout; opens as little as possible."""

    @abstractmethod
    def shots(self, folder: Path) -> Iterator[Shot]:
        """The annotated pictures; of a long sequence some frames, evenly spread.

        Raises:
            SourceError: An annotation cannot be read; names the file and the line or entry.
        """


_FRAMES = 20
"""Number of frames taken from a sequence; more would only show the same object again."""


def spread(items: Sequence[Item], count: int = _FRAMES) -> list[Item]:
    """At most ``count`` of them, evenly spread."""
    if len(items) <= count:
        return list(items)
    return [items[index * len(items) // count] for index in range(count)]


def split_of(*words: str) -> Split | None:
    """The split that the name of a folder or file contains (``train2017``, ``valid``), the last one."""
    for word in reversed(words):
        plain = word.lower()
        if plain.startswith("train"):
            return "train"
        if plain.startswith(("val", "test")):
            return "val"
    return None
