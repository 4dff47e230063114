"""Trackers at one or several frame rates, by the real-time rule of `slimtrack.evaluation.procedures`."""

import csv
import io
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Several
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from slimtrack.datasets import Dataset
from slimtrack.errors import InputError
from slimtrack.evaluation.procedures import ONE_PASS, RealTime, Times
from slimtrack.evaluation.protocols import Protocol
from slimtrack.evaluation.runner import Evaluation
from slimtrack.evaluation.runs import Store, frame_times
from slimtrack.evaluation.summary import summarise

__all__ = ["AtRates", "at_rates", "curve", "curve_csv", "measured_times", "stored_times"]

_FIGURES = ("auc", "auc_spread", "precision20", "normalized_precision", "missed")
"""What is reported of each frame rate."""


@dataclass(frozen=True, slots=True)
class AtRates:
    """The results of several frame rates.

    Attributes:
        every_frame: The evaluation in which every frame is seen, however long it takes; ``None`` if there was
            none.
        at: The evaluation of each frame rate, in the order asked for.
    """

    every_frame: Evaluation | None
    at: dict[float, Evaluation]


def at_rates(
    run: Callable[[Protocol], Evaluation],
    protocol: Protocol,
    rates: Several[float],
    *,
    grace: int,
    live: bool = False,
    times: Times | None = None,
) -> AtRates:
    """Runs the trackers at each frame rate.

    Unless times are given or the runs are live, one ordinary evaluation comes first: its times say which
    frames are missed. Where none is missed, its boxes are the results, and with a `Store` they are not
    computed again.

    Args:
        run: Evaluates by a protocol; see `slimtrack.evaluation.evaluate`.
        protocol: The rules of the metrics.
        rates: Frames a second.
        grace: How many late answers the clock waits for.
        live: Let the times of the runs themselves decide, as they come.
        times: Times of an earlier run.

    Raises:
        InputError: A number is out of range, ``live`` comes with ``times``, or the protocol has a procedure
            of its own.
    """
    if protocol.procedure is not ONE_PASS:
        raise InputError(
            f"protocol {protocol.name} has {protocol.procedure.name}, which do not go with a frame rate: "
            "leave out the one or the other"
        )
    if live and times is not None:
        raise InputError("live runs go by their own times: leave out the times of an earlier run")
    if not rates or len(set(rates)) < len(rates):
        raise InputError("frames a second: expected at least one number, and each only once")
    every_frame = None
    for rate in rates:
        RealTime(rate, grace)  # refuses a bad number before anything is run
    if not live and times is None:
        every_frame = run(protocol)
        times = measured_times(every_frame)
    rules = {rate: replace(protocol, procedure=RealTime(rate, grace, times)) for rate in rates}
    return AtRates(every_frame, {rate: run(rules[rate]) for rate in rates})


def measured_times(evaluation: Evaluation) -> Times:
    """The times of all frames of an evaluation, to run the trackers in real time by them."""
    return {
        (spec, name, run.index): frame_times(run.ms, run.init_ms)
        for spec, sequences in evaluation.runs.items()
        for name, runs in sequences.items()
        for run in runs
    }


def stored_times(folder: str | Path, trackers: Iterable[str], dataset: Dataset, starts: int = 1) -> Times:
    """The times of all frames from a folder of finished runs, whatever machine or version they are of.

    Args:
        folder: The folder of a `Store`.
        trackers: Names with options, as in the earlier evaluation.
        dataset: The sequences.
        starts: First boxes per sequence.

    Raises:
        InputError: There is no run of one of the trackers on one of the sequences.
    """
    store, times = Store(folder), {}
    for spec in trackers:
        for sequence in dataset:
            for index in range(starts):
                found = store.times(spec, sequence.name, index)
                if found is None:
                    raise InputError(
                        f"{folder} has no times of {spec} on {sequence.name}, first box {index}: "
                        "make them by `slimtrack bench` with the same trackers, sequences and --jitter"
                    )
                times[spec, sequence.name, index] = found
    return times


def curve(results: AtRates) -> dict[str, Any]:
    """The figures of each tracker at each frame rate.

    Returns:
        As `slimtrack.evaluation.summarise`, but with ``"curve"`` in place of ``"trackers"``: for each tracker
        a list of ``fps``, ``auc``, ``auc_spread``, ``precision20``, ``normalized_precision`` and ``missed``
        (share of the frames). ``fps`` is ``None`` where every frame is seen, however long it takes.
        ``"noisy"`` names the trackers whose times were measured while the machine was busy.
    """
    summaries: dict[float | None, dict[str, Any]] = {fps: summarise(each) for fps, each in results.at.items()}
    if results.every_frame is not None:
        summaries[None] = summarise(results.every_frame)
    first = next(iter(summaries.values()))
    measured = summaries[None]["trackers"] if None in summaries else {}
    return {
        **{part: first[part] for part in ("machine", "protocol", "dataset")},
        "noisy": [spec for spec, row in measured.items() if row["noisy"]],
        "curve": {
            spec: [
                {"fps": fps, **{name: each["trackers"][spec][name] for name in _FIGURES}}
                for fps, each in summaries.items()
            ]
            for spec in first["trackers"]
        },
    }


def curve_csv(summary: dict[str, Any]) -> str:
    """The text of a CSV file: one line for each tracker and frame rate, ``fps`` empty for every frame.

    Args:
        summary: From `curve`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["tracker", "fps", *_FIGURES])
    for spec, points in summary["curve"].items():
        for point in points:
            values = (point[name] for name in ("fps", *_FIGURES))
            writer.writerow([spec, *("" if value is None else f"{value:.6g}" for value in values)])
    return text.getvalue()
