"""Fits the score of every tracker of ours to P(IoU > 0.5) and writes ``calibrations.json`` beside it.

Command: ``python benchmarks/fit_calibration.py sequences/dev absences/tune``

The evidence is collected on the sequences given (never on those that are reported), on clips in which the
target disappears (``benchmarks/absences.py``) and on the synthetic clips, with LOST switched off. What a
tracker learns hangs on its score, and its evidence on what it has learned: so while evidence is collected the
annotation decides what is learned, and no calibration has a say in the next one. The same command gives the
same file. A target that is gone for long teaches little: only the first frames after a right box are fitted,
those in which LOST has to be decided. All footage weighs the same, whatever its length. The table printed is
held out: each piece of footage judged by a fit on all the others; a tracker that misses the bar there gets no
calibration.

With ``--trackers`` only those are fitted anew and the others stay as they are. The calibration for trackers
without one of their own is fitted on four of different kinds together, whenever these are among them.
"""

import argparse
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import joblib
import numpy as np

from _names import ours
from _taught import taught
from absences import KINDS
from slimtrack.box import Box
from slimtrack.calibrations import calibrations_file, read_calibrations, write_calibrations
from slimtrack.confidence import Calibration
from slimtrack.datasets import Dataset, Sequence
from slimtrack.evaluation.calibration import auroc, expected_calibration_error, fit_logistic, held_out_scores
from slimtrack.evaluation.once import DecodedFrames
from slimtrack.registry import list_trackers, tracker_class
from slimtrack.timing import single_thread
from slimtrack.video.synthetic import CLIPS

USED = (
    "peak", "psr", "second", "peak_change", "psr_change", "shape", "grey", "color", "outside", "scene_change",
    "response",
)  # fmt: skip
"""What the fit may use: more evidence fits these few sequences better and others worse."""

ANY = tuple(name for name in USED if name != "peak")
"""The same for trackers that are not ours: how high a peak is hangs on the filter."""


def write_clips(folder: Path) -> None:
    """The synthetic clips as a data set: PNG frames, 1-based truth, ``nan`` where the target is absent."""
    for name, clip in CLIPS.items():
        images = folder / f"synthetic-{name}" / "img"
        images.mkdir(parents=True)
        rows = []
        for index, (image, box) in enumerate(clip.frames(), 1):
            cv2.imwrite(str(images / f"{index:04d}.png"), image)
            rows.append("nan,nan,nan,nan" if box is None else str(box.moved(1, 1)))
        (images.parent / "groundtruth_rect.txt").write_text("\n".join(rows) + "\n")


COMMON = ("kcf", "dsst", "staple", "eco-hc")
"""Fitted together for trackers that have no calibration of their own."""

SOON = 30
"""Frames with a wrong box that are fitted after each right one. A taught tracker that has lost its target
stays lost to the end, and a score fitted on all of that expects wrong boxes too often."""

LEAST_AUROC, MOST_ECE = 0.80, 0.10
"""Held out: a tracker whose scores are worse has no calibration."""

Evidence = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Evidence ``(n, k)``, ``nan`` where a tracker gives none; labels ``(n,)``; names of the footage ``(n,)``;
which rows are fitted ``(n,)``."""


def footage(name: str) -> str:
    """The sequence that a clip was made from."""
    return name.partition("-")[2] if name.partition("-")[0] in (*KINDS, "backwards") else name


def collect(name: str, sequence: Sequence) -> Evidence:
    """Evidence over a sequence, and whether the box was right; frames with nothing to see are left out."""
    rows, labels = [], []
    frames = iter(DecodedFrames(sequence.frames))
    with single_thread():
        tracker = taught(name)
        tracker.init(next(frames), sequence.first_box)
        for image, row, absent in zip(frames, sequence.truth[1:], sequence.absent[1:], strict=True):
            tracker.truth = None if absent else Box(*row)
            track = tracker.update(image)
            rows.append([tracker.evidence.get(key, np.nan) for key in USED])
            labels.append(track.score > 0)
    evidence = np.array(rows)
    finite = np.isfinite(evidence)
    known = finite[:, finite.any(axis=0)].all(axis=1)
    groups = np.full(known.sum(), footage(sequence.name))
    return evidence[known], np.array(labels)[known], groups, soon(labels)[known]


def soon(labels: list[bool]) -> np.ndarray:
    """Which frames of a sequence have a right box, or one at most `SOON` frames before."""
    frames = np.arange(len(labels))
    right = np.maximum.accumulate(np.where(labels, frames, -1))  # the box given, before these, is right
    return frames - right <= SOON


def gather(name: str, sequences: Iterable[Sequence], jobs: int) -> Evidence:
    """`collect` over sequences."""
    parts = joblib.Parallel(n_jobs=jobs)(joblib.delayed(collect)(name, one) for one in sequences)
    evidence, labels, groups, near = (np.concatenate(part) for part in zip(*parts, strict=True))
    return evidence, labels, groups, near


def fit(evidence: Evidence, names: Iterable[str], l2: float) -> tuple[Calibration, np.ndarray]:
    """A calibration of the evidence named, and the scores of all footage held out."""
    rows, labels, groups, near = evidence
    names = [name for name in names if np.isfinite(rows[:, USED.index(name)]).all()]
    columns = rows[:, [USED.index(name) for name in names]]
    found = fit_logistic(columns[near], labels[near], names, l2=l2, groups=groups[near])
    held = held_out_scores(columns, labels, names, groups, l2=l2, fitted=near)
    return found, held


def fitted(name: str, sequences: list[Sequence], jobs: int, l2: float) -> tuple[Calibration | None, Evidence]:
    """Fits a tracker, and prints a row with how it does held out; ``None`` where that is not good enough."""
    evidence = gather(name, sequences, jobs)
    found, held = fit(evidence, USED, l2)
    _, labels, groups, _ = evidence
    real = ~np.char.startswith(groups, "synthetic-")
    area, error = auroc(held[real], labels[real]), expected_calibration_error(held[real], labels[real])
    good = area >= LEAST_AUROC and error <= MOST_ECE
    print(f"| {name} | {area:.3f} | {error:.3f} | {'yes' if good else 'no'} |", flush=True)
    return found if good else None, evidence


def common(parts: Iterable[Evidence], l2: float) -> Calibration:
    """The calibration of several trackers' evidence together."""
    rows, labels, groups, near = (np.concatenate(part) for part in zip(*parts, strict=True))
    found, _ = fit((rows, labels, groups, near), ANY, l2)
    return found


def key(name: str) -> str:
    """The name under which a tracker's calibration is found: of one in a file its class's."""
    return tracker_class(name).name if ":" in name and ".py" in name else name


def keep(fits: Mapping[str, Calibration | None], file: Path, folder: Path | None) -> None:
    """Writes calibrations beside those that a file has already; one that was not good enough leaves it."""
    before = read_calibrations(file)
    order = [*list_trackers(missing=True), *before, *fits]
    each = {name: fits.get(name, before.get(name)) for name in dict.fromkeys(order)}
    target = file if folder is None else folder / file.parent.name / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    write_calibrations(target, {name: found for name, found in each.items() if found is not None})
    print(f"written: {target}")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", help="folders of sequences to fit on")
    parser.add_argument("--trackers", help="only these, with commas between")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--l2", type=float, default=0.03)
    parser.add_argument("--out", type=Path, help="folder to write into instead of beside the trackers")
    args = parser.parse_args(arguments)
    names = args.trackers.split(",") if args.trackers else list(ours())
    with tempfile.TemporaryDirectory() as folder:
        write_clips(Path(folder))
        sequences = [one for path in (*args.data, folder) for one in Dataset.read(path)]
        print("| tracker | AUROC | ECE | calibrated |\n|---|---|---|---|")
        found = {name: fitted(name, sequences, args.jobs, args.l2) for name in names}
    if found.keys() >= {*COMMON}:
        default = common([found[name][1] for name in COMMON], args.l2)
        keep({"common": default}, calibrations_file(), args.out)
    places: dict[Path, dict[str, Calibration | None]] = {}
    for name, (calibration, _) in found.items():
        file = calibrations_file(tracker_class(name))
        assert file is not None, f"{name} comes from no file"
        places.setdefault(file, {})[key(name)] = calibration
    for file, fits in places.items():
        keep(fits, file, args.out)


if __name__ == "__main__":
    main()
