"""What ``slimtrack bench`` prints."""

import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from slimtrack.evaluation import Evaluation, summarise
from slimtrack.evaluation.report.tables import (
    accuracy_table,
    attribute_tables,
    difference_tables,
    rate_tables,
    sequence_tables,
    speed_table,
)
from slimtrack.timing import BUSY, NOISE

__all__ = ["show", "show_curve", "show_stopped", "why_again"]


def show_stopped(console: Console, part: Evaluation | None, kept: Path | None, fresh: bool) -> None:
    """Shows what was finished before Ctrl-C, and how to go on.

    Args:
        console: Where tables go; how to go on goes to stderr.
        part: What every tracker has finished.
        kept: Folder of the finished runs.
        fresh: Whether finished runs were to be repeated.
    """
    if part is None:
        what = "Stopped before any sequence was finished with every tracker."
    else:
        what = "Stopped: these are the sequences that every tracker has finished."
        show(console, summarise(part), kept)
    print(f"{what} {_how_to_resume(kept, fresh)}", file=sys.stderr, flush=True)


def _how_to_resume(kept: Path | None, fresh: bool) -> str:
    if kept is None:
        return "No run was kept: with --json they are, and the same command then goes on where it stopped."
    command = "the same command without --fresh" if fresh else "the same command"
    return f"Finished runs are in {kept}: {command} continues from there."


def _how_to_repeat(kept: Path | None) -> str:
    return f"Run again{' with --fresh' if kept else ''} when it is quiet."


def show(console: Console, summary: dict[str, Any], kept: Path | None) -> None:
    """Prints all tables, and below them what is not as it should be.

    Args:
        console: Where to.
        summary: Of the evaluation.
        kept: Folder of the finished runs, which are not run again unless asked to.
    """
    console.print(accuracy_table(summary))
    console.print(speed_table(summary))
    if all("auc" in row for row in summary["trackers"].values()):
        crossed = (*attribute_tables(summary, console.width), *sequence_tables(summary, console.width))
        for table in (*crossed, *difference_tables(summary)):
            console.print(table)
    if any(row["noisy"] for row in summary["trackers"].values()):
        console.print(
            "~ the machine was busy while this was timed: times are not to be trusted. "
            f"{_how_to_repeat(kept)}"
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


def show_curve(console: Console, summary: dict[str, Any], kept: Path | None) -> None:
    """Prints the figures of the trackers at several frame rates; the arguments are as those of `show`."""
    for table in rate_tables(summary, console.width):
        console.print(table)
    if summary["noisy"]:
        console.print(
            f"The machine was busy while the times of {', '.join(summary['noisy'])} were measured: they miss "
            f"more frames than they should. {_how_to_repeat(kept)}",
            markup=False,
        )


def why_again(count: int) -> str:
    """What is said about runs that were repeated."""
    what = "1 run was" if count == 1 else f"{count} runs were"
    return (
        f"{what} done again, because the machine was busy during the first try (its halves differed by more "
        f"than {NOISE:.0%} in speed, or it got less than {BUSY:.0%} of a core); the quieter one counts. "
        "--repeat 0 leaves that out."
    )
