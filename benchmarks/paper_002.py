"""The tables III, IV and V of paper 002, all rows of III and IV trained by one short common preset.

Command: ``SLIMTRACK_NETWORKS=DIR python benchmarks/paper_002.py SEQUENCES --out OUT --data TRAIN``

Options that are not listed by ``--help`` go to ``slimtrack distill`` (``--without mot15``). What is in OUT is
not made again: a command that was stopped goes on. With ``--rows`` only these are trained and nothing is
measured; without ``--data`` the tables are made of the rows that are there. Frames a second are those of the
whole tracker.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from slimtrack.learning.checkpoint import Checkpoint
from slimtrack.learning.loop import BEST
from slimtrack.networks.network import Network

SHORTEST = "Deer,Football1,Skiing,Bird2,DragonBaby,Crossing,Couple"
"""The seven shortest of the 17 sequences of OTB at hand: 698 frames."""


class Row(NamedTuple):
    """A network: what it is in the table, its recipe, what else `distill` is told."""

    label: str
    recipe: str
    more: tuple[str, ...] = ()


ROWS = {
    "ratio16": Row("ratio 16", "cf-vgg[ratio=16]"),
    "ratio32": Row("ratio 32", "cf-vgg[ratio=32]"),
    "ratio64": Row("ratio 64: fidelity and tracking", "cf-vgg"),
    "ratio96": Row("ratio 96", "cf-vgg[ratio=96]"),
    "untrained": Row("start alone, only batch norms settle", "cf-vgg", ("--rate", "0", "--steps", "30")),
    "fidelity": Row("only fidelity", "cf-vgg[beta=0]"),
    "single": Row("only tracking, last level", "cf-vgg[fidelity=0,levels=1]"),
    "multi": Row("only tracking, three levels", "cf-vgg[fidelity=0]"),
    "four": Row("both, relu3 as the fourth level", "cf-vgg[levels=4]"),
    "plain": Row("both, without LRN", "cf-vgg[lrn=false]"),
}
LEVELS = {
    "cf-vgg": ("norm1,downsample=2", "norm2,downsample=1", "relu5,downsample=1"),
    "cf_vggm": ("norm1,downsample=2", "norm2,downsample=1", "relu5,downsample=1"),
    "resnet18": ("relu1,downsample=2", "layer2,downsample=1", "layer3,downsample=1"),
}
"""Low, middle and high level (table V)."""


def trained(name: str, given: argparse.Namespace, more: list[str]) -> None:
    """Puts the row's network into OUT/networks."""
    folder = given.out / name
    published = folder / "cf-vgg.onnx"
    if not published.is_file() and given.data is not None:
        _slimtrack(
            "distill", ROWS[name].recipe, "--data", given.data, "--out", folder, "--resume",
            "--teacher", given.teacher, "--start", given.start, "--preset", "cpu",
            "--steps", given.steps, "--pairs", given.pairs, *ROWS[name].more, *more,
        )  # fmt: skip
    if published.is_file():
        shutil.copy(published, given.out / "networks" / f"{name}.onnx")


def _slimtrack(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "slimtrack", *map(str, words)], check=True)


def measured(trackers: Mapping[str, str], given: argparse.Namespace) -> dict[str, Any]:
    """Figures of trackers by a name of ours."""
    file = given.out / "bench.json"
    networks = ["--networks", given.out / "networks"]
    _slimtrack(
        "bench", given.sequences, "--sequences", given.names, "--jitter", given.jitter,
        "--repeat", given.repeat, *networks, "--trackers", ",".join(trackers.values()), "--json", file,
    )  # fmt: skip
    found = json.loads(file.read_text())["trackers"]
    return dict(zip(trackers, (found[spec] for spec in trackers.values()), strict=True))


def validated(folder: Path) -> str:
    """The figures of the best network of a run."""
    figures = Checkpoint.read(folder / BEST).figures
    return ", ".join(f"{name} {value:.2f}" for name, value in figures.items() if name != "loss")


def tracking(figures: Mapping[str, Any]) -> str:
    noisy = "~" if figures["noisy"] else ""
    return f"{figures['auc']:.3f} | {noisy}{figures['fps']:.0f}"


def losses(rows: list[str], found: Mapping[str, Any], given: argparse.Namespace) -> Iterator[str]:
    """Tables III and IV."""
    yield "| row | recipe | parameters | KB in float16 | on held-out pairs | AUC of feco | frames a second |"
    yield "|---|---|---|---|---|---|---|"
    for name in rows:
        file = given.out / "networks" / f"{name}.onnx"
        recipe = " ".join((ROWS[name].recipe, *ROWS[name].more))
        size = f"{Network.load(file).parameters:,} | {file.stat().st_size / 1000:.0f}"
        held_out = validated(given.out / name)
        yield f"| {ROWS[name].label} | `{recipe}` | {size} | {held_out} | {tracking(found[name])} |"
    if "adapted" in found:
        yield f"| both, and online | `cf-vgg`, `adapt=true` | | | | {tracking(found['adapted'])} |"


def levels(found: Mapping[str, Any]) -> Iterator[str]:
    """Table V."""
    yield "| network | low level: AUC | frames a second | middle: AUC | | high: AUC | |"
    yield "|---|---|---|---|---|---|---|"
    for network, taps in LEVELS.items():
        cells = " | ".join(tracking(found[f"{network} {tap}"]) for tap in taps)
        yield f"| `{network}`: {', '.join(tap.split(',')[0] for tap in taps)} | {cells} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sequences", type=Path)
    parser.add_argument("--names", default=SHORTEST, help="of the sequences")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", default="", help=f"of {', '.join(ROWS)}; separated by commas")
    parser.add_argument("--teacher", default="cf_vggm")
    parser.add_argument("--start", default="resnet18")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--jitter", type=float, default=0.0)
    parser.add_argument("--repeat", type=int, default=1, help="as in `slimtrack bench`")
    given, more = parser.parse_known_args()
    (given.out / "networks").mkdir(parents=True, exist_ok=True)
    for name in given.rows.split(",") if given.rows else ROWS:
        trained(name, given, more)
    if given.rows:
        return
    rows = [name for name in ROWS if (given.out / "networks" / f"{name}.onnx").is_file()]
    trackers = {name: f"feco[network={name}]" for name in rows}
    if "ratio64" in rows:
        trackers["adapted"] = "feco[adapt=true,network=ratio64]"
    trackers |= {f"{n} {tap}": f"fkcf[network={n},tap={tap}]" for n, taps in LEVELS.items() for tap in taps}
    found = measured(trackers, given)
    print(*(losses(rows, found, given) if rows else ()), "", *levels(found), sep="\n")


if __name__ == "__main__":
    main()
