"""Progress of a benchmark: a bar on a terminal, lines in a log file."""

import sys
import time
from collections import Counter
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from slimtrack import timing
from slimtrack.evaluation import Run, Sequence, Watcher
from slimtrack.evaluation.procedures import ONE_PASS
from slimtrack.evaluation.protocols import Protocol
from slimtrack.evaluation.summary import headline

__all__ = ["PATIENCE", "live_console", "progress"]

PATIENCE = 30.0
"""Seconds after which a log file gets a line even if nothing is finished."""


def live_console() -> Console | None:
    """Stderr if it is a terminal that can draw a bar; ``None`` for files, pipes and dumb terminals."""
    console = Console(stderr=True)
    return console if console.is_terminal and not console.is_dumb_terminal else None


def progress(rules: Protocol, starts: int) -> "_Account":
    """A progress bar if stderr is a terminal, lines if it is a file.

    Args:
        rules: Rules of the metrics.
        starts: First boxes per sequence.
    """
    console = live_console()
    return _Lines(rules, starts) if console is None else _Bar(rules, console)


class _Account(Watcher):
    """Counts finished frames and keeps each tracker's figures so far.

    Args:
        rules: Rules of the metrics.

    Attributes:
        repeats: How many runs were repeated so far.
    """

    def __init__(self, rules: Protocol) -> None:
        self.repeats = 0
        self._rules = rules
        self._procedure = "" if rules.procedure is ONE_PASS else f"{rules.procedure.name}: "
        self._done = self._total = 0
        self._headline = ""
        self._values: dict[str, list[float]] = {}
        self._ms: dict[str, list[float]] = {}

    def __enter__(self) -> Self:
        return self  # nothing is shown before `begin`, so that a refused request shows nothing

    def __exit__(self, *_: object) -> None:
        """Ends the display."""

    def begin(self, frames: int) -> None:
        self._total = frames

    def again(self, tracker: str, sequence: str, index: int, frames: int) -> None:
        self.repeats += 1
        self._done += frames
        self._total += frames

    def finished(self, run: Run, sequence: Sequence, kept: bool) -> None:
        self._done += len(sequence)
        self._headline, value = headline(run, sequence, self._rules)
        self._values.setdefault(run.tracker, []).append(value)
        self._ms.setdefault(run.tracker, []).append(timing.summarise(run.ms).p50_ms)

    def figures(self, tracker: str) -> str:
        """Accuracy and speed of one tracker over its runs so far; empty before the first."""
        values = self._values.get(tracker)
        if not values:
            return ""
        fps = timing.summarise(self._ms[tracker]).fps
        return f"{self._headline} {sum(values) / len(values):.3f}  {fps:.0f} fps"


class _Bar(_Account):
    """A bar with the running tracker's figures so far; drawn between frames, never while one is timed."""

    def __init__(self, rules: Protocol, console: Console) -> None:
        super().__init__(rules)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False), BarColumn(20),
            TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
            console=console, auto_refresh=False,
        )  # fmt: skip
        self._task = self._progress.add_task("reading", total=None, figures="")
        self._why = ""

    def __exit__(self, *_: object) -> None:
        if self._progress.live.is_started:  # stopping a bar that was never drawn writes an empty line
            self._progress.stop()

    def begin(self, frames: int) -> None:
        super().begin(frames)
        self._progress.start()
        self._draw("reading")

    def working(self, tracker: str, sequence: str, index: int, frames: int) -> None:
        self._draw(f"{tracker} on {sequence}{self._why}", tracker, frames)

    def again(self, tracker: str, sequence: str, index: int, frames: int) -> None:
        super().again(tracker, sequence, index, frames)
        self._why = " again, because the machine was busy"
        self.working(tracker, sequence, index, 0)

    def finished(self, run: Run, sequence: Sequence, kept: bool) -> None:
        super().finished(run, sequence, kept)
        self._why = ""
        self._draw(f"{run.tracker} on {run.sequence}", run.tracker)

    def weighing(self, tracker: str) -> None:
        self._draw(f"memory of {tracker}")

    def _draw(self, text: str, tracker: str = "", frames: int = 0) -> None:
        self._progress.update(
            self._task, description=f"{self._procedure}{text}", figures=self.figures(tracker),
            completed=self._done + frames, total=self._total, refresh=True,
        )  # fmt: skip


class _Lines(_Account):
    """For files: one line, written at once, for every sequence that a tracker has finished."""

    def __init__(self, rules: Protocol, starts: int) -> None:
        super().__init__(rules)
        self._starts, self._seen = starts, Counter[tuple[str, str]]()
        self._last = time.monotonic()

    def working(self, tracker: str, sequence: str, index: int, frames: int) -> None:
        if time.monotonic() - self._last > PATIENCE:
            self._say(f"{tracker} on {sequence}: at frame {frames}", frames)

    def again(self, tracker: str, sequence: str, index: int, frames: int) -> None:
        super().again(tracker, sequence, index, frames)
        self._say(f"{tracker} on {sequence}: repeated, because the machine was busy")

    def finished(self, run: Run, sequence: Sequence, kept: bool) -> None:
        super().finished(run, sequence, kept)
        self._seen[run.tracker, run.sequence] += 1
        if self._seen[run.tracker, run.sequence] == self._starts:
            value = sum(self._values[run.tracker][-self._starts :]) / self._starts
            known = " (kept from an earlier run)" if kept else ""
            so_far = self.figures(run.tracker)
            self._say(
                f"{run.tracker} on {run.sequence}: {self._headline} {value:.3f}{known}; all so far: {so_far}"
            )

    def weighing(self, tracker: str) -> None:
        self._say(f"memory of {tracker}")

    def _say(self, text: str, frames: int = 0) -> None:
        self._last = time.monotonic()
        share = (self._done + frames) / max(self._total, 1)
        print(f"{share:4.0%}  {self._procedure}{text}", file=sys.stderr, flush=True)
