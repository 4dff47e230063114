"""``slimtrack bench``: trackers measured on a dataset."""

import os
import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from slimtrack.errors import InputError
from slimtrack.evaluation import Dataset, Run, Sequence, Store, Watcher, evaluate, summarise, timing, to_json
from slimtrack.evaluation.metrics import measure
from slimtrack.evaluation.protocols import PROTOCOLS, protocol
from slimtrack.evaluation.report.tables import attribute_table, sequence_table, tracker_table
from slimtrack.files import atomic_write

__all__ = ["bench", "split_specs"]


def bench(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Folder of sequences: NAME/img/*.jpg and NAME/groundtruth_rect.txt."
        ),
    ],
    trackers: Annotated[
        str,
        typer.Option(help="Trackers by name, with commas between; options in brackets: kcf[kernel=linear]."),
    ] = "kcf",
    threads: Annotated[int, typer.Option(min=1, help="Threads that may work.")] = 1,
    json: Annotated[Path | None, typer.Option(help="Write the figures to this file.")] = None,
    plots: Annotated[Path | None, typer.Option(help="Write plots to this folder.")] = None,
    jitter: Annotated[
        float,
        typer.Option(
            min=0, help="Run from five first boxes, shifted by this many pixels; say 1 for a steady mean."
        ),
    ] = 0.0,
    sequences: Annotated[str, typer.Option(help="Only these sequences, with commas between.")] = "",
    networks: Annotated[
        Path | None, typer.Option(help="Folder to look for networks in, beside SLIMTRACK_NETWORKS.")
    ] = None,
    rules: Annotated[
        str, typer.Option("--protocol", help=f"Rules of the metrics: {', '.join(PROTOCOLS)}.")
    ] = "otb",
    runs: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps finished runs [default: beside --json].", show_default=False),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run everything again.")] = False,
    jobs: Annotated[
        int, typer.Option(min=1, help="Processes at a time, for accuracy: their times mean little.")
    ] = 1,
) -> None:
    """Measure trackers on a dataset: accuracy, speed, and how far their scores can be trusted.

    A finished run is kept beside the JSON file and not run again: stop at any time, start again to go on.
    """
    _add_networks(networks)
    dataset = Dataset.read(folder, names=_split(sequences) or None)
    folder_of_runs = runs or (json.with_name(f"{json.stem}.runs") if json else None)
    chosen = protocol(rules)
    console = Console()
    try:
        with _Bar(console) as bar:
            result = evaluate(
                split_specs(trackers), dataset, jitter=jitter, threads=threads, jobs=jobs,
                store=Store(folder_of_runs) if folder_of_runs else None, fresh=fresh, protocol=chosen, watcher=bar,
            )  # fmt: skip
    except KeyboardInterrupt:
        kept = f"finished runs are in {folder_of_runs}; the same command goes on from there"
        console.print(
            f"Stopped: {kept if folder_of_runs else 'nothing was kept; with --json finished runs are'}."
        )
        raise typer.Exit(130) from None
    summary = summarise(result)
    if json is not None:
        with atomic_write(json) as file:
            file.write(to_json(summary))
    if plots is not None:
        from slimtrack.evaluation.report.plots import save_plots

        save_plots(result, summary, plots)
    _print(console, summary)


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


def _add_networks(folder: Path | None) -> None:
    if folder is None:
        return
    if not folder.is_dir():
        raise InputError(f"--networks {folder} is not a folder")
    before = os.environ.get("SLIMTRACK_NETWORKS")
    os.environ["SLIMTRACK_NETWORKS"] = os.pathsep.join(filter(None, [str(folder), before]))


class _Bar(Watcher):
    """Progress with running AUC and speed. Drawn between frames, never by a thread beside the clock."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[figures]}"),
            console=console, auto_refresh=False,
        )  # fmt: skip
        self._task = self._progress.add_task("reading", total=None, figures="")
        self._done = 0
        self._aucs: dict[str, list[float]] = {}
        self._ms: dict[str, list[float]] = {}

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, frames: int) -> None:
        self._progress.update(self._task, total=frames, refresh=True)

    def working(self, tracker: str, sequence: str, index: int, frames: int) -> None:
        self._progress.update(
            self._task, completed=self._done + frames, description=f"{tracker} on {sequence}", refresh=True
        )

    def finished(self, run: Run, sequence: Sequence, kept: bool) -> None:
        self._done += len(sequence)
        self._aucs.setdefault(run.tracker, []).append(measure(run.boxes, sequence.truth).auc)
        self._ms.setdefault(run.tracker, []).append(timing.summarise(run.ms).p50_ms)
        auc = sum(self._aucs[run.tracker]) / len(self._aucs[run.tracker])
        fps = timing.summarise(self._ms[run.tracker]).fps
        self._progress.update(
            self._task, completed=self._done, description=f"{run.tracker} on {run.sequence}",
            figures=f"{run.tracker}: AUC {auc:.3f}, {fps:.0f} fps", refresh=True,
        )  # fmt: skip


def _print(console: Console, summary: dict[str, Any]) -> None:
    console.print(tracker_table(summary))
    attributes = attribute_table(summary)
    if attributes is not None:
        console.print(attributes)
    if summary["dataset"]["sequences"] > 1:
        console.print(sequence_table(summary))
    if any(row["noisy"] for row in summary["trackers"].values()):
        console.print(
            "~ noisy: the two halves differ by more than 10 %; repeat with --fresh on a quiet machine."
        )
    for spec, row in summary["trackers"].items():
        for failure in row["failures"][:3]:
            where = f"{failure['sequence']}, run {failure['run']}, frame {failure['frame']}"
            console.print(f"{spec} gave up in {where}: {failure['message']}", markup=False)
        if len(row["failures"]) > 3:
            console.print(f"{spec} gave up in {len(row['failures']) - 3} more runs.", markup=False)
