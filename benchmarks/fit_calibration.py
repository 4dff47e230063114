"""Fits the score of every tracker of ours to P(IoU > 0.5) and writes ``src/slimtrack/calibrations.py``.

Command: ``python benchmarks/fit_calibration.py sequences/dev absences/tune``

The evidence is collected on the sequences given (never on those that are reported), on clips in which the
target disappears (``benchmarks/absences.py``) and on the synthetic clips, with LOST switched off. As what a
tracker learns hangs on its score, and its evidence on what it has learned, evidence is collected and fitted
in rounds. All footage weighs the same, whatever its length. The table printed is held out: each piece of
footage judged by a fit on all the others.

With ``--trackers`` only those are fitted anew: the others, and the calibration for trackers without one of
their own, stay as they are. With ``--default`` that one is fitted on the trackers named together.
"""

import argparse
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import joblib
import numpy as np

from _names import ours
from absences import KINDS
from slimtrack.box import Box
from slimtrack.calibrations import CALIBRATIONS, DEFAULT
from slimtrack.confidence import Calibration, Thresholds
from slimtrack.datasets import Dataset, Sequence
from slimtrack.evaluation.calibration import auroc, expected_calibration_error, fit_logistic, held_out_scores
from slimtrack.evaluation.metrics import overlaps
from slimtrack.evaluation.once import DecodedFrames, track_once
from slimtrack.files import atomic_write
from slimtrack.registry import create
from slimtrack.timing import single_thread
from slimtrack.video.synthetic import CLIPS

USED = (
    "peak", "psr", "second", "peak_change", "psr_change", "shape", "grey", "color", "outside", "scene",
)  # fmt: skip
"""What the fit may use: more evidence fits these few sequences better and others worse."""

ANY = tuple(name for name in USED if name != "peak")
"""The same for trackers that are not ours: how high a peak is hangs on the filter."""

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


SURE = Thresholds(tracked=0.8, doubt=0.75, lost=0.0, found=0.0)
"""While evidence is collected LOST is never said, and only frames that are surely right are learned: what a
drifted filter answers says little."""

Evidence = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Evidence ``(n, k)``, labels ``(n,)`` and names of the footage ``(n,)``."""


def footage(name: str) -> str:
    """The sequence that a clip was made from."""
    return name.partition("-")[2] if name.partition("-")[0] in (*KINDS, "backwards") else name


def collect(name: str, calibration: Calibration, sequence: Sequence) -> Evidence:
    """Evidence over a sequence, scored by a calibration, LOST switched off."""
    with single_thread():
        tracker = create(name)
        tracker.calibration = calibration
        tracker.thresholds = SURE
        run = track_once(tracker, DecodedFrames(sequence.frames), Box(*sequence.truth[0]))
    none = np.zeros(len(sequence))
    evidence = np.stack([run.evidence.get(key, none)[1:] for key in USED], axis=1)
    right = overlaps(run.boxes, sequence.truth)[1:] > 0.5
    labels = np.where(sequence.absent[1:], False, right)
    known = np.isfinite(evidence).all(axis=1)
    return evidence[known], labels[known], np.array([footage(sequence.name)] * int(known.sum()))


def gather(name: str, calibration: Calibration, sequences: Iterable[Sequence], jobs: int) -> Evidence:
    """`collect` over sequences."""
    parts = joblib.Parallel(n_jobs=jobs)(joblib.delayed(collect)(name, calibration, one) for one in sequences)
    evidence, labels, groups = (np.concatenate(part) for part in zip(*parts, strict=True))
    return evidence, labels, groups


def described(calibration: Calibration, indent: str) -> str:
    """The expression that makes a calibration, a weight a line, as the formatter has it."""
    weights = [f'    {indent}    "{key}": {value:.4g},' for key, value in calibration.weights.items()]
    lines = ["{", *weights, f"    {indent}}},", f"    {indent}{calibration.bias:.4g},"]
    return f"Calibration(\n    {indent}" + "\n".join(lines) + f"\n{indent})"


def module_text(default: Calibration, calibrations: Mapping[str, Calibration]) -> str:
    """The whole of ``calibrations.py``, formatted as the rest of the package."""
    lines = [
        f"DEFAULT = {described(default, '')}",
        '"""For trackers that have none of their own: fitted on several of ours together."""',
        "",
        "CALIBRATIONS: dict[str, Calibration] = {",
        *(f'    "{name}": {described(value, "    ")},' for name, value in calibrations.items()),
        "}",
        '"""Per name of tracker."""',
        "",
    ]
    return HEADER + "\n".join(lines)


def fit(evidence: Evidence, names: Iterable[str], l2: float) -> tuple[Calibration, np.ndarray]:
    """A calibration of the evidence named, and the scores of all footage held out."""
    columns = [USED.index(name) for name in names]
    rows, labels, groups = evidence
    found = fit_logistic(rows[:, columns], labels, list(names), l2=l2, groups=groups)
    held = held_out_scores(rows[:, columns], labels, list(names), groups, l2=l2)
    return found, held


def fitted(
    name: str, sequences: list[Sequence], jobs: int, l2: float, rounds: int
) -> tuple[Calibration, Evidence]:
    """Fits a tracker, and prints how it does held out."""
    found = CALIBRATIONS.get(name, DEFAULT)
    for _ in range(rounds):
        evidence = gather(name, found, sequences, jobs)
        found, held = fit(evidence, USED, l2)
    _, labels, groups = evidence
    real = ~np.char.startswith(groups, "synthetic-")
    print(
        f"{name}: held out AUROC {auroc(held[real], labels[real]):.3f}, "
        f"ECE {expected_calibration_error(held[real], labels[real]):.3f}",
        flush=True,
    )
    return found, evidence


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", help="folders of sequences to fit on")
    parser.add_argument("--trackers", help="only these, with commas between")
    parser.add_argument("--default", action="store_true", help="fit the common one on these, too")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--l2", type=float, default=0.03)
    parser.add_argument("--rounds", type=int, default=2, help="collecting and fitting, so many times")
    parser.add_argument("--out", type=Path, default=OUT, help="the file to write")
    args = parser.parse_args(arguments)
    names = args.trackers.split(",") if args.trackers else list(ours())
    with tempfile.TemporaryDirectory() as folder:
        write_clips(Path(folder))
        sequences = [one for path in (*args.data, folder) for one in Dataset.read(path)]
        found = {name: fitted(name, sequences, args.jobs, args.l2, args.rounds) for name in names}
    default, each = DEFAULT, {name: calibration for name, (calibration, _) in found.items()}
    if args.default or not args.trackers:
        pooled = (np.concatenate(part) for part in zip(*(e for _, e in found.values()), strict=True))
        default, _ = fit((next(pooled), next(pooled), next(pooled)), ANY, args.l2)
    each = CALIBRATIONS | each  # those whose network is not here stay
    with atomic_write(args.out) as file:
        file.write(module_text(default, each))
    print(f"written: {args.out}")


if __name__ == "__main__":
    main()
