"""What each rule of a tracker brings: its accuracy with all of them, and with each one taken out.

Command: ``python benchmarks/rules.py sequences/dev [--tracker slim-large] [--every 3] [--names blurs-]``

The rules of ``slim`` and ``slim-large``: boxes stay as loose or as tight as the first one (*habit*), what is
seen clearly is followed whatever its score (*clear*), a wider area is searched where nothing is clear
(*wide*), and a classifier learns the target beside the network (*online*). Of ``matom`` and ``mdrnet``:
*clear*; sizes follow the network's with a delay (*size*); and of ``mdrnet``, the network's error on the
first box is subtracted from all later answers (*error*). With ``--every 3`` only every third frame is shown,
so that targets move three times as fast. One run from the first box as given.
"""

import argparse
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from slimtrack.arrays import Floats, Image
from slimtrack.datasets import Dataset, Sequence
from slimtrack.evaluation.metrics import bootstrap_difference, measure
from slimtrack.evaluation.once import DecodedFrames, track_once
from slimtrack.evaluation.procedures import Course
from slimtrack.registry import tracker_class
from slimtrack.timing import single_thread
from slimtrack.tracker import Estimate, Tracker


class Near:
    """Searches the usual area alone."""

    def _locate(self, image: Image) -> Estimate:
        return self._found(image, self._place)  # type: ignore[attr-defined,no-any-return]  # a mixin of slim


class Unclear:
    """Follows by the score alone."""

    def _locate(self, image: Image) -> Estimate:
        return replace(super()._locate(image), clear=False)  # type: ignore[misc,no-any-return]  # a mixin


class Believing:
    """Takes the network's answers as they are: its error on the first box is not subtracted."""

    def _measure_error(self, sides: Floats) -> None:
        self._error = np.zeros(4)


RULES = {
    "slim": ("habit", "clear", "wide", "online"),
    "slim-large": ("habit", "clear", "wide", "online"),
    "matom": ("clear", "size"),
    "mdrnet": ("error", "clear", "size"),
}


def made(name: str, without: str) -> Tracker:
    """The tracker without these rules."""
    cls, left_out = tracker_class(name), without.split(", ")
    mixins: dict[str, type]
    options: dict[str, Any]
    if name in ("matom", "mdrnet"):
        mixins = {"clear": Unclear, "error": Believing}
        options = {"size_rate": 1.0} if "size" in left_out else {}
        changed: dict[str, float] = {}
    else:
        mixins = {"wide": Near}
        options = {"online": "none"} if "online" in left_out else {}
        changed = {rule: value for rule, value in (("habit", 0.0), ("clear", math.inf)) if rule in left_out}
    bases = (*(mixins[rule] for rule in left_out if rule in mixins), cls)
    tracker: Tracker = type(cls.__name__, bases, changed)(**options)
    return tracker


def shown(sequence: Sequence, every: int) -> Sequence:
    """The sequence with every so many-th frame alone."""
    return replace(sequence, frames=sequence.frames[::every], truth=sequence.truth[::every])


def areas(name: str, without: str, parts: list[Sequence]) -> dict[str, float]:
    """AUC by sequence."""
    found = {}
    with single_thread():
        for part in parts:
            run = track_once(made(name, without), DecodedFrames(part.frames), Course(part.first_box))
            found[part.name] = measure(run.boxes, part.truth).auc
    return found


def table(name: str, parts: list[Sequence]) -> Iterator[str]:
    """A row a rule, each against all of them."""
    yield f"| `{name}` without | mean AUC | difference, 95 % |"
    yield "|---|---|---|"
    whole = areas(name, "", parts)
    yield f"| - | {np.mean(list(whole.values())):.3f} | |"
    for without in (*RULES[name], ", ".join(RULES[name])):
        found = areas(name, without, parts)
        apart = bootstrap_difference(found, whole)
        mean = np.mean(list(found.values()))
        yield f"| {without} | {mean:.3f} | {apart.difference:+.3f} ({apart.low:+.3f} to {apart.high:+.3f}) |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", help="a data set")
    parser.add_argument("--tracker", default="slim", choices=RULES)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--names", default="", help="sequences whose names begin so; all if left out")
    args = parser.parse_args()
    parts = [
        shown(each, args.every)
        for each in Dataset.read(args.folder)
        if each.name.startswith(args.names) and len(each.frames) > args.every
    ]
    for line in table(args.tracker, parts):
        print(line, flush=True)


if __name__ == "__main__":
    main()
