"""Milliseconds and accuracy against an older checkout, in one run: what a change costs and what it gains.

Command: ``git worktree add ../older edca841`` and then
``SLIMTRACK_NETWORKS=weights python benchmarks/against.py ../older sequences/otb --trackers staple,eco-hc``

The older checkout's KCF is the measure; every tracker runs in both checkouts, sequence by sequence in turn,
so that a machine that is busy for a while is busy for all. Each checkout has a process of its own, and only
one of them works at a time. Frames are decoded before the clock starts, the first five updates are not
counted. The time is the thread's own (CPU): on a busy machine it says more than the clock on the wall. With
``--frames`` only so many of each sequence are tracked: enough for the milliseconds, not for the accuracy.
With ``--sure`` every score is 1 in both, so that calibrations do not decide what is learned: if the trackers
themselves have not changed, their boxes are equal.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from slimtrack.datasets import Dataset
from slimtrack.evaluation.metrics import bootstrap_difference, measure

WORKER = """
import json, sys, time
import cv2
from slimtrack import Box, create
from slimtrack.timing import single_thread
names, images = None, None
with single_thread():
    for line in sys.stdin:
        job = json.loads(line)
        if job["frames"] != names:
            names, images = job["frames"], [cv2.imread(name) for name in job["frames"]]
        tracker = create(job["tracker"])
        if job["sure"]:
            tracker._score = lambda *_: 1.0
        tracker.init(images[0], Box(*job["box"]))
        boxes, took = [list(tracker.box)], []
        for image in images[1:]:
            start = time.thread_time()
            track = tracker.update(image)
            took.append(1e3 * (time.thread_time() - start))
            boxes.append(list(track.box))
        print(json.dumps({"boxes": boxes, "ms": took[5:]}), flush=True)
"""
"""Uses only what every checkout has."""


class Checkout:
    """A process that tracks with the package of a checkout."""

    def __init__(self, root: Path) -> None:
        environment = dict(os.environ, PYTHONPATH=str(root.resolve() / "src"))
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def track(self, tracker: str, frames: list[str], box: list[float], sure: bool) -> dict[str, Any]:
        """Boxes and milliseconds of one run."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        job = {"tracker": tracker, "frames": frames, "box": box, "sure": sure}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"{tracker} failed: see above")
        return dict(json.loads(answer))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("older", type=Path, help="another checkout of this repository")
    parser.add_argument("folder", type=Path, help="a data set")
    parser.add_argument("--trackers", default="kcf,staple,eco-hc,fdeepstrcf,feco")
    parser.add_argument("--sequences", help="names of some of its sequences")
    parser.add_argument("--frames", type=int, help="at most so many of each sequence")
    parser.add_argument("--sure", action="store_true", help="every score is 1")
    args = parser.parse_args()
    chosen = args.sequences.split(",") if args.sequences else None
    names = args.trackers.split(",")
    checkouts = Checkout(args.older), Checkout(Path(__file__).parents[1])
    milliseconds: dict[tuple[str, int], list[float]] = {}
    areas: dict[tuple[str, int], dict[str, float]] = {}
    for sequence in Dataset.read(args.folder, chosen):
        frames, first = (
            [str(frame) for frame in sequence.frames[: args.frames]],
            [*map(float, sequence.truth[0])],
        )
        for name in dict.fromkeys(["kcf", *names]):
            for index, checkout in enumerate(checkouts):
                found = checkout.track(name, frames, first, args.sure)
                milliseconds.setdefault((name, index), []).extend(found["ms"])
                curves = measure(found["boxes"], sequence.truth[: args.frames])
                areas.setdefault((name, index), {})[sequence.name] = curves.auc
        print(f"{sequence.name} done", file=sys.stderr, flush=True)
    unit = float(np.median(milliseconds["kcf", 0]))
    print(f"KCF of the older checkout: {unit:.2f} ms\n")
    print(
        "| tracker | older ms | x KCF | ms | x KCF | older AUC | AUC | difference, 95 % |\n"
        + "|---" * 8
        + "|"
    )
    for name in names:
        old, new = (float(np.median(milliseconds[name, i])) for i in (0, 1))
        older, newer = (areas[name, i] for i in (0, 1))
        apart = bootstrap_difference(newer, older)
        print(
            f"| {name} | {old:.2f} | {old / unit:.2f} | {new:.2f} | {new / unit:.2f} "
            f"| {np.mean(list(older.values())):.3f} | {np.mean(list(newer.values())):.3f} "
            f"| {apart.difference:+.3f}, {apart.low:+.3f} .. {apart.high:+.3f} |"
        )


if __name__ == "__main__":
    main()
