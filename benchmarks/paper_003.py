"""The tables 4.1 to 4.5 of paper 003: teachers and students trained by one short common preset, then tracked.

Command: ``python benchmarks/paper_003.py SEQUENCES --out OUT --data TRAIN --atom ATOM/best.pt \
--mobilenet FILE [--drnet DRNET/best.pt] [--networks DIR] ..``

Options that are not listed by ``--help`` go to ``slimtrack distill`` (``--without mot15``). What is in OUT is
not made again: a command that was stopped goes on. With ``--rows`` only these are trained and nothing is
measured; without ``--data`` the table is made of the rows that are there. Frames a second are those of the
whole tracker. With ``--full`` each row is trained as long as in the paper, on its views; that takes a GPU.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from slimtrack.learning.checkpoint import Checkpoint
from slimtrack.learning.loop import BEST
from slimtrack.learning.overlap.cost import cost
from slimtrack.learning.overlap.network import OverlapNetwork

SHORT, FULL = "side=128,kept=96", "side=288,kept=0"
"""Smaller views, each batch three times in 300 steps: all rows in two and a half hours of one core; and the
paper's views, with new pairs in each step."""
_SHORT_STEPS = 300


class Row(NamedTuple):
    """A student: what it is in the tables, options of its recipe, the row whose network it begins with."""

    label: str
    options: str
    after: str = ""

    def recipe(self, *, full: bool) -> str:
        """For `slimtrack distill`."""
        return f"cfkd[{','.join(filter(None, (self.options, FULL if full else SHORT)))}]"

    @property
    def kind(self) -> str:
        """That of its teacher."""
        return "drnet" if "drnet" in self.options else "atom"


ROWS = {
    "gt": Row("4.2: true labels", "features=none,labels=true"),
    "ts": Row("4.2: TS", "features=none,labels=soft"),
    "tsah": Row("4.2: TS + AH", "features=none"),
    "fidelity": Row("4.2: TS + AH + fidelity", "features=fidelity"),
    "cfkd": Row("4.1 to 4.4: all at once (mATOM)", ""),
    "backbone": Row("4.2: in two stages, the first", "labels=none"),
    "stages": Row("4.2: in two stages", "features=frozen", "backbone"),
    "wang": Row("4.4: Wang", "features=wang"),
    "liu": Row("4.4: Liu", "features=liu"),
    "medium": Row("4.3: ResNet-18-m", "backbone=resnet18-m,head=128"),
    "small": Row("4.3: ResNet-18-s", "backbone=resnet18-s,head=64"),
    "tiny": Row("4.3: ResNet-18-t", "backbone=resnet18-t,head=32"),
    "mdrnet": Row("4.5: mDRNet", "kind=drnet"),
}


def trained(name: str, given: argparse.Namespace, more: list[str]) -> None:
    """Makes the row's network in OUT/NAME."""
    row = ROWS[name]
    teacher = getattr(given, row.kind)
    if (given.out / name / "card.json").is_file() or given.data is None or teacher is None:
        return
    start = given.out / row.after / BEST if row.after else given.mobilenet
    begun = [] if "resnet18" in row.options else ["--start", start]
    sources = [word for folder in given.data for word in ("--data", folder)]
    steps = given.steps or (None if given.full else _SHORT_STEPS)
    length = ["--preset", "paper" if given.full else "cpu"] + (["--steps", steps] if steps else [])
    _slimtrack(
        "distill", row.recipe(full=given.full), *sources, "--out", given.out / name, "--resume", *begun,
        "--teacher", teacher, *length, "--pairs", given.pairs, *more,
    )  # fmt: skip


def _slimtrack(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "slimtrack", *map(str, words)], check=True)


def tracker(name: str, given: argparse.Namespace) -> str:
    """The row's network in the tracker of its kind."""
    return f"m{ROWS[name].kind}[network={(given.out / name).absolute()}]"


def measured(trackers: Mapping[str, str], given: argparse.Namespace) -> dict[str, Any]:
    """Figures of trackers by a name of ours."""
    file = given.out / "bench.json"
    chosen = ["--sequences", given.names] if given.names else []
    _slimtrack(
        "bench", given.sequences, *chosen, "--jitter", given.jitter, "--trackers",
        ",".join(trackers.values()), "--json", file,
    )  # fmt: skip
    found = json.loads(file.read_text())["trackers"]
    return dict(zip(trackers, (found[spec] for spec in trackers.values()), strict=True))


def table(runs: Mapping[str, Path], found: Mapping[str, Any], *, full: bool) -> Iterator[str]:
    """A row a network: its size, its operations, what it says of held-out pairs, how it tracks."""
    yield "| row | recipe | MB in float16 | G operations a frame | held-out pairs | AUC | frames a second |"
    yield "|---|---|---|---|---|---|---|"
    for name, checkpoint in runs.items():
        best = Checkpoint.read(checkpoint)
        network = best.restored().recipe.network
        assert isinstance(network, OverlapNetwork)
        own = cost(network)
        label, recipe = "teacher", best.recipe
        if name in ROWS:
            label, recipe = ROWS[name].label, ROWS[name].recipe(full=full)
        size = f"{2e-6 * (own.backbone + own.predictor):.1f} | {(own.features + own.search) / 1e9:.2f}"
        judged = ", ".join(
            f"{key} {best.figures[key]:.3f}" for key in ("overlap", "error") if key in best.figures
        )
        figures = found[name]
        speed = f"{'~' if figures['noisy'] else ''}{figures['fps']:.0f}"
        yield f"| {label} | `{recipe}` | {size} | {judged} | {figures['auc']:.3f} | {speed} |"


def main() -> None:
    """Trains what is not there, tracks with all, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sequences", type=Path)
    parser.add_argument("--names", default="", help="of the sequences; all if left out")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, action="append", help="can be repeated")
    parser.add_argument("--full", action="store_true", help="the paper's length and views")
    parser.add_argument("--rows", default="", help=f"of {', '.join(ROWS)}; separated by commas")
    parser.add_argument(
        "--atom", type=Path, required=True, help="the teacher: best.pt of `slimtrack train atom`"
    )
    parser.add_argument("--drnet", type=Path, help="the same of `slimtrack train drnet`")
    parser.add_argument("--mobilenet", type=Path, help="ImageNet weights")
    parser.add_argument("--steps", type=int, help=f"{_SHORT_STEPS} if left out, or with --full the preset's")
    parser.add_argument("--pairs", type=int, default=32)
    parser.add_argument("--jitter", type=float, default=0.0)
    given, more = parser.parse_known_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.rows.split(",") if given.rows else ROWS:
        trained(name, given, more)
    if given.rows:
        return
    runs = {"atom": given.atom} | ({"drnet": given.drnet} if given.drnet else {})
    trackers = {kind: f"{kind}[network={path.parent.absolute()}]" for kind, path in runs.items()}
    for name in ROWS:
        if name != "backbone" and (given.out / name / "card.json").is_file():
            runs[name], trackers[name] = given.out / name / BEST, tracker(name, given)
    print(*table(runs, measured(trackers, given), full=given.full), sep="\n")


if __name__ == "__main__":
    main()
