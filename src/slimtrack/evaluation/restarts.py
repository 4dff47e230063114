"""Accuracy and robustness of trackers that are restarted after failures, as the VOT challenges have them."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from slimtrack.datasets import Sequence
from slimtrack.evaluation.metrics import overlaps
from slimtrack.evaluation.procedures import Restarts, has_box
from slimtrack.evaluation.runs import Run, Step

__all__ = ["accuracy", "of_all", "of_sequence"]


def accuracy(run: Run, sequence: Sequence, procedure: Restarts) -> float:
    """Mean IoU over the frames that the tracker saw, without failures and burn-in.

    Frames in which the target is absent, or has no area, are left out. It is 0 if no frame is left, as in
    `vot-toolkit`.

    Args:
        run: A run with restarts.
        sequence: Its sequence.
        procedure: Says how long the burn-in is.
    """
    counts = run.steps == Step.SEEN
    for start in np.flatnonzero(run.steps == Step.STARTED):
        counts[start : start + procedure.burn_in] = False
    ious = overlaps(run.boxes, sequence.truth)[counts & has_box(sequence.truth)]
    return float(ious.mean()) if len(ious) else 0.0


def of_sequence(runs: Iterable[Run], sequence: Sequence, procedure: Restarts) -> dict[str, float]:
    """Accuracy and number of failures on one sequence, averaged over its runs.

    Returns:
        ``accuracy``, ``target_lost`` (how often) and ``target_lost_per_100`` frames.
    """
    several = list(runs)
    lost = float(np.mean([(run.steps == Step.FAILED).sum() for run in several]))
    return {
        "accuracy": float(np.mean([accuracy(run, sequence, procedure) for run in several])),
        "target_lost": lost,
        "target_lost_per_100": 100 * lost / len(sequence),
    }


def of_all(sequences: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """The same over all sequences: accuracy weighted by their lengths, failures added up.

    Args:
        sequences: What `of_sequence` gives for each, and ``frames``.
    """
    each = list(sequences)
    frames = [figures["frames"] for figures in each]
    lost = sum(figures["target_lost"] for figures in each)
    return {
        "accuracy": float(np.average([figures["accuracy"] for figures in each], weights=frames)),
        "target_lost": lost,
        "target_lost_per_100": 100 * lost / sum(frames),
    }
