"""The interface that every kind of source provides: frames with numbers and times, some of them broken."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

from slimtrack.arrays import Image

__all__ = ["TOLERANCE", "Broken", "Feed", "Footage", "Frame", "Mark", "Sound", "reached"]

Mark: TypeAlias = int | float
"""A place in a source: a whole number is a frame number, a float is a time in seconds."""

TOLERANCE = 0.0005
"""Seconds by which a frame may lie before a mark and still match: people type times with three digits."""


def reached(mark: Mark, number: int, time: float | None) -> bool:
    """Whether a frame lies at or after a mark.

    Args:
        mark: The place.
        number: The frame's number.
        time: Its time in seconds; ``None`` if unknown, which reaches no mark in seconds.
    """
    if isinstance(mark, int):
        return number >= mark
    return time is not None and time >= mark - TOLERANCE


@dataclass(frozen=True, slots=True, eq=False)  # arrays are not compared by ==
class Frame:
    """One frame of a source.

    Attributes:
        image: ``(H, W, 3)`` uint8 BGR; must not be written to.
        number: Its number in the source, 0-based, counted from the source's first frame wherever reading
            began; broken frames count.
        time: Seconds from the start of the source, as a player shows them; ``None`` if the source has no
            times, as a folder of images. Later frames have later times.
    """

    image: Image
    number: int
    time: float | None = None


@dataclass(frozen=True, slots=True)
class Sound:
    """The sound of a video.

    Attributes:
        path: The file.
        begin: Time stamp of the video's beginning, in seconds.
    """

    path: Path
    begin: float = 0.0


@dataclass(frozen=True, slots=True)
class Footage:
    """What a video made from a source's frames takes over from the source.

    Attributes:
        fps: Frames a second, for frames without times; ``None`` if the source states none.
        aspect: Width of a pixel over its height.
        sound: The sound that belongs to the frames' times, if there is any.
    """

    fps: float | None = None
    aspect: Fraction = Fraction(1)
    sound: Sound | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """Takes the place of a frame that cannot be read."""

    number: int
    reason: str


@dataclass(slots=True)
class Feed:
    """The frames of a source, some of them broken, and what is known before reading them."""

    name: str
    label: str  # how error messages call the source
    items: Iterator[Frame | Broken]
    origin: str | None = None
    fps: float | None = None
    count: int | None = None
    aspect: Fraction = Fraction(1)  # width of a pixel over its height
    sound: Sound | None = None
    timed: bool = False  # whether its frames have times
    close: Callable[[], None] = lambda: None
    notes: list[str] = field(default_factory=list)
