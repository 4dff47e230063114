"""Progress of a training run: a bar on a terminal, lines in a log file; and the table at its end."""

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from slimtrack.cli.progress import PATIENCE, live_console, progress
from slimtrack.learning.journal import Watcher

if TYPE_CHECKING:
    from slimtrack.learning.recipe import Contender, Recipe

__all__ = ["bar", "compare"]


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


def compare(recipe: "Recipe", best: Path, sequences: Path | None) -> None:
    """Prints teacher and student side by side, where the recipe has both (paper 003, table 4.1)."""
    from slimtrack.learning.checkpoint import Checkpoint

    with tempfile.TemporaryDirectory() as folder:
        rows = recipe.compared(Checkpoint.read(best).restored().recipe.network, Path(folder))
        if rows:
            Console().print(_comparison(rows, _tracked(rows, sequences) if sequences else {}))
    if rows and sequences is None:
        print("frames a second and AUC of both: repeat the command with --resume --sequences DIR")


def _tracked(rows: "Sequence[Contender]", sequences: Path) -> dict[str, Any]:
    """Figures of the trackers that run the networks."""
    from slimtrack.evaluation import Dataset, Running, evaluate, summarise
    from slimtrack.evaluation.protocols import OTB

    specs = [row.tracker for row in rows]
    with progress(OTB, starts=1) as watcher:
        result = evaluate(specs, Dataset.read(sequences), running=Running(repeats=0), watcher=watcher)
    found: dict[str, Any] = summarise(result)["trackers"]
    return found


def _comparison(rows: "Sequence[Contender]", found: Mapping[str, Any]) -> Table:
    table = Table(
        "", "MB in float16", "G multiply-adds a frame", *(("frames a second", "AUC") if found else ())
    )
    for row in rows:
        cells = [f"{2e-6 * row.numbers:.2f}", f"{row.operations / 1e9:.3f}"]
        if found:
            own = found[row.tracker]
            speed = "–" if own["fps"] is None else f"{'~' if own['noisy'] else ''}{own['fps']:.0f}"
            cells += [speed, f"{own['auc']:.3f}"]
        table.add_row(escape(row.label), *cells)
    return table
