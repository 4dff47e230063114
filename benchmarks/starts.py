"""What LOST costs at the start: accuracy over the first frames, with it and if it were never said.

Command: ``python benchmarks/starts.py sequences/dev``

Each sequence is begun at four frames, evenly spread over those with 30 frames of the target after them.
In these frames it is never absent, and while LOST `Track.box` stays where it was: that is the price of saying
it. The runs without LOST are of the same trackers with a threshold of 0. *Good* are frames whose box overlaps
the target by more than one half.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lost import LOST, right
from slimtrack.datasets import Dataset, Sequence
from slimtrack.evaluation.metrics import measure
from slimtrack.evaluation.once import DecodedFrames, track_once
from slimtrack.evaluation.procedures import Course
from slimtrack.registry import settings, tracker_class
from slimtrack.timing import single_thread
from slimtrack.tracker import Tracker

STARTS, LENGTH = 4, 30
"""Starts a sequence, and frames from each."""


def starts(sequence: Sequence) -> Iterator[Sequence]:
    """The sequence begun at several frames."""
    ends = range(LENGTH, len(sequence.truth) + 1)
    whole = [end - LENGTH for end in ends if not sequence.absent[end - LENGTH : end].any()]
    for index in sorted({int(i) for i in np.linspace(0, len(whole) - 1, STARTS)}) if whole else ():
        part = slice(whole[index], whole[index] + LENGTH)
        yield replace(sequence, frames=sequence.frames[part], truth=sequence.truth[part])


def made(name: str, never: bool) -> Tracker:
    """A tracker; with ``never`` it does not say LOST as long as it finds anything."""
    cls = tracker_class(name)
    rules = replace(cls.thresholds, lost=0.0) if never else cls.thresholds
    tracker: Tracker = type(cls.__name__, (cls,), {"thresholds": rules})(**settings(name))
    tracker.name = name
    return tracker


def judge(name: str, parts: list[Sequence]) -> str:
    """A row of the table; every sequence weighs the same."""
    areas: dict[tuple[bool, str], list[float]] = {}
    good = lost = 0
    for part in parts:
        for never in (False, True):
            with single_thread():
                run = track_once(made(name, never), DecodedFrames(part.frames), Course(part.first_box))
            areas.setdefault((never, part.name), []).append(measure(run.boxes, part.truth).auc)
            if not never:
                good += int(right(run, part).sum())
                lost += int((run.states[right(run, part)] == LOST).sum())
    says, silent = (
        float(np.mean([np.mean(areas[key]) for key in areas if key[0] is n])) for n in (False, True)
    )
    return f"| {name} | {says:.3f} | {silent:.3f} | {says - silent:+.3f} | {lost / max(good, 1):.1%} |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", help="folders of sequences")
    parser.add_argument("--trackers", default="mosse,dcf,fkcf,dcf-ca", help="names with commas between")
    options = parser.parse_args()
    parts = [
        part for folder in options.data for sequence in Dataset.read(folder) for part in starts(sequence)
    ]
    print("| tracker | AUC | LOST never said | difference | good LOST |\n|---|---|---|---|---|")
    for name in options.trackers.split(","):
        print(judge(name, parts), flush=True)


if __name__ == "__main__":
    main()
