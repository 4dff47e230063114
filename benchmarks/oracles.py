"""Compares trackers, sequence by sequence, with boxes that their authors published; writes the table.

Command: ``python benchmarks/oracles.py bench.json oracles/RESULTS.csv --write``

``RESULTS.csv`` holds tracker, sequence, success AUC, precision; ``bench.json`` comes from ``slimtrack
bench`` with ``--jitter 1``. Authors' boxes are one run from one first box, ours the mean of five; the
spread of the five says how much a difference can mean.
"""

import argparse
import csv
import json
import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "measurement.md"
MARKS = ("<!-- table:oracles -->", "<!-- end of table:oracles -->")
PAIRS = {
    "kcf": "KCF",
    "dcf": "DCF_HOG",
    "samf": "SAMF",
    "dsst": "DSST",
    "staple": "py_Staple",
    "bacf": "py_BACF",
}


def table(ours: dict[str, dict[str, float]], theirs: dict[str, dict[str, float]]) -> str:
    """Ours / theirs for every sequence; a loss of more than 0.1 in bold."""
    names = [name for name in PAIRS if name in ours]
    sequences = sorted(ours[names[0]])
    lines = [
        "| sequence | " + " | ".join(f"{n} / {PAIRS[n]}" for n in names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for sequence in sequences:
        cells = []
        for name in names:
            a, b = ours[name][sequence], theirs[PAIRS[name]][sequence]
            text = f"{a:.2f} / {b:.2f}"
            cells.append(f"**{text}**" if a < b - 0.1 else text)
        lines.append(f"| {sequence} | " + " | ".join(cells) + " |")
    means = []
    for name in names:
        a, b = (sum(of[s] for s in sequences) / len(sequences) for of in (ours[name], theirs[PAIRS[name]]))
        means.append(f"{a:.3f} / {b:.3f}")
    return "\n".join([*lines, "| mean | " + " | ".join(means) + " |"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bench", nargs="+", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    ours: dict[str, dict[str, float]] = {}
    for path in args.bench:
        for name, of in json.loads(path.read_text())["trackers"].items():
            ours.setdefault(name, {key: figures["auc"] for key, figures in of["sequences"].items()})
    theirs: dict[str, dict[str, float]] = {}
    with args.results.open() as file:
        for line in csv.DictReader(file):
            theirs.setdefault(line["tracker"], {})[line["sequence"]] = float(line["auc"])
    text = table(ours, theirs)
    print(text)
    if args.write:
        pattern = re.compile(f"({re.escape(MARKS[0])}).*?({re.escape(MARKS[1])})", re.DOTALL)
        PAGE.write_text(pattern.sub(lambda match: f"{match[1]}\n{text}{match[2]}", PAGE.read_text()))


if __name__ == "__main__":
    main()
