"""Writes the tables of docs/measurement.md and the README from the JSON files of ``slimtrack bench``.

Command: ``python benchmarks/tables.py bench.json [more.json ..] [--speed speed.json ..] [--dev dev.json]``

Several files are joined; of a tracker that stands in more than one, the first file's figures are taken.
Speeds may come from runs of their own, on a machine that does nothing else. The processor is written under
the table. Ratios of speed are to peers timed in the same run; the interval after a difference of AUC is the
paired bootstrap's over sequences.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from _names import is_ours
from slimtrack.evaluation.metrics import bootstrap_difference
from slimtrack.registry import parse_spec

ROOT = Path(__file__).parents[1]
MEASURED, README = ROOT / "docs" / "measurement.md", ROOT / "README.md"
SHORT = (
    "fear-xs", "nanotrack-v3", "slim-large", "fdeepstrcf", "vittrack", "slim", "eco-hc", "opencv:csrt", "kcf",
    "opencv:kcf",
)  # fmt: skip
"""The rows of the README: some of ours, and the peers that people know."""
PAIRS = (
    ("mosse", "opencv:mosse"), ("kcf", "opencv:kcf"), ("kcf", "opencv:csrt"), ("staple", "opencv:csrt"),
    ("slim", "nanotrack-v3"), ("slim-large", "fear-xs"),
    ("feco", "opencv:csrt"), ("feco", "nanotrack-v3"), ("fdeepstrcf", "opencv:csrt"),
    ("fdeepstrcf", "nanotrack-v3"), ("deepcd-v-11+12+21", "cf2-v-11+12+21"), ("eco-cd", "eco"),
    ("feco-cd", "feco"), ("fdeepstrcf-cd", "fdeepstrcf"), ("cacf-cd", "cacf"),
)  # fmt: skip


def number(value: Any, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


SPEED = ("fps", "p50_ms", "p95_ms", "noisy")


def joined(files: list[dict[str, Any]]) -> dict[str, Any]:
    """The trackers of all files, of each the first file's figures."""
    return {name: of for file in reversed(files) for name, of in file["trackers"].items()}


def timed_by(trackers: dict[str, Any], quiet: list[dict[str, Any]]) -> None:
    """Puts the speeds of other runs in the place of the trackers' own."""
    for name, of in joined(quiet).items():
        if name in trackers:
            trackers[name].update({key: of[key] for key in SPEED})


def row(name: str, of: dict[str, Any], dev: dict[str, Any]) -> str:
    """A line of the table, our trackers in bold."""
    absent = dev.get("absent_called_tracked")
    cells = [
        f"**{name}**" if is_ours(parse_spec(name)[0]) else name,
        f"{number(of['auc'])} ± {number(of['auc_spread'])}",
        number(of["precision20"]),
        number(of["fps"], 0),
        f"{number(of['p50_ms'], 2)} / {number(of['p95_ms'], 2)}",
        number(of["score_auroc"]),
        number(of["score_ece"]),
        "-" if absent is None else f"{absent:.0%}",
    ]
    return "| " + " | ".join(cells) + " |"


def table(trackers: dict[str, Any], dev: dict[str, Any]) -> str:
    lines = [
        "| tracker | AUC ± spread | precision | frames/s | p50 / p95 ms | AUROC | ECE | absent TRACKED |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in sorted(trackers, key=lambda n: -trackers[n]["auc"]):
        lines.append(row(name, trackers[name], dev.get(name, {})))
    return "\n".join(lines) + "\n\n"


def short_table(trackers: dict[str, Any]) -> str:
    """The README's table: few rows, and of each what a newcomer asks for."""
    lines = [
        "| tracker | AUC ± spread | precision | frames a second | p50 / p95 ms |",
        "|---|---|---|---|---|",
    ]
    chosen = sorted((name for name in SHORT if name in trackers), key=lambda n: -trackers[n]["auc"])
    lines += [" | ".join(row(name, trackers[name], {}).split(" | ")[:5]) + " |" for name in chosen]
    return "\n".join(lines) + "\n"


def ratios(trackers: dict[str, Any], timed: list[dict[str, Any]]) -> str:
    """Speed of ours over a peer's where one run has both."""
    parts = []
    for one, peer in PAIRS:
        found = next((file["trackers"] for file in timed if {one, peer} <= file["trackers"].keys()), None)
        if found and {one, peer} <= trackers.keys():
            times = found[peer]["p50_ms"] / found[one]["p50_ms"]
            parts.append(f"- {one}: {times:.2f} times the speed of {peer}, {gain(trackers, one, peer)}\n")
    return "In the same run:\n\n" + "".join(parts) if parts else ""


def gain(trackers: dict[str, Any], a: str, b: str) -> str:
    """By how much the AUC of A is above that of B, with its interval where sequences can be resampled."""
    first, second = (
        {name: figures["auc"] for name, figures in trackers[spec]["sequences"].items()} for spec in (a, b)
    )
    if len(first) < 2:
        return f"AUC {trackers[a]['auc'] - trackers[b]['auc']:+.3f}"
    found = bootstrap_difference(first, second)
    return f"AUC {found.difference:+.3f}, {found.level:.0%} interval {found.low:+.3f} to {found.high:+.3f}"


def footing(trackers: dict[str, Any], files: list[dict[str, Any]]) -> str:
    machines = sorted({str(file["machine"].get("cpu")) for file in files})
    noisy = sorted(name for name, of in trackers.items() if of.get("noisy"))
    text = f"Processor: {', '.join(machines)}, one core, shared with others."
    return text + (f" Noisy by the protocol: {', '.join(noisy)}." if noisy else "") + "\n"


def read(paths: list[Path]) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in paths]


def put(page: Path, name: str, text: str) -> None:
    """Replaces a page's table."""
    pattern = re.compile(f"(<!-- table:{name} -->).*?(<!-- end of table:{name} -->)", re.DOTALL)
    page.write_text(pattern.sub(lambda match: f"{match[1]}\n{text}{match[2]}", page.read_text()))
    print(f"written: {page}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument(
        "--speed", nargs="+", type=Path, default=[], help="quiet runs (no --jitter): speeds come from them"
    )
    parser.add_argument(
        "--dev", nargs="+", type=Path, default=[], help="runs on sequences with absences, for the last column"
    )
    args = parser.parse_args()
    files, quiet = read(args.files), read(args.speed)
    trackers = joined(files)
    timed_by(trackers, quiet)
    text = table(trackers, joined(read(args.dev))) + ratios(trackers, quiet or files) + "\n"
    text += footing(trackers, quiet or files)
    put(MEASURED, "bench", text)
    put(README, "short", short_table(trackers))


if __name__ == "__main__":
    main()
