"""The summary of a run: counts, times, files."""

import math
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from slimtrack.confidence import State
from slimtrack.errors import OutputError
from slimtrack.timing import WARM_UP, Timing, summarise
from slimtrack.video.draw import timeline
from slimtrack.video.results import Row

__all__ = ["Summary"]

_MOST_ROWS = 50_000
"""Rows that a summary keeps, about 16 MiB: half an hour of a camera. Longer runs keep every second one, .."""


@dataclass(slots=True)
class Summary:
    """The summary of a run.

    Attributes:
        tracker: Name of the tracker.
        frames: Number of tracked frames, including the first one.
        rows: Frame number, track and milliseconds of the frames. A long run keeps every second, fourth, ..
            row, so that memory stays bounded.
        every: Every how many frames there is a row; 1: all frames.
        counts: Number of frames in each state.
        skipped: Number of broken frames left out.
        init_ms: Milliseconds of `Tracker.init`.
        outputs: Files written.
        again: Number of frames of an earlier run that were tracked again to restore the tracker.
        notes: Notes for the user.
        interrupted: Whether the run ended before the source did.
    """

    tracker: str
    frames: int = 0
    rows: list[Row] = field(default_factory=list)
    every: int = 1
    counts: Counter[State] = field(default_factory=Counter)
    skipped: int = 0
    init_ms: float = 0.0
    again: int = 0
    outputs: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False

    def add(self, row: Row) -> None:
        """Adds the next frame."""
        if self.frames % self.every == 0:
            self.rows.append(row)
            if len(self.rows) > _MOST_ROWS:
                self.rows = self.rows[::2]
                self.every *= 2
        self.frames += 1
        self.counts[row.track.state] += 1

    @property
    def speed(self) -> Timing:
        """Statistics of the times of `Tracker.update` after the warm-up; ``nan`` if there are none."""
        later = (row for number, row in enumerate(self.rows) if number * self.every > WARM_UP)
        return summarise([row.ms for row in later if row.ms is not None])

    @property
    def p50_ms(self) -> float | None:
        """Median milliseconds of an update; ``None`` if nothing was measured, as for `p95_ms` and `fps`."""
        return _measured(self.speed.p50_ms)

    @property
    def p95_ms(self) -> float | None:
        """95th percentile of the milliseconds of an update."""
        return _measured(self.speed.p95_ms)

    @property
    def fps(self) -> float | None:
        """Updates a second: 1000 / p50."""
        return _measured(self.speed.fps)

    @property
    def shares(self) -> dict[State, float]:
        """Share of the frames in each state."""
        return {state: self.counts[state] / max(self.frames, 1) for state in State}

    def draw(self, path: str | os.PathLike[str], name: str, fps: float | None) -> None:
        """Plots score and speed over time. A plot that cannot be written becomes a note: the boxes are there.

        Args:
            path: The PNG to write.
            name: The source's name.
            fps: Frames per second of a source without times.
        """
        speed = f", {self.fps:.0f} frames/s" if self.fps else ""
        title = f"{name}: {self.tracker}, {self.frames} frames{speed}"
        scores, states = [row.track.score for row in self.rows], [row.track.state for row in self.rows]
        timed = self.rows[0].time is not None
        at = [row.time or 0.0 if timed else row.frame / (fps or 1) for row in self.rows]
        unit = "seconds" if timed or fps is not None else "frame"
        try:
            timeline(path, scores, [row.ms for row in self.rows], states, at=at, unit=unit, title=title)
        except OutputError as error:
            self.notes.append(str(error))
        else:
            self.outputs.append(Path(path))


def _measured(value: float) -> float | None:
    return value if math.isfinite(value) else None
