"""``slimtrack bench``: trackers measured on a dataset."""

import contextlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Self

import typer
from rich.console import Console

from slimtrack.box import Box
from slimtrack.cli.asked import asking
from slimtrack.cli.bench_report import how_to_resume, show, show_curve, show_stopped, why_again
from slimtrack.cli.options import NamesOption, NetworksOption, add_places
from slimtrack.cli.progress import progress
from slimtrack.datasets import Dataset
from slimtrack.datasets.layouts import READERS
from slimtrack.errors import InputError
from slimtrack.evaluation import Evaluation, Store, evaluate, summarise, to_json
from slimtrack.evaluation.procedures import GRACE, ONE_PASS
from slimtrack.evaluation.protocols import PROTOCOLS, Protocol, protocol
from slimtrack.evaluation.realtime import AtRates, at_rates, curve, curve_csv, stored_times
from slimtrack.evaluation.runner import Interrupted, Running, first_boxes
from slimtrack.files import atomic_write
from slimtrack.registry import spelt

__all__ = ["bench", "parsed_rates", "split_specs"]


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
        typer.Option(
            "--protocol",
            help=f"Toolkit whose rules are used: {', '.join(PROTOCOLS)}. vot restarts a tracker that has "
            "lost the target, and counts how often that was.",
        ),
    ] = "otb"
    runs: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps finished runs. Default: beside the --json file."),
    ] = None
    fps: Annotated[
        str | None,
        typer.Option(
            metavar="RATES",
            help="This many frames come each second, and a tracker that is late misses some: 20, or several "
            "for a curve, as 10,20,50 or FROM:TO:STEP (10:50:5). Default: every tracker sees every frame, "
            "however long it takes.",
        ),
    ] = None
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="With --fps: the times of this very run decide which frames are missed, as with a camera. "
            "Default: a first run measures the times, and a second one goes by them, so that results can be "
            "repeated.",
        ),
    ] = False
    times: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="With --fps: go by the times in this folder of finished runs, which an earlier bench wrote "
            "(its --runs), perhaps on another machine.",
        ),
    ] = None
    grace: Annotated[
        int | None,
        typer.Option(
            help="With --fps: the next frame waits for this many late answers at the start of a sequence, "
            f"that of the first frame included. Default: {GRACE}, as in VOT. 0: it never waits.",
        ),
    ] = None
    csv: Annotated[
        Path | None, typer.Option(help="With --fps: write the figures at each rate to this file.")
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
    specs = [spelt(spec) for spec in split_specs(asked.trackers)]
    chosen, rates = protocol(asked.rules), _rates(asked)
    plots = _plots() if asked.plots else None
    with _Bench(asked, dataset, specs) as run:
        results = run.at_rates(chosen, rates) if rates else None
        result = run(chosen) if results is None else results.at[rates[0]]
    if results is not None and asked.csv is not None:
        _write(asked.csv, curve_csv(curve(results)))
    if results is not None and len(rates) > 1:
        summary = curve(results)
        if plots is not None and asked.plots is not None:
            plots.save_curve(summary, asked.plots)
        show_curve(Console(), summary)
    else:
        summary = summarise(result)
        if plots is not None and asked.plots is not None:
            plots.save_plots(result, summary, asked.plots)
        show(Console(), summary)
        if results is not None and results.every_frame is not None:
            show_curve(Console(), curve(results))
    if asked.json is not None:
        _write(asked.json, to_json(summary))
    if run.repeated:
        Console().print(why_again(run.repeated))


def _write(file: Path, text: str) -> None:
    with atomic_write(file) as stream:
        stream.write(text)


class _Bench:
    """Evaluates as the command is told to, with its progress on stderr.

    Args:
        asked: What the command is told.
        dataset: The sequences.
        specs: The trackers.

    Attributes:
        repeated: How many runs were repeated because the machine was busy.
    """

    def __init__(self, asked: Request, dataset: Dataset, specs: list[str]) -> None:
        self.repeated = 0
        self._asked, self._dataset, self._specs = asked, dataset, specs
        self._kept = asked.runs or (asked.json.with_name(f"{asked.json.stem}.runs") if asked.json else None)
        self._until_exit = contextlib.ExitStack()
        self._starts = len(first_boxes(Box(0, 0, 1, 1), asked.jitter))

    def __enter__(self) -> Self:
        folder = self._kept
        if folder is None and self._asked.fps is not None:
            # all rates share the runs in which no frame is missed
            folder = Path(self._until_exit.enter_context(tempfile.TemporaryDirectory()))
        self._store = None if folder is None else Store(folder)
        return self

    def __exit__(self, *_: object) -> None:
        self._until_exit.close()

    def at_rates(self, rules: Protocol, rates: list[float]) -> AtRates:
        """The evaluation at each frame rate."""
        asked, times = self._asked, None
        if asked.times is not None:
            if self._kept is not None and self._kept.resolve() == asked.times.resolve():
                raise InputError(
                    f"--times {asked.times} is also the folder for finished runs, which could replace the "
                    "times: give another one with --runs"
                )
            times = stored_times(asked.times, self._specs, self._dataset, self._starts)
        grace = GRACE if asked.grace is None else asked.grace
        return at_rates(self, rules, rates, grace=grace, live=asked.live, times=times)

    def __call__(self, rules: Protocol) -> Evaluation:
        """One evaluation; Ctrl-C ends the command with what is finished."""
        asked = self._asked
        # times count where they are measured; what follows from measured times is found again by its key
        timed = rules.procedure is ONE_PASS or asked.live
        with progress(rules, self._starts) as account:
            try:
                result = evaluate(
                    self._specs, self._dataset, jitter=asked.jitter,
                    running=Running(asked.threads, asked.jobs, asked.repeat if timed else 0),
                    store=self._store,
                    fresh=asked.fresh and (timed or asked.times is not None), protocol=rules, watcher=account,
                )  # fmt: skip
            except Interrupted as stop:
                show_stopped(Console(), stop.part, how_to_resume(self._kept, asked.fresh))
                raise typer.Exit(130) from stop
        self.repeated += account.repeats
        return result


def _rates(asked: Request) -> list[float]:
    """The frame rates; none if the trackers are to see every frame."""
    words = {
        "--live": asked.live,
        "--times": asked.times,
        "--grace": asked.grace is not None,
        "--csv": asked.csv,
    }
    if asked.fps is None:
        given = [word for word, value in words.items() if value]
        if given:
            raise InputError(
                f"{', '.join(given)} without --fps: say how many frames come a second, as --fps 20"
            )
        return []
    if asked.live and asked.jobs > 1:
        raise InputError("--live with --jobs: runs that disturb each other's times are not worth having")
    return parsed_rates(asked.fps)


def split_specs(text: str) -> list[str]:
    """Splits ``"kcf[a=1,b=2],samf"`` at the commas that are not inside brackets.

    Raises:
        InputError: No tracker is named.
    """
    specs = [part.strip() for part in re.split(r",(?![^\[]*\])", text) if part.strip()]
    if not specs:
        raise InputError("--trackers names no tracker: give names with commas between, such as kcf,samf")
    return specs


def parsed_rates(text: str) -> list[float]:
    """``"10,20"`` or ``"10:30:10"`` (its end included) as numbers.

    Raises:
        InputError: It is neither, or has more than 1,000 numbers.
    """
    try:
        if ":" not in text and _split(text):
            return [float(part) for part in _split(text)]
        first, last, step = map(float, text.split(":"))
        count = (last - first) / step
        if step > 0 and 0 <= count < 1000:
            return [first + k * step for k in range(int(count + 1e-9) + 1)]
    except (ValueError, ZeroDivisionError):
        pass
    raise InputError(f"--fps {text}: expected numbers such as 10,20,50 or FROM:TO:STEP such as 10:50:5")


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _plots() -> ModuleType:
    """The plots' module, asked for before anything is run."""
    from slimtrack.evaluation.report import plots

    return plots
