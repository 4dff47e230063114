"""Writes the tables of the README and docs/measurement.md from the JSON files of ``slimtrack bench``.

Command: ``python benchmarks/tables.py bench.json [more.json ..] [--speed speed.json] [--dev dev.json]``

Several files are joined; of a tracker that stands in more than one, the first file's figures are taken.
Speeds may come from a run of their own, on a machine that does nothing else. The processor is written under
the table. Ratios are to peers of the same file; the interval after a difference of AUC is the paired
bootstrap's over sequences.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from _names import ours
from slimtrack.evaluation.metrics import bootstrap_difference

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "measurement.md")
MARKS = ("<!-- table:bench -->", "<!-- end of table:bench -->")
PAIRS = (("mosse", "opencv:mosse"), ("kcf", "opencv:kcf"), ("kcf", "opencv:csrt"), ("staple", "opencv:csrt"))


def number(value: Any, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


SPEED = ("fps", "p50_ms", "p95_ms", "noisy")


def timed_by(files: list[dict[str, Any]], quiet: dict[str, Any]) -> None:
    """Puts the speeds of another run in the place of the files' own."""
    for file in files:
        for name, of in file["trackers"].items():
            of.update({key: quiet["trackers"][name][key] for key in SPEED if name in quiet["trackers"]})


def row(name: str, of: dict[str, Any], dev: dict[str, Any]) -> str:
    """A line of the table, our trackers in bold."""
    absent = dev.get("absent_called_tracked")
    cells = [
        f"**{name}**" if name in ours() else name,
        f"{number(of['auc'])} ± {number(of['auc_spread'])}",
        number(of["precision20"]),
        number(of["fps"], 0),
        f"{number(of['p50_ms'], 2)} / {number(of['p95_ms'], 2)}",
        number(of["score_auroc"]),
        number(of["score_ece"]),
        "-" if absent is None else f"{absent:.0%}",
    ]
    return "| " + " | ".join(cells) + " |"


def table(files: list[dict[str, Any]], dev: dict[str, Any]) -> str:
    trackers: dict[str, Any] = {}
    for file in files:
        trackers = {**file["trackers"], **trackers}
    lines = [
        "| tracker | AUC ± spread | precision | frames/s | p50 / p95 ms | AUROC | ECE | absent TRACKED |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in sorted(trackers, key=lambda n: -trackers[n]["auc"]):
        lines.append(row(name, trackers[name], dev.get("trackers", {}).get(name, {})))
    return "\n".join(lines) + "\n\n" + ratios(files) + "\n" + footing(files)


def ratios(files: list[dict[str, Any]]) -> str:
    """Speed of ours over OpenCV's counterpart, taken in one run."""
    parts = []
    for one, peer in PAIRS:
        found = next((file["trackers"] for file in files if {one, peer} <= file["trackers"].keys()), None)
        if found:
            times = found[peer]["p50_ms"] / found[one]["p50_ms"]
            parts.append(f"{one} runs at {times:.2f} times the speed of {peer} ({gain(found, one, peer)})")
    return "In the same run: " + "; ".join(parts) + ".\n" if parts else ""


def gain(trackers: dict[str, Any], a: str, b: str) -> str:
    """By how much the AUC of A is above that of B, with its interval where sequences can be resampled."""
    first, second = (
        {name: figures["auc"] for name, figures in trackers[spec]["sequences"].items()} for spec in (a, b)
    )
    if len(first) < 2:
        return f"AUC {trackers[a]['auc'] - trackers[b]['auc']:+.3f}"
    found = bootstrap_difference(first, second)
    return f"AUC {found.difference:+.3f}, {found.level:.0%} interval {found.low:+.3f} to {found.high:+.3f}"


def footing(files: list[dict[str, Any]]) -> str:
    machines = sorted({str(file["machine"].get("cpu")) for file in files})
    noisy = sorted({name for file in files for name, of in file["trackers"].items() if of.get("noisy")})
    text = f"Processor: {', '.join(machines)}, one core, shared with others."
    return text + (f" Noisy by the protocol: {', '.join(noisy)}." if noisy else "") + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--speed", type=Path, help="JSON of a quiet run (no --jitter): speeds come from it")
    parser.add_argument("--dev", type=Path, help="JSON of the sequences with absences, for the last column")
    args = parser.parse_args()
    files = [json.loads(path.read_text()) for path in args.files]
    if args.speed:
        timed_by(files, json.loads(args.speed.read_text()))
    text = table(files, json.loads(args.dev.read_text()) if args.dev else {})
    pattern = re.compile(f"({re.escape(MARKS[0])}).*?({re.escape(MARKS[1])})", re.DOTALL)
    for page in PAGES:
        page.write_text(pattern.sub(lambda match: f"{match[1]}\n{text}{match[2]}", page.read_text()))
        print(f"written: {page}")


if __name__ == "__main__":
    main()
