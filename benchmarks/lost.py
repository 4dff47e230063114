"""How soon LOST is said when a target disappears, and how often it is said wrongly.

Command: ``python benchmarks/lost.py sequences/dev absences/tune absences/judge``

An absence of at least 20 frames is told in time when the tracker says LOST within 15 frames of its
beginning; where it said so before already, the absence is left out and counted apart. Scores are fitted on
``sequences/dev`` and ``absences/tune``: only ``absences/judge`` is unseen by the fit, and it is made from the
same sequences. A frame is good where the box overlaps the target by more than one half; a good one that is
called LOST or UNCERTAIN is a false alarm. Scores are judged on all frames but the first, those without the
target counted as wrong.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from slimtrack.confidence import State
from slimtrack.datasets import Dataset, Sequence
from slimtrack.evaluation.calibration import auroc, expected_calibration_error
from slimtrack.evaluation.metrics import overlaps
from slimtrack.evaluation.once import DecodedFrames, track_once
from slimtrack.evaluation.procedures import Course
from slimtrack.evaluation.runs import STATES, Run
from slimtrack.registry import create
from slimtrack.timing import single_thread

LEAST, SOON = 20, 15
"""Frames of the shortest absence that counts, and until LOST has to be said."""

LOST, UNCERTAIN, TRACKED = (STATES.index(s) for s in (State.LOST, State.UNCERTAIN, State.TRACKED))


@dataclass
class Tally:
    """Counts over sequences."""

    absences: int = 0
    told: int = 0
    lost_before: int = 0
    good: int = 0
    good_lost: int = 0
    good_uncertain: int = 0
    absent: int = 0
    absent_tracked: int = 0

    def add(self, run: Run, sequence: Sequence) -> list[str]:
        """Counts a run; names the absences that were not told in time."""
        missed = []
        for first, last in absences(sequence):
            if run.states[first - 1] == LOST:
                self.lost_before += 1
                continue
            self.absences += 1
            if (run.states[first : min(first + SOON + 1, last)] == LOST).any():
                self.told += 1
            else:
                missed.append(f"{sequence.name} from frame {first}")
        good, absent = right(run, sequence), sequence.absent
        self.good += int(good.sum())
        self.good_lost += int((run.states[good] == LOST).sum())
        self.good_uncertain += int((run.states[good] == UNCERTAIN).sum())
        self.absent += int(absent.sum())
        self.absent_tracked += int((run.states[absent] == TRACKED).sum())
        return missed


def absences(sequence: Sequence) -> Iterator[tuple[int, int]]:
    """First frame and end of each absence that is long enough."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], sequence.absent.astype(int), [0]])))
    yield from ((a, b) for a, b in edges.reshape(-1, 2).tolist() if b - a >= LEAST)


def right(run: Run, sequence: Sequence) -> np.ndarray:
    """``(N,)``: whether a frame's box is right; the first frame, whose box is given, counts as wrong."""
    good = np.where(sequence.absent, False, overlaps(run.boxes, sequence.truth) > 0.5)
    good[0] = False
    return good


def judge(name: str, sequences: list[Sequence], verbose: bool) -> str:
    """A row of the table."""
    tally, scores, labels = Tally(), [], []
    for sequence in sequences:
        with single_thread():
            run = track_once(create(name), DecodedFrames(sequence.frames), Course(sequence.first_box))
        missed = tally.add(run, sequence)
        if verbose and missed:
            print(f"  {name}: {', '.join(missed)}", flush=True)
        scores.append(run.scores[1:])
        labels.append(right(run, sequence)[1:])
    s, y = np.concatenate(scores), np.concatenate(labels)
    return (
        f"| {name} | {tally.told} of {tally.absences} ({tally.told / max(tally.absences, 1):.0%}) "
        f"| {tally.lost_before} "
        f"| {tally.good_lost / max(tally.good, 1):.1%} | {tally.good_uncertain / max(tally.good, 1):.1%} "
        f"| {tally.absent_tracked / max(tally.absent, 1):.1%} "
        f"| {auroc(s, y):.3f} | {expected_calibration_error(s, y):.3f} |"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", help="folders of sequences")
    parser.add_argument("--trackers", default="eco-hc,kcf,staple,feco", help="names with commas between")
    parser.add_argument("--verbose", action="store_true", help="name the absences that were not told in time")
    options = parser.parse_args()
    sequences = [sequence for folder in options.data for sequence in Dataset.read(folder)]
    print(
        "| tracker | told in time | LOST before | good LOST | good UNCERTAIN | absent TRACKED | AUROC | ECE |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in options.trackers.split(","):
        print(judge(name, sequences, options.verbose), flush=True)


if __name__ == "__main__":
    main()
