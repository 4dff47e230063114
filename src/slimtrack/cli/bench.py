"""``slimtrack bench``: trackers measured on a dataset."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from slimtrack import timing
from slimtrack.errors import InputError
from slimtrack.evaluation import (
    Dataset,
    Evaluation,
    Run,
    Sequence,
    Store,
    Watcher,
    evaluate,
    summarise,
    to_json,
)
from slimtrack.evaluation.metrics import measure
from slimtrack.evaluation.protocols import PROTOCOLS, Protocol, protocol
from slimtrack.evaluation.report.tables import (
    accuracy_table,
    attribute_tables,
    difference_tables,
    sequence_tables,
    speed_table,
)
from slimtrack.files import atomic_write
from slimtrack.networks.find import add_folder

__all__ = ["bench", "split_specs"]


def bench(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Sequences: NAME/img/*.jpg and NAME/groundtruth_rect.txt.")
    ],
    trackers: Annotated[
        str, typer.Option(help="Names with commas between; options in brackets: kcf[kernel=linear].")
    ] = "kcf",
    threads: Annotated[int, typer.Option(min=1, help="Threads that may work.")] = 1,
    json: Annotated[Path | None, typer.Option(help="Write the figures to this file.")] = None,
    plots: Annotated[Path | None, typer.Option(help="Write plots to this folder.")] = None,
    jitter: Annotated[
        float,
        typer.Option(min=0, help="Five first boxes, shifted by this many pixels: a steady mean."),
    ] = 0.0,
    sequences: Annotated[str, typer.Option(help="Only these sequences, with commas between.")] = "",
    networks: Annotated[
        Path | None, typer.Option(help="Folder of networks, looked in before SLIMTRACK_NETWORKS.")
    ] = None,
    rules: Annotated[
        str, typer.Option("--protocol", help=f"Rules of the metrics: {', '.join(PROTOCOLS)}.")
    ] = "otb",
    runs: Annotated[
        Path | None, typer.Option(help="Folder that keeps finished runs; beside --json when not given.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run everything again.")] = False,
    jobs: Annotated[
        int, typer.Option(min=1, help="Processes at a time, for accuracy: their times mean little.")
    ] = 1,
) -> None:
    """Measure trackers on a dataset: accuracy, speed, and how far their scores can be trusted.

    A finished run is kept beside the JSON file and not run again: stop at any time, start again to go on.
    """
    if networks is not None:
        add_folder(networks)
    dataset = Dataset.read(folder, names=_split(sequences) or None)
    kept = runs or (json.with_name(f"{json.stem}.runs") if json else None)
    chosen = protocol(rules)
    save_plots = _plotter() if plots else None
    try:
        with _Bar(chosen) as bar:
            result = evaluate(
                split_specs(trackers), dataset, jitter=jitter, threads=threads, jobs=jobs,
                store=Store(kept) if kept else None, fresh=fresh, protocol=chosen, watcher=bar,
            )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo(f"Stopped. {_how_to_resume(kept, fresh)}", err=True)
        raise typer.Exit(130) from None
    summary = summarise(result)
    if json is not None:
        with atomic_write(json) as file:
            file.write(to_json(summary))
    if plots is not None and save_plots is not None:
        save_plots(result, summary, plots)
    _print(Console(), summary)


def split_specs(text: str) -> list[str]:
    """Splits ``"kcf[a=1,b=2],samf"`` at the commas that are not inside brackets.

    Raises:
        InputError: No tracker is named.
    """
    specs = [part.strip() for part in re.split(r",(?![^\[]*\])", text) if part.strip()]
    if not specs:
        raise InputError("--trackers names no tracker: give names with commas between, such as kcf,samf")
    return specs


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _plotter() -> Callable[[Evaluation, dict[str, Any], Path], object]:
    """The plots' module, asked for before anything is run."""
    from slimtrack.evaluation.report.plots import save_plots

    return save_plots


def _how_to_resume(kept: Path | None, fresh: bool) -> str:
    if kept is None:
        return "Nothing was kept: with --json finished runs are, and the same command goes on from there."
    command = "the same command without --fresh" if fresh else "the same command"
    return f"Finished runs are in {kept}: {command} goes on from there."


class _Bar(Watcher):
    """Progress with running AUC and speed. Drawn between frames, never by a thread beside the clock."""

    def __init__(self, rules: Protocol) -> None:
        self._rules = rules
        self._progress = Progress(
            TextColumn("{task.description}", markup=False), BarColumn(20),
            TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
            console=Console(stderr=True), auto_refresh=False,
        )  # fmt: skip
        self._task = self._progress.add_task("reading", total=None, figures="")
        self._done = 0
        self._aucs: dict[str, list[float]] = {}
        self._ms: dict[str, list[float]] = {}

    def __enter__(self) -> "_Bar":
        return self  # it is drawn from `begin` on: a request that is refused shows no bar

    def __exit__(self, *_: object) -> None:
        if self._progress.live.is_started:  # stopping what was never drawn writes an empty line
            self._progress.stop()

    def begin(self, frames: int) -> None:
        self._progress.start()
        self._progress.update(self._task, total=frames, refresh=True)

    def working(self, tracker: str, sequence: str, index: int, frames: int) -> None:
        self._progress.update(
            self._task, completed=self._done + frames, description=f"{tracker} on {sequence}", refresh=True
        )

    def finished(self, run: Run, sequence: Sequence, kept: bool) -> None:
        self._done += len(sequence)
        self._aucs.setdefault(run.tracker, []).append(measure(run.boxes, sequence.truth, self._rules).auc)
        self._ms.setdefault(run.tracker, []).append(timing.summarise(run.ms).p50_ms)
        auc = sum(self._aucs[run.tracker]) / len(self._aucs[run.tracker])
        fps = timing.summarise(self._ms[run.tracker]).fps
        self._progress.update(
            self._task, completed=self._done, description=f"{run.tracker} on {run.sequence}",
            figures=f"AUC {auc:.3f}  {fps:.0f} fps", refresh=True,
        )  # fmt: skip

    def weighing(self, tracker: str) -> None:
        self._progress.update(self._task, description=f"memory of {tracker}", figures="", refresh=True)


def _print(console: Console, summary: dict[str, Any]) -> None:
    console.print(accuracy_table(summary))
    console.print(speed_table(summary))
    crossed = (*attribute_tables(summary, console.width), *sequence_tables(summary, console.width))
    for table in (*crossed, *difference_tables(summary)):
        console.print(table)
    if any(row["noisy"] for row in summary["trackers"].values()):
        console.print(
            "~ the machine was busy, also when runs were repeated: times are not to be trusted. "
            "Run again with --fresh when it is quiet."
        )
    for spec, row in summary["trackers"].items():
        if row["cores_used"] > summary["machine"]["threads"] + 0.1:
            console.print(
                f"{spec} used {row['cores_used']:.1f} cores: more threads than allowed.", markup=False
            )
    for spec, row in summary["trackers"].items():
        for failure in row["failures"][:3]:
            where = f"{failure['sequence']}, run {failure['run']}, frame {failure['frame']}"
            console.print(f"{spec} gave up in {where}: {failure['message']}", markup=False)
        if len(row["failures"]) > 3:
            console.print(f"{spec} gave up in {len(row['failures']) - 3} more runs.", markup=False)
