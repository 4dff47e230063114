"""Computes from runs the figures in a benchmark's JSON file and tables."""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slimtrack import timing
from slimtrack.confidence import State
from slimtrack.datasets import Dataset, Sequence
from slimtrack.evaluation import restarts
from slimtrack.evaluation.calibration import auroc, expected_calibration_error
from slimtrack.evaluation.metrics import Curves, measure, overlaps
from slimtrack.evaluation.procedures import Restarts
from slimtrack.evaluation.protocols import Protocol
from slimtrack.evaluation.runner import Evaluation
from slimtrack.evaluation.runs import STATES, Run, Step, cores_used, disturbed

__all__ = ["Judged", "curves_of", "headline", "judged_frames", "summarise", "to_json"]

_RIGHT = 0.5
"""IoU above which a box counts as right."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Scores of frames and whether their boxes were right, over all runs, without starts and missed frames.

    Attributes:
        scores: ``(N,)`` of the frames in which the target is present.
        right: ``(N,)`` whether IoU > 0.5 in these frames.
        absent_called_tracked: Share of TRACKED in the frames without the target; ``nan`` without such frames.
    """

    scores: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]
    absent_called_tracked: float


def summarise(evaluation: Evaluation) -> dict[str, Any]:
    """All figures, as numbers, lists and dicts; a figure that could not be measured is ``None``.

    AUC and precision of a sequence are means over its runs; a tracker's are means over sequences.
    ``auc_runs`` holds the mean over sequences for each first box, ``auc_spread`` their standard deviation.
    With restarts after failures there are ``accuracy``, ``target_lost`` and ``target_lost_per_100`` instead
    (`slimtrack.evaluation.restarts`).
    """
    rules = evaluation.protocol
    return {
        "machine": timing.machine(evaluation.threads, evaluation.jobs),
        "protocol": {
            "name": rules.name,
            "version": rules.version,
            "source": rules.source,
            "procedure": rules.procedure.name,
            "jitter": evaluation.jitter,
            "runs": len(next(iter(next(iter(evaluation.runs.values())).values()))),
            "warm_up": timing.WARM_UP,
        },
        "dataset": {
            "name": evaluation.dataset.name,
            "sequences": len(evaluation.dataset),
            "frames": sum(map(len, evaluation.dataset)),
        },
        "trackers": {spec: _plain(_tracker(evaluation, spec)) for spec in evaluation.runs},
    }


def to_json(summary: dict[str, Any]) -> str:
    """The text of the JSON file."""
    return json.dumps(summary, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def judged_frames(pairs: Iterable[tuple[Run, Sequence]]) -> Judged:
    """Joins the frames of several runs, to assess their scores.

    Args:
        pairs: Runs with their sequences.
    """
    scores, right, called = [], [], []
    for run, sequence in pairs:
        answered = np.isin(run.steps, (Step.SEEN, Step.FAILED))
        answered[0] = False
        present, absent = answered & ~sequence.absent, answered & sequence.absent
        scores.append(run.scores[present])
        right.append(overlaps(run.boxes, sequence.truth)[present] > _RIGHT)
        called.append(run.states[absent] == STATES.index(State.TRACKED))
    share = _mean(np.concatenate([*called, np.empty(0)]))
    return Judged(np.concatenate([*scores, np.empty(0)]), np.concatenate([*right, np.empty(0, bool)]), share)


def curves_of(runs: Iterable[Run], sequence: Sequence, rules: Protocol) -> Curves:
    """The curves of a sequence, averaged over its runs."""
    each = [measure(run.boxes, sequence.truth, rules) for run in runs]
    success, precision, normalized = (
        np.mean([getattr(curves, name) for curves in each], axis=0)
        for name in ("success", "precision", "normalized")
    )
    return Curves(success, precision, normalized)


def headline(run: Run, sequence: Sequence, rules: Protocol) -> tuple[str, float]:
    """The name of the protocol's main figure, and its value for one run."""
    if isinstance(rules.procedure, Restarts):
        return "accuracy", restarts.accuracy(run, sequence, rules.procedure)
    return "AUC", measure(run.boxes, sequence.truth, rules).auc


def _tracker(evaluation: Evaluation, spec: str) -> dict[str, Any]:
    of_sequence, rules = evaluation.runs[spec], evaluation.protocol
    runs = [run for several in of_sequence.values() for run in several]
    judged = judged_frames(
        (run, sequence) for sequence in evaluation.dataset for run in of_sequence[sequence.name]
    )
    sequences = {s.name: _sequence(of_sequence[s.name], s, rules) for s in evaluation.dataset}
    if isinstance(rules.procedure, Restarts):
        accuracy = restarts.of_all(sequences.values())
    else:
        accuracy = _means(evaluation.dataset, sequences)
    return {
        **accuracy,
        **_times(runs),
        "missed": _mean(np.concatenate([run.steps == Step.MISSED for run in runs])),
        "noisy": evaluation.jobs > 1 or disturbed(runs),
        "cores_used": cores_used(runs),
        "peak_rss_mb": evaluation.peak_rss_mb[spec],
        "score_auroc": auroc(judged.scores, judged.right),
        "score_ece": expected_calibration_error(judged.scores, judged.right),
        "absent_called_tracked": judged.absent_called_tracked,
        "failures": [
            {
                "sequence": run.sequence,
                "run": run.index,
                "frame": run.failure.frame,
                "message": run.failure.message,
            }
            for run in runs
            if run.failure is not None
        ],
        "sequences": sequences,
    }


def _means(dataset: Dataset, sequences: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Means of the curves' figures over sequences."""
    auc_runs = [
        float(np.mean(each)) for each in zip(*(s["auc_runs"] for s in sequences.values()), strict=True)
    ]
    return {
        **{
            name: float(np.mean([figures[name] for figures in sequences.values()]))
            for name in ("auc", "precision20", "normalized_precision")
        },
        "auc_spread": _spread(auc_runs),
        "auc_runs": auc_runs,
        "attributes": _attributes(dataset.sequences, sequences),
    }


def _sequence(runs: list[Run], sequence: Sequence, rules: Protocol) -> dict[str, Any]:
    if isinstance(rules.procedure, Restarts):
        accuracy = restarts.of_sequence(runs, sequence, rules.procedure)
    else:
        accuracy = _curve_figures(runs, sequence, rules)
    return {
        **accuracy,
        **_times(runs),
        "noisy": disturbed(runs),
        "frames": len(sequence),
        "absent_called_tracked": judged_frames((run, sequence) for run in runs).absent_called_tracked,
        "failures": sum(run.failure is not None for run in runs),
    }


def _curve_figures(runs: list[Run], sequence: Sequence, rules: Protocol) -> dict[str, Any]:
    """Means of the curves' figures over the runs of a sequence."""
    each = [measure(run.boxes, sequence.truth, rules) for run in runs]

    def mean(figure: Callable[[Curves], float]) -> float:
        return float(np.mean([figure(curves) for curves in each]))

    return {
        "auc": mean(lambda c: c.auc),
        "auc_spread": _spread([c.auc for c in each]),
        "auc_runs": [c.auc for c in each],
        "precision20": mean(lambda c: c.precision20),
        "normalized_precision": mean(lambda c: c.normalized_precision),
    }


def _times(runs: list[Run]) -> dict[str, float]:
    times = timing.summarise(np.concatenate([run.ms for run in runs]))
    init = [run.init_ms for run in runs if math.isfinite(run.init_ms)]
    return {
        "fps": times.fps,
        "p50_ms": times.p50_ms,
        "p95_ms": times.p95_ms,
        "p99_ms": times.p99_ms,
        "init_ms": float(np.median(init)) if init else math.nan,
    }


def _attributes(
    sequences: Iterable[Sequence], figures: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Means over the sequences of each attribute, in order of first appearance."""
    of_attribute: dict[str, list[str]] = {}
    for sequence in sequences:
        for name in sequence.attributes:
            of_attribute.setdefault(name, []).append(sequence.name)
    return {
        name: {
            "auc": _mean([figures[sequence]["auc"] for sequence in members]),
            "precision20": _mean([figures[sequence]["precision20"] for sequence in members]),
            "sequences": len(members),
        }
        for name, members in sorted(of_attribute.items())
    }


def _mean(values: npt.ArrayLike) -> float:
    array = np.asarray(values, dtype=float)
    return float(array.mean()) if array.size else math.nan


def _spread(values: list[float]) -> float:
    """Standard deviation of a sample; ``nan`` for a single run."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def _plain(value: Any) -> Any:
    """The same with ``None`` for numbers that are not finite, which JSON cannot hold."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
