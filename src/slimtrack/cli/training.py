"""Progress of a training run: a bar on a terminal, lines in a log file."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from slimtrack.cli.progress import PATIENCE, live_console
from slimtrack.learning.journal import Watcher

__all__ = ["bar"]


@contextmanager
def bar(*, shown: bool) -> Iterator[Watcher]:
    """What fits the place that stderr goes to; nothing where it is not to be shown."""
    console = live_console()
    if not shown:
        yield Watcher()
    elif console is None:
        yield _Lines()
    else:
        with _bar(console) as progress:
            yield _Bar(progress)


def _bar(console: Console) -> Progress:
    return Progress(
        BarColumn(20), TaskProgressColumn(), TextColumn("{task.fields[losses]}", markup=False),
        TextColumn("{task.fields[figures]}", markup=False), TimeRemainingColumn(), console=console,
    )  # fmt: skip


_FIGURES = ("overlap",)
"""Shown instead of the loss, where a recipe has one."""


class _Account(Watcher):
    """Keeps the last losses and figures as text."""

    def __init__(self) -> None:
        self.losses = self.figures = ""

    def learned(self, share: float, step: int, losses: Mapping[str, float]) -> None:
        self.losses = f"step {step}  {_text(losses)}"

    def judged(self, figures: Mapping[str, float], best: Mapping[str, float]) -> None:
        names = [name for name in (*_FIGURES, "loss") if name in figures][:1]
        self.figures = "".join(f"{name} {figures[name]:.3f} (best {best[name]:.3f})" for name in names)


class _Bar(_Account):
    """A bar with losses and validation figures."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._task = progress.add_task("", total=1.0, losses="beginning", figures="")

    def learned(self, share: float, step: int, losses: Mapping[str, float]) -> None:
        super().learned(share, step, losses)
        self._progress.update(self._task, completed=share, losses=self.losses)

    def judged(self, figures: Mapping[str, float], best: Mapping[str, float]) -> None:
        super().judged(figures, best)
        self._progress.update(self._task, figures=self.figures)


class _Lines(_Account):
    """A line for every validation, and now and then one for losses: for files."""

    def __init__(self) -> None:
        super().__init__()
        self._last = time.monotonic()

    def learned(self, share: float, step: int, losses: Mapping[str, float]) -> None:
        super().learned(share, step, losses)
        if time.monotonic() - self._last > PATIENCE:
            self._last = time.monotonic()
            print(f"{share:4.0%}  {self.losses}", file=sys.stderr, flush=True)

    def judged(self, figures: Mapping[str, float], best: Mapping[str, float]) -> None:
        super().judged(figures, best)
        print(
            f"validation: {_text(figures)}{' (best)' if figures == best else ''}", file=sys.stderr, flush=True
        )


def _text(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.3f}" for name, value in values.items())
