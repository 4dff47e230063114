"""Boxes that the user gave by hand, each for a place in the source."""

from collections.abc import Mapping

from slimtrack.box import Box
from slimtrack.errors import InputError
from slimtrack.tracker import checked_box
from slimtrack.video.feed import TOLERANCE, Frame, Mark, reached

__all__ = ["Corrections"]


class Corrections:
    """Gives each box once, at the first frame that lies at its place or behind it."""

    def __init__(self, boxes: Mapping[Mark, Box]) -> None:
        """Takes the boxes.

        Args:
            boxes: Place -> box; a whole number is a frame's, a float is seconds.
        """
        self._left = dict(boxes)

    def check(self, first: Frame) -> None:
        """Refuses boxes that cannot be used and places that no frame can reach.

        Args:
            first: The first frame.

        Raises:
            InputError: A box cannot be used in a frame of that size, a place lies before the first frame, or
                is in seconds where frames have no times.
        """
        for place, box in self._left.items():
            try:
                checked_box(box, first.image)
            except InputError as error:
                raise InputError(f"correction at {_named(place)}: {error}") from error
            start = first.number if isinstance(place, int) else first.time
            if start is None:
                raise InputError(f"correction at {_named(place)}: the source has no times, give the frame")
            if place < start and not _same_time(place, start):
                raise InputError(
                    f"correction at {_named(place)} lies before the first frame, which is {_named(start)}"
                )

    def due(self, number: int, time: float | None) -> Box | None:
        """The box for a frame; of several places that it reaches, the last one given."""
        due = [place for place in self._left if reached(place, number, time)]
        boxes = [self._left.pop(place) for place in due]
        return boxes[-1] if boxes else None

    @property
    def notes(self) -> list[str]:
        """What was never reached."""
        return [f"the correction at {_named(place)} was not reached" for place in self._left]


def _same_time(place: Mark, start: Mark) -> bool:
    return isinstance(place, float) and start - place <= TOLERANCE


def _named(place: Mark) -> str:
    return f"frame {place}" if isinstance(place, int) else f"{place:g} seconds"
