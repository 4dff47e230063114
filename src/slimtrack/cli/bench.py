"""``slimtrack bench``: trackers measured on a dataset."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from slimtrack.box import Box
from slimtrack.cli.asked import asking
from slimtrack.cli.options import NamesOption, NetworksOption, add_places
from slimtrack.cli.progress import progress
from slimtrack.datasets import Dataset
from slimtrack.datasets.layouts import READERS
from slimtrack.errors import InputError
from slimtrack.evaluation import Evaluation, Store, evaluate, summarise, to_json
from slimtrack.evaluation.protocols import PROTOCOLS, protocol
from slimtrack.evaluation.report.tables import (
    accuracy_table,
    attribute_tables,
    difference_tables,
    sequence_tables,
    speed_table,
)
from slimtrack.evaluation.runner import Interrupted, first_boxes
from slimtrack.files import atomic_write
from slimtrack.registry import spelt
from slimtrack.timing import BUSY, NOISE

__all__ = ["bench", "split_specs"]


@dataclass(frozen=True, slots=True)
class Request:
    """What the command is told; the help of each option says what it means."""

    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help=f"Sequences in the layout of {', '.join(READERS)}.")
    ]
    trackers: Annotated[
        str, typer.Option(help="Names, separated by commas; options in brackets: kcf[kernel=linear].")
    ] = "kcf"
    threads: Annotated[int, typer.Option(min=1, help="Threads that a tracker may use.")] = 1
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None
    plots: Annotated[Path | None, typer.Option(help="Write plots to this folder; needs matplotlib.")] = None
    jitter: Annotated[
        float,
        typer.Option(
            min=0,
            help="Pixels. If above 0, each sequence runs from five first boxes: as given, and shifted by "
            "this much left, right, up and down. Their mean is steadier than one run.",
        ),
    ] = 0.0
    sequences: Annotated[str, typer.Option(help="Only these sequences; names separated by commas.")] = ""
    layout: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Layout of the folder: {', '.join(READERS)}, or file.py:Class for a reader of your own. "
            "Default: detected.",
        ),
    ] = None
    networks: NetworksOption = None
    names: NamesOption = None
    rules: Annotated[
        str,
        typer.Option("--protocol", help=f"Toolkit whose rules the metrics use: {', '.join(PROTOCOLS)}."),
    ] = "otb"
    runs: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps finished runs. Default: beside the --json file."),
    ] = None
    fresh: Annotated[bool, typer.Option("--fresh", help="Repeat finished runs too.")] = False
    repeat: Annotated[
        int,
        typer.Option(
            min=0,
            help="How many times a run is repeated, at most, if the machine was busy; the quietest run "
            "counts. 0: never.",
        ),
    ] = 1
    jobs: Annotated[
        int,
        typer.Option(min=1, help="Processes at a time. For accuracy only: they disturb each other's timing."),
    ] = 1


@asking(Request)
def bench(asked: Request) -> None:
    """Measure accuracy, speed and score quality of trackers on a data set.

    Ctrl-C shows what is finished. With --json it is kept, too, and the same command goes on from there.
    """
    add_places(asked.networks, asked.names)
    dataset = Dataset.read(asked.folder, names=_split(asked.sequences) or None, layout=asked.layout)
    kept = asked.runs or (asked.json.with_name(f"{asked.json.stem}.runs") if asked.json else None)
    chosen, specs = protocol(asked.rules), [spelt(spec) for spec in split_specs(asked.trackers)]
    save_plots = _plotter() if asked.plots else None
    with progress(chosen, len(first_boxes(Box(0, 0, 1, 1), asked.jitter))) as account:
        try:
            result = evaluate(
                specs, dataset, jitter=asked.jitter, threads=asked.threads, jobs=asked.jobs,
                repeats=asked.repeat, store=Store(kept) if kept else None, fresh=asked.fresh,
                protocol=chosen, watcher=account,
            )  # fmt: skip
        except Interrupted as stop:
            result, part = None, stop.part
    console = Console()
    if result is None:
        _stopped(console, part, _how_to_resume(kept, asked.fresh))
        raise typer.Exit(130)
    summary = summarise(result)
    if asked.json is not None:
        with atomic_write(asked.json) as file:
            file.write(to_json(summary))
    if asked.plots is not None and save_plots is not None:
        save_plots(result, summary, asked.plots)
    _print(console, summary)
    if account.repeats:
        console.print(_why_again(account.repeats))


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


def _stopped(console: Console, part: Evaluation | None, resume: str) -> None:
    """Shows what was finished before Ctrl-C, and how to go on."""
    if part is None:
        what = "Stopped before any sequence was finished with every tracker."
    else:
        what = "Stopped: these are the sequences that every tracker has finished."
        _print(console, summarise(part))
    print(f"{what} {resume}", file=sys.stderr, flush=True)


def _how_to_resume(kept: Path | None, fresh: bool) -> str:
    if kept is None:
        return "No run was kept: with --json they are, and the same command then goes on where it stopped."
    command = "the same command without --fresh" if fresh else "the same command"
    return f"Finished runs are in {kept}: {command} goes on from there."


def _print(console: Console, summary: dict[str, Any]) -> None:
    console.print(accuracy_table(summary))
    console.print(speed_table(summary))
    crossed = (*attribute_tables(summary, console.width), *sequence_tables(summary, console.width))
    for table in (*crossed, *difference_tables(summary)):
        console.print(table)
    if any(row["noisy"] for row in summary["trackers"].values()):
        console.print(
            "~ the machine was busy while this was timed: times are not to be trusted. "
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


def _why_again(count: int) -> str:
    what = "1 run was" if count == 1 else f"{count} runs were"
    return (
        f"{what} done again, because the machine was busy during the first try (its halves differed by more "
        f"than {NOISE:.0%} in speed, or it got less than {BUSY:.0%} of a core); the quieter one counts. "
        "--repeat 0 leaves that out."
    )
