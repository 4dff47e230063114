"""What every kind of source provides: frames with their numbers and times, some of them broken."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

from slimtrack.arrays import Image

__all__ = ["TOLERANCE", "Broken", "Feed", "Footage", "Frame", "Mark", "Sound", "reached"]

Mark: TypeAlias = int | float
"""A place in a source: a whole number is a frame's, a float is seconds."""

TOLERANCE = 0.0005
"""Seconds by which a frame may come before a mark and still be meant: people type times with three digits."""


def reached(mark: Mark, number: int, time: float | None) -> bool:
    """Whether a frame lies at a mark or behind it.

    Args:
        mark: The place.
        number: The frame's number.
        time: Its seconds; ``None`` where unknown, which reaches no mark in seconds.
    """
    if isinstance(mark, int):
        return number >= mark
    return time is not None and time >= mark - TOLERANCE


@dataclass(frozen=True, slots=True, eq=False)  # arrays are not compared by ==
class Frame:
    """One frame of a source.

    Attributes:
        image: ``(H, W, 3)`` uint8 BGR, read-only for whoever gets it.
        number: Its number in the source, 0-based, counted from the source's first frame wherever reading
            began; broken frames count.
        time: Seconds from the source's beginning, as a player shows them; ``None`` where nobody says, such as
            in a folder of images. Later frames have later times.
    """

    image: Image
    number: int
    time: float | None = None


@dataclass(frozen=True, slots=True)
class Sound:
    """A film's sound.

    Attributes:
        path: The file.
        begin: What its stamps say at the film's beginning, in seconds.
    """

    path: Path
    begin: float = 0.0


@dataclass(frozen=True, slots=True)
class Footage:
    """What a video made from a source's frames takes over from the source.

    Attributes:
        fps: Frames a second, for frames without times; ``None`` where the source does not say.
        aspect: Width by height of a pixel.
        sound: The sound that belongs to the frames' times, if there is one.
    """

    fps: float | None = None
    aspect: Fraction = Fraction(1)
    sound: Sound | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """Stands in a feed for a frame that cannot be read."""

    number: int
    reason: str


@dataclass(slots=True)
class Feed:
    """What a kind of source provides: its frames, some of them broken, and what is known beforehand."""

    name: str
    label: str  # how an error message calls it
    items: Iterator[Frame | Broken]
    origin: str | None = None
    fps: float | None = None
    count: int | None = None
    aspect: Fraction = Fraction(1)  # width by height of a pixel
    sound: Sound | None = None
    timed: bool = False  # whether its frames bring their times
    close: Callable[[], None] = lambda: None
    notes: list[str] = field(default_factory=list)
