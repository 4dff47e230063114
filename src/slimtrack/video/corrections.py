"""Corrections: boxes that the user gives for later frames of the source."""

from collections.abc import Mapping

from slimtrack.box import Box
from slimtrack.errors import InputError
from slimtrack.follower import checked_box
from slimtrack.video.feed import TOLERANCE, Frame, Mark, reached

__all__ = ["Corrections"]


class Corrections:
    """Gives each box once, at the first frame at or after its place."""

    def __init__(self, boxes: Mapping[Mark, Box]) -> None:
        """Takes the boxes.

        Args:
            boxes: Place -> box; a place is a frame number (a whole number) or seconds (a float).
        """
        self._left = dict(boxes)

    def check(self, first: Frame) -> None:
        """Raises an error for a box that cannot be used, or a place that no frame can reach.

        Args:
            first: The first frame.

        Raises:
            InputError: A box cannot be used in a frame of that size, a place lies before the first frame, or
                a place is in seconds but the frames have no times.
        """
        for place, box in self._left.items():
            try:
                checked_box(box, first.image.shape)
            except InputError as error:
                raise InputError(f"correction at {_named(place)}: {error}") from error
            start = first.number if isinstance(place, int) else first.time
            if start is None:
                raise InputError(
                    f"correction at {_named(place)}: the source has no times, give a frame number"
                )
            if place < start and not _same_time(place, start):
                raise InputError(
                    f"correction at {_named(place)} lies before the first frame, which is {_named(start)}"
                )

    def due(self, number: int, time: float | None) -> Box | None:
        """The box for a frame, if there is one; if several are due, the last one given."""
        due = [place for place in self._left if reached(place, number, time)]
        boxes = [self._left.pop(place) for place in due]
        return boxes[-1] if boxes else None

    @property
    def notes(self) -> list[str]:
        """Notes on corrections that no frame reached."""
        return [f"the correction at {_named(place)} was not reached" for place in self._left]


def _same_time(place: Mark, start: Mark) -> bool:
    return isinstance(place, float) and start - place <= TOLERANCE


def _named(place: Mark) -> str:
    return f"frame {place}" if isinstance(place, int) else f"{place:g} seconds"
