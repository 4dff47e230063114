"""The rows of an earlier run, from which a new run continues."""

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
"""Frames at the start that are always tracked again, to detect another tracker or video."""

_SAME = 0.01
"""Pixels by which a box tracked again may differ: tables have four decimals, and the last may differ."""


@dataclass(frozen=True, slots=True)
class Past:
    """The valid rows of an earlier run, and which of their frames the tracker has to see again.

    A tracker's state is not stored on disk. It is restored by tracking again from the last frame in which the
    user gave a box: the first one or that of a correction. Earlier frames only have to be read.

    Attributes:
        path: The table.
        box: The target in the first frame.
        rows: The valid rows.
        dropped: Number of later rows that a new correction makes invalid.
        anchor: Index of the row from which on the tracker has to see all frames.
    """

    path: Path
    box: Box
    rows: list[Row]
    dropped: int = 0
    anchor: int = 0

    @classmethod
    def read(cls, path: str | os.PathLike[str], corrections: Mapping[Mark, Box]) -> "Past":
        """Reads the rows of a table up to the first new correction.

        Args:
            path: A CSV file written by `track`.
            corrections: Place -> box, of the run that continues.

        Raises:
            OutputError: The table is missing, or holds no frames, or several targets.
            SourceError: `track` did not write it.
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
        anew = (
            kept < len(rows) or rows[-1].frame + 1 in corrections
        )  # the tracker does not need earlier frames then
        return cls(path, rows[0].track.box, rows[:kept], len(rows) - kept, kept if anew else given[-1])

    @property
    def last(self) -> int:
        """Number of the last valid frame; -1 if there is none."""
        return self.rows[-1].frame if self.rows else -1

    def knows(self, index: int) -> bool:
        """Whether row ``index`` can be used without running the tracker."""
        return _COMPARED <= index < self.anchor

    def check(self, first: int, box: Box) -> None:
        """Raises an error if a run starts with another frame or box than the table.

        Args:
            first: Number of the run's first frame.
            box: The target in that frame.

        Raises:
            InputError: The table starts with another frame or box.
        """
        begun = self.rows[0].frame if self.rows else first
        if begun != first:
            raise InputError(f"{self.path} starts with frame {begun}, not {first}: {_REMEDY}")
        if any(abs(a - b) > _SAME for a, b in zip(self.box, box, strict=True)):
            raise InputError(f"{self.path} starts with the box {self.box}, not {box}: {_REMEDY}")

    def matched(self, frames: Iterator[Frame]) -> Iterator[tuple[int, Frame, Row]]:
        """Index, frame and row of each row of the table.

        Args:
            frames: The source; its next frame must be that of the first row.

        Raises:
            InputError: The source has other frames than the table.
        """
        for index, row in enumerate(self.rows):
            frame = next(frames, None)
            if frame is None:
                raise InputError(
                    f"{self.path} has frame {row.frame}, but the video ends before it: {_REMEDY}"
                )
            if frame.number != row.frame:
                raise InputError(
                    f"{self.path} has frame {row.frame}, but the video has {frame.number} there: {_REMEDY}"
                )
            yield index, frame, row

    def compare(self, row: Row, box: Box) -> None:
        """Raises an error if a box differs from that in the table.

        Raises:
            InputError: The boxes differ by more than a hundredth of a pixel.
        """
        if any(abs(a - b) > _SAME for a, b in zip(row.track.box, box, strict=True)):
            raise InputError(
                f"tracking frame {row.frame} again gives {box}, but {self.path} has {row.track.box}: "
                f"{_REMEDY}"
            )


_REMEDY = "resuming needs the video, --start, --box, tracker and options of the first run"


def _first_void(rows: list[Row], place: Mark, box: Box) -> int:
    """Index of the first row that a correction makes invalid; the end if that run had the correction."""
    index = bisect_left(rows, True, key=lambda row: reached(place, row.frame, row.time))
    done = index < len(rows) and rows[index].ms is None and rows[index].track.box == box
    return len(rows) if done else index
