"""What an earlier run has found: the rows that a new one goes on from."""

import os
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from slimtrack.box import Box
from slimtrack.errors import InputError, OutputError
from slimtrack.video.feed import Frame, Mark, reached
from slimtrack.video.reading import read_rows
from slimtrack.video.results import Row

__all__ = ["Past"]

_COMPARED = 10
"""Frames at the beginning that are tracked again in any case: another tracker or video is seen by them."""

_SAME = 0.01
"""Pixels by which a box tracked again may differ: a table has four digits, machines differ in the last."""


@dataclass(frozen=True, slots=True)
class Past:
    """Rows of an earlier run that hold good, and which of their frames a tracker has to see again.

    A tracker's knowledge is not kept on disk. It comes back by tracking again from the frame in which the
    target was last given, the first one or a correction's; what lies before needs only to be read.

    Attributes:
        path: The table.
        box: The target in the first frame.
        rows: The rows.
        dropped: Rows behind them that a new correction makes void.
        anchor: Number of the row from which the tracker has to see them all.
    """

    path: Path
    box: Box
    rows: list[Row]
    dropped: int = 0
    anchor: int = 0

    @classmethod
    def read(cls, path: str | os.PathLike[str], corrections: Mapping[Mark, Box]) -> "Past":
        """The rows of a table up to the first correction that is new.

        Args:
            path: A CSV that `track` wrote.
            corrections: Place -> box, of the run that goes on.

        Raises:
            OutputError: There is no such table, or it holds no frames, or several targets.
            SourceError: It is none of ours.
        """
        path = Path(path)
        if not path.is_file():
            raise OutputError(f"there is nothing to resume: {path} does not exist; leave out --resume")
        rows = read_rows(path)
        if not rows:
            raise OutputError(f"there is nothing to resume: {path} holds no frames; --overwrite replaces it")
        if any(row.target != 1 for row in rows):
            raise OutputError(f"{path} holds several targets: only a run with one can be resumed")
        kept = min((_first_void(rows, place, box) for place, box in corrections.items()), default=len(rows))
        given = [number for number, row in enumerate(rows[:kept]) if row.ms is None]
        anew = kept < len(rows) or rows[-1].frame + 1 in corrections  # nothing before has to be known then
        return cls(path, rows[0].track.box, rows[:kept], len(rows) - kept, kept if anew else given[-1])

    @property
    def last(self) -> int:
        """Number of the last frame that holds good; -1 for none."""
        return self.rows[-1].frame if self.rows else -1

    def knows(self, index: int) -> bool:
        """Whether row number ``index`` can be taken as it is, without the tracker."""
        return _COMPARED <= index < self.anchor

    def check(self, first: int, box: Box) -> None:
        """Refuses a run that begins elsewhere.

        Args:
            first: Number of its first frame.
            box: The target in it.

        Raises:
            InputError: The table begins with another frame or box.
        """
        begun = self.rows[0].frame if self.rows else first
        if begun != first:
            raise InputError(f"{self.path} begins with frame {begun}, not {first}: {_REMEDY}")
        if any(abs(a - b) > _SAME for a, b in zip(self.box, box, strict=True)):
            raise InputError(f"{self.path} begins with the box {self.box}, not {box}: {_REMEDY}")

    def matched(self, frames: Iterator[Frame]) -> Iterator[tuple[int, Frame, Row]]:
        """Number, frame and row of each row.

        Args:
            frames: The source; its next frame is that of the first row.

        Raises:
            InputError: It has other frames than the table.
        """
        for index, row in enumerate(self.rows):
            frame = next(frames, None)
            if frame is None:
                raise InputError(f"{self.path} has frame {row.frame}, the video ends before it: {_REMEDY}")
            if frame.number != row.frame:
                raise InputError(
                    f"{self.path} has frame {row.frame} where the video has {frame.number}: {_REMEDY}"
                )
            yield index, frame, row

    def compare(self, row: Row, box: Box) -> None:
        """Refuses a box that is not the one in the table.

        Raises:
            InputError: It differs by more than a hundredth of a pixel.
        """
        if any(abs(a - b) > _SAME for a, b in zip(row.track.box, box, strict=True)):
            raise InputError(
                f"frame {row.frame} comes out as {box}, but {self.path} says {row.track.box}: {_REMEDY}"
            )


_REMEDY = "resuming needs the video, --start, --box, tracker and options of the first run"


def _first_void(rows: list[Row], place: Mark, box: Box) -> int:
    """Number of the first row that a correction makes void; of none where it was made in that run already."""
    index = bisect_left(rows, True, key=lambda row: reached(place, row.frame, row.time))
    done = index < len(rows) and rows[index].ms is None and rows[index].track.box == box
    return len(rows) if done else index
