"""What came of tracking a source: counts, times, files."""

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from slimtrack.confidence import State
from slimtrack.timing import WARM_UP, Timing, summarise
from slimtrack.video.results import Row

__all__ = ["Summary"]

_MOST_ROWS = 50_000
"""Rows that a summary keeps, about 16 MiB: half an hour of a camera. A longer run's are thinned out."""


@dataclass(slots=True)
class Summary:
    """What came of tracking a source.

    Attributes:
        tracker: Name of the tracker.
        frames: Frames tracked, the first one included.
        rows: Frame number, track and milliseconds of the frames; of a long run every second, fourth, .. one,
            so that a camera may run for ever.
        every: Which of the frames are in `rows`: 1 is all of them.
        counts: Frames in each state.
        skipped: Broken frames left out.
        init_ms: Milliseconds of `Tracker.init`.
        outputs: Files written.
        again: Frames of an earlier run that were tracked again, to go on from it.
        notes: What the user should know.
        interrupted: Whether it was ended before the source was.
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
        """Takes note of the next frame."""
        if self.frames % self.every == 0:
            self.rows.append(row)
            if len(self.rows) > _MOST_ROWS:
                self.rows = self.rows[::2]
                self.every *= 2
        self.frames += 1
        self.counts[row.track.state] += 1

    @property
    def speed(self) -> Timing:
        """The times of `Tracker.update` alone, behind the warm-up; ``nan`` where there are none."""
        later = (row for number, row in enumerate(self.rows) if number * self.every > WARM_UP)
        return summarise([row.ms for row in later if row.ms is not None])

    @property
    def p50_ms(self) -> float | None:
        """Median milliseconds of an update; ``None`` where nothing was measured, as below."""
        return _measured(self.speed.p50_ms)

    @property
    def p95_ms(self) -> float | None:
        """Milliseconds that 95 % of the updates keep."""
        return _measured(self.speed.p95_ms)

    @property
    def fps(self) -> float | None:
        """Updates a second: 1000 / p50."""
        return _measured(self.speed.fps)

    @property
    def shares(self) -> dict[State, float]:
        """Share of the frames in each state."""
        return {state: self.counts[state] / max(self.frames, 1) for state in State}


def _measured(value: float) -> float | None:
    return value if math.isfinite(value) else None
