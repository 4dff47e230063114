"""Fits the score of every tracker of ours to P(IoU > 0.5) and writes ``src/slimtrack/calibrations.py``.

Command: ``python benchmarks/fit_calibration.py sequences/dev``

The evidence is collected with LOST switched off, on the sequences given (never on those that are reported)
and on the synthetic clips, from two first boxes each; every sequence weighs the same. The table printed is
held out: each sequence judged by a fit on all the others.

With ``--trackers`` only those are fitted anew: the others, and the calibration for trackers without one of
their own, stay as they are.
"""

import argparse
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import joblib
import numpy as np

from _names import ours
from slimtrack.box import Box
from slimtrack.calibrations import CALIBRATIONS, DEFAULT
from slimtrack.confidence import Calibration, Thresholds
from slimtrack.evaluation.calibration import auroc, expected_calibration_error, fit_logistic, held_out_scores
from slimtrack.evaluation.datasets import Dataset, Sequence
from slimtrack.evaluation.metrics import overlaps
from slimtrack.evaluation.once import DecodedFrames, track_once
from slimtrack.evaluation.runner import first_boxes
from slimtrack.files import atomic_write
from slimtrack.registry import create
from slimtrack.timing import single_thread
from slimtrack.video.synthetic import CLIPS

USED = ("peak", "psr", "shape", "grey")
"""What the fit may use: more evidence fits these few sequences better and others worse."""

OUT = Path(__file__).parents[1] / "src" / "slimtrack" / "calibrations.py"
HEADER = (
    '"""Calibrations of the trackers\' scores, written by ``benchmarks/fit_calibration.py``; '
    'do not edit by hand."""\n\n'
    "from slimtrack.confidence import Calibration\n\n"
    '__all__ = ["CALIBRATIONS", "DEFAULT"]\n\n'
)


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


ABSENT_TRACKED = 0.15
"""Share of the frames without the target that may reach the score at which TRACKED is no longer said."""


def collect(name: str, sequence: Sequence) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Evidence ``(n, k)``, labels, absences over a sequence, from two first boxes, LOST switched off."""
    rows, labels, absent, names = [], [], [], []
    with single_thread():
        tracker = create(name)
        tracker.thresholds = Thresholds(lost=0.0)
        frames = DecodedFrames(sequence.frames)
        for first in first_boxes(Box(*sequence.truth[0]), 1.0)[:2]:
            run = track_once(tracker, frames, first)
            names = [key for key in USED if key in run.evidence]
            rows.append(np.stack([run.evidence[key][1:] for key in names], axis=1))
            right = overlaps(run.boxes, sequence.truth)[1:] > 0.5
            labels.append(np.where(sequence.absent[1:], False, right))
            absent.append(sequence.absent[1:])
    return np.concatenate(rows), np.concatenate(labels), np.concatenate(absent), names


def gather(
    name: str, sequences: Iterable[Sequence], jobs: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Evidence, labels, absences and sequence names of a tracker over all sequences."""
    sequences = list(sequences)
    parts = joblib.Parallel(n_jobs=jobs)(joblib.delayed(collect)(name, one) for one in sequences)
    groups = np.concatenate([[one.name] * len(part[1]) for one, part in zip(sequences, parts, strict=True)])
    evidence, labels, absent = (np.concatenate([part[i] for part in parts]) for i in (0, 1, 2))
    known = np.isfinite(evidence).all(axis=1)
    return evidence[known], labels[known], absent[known], groups[known], parts[0][3]


def doubting(scores: np.ndarray, absent: np.ndarray) -> float:
    """The lowest threshold that no more than `ABSENT_TRACKED` of the frames without the target reach."""
    steps = np.arange(0.45, 0.88, 0.05)
    if not absent.any():
        return float(steps[0])
    return float(next((s for s in steps if np.mean(scores[absent] >= s) <= ABSENT_TRACKED), steps[-1]))


def described(calibration: Calibration) -> str:
    weights = ", ".join(f'"{key}": {value:.4g}' for key, value in calibration.weights.items())
    return f"Calibration({{{weights}}}, {calibration.bias:.4g}, {calibration.doubt:.2g})"


def entry(name: str, calibration: Calibration) -> str:
    """A line of the table, or three where it is too long for one."""
    text = f'    "{name}": {described(calibration)},'
    if len(text) <= 110:
        return text
    inner = described(calibration).removeprefix("Calibration(").removesuffix(")")
    return f'    "{name}": Calibration(\n        {inner}\n    ),'


def module_text(default: Calibration, calibrations: Mapping[str, Calibration]) -> str:
    """The whole of ``calibrations.py``, formatted as the rest of the package."""
    lines = [
        f"DEFAULT = {described(default)}",
        '"""For trackers that have none of their own: fitted on all of ours together."""',
        "",
        "CALIBRATIONS: dict[str, Calibration] = {",
        *(entry(name, value) for name, value in calibrations.items()),
        "}",
        '"""Per name of tracker."""',
        "",
    ]
    return HEADER + "\n".join(lines)


def fitted(
    trackers: list[str], sequences: list[Sequence], jobs: int, l2: float, keep: Path | None
) -> tuple[Calibration, dict[str, Calibration]]:
    """Fits each tracker and all of them together, and prints how each does held out."""
    each: dict[str, Calibration] = {}
    pooled = []
    for name in trackers:
        evidence, labels, absent, groups, names = gather(name, sequences, jobs)
        if keep:
            keep.mkdir(parents=True, exist_ok=True)
            np.savez(keep / f"{name}.npz", evidence=evidence, labels=labels, groups=groups, names=names)
        found = fit_logistic(evidence, labels, names, l2=l2, groups=groups)
        scores = np.array([found.score(dict(zip(names, row, strict=True))) for row in evidence])
        each[name] = replace(found, doubt=doubting(scores, absent))
        held = held_out_scores(evidence, labels, names, groups, l2=l2)
        real = ~np.char.startswith(groups, "synthetic-")
        print(
            f"{name}: held out AUROC {auroc(held[real], labels[real]):.3f}, "
            f"ECE {expected_calibration_error(held[real], labels[real]):.3f}",
            flush=True,
        )
        pooled.append((evidence, labels, np.char.add(f"{name}/", groups)))
    evidence, labels, groups = (np.concatenate(part) for part in zip(*pooled, strict=True))
    return fit_logistic(evidence, labels, names, l2=l2, groups=groups), each


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", help="folders of sequences to fit on")
    parser.add_argument("--trackers", help="only these, with commas between")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--l2", type=float, default=0.01)
    parser.add_argument("--keep", type=Path, help="folder for the collected evidence, to look at")
    parser.add_argument("--out", type=Path, default=OUT, help="the file to write")
    args = parser.parse_args(arguments)
    names = args.trackers.split(",") if args.trackers else list(ours())
    with tempfile.TemporaryDirectory() as folder:
        write_clips(Path(folder))
        sequences = [one for path in (*args.data, folder) for one in Dataset.read(path)]
        default, each = fitted(names, sequences, args.jobs, args.l2, args.keep)
    if args.trackers:
        default = DEFAULT
    each = CALIBRATIONS | each  # those whose network is not here stay
    with atomic_write(args.out) as file:
        file.write(module_text(default, each))
    print(f"written: {args.out}")


if __name__ == "__main__":
    main()
