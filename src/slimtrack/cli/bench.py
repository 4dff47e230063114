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
from slimtrack.cli.bench_report import show, show_curve, show_stopped, why_again
from slimtrack.cli.options import NamesOption, NetworksOption, add_places
from slimtrack.cli.progress import progress
from slimtrack.cli.records import takes
from slimtrack.datasets import Dataset
from slimtrack.datasets.layouts import READERS
from slimtrack.errors import InputError
from slimtrack.evaluation import Evaluation, Store, evaluate, summarise, to_json
from slimtrack.evaluation.procedures import GRACE, ONE_PASS
from slimtrack.evaluation.protocols import PROTOCOLS, Protocol, protocol
from slimtrack.evaluation.realtime import AtRates, at_rates, curve, curve_csv, stored_times
from slimtrack.evaluation.runner import Interrupted, Running, first_boxes
from slimtrack.files import atomic_write
from slimtrack.registry import DEFAULT_TRACKER, default_tracker, spelt

__all__ = ["bench", "parsed_rates", "split_specs"]

_MOST_RATES = 1000
"""Frame rates that FROM:TO:STEP may stand for: each is an evaluation, so more are a slip of the pen."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the command is told; the help of each option says what it means."""

    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help=f"Sequences in the layout of {', '.join(READERS)}.")
    ]
    trackers: Annotated[
        str | None,
        typer.Option(
            help="Names, separated by commas; options in brackets: kcf[kernel=linear]; FILE.py:NAME for one "
            f"of your own. Default: {DEFAULT_TRACKER}."
        ),
    ] = None
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
            help=f"Layout of the folder: {', '.join(READERS)}, or FILE.py:NAME for a reader of your own. "
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
            f"for a curve, as 10,20,50 or FROM:TO:STEP (10:50:5), which may be {_MOST_RATES:,} at most. "
            "Default: every tracker sees every frame, however long it takes.",
        ),
    ] = None
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="With --fps: the times of this very run decide which frames are missed, as with a camera. "
            "Default: a first run measures the times, and a second one is shown the frames that these times "
            "allow, so that results can be repeated.",
        ),
    ] = False
    times: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="With --fps: use the times in this folder of finished runs, which an earlier bench wrote "
            "(its --runs), perhaps on another machine.",
        ),
    ] = None
    grace: Annotated[
        int | None,
        typer.Option(
            help="With --fps: for this many late answers of each sequence, the first ones, the next frame "
            f"waits; a late first frame is one of them. Default: {GRACE}, as in VOT. 0: it never waits.",
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


@takes(Request)
def bench(request: Request) -> None:
    """Measure accuracy, speed and score quality of trackers on a data set.

    Ctrl-C shows the finished results. With --json they are kept, and the same command continues from there.
    """
    add_places(request.networks, request.names)
    dataset = Dataset.read(request.folder, names=_split(request.sequences) or None, layout=request.layout)
    named = default_tracker() if request.trackers is None else request.trackers
    specs = [spelt(spec) for spec in split_specs(named)]
    chosen, rates = protocol(request.rules), _rates(request)
    plots = _plots() if request.plots else None
    with _Bench(request, dataset, specs) as run:
        results = run.at_rates(chosen, rates) if rates else None
        result = run(chosen) if results is None else results.at[rates[0]]
    if results is not None and request.csv is not None:
        _write(request.csv, curve_csv(curve(results)))
    if results is not None and len(rates) > 1:
        summary = curve(results)
        if plots is not None and request.plots is not None:
            plots.save_curve(summary, request.plots)
        show_curve(Console(), summary, run.kept)
    else:
        summary = summarise(result)
        if plots is not None and request.plots is not None:
            plots.save_plots(result, summary, request.plots)
        show(Console(), summary, run.kept)
        if results is not None and results.every_frame is not None:
            show_curve(Console(), curve(results), run.kept)
    if request.json is not None:
        _write(request.json, to_json(summary))
    if run.repeated:
        Console().print(why_again(run.repeated))


def _write(file: Path, text: str) -> None:
    with atomic_write(file) as stream:
        stream.write(text)


class _Bench:
    """Evaluates as the command is told to, with its progress on stderr.

    Args:
        request: What the command is told.
        dataset: The sequences.
        specs: The trackers.

    Attributes:
        kept: Folder that keeps finished runs, if one does.
        repeated: How many runs were repeated because the machine was busy.
    """

    def __init__(self, request: Request, dataset: Dataset, specs: list[str]) -> None:
        self.repeated = 0
        self._request, self._dataset, self._specs = request, dataset, specs
        self.kept = request.runs or (
            request.json.with_name(f"{request.json.stem}.runs") if request.json else None
        )
        self._until_exit = contextlib.ExitStack()
        self._starts = len(first_boxes(Box(0, 0, 1, 1), request.jitter))

    def __enter__(self) -> Self:
        folder = self.kept
        if folder is None and self._request.fps is not None:
            # all rates share the runs in which no frame is missed
            folder = Path(self._until_exit.enter_context(tempfile.TemporaryDirectory()))
        self._store = None if folder is None else Store(folder)
        return self

    def __exit__(self, *_: object) -> None:
        self._until_exit.close()

    def at_rates(self, rules: Protocol, rates: list[float]) -> AtRates:
        """The evaluation at each frame rate."""
        request, times = self._request, None
        if request.times is not None:
            if self.kept is not None and self.kept.resolve() == request.times.resolve():
                raise InputError(
                    f"--times {request.times} is also the folder for finished runs, which could replace the "
                    "times: give another one with --runs"
                )
            if not request.times.is_dir():
                raise InputError(f"--times {request.times} is no folder: give that of finished runs")
            times = stored_times(request.times, self._specs, self._dataset, self._starts)
        grace = GRACE if request.grace is None else request.grace
        return at_rates(self, rules, rates, grace=grace, live=request.live, times=times)

    def __call__(self, rules: Protocol) -> Evaluation:
        """One evaluation; Ctrl-C ends the command with what is finished."""
        request = self._request
        # times count where they are measured; what follows from measured times is found again by its key
        timed = rules.procedure is ONE_PASS or request.live
        with progress(rules, self._starts) as account:
            try:
                result = evaluate(
                    self._specs, self._dataset, jitter=request.jitter,
                    running=Running(request.threads, request.jobs, request.repeat if timed else 0),
                    store=self._store,
                    fresh=request.fresh and (timed or request.times is not None), protocol=rules,
                    watcher=account,
                )  # fmt: skip
            except Interrupted as stop:
                show_stopped(Console(), stop.part, self.kept, request.fresh)
                raise typer.Exit(130) from stop
        self.repeated += account.repeats
        return result


def _rates(request: Request) -> list[float]:
    """The frame rates; none if the trackers are to see every frame."""
    words = {
        "--live": request.live,
        "--times": request.times,
        "--grace": request.grace is not None,
        "--csv": request.csv,
    }
    if request.fps is None:
        given = [word for word, value in words.items() if value]
        if given:
            raise InputError(
                f"{', '.join(given)} without --fps: say how many frames come a second, as --fps 20"
            )
        return []
    if request.live and request.times is not None:
        raise InputError("--live goes by its own times: leave out the times of an earlier run, or --live")
    if request.live and request.jobs > 1:
        raise InputError("--live with --jobs: runs that disturb each other's times are not worth having")
    return parsed_rates(request.fps)


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
        InputError: It is neither, or too many.
    """
    try:
        if ":" not in text and _split(text):
            return [float(part) for part in _split(text)]
        first, last, step = map(float, text.split(":"))
        steps = (last - first) / step + 1e-9
        if step > 0 and 0 <= steps < _MOST_RATES:
            return [first + k * step for k in range(int(steps) + 1)]
    except (ValueError, ZeroDivisionError):
        pass
    raise InputError(
        f"--fps {text}: expected numbers such as 10,20,50 or FROM:TO:STEP such as 10:50:5, at most "
        f"{_MOST_RATES:,} of them"
    )


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _plots() -> ModuleType:
    """The plots' module, asked for before anything is run."""
    from slimtrack.evaluation.report import plots

    return plots
