"""Tables of a benchmark's results for the terminal."""

from collections.abc import Callable
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from slimtrack.evaluation.metrics import bootstrap_difference
from slimtrack.evaluation.procedures import ONE_PASS

__all__ = [
    "accuracy_table", "attribute_tables", "best_first", "difference_tables", "rate_tables", "sequence_tables",
    "speed_table",
]  # fmt: skip


_Columns = dict[str, tuple[str, Callable[[float | None], str]]]
"""What a column is called, which figure it shows, and how."""


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


_CURVES: _Columns = {
    "AUC": ("auc", _number),
    "±": ("auc_spread", _number),
    "prec@20": ("precision20", _number),
    "norm.": ("normalized_precision", _number),
}
_RESTARTED: _Columns = {
    "accuracy": ("accuracy", _number),
    "lost": ("target_lost", lambda value: _number(value, 1)),
    "per 100 frames": ("target_lost_per_100", lambda value: _number(value, 2)),
}
_SCORES: _Columns = {
    "AUROC": ("score_auroc", _number),
    "ECE": ("score_ece", _number),
    "absent": ("absent_called_tracked", _percent),
}


def accuracy_table(summary: dict[str, Any]) -> Table:
    """Accuracy and score quality of each tracker, the best first.

    ``norm.`` is normalised precision, ``absent`` the share of absent frames called TRACKED; with restarts
    after failures, ``lost`` is how often the target was lost.

    Args:
        summary: From `slimtrack.evaluation.summarise`.
    """
    data, protocol = summary["dataset"], summary["protocol"]
    runs = (
        f"mean of {protocol['runs']} first boxes"
        if protocol["runs"] > 1
        else "one run (chaotic: see --jitter)"
    )
    table = _table(f"{_data(data)}, {runs}{_procedure(protocol)}")
    ranked = best_first(summary)
    columns = (_RESTARTED if "accuracy" in ranked[0][1] else _CURVES) | _SCORES
    _columns(table, "tracker", *columns)
    for spec, row in ranked:
        table.add_row(Text(spec), *(shown(row[name]) for name, shown in columns.values()))
    return table


def speed_table(summary: dict[str, Any]) -> Table:
    """Speed of each tracker, and the processor; the best first, "~" if the machine was busy.

    Args:
        summary: From `slimtrack.evaluation.summarise`.
    """
    machine = summary["machine"]
    threads = f"{machine['threads']} thread" + ("s" if machine["threads"] > 1 else "")
    table = _table(f"Speed on {machine['cpu']}, {threads}")
    _columns(table, "tracker", "fps", "p50 ms", "p95 ms", "init ms", "peak MiB", "missed", "gave up")
    for spec, row in best_first(summary):
        table.add_row(
            Text(spec),
            ("~" if row["noisy"] else "") + _number(row["fps"], 0),
            _number(row["p50_ms"], 2),
            _number(row["p95_ms"], 2),
            _number(row["init_ms"], 1),
            _number(row["peak_rss_mb"], 0),
            _percent(row["missed"] or None),
            str(len(row["failures"]) or "–"),
        )
    return table


def sequence_tables(summary: dict[str, Any], width: int) -> list[Table]:
    """AUC of every tracker on every sequence, the best in bold.

    Args:
        summary: From `slimtrack.evaluation.summarise`.
        width: Characters per line; trackers that do not fit go into further tables.
    """
    return _cross("AUC by sequence", "sequence", "sequences", summary, width)


def attribute_tables(summary: dict[str, Any], width: int) -> list[Table]:
    """AUC of every tracker by attribute of the sequences; no table if the data set has no attributes.

    Args:
        summary: From `slimtrack.evaluation.summarise`.
        width: Characters per line; trackers that do not fit go into further tables.
    """
    if not any(row["attributes"] for row in summary["trackers"].values()):
        return []
    return _cross("AUC by attribute", "attribute", "attributes", summary, width)


def rate_tables(summary: dict[str, Any], width: int) -> list[Table]:
    """AUC of every tracker at each frame rate, and the share of the frames that it missed.

    Args:
        summary: From `slimtrack.evaluation.realtime.curve`.
        width: Characters per line; trackers that do not fit go into further tables.
    """
    curves = summary["curve"]
    rates = [point["fps"] for point in next(iter(curves.values()))]
    labels = ["every frame" if fps is None else f"{fps:g}" for fps in rates]
    tables = []
    for title, figure, shown in (
        (f"AUC in real time on {_data(summary['dataset'])}", "auc", lambda value: _number(value, 3)),
        ("Frames missed", "missed", _percent),
    ):
        for specs in _fitting(list(curves), width - max(map(len, labels))):
            table = _table(title)
            _columns(table, "fps", *specs)
            for row, label in enumerate(labels):
                table.add_row(label, *(shown(curves[spec][row][figure]) for spec in specs))
            tables.append(table)
    return tables


def difference_tables(summary: dict[str, Any]) -> list[Table]:
    """Difference in AUC between the best tracker and each other one, by paired bootstrap over the sequences.

    Args:
        summary: From `slimtrack.evaluation.summarise`.

    Returns:
        One table; none for a single tracker or a single sequence.
    """
    trackers = [
        (spec, {name: figures["auc"] for name, figures in row["sequences"].items()})
        for spec, row in best_first(summary)
    ]
    (best, best_aucs), *others = trackers
    if not others or len(best_aucs) < 2:
        return []
    table = _table(f"AUC of {best} less the others', 95 % interval")
    _columns(table, "tracker", "difference", "from", "to")
    table.add_column("", no_wrap=True)
    for spec, aucs in others:
        interval = bootstrap_difference(best_aucs, aucs)
        verdict = f"{best} is better" if interval.says_better else "not told apart"
        figures = (f"{value:+.3f}" for value in (interval.difference, interval.low, interval.high))
        table.add_row(Text(spec), *figures, Text(verdict))
    return [table]


def _cross(title: str, first: str, part: str, summary: dict[str, Any], width: int) -> list[Table]:
    trackers, tables = best_first(summary), []
    rows = trackers[0][1][part]
    labels = {n: f"{n} ({f['sequences']})" if part == "attributes" else n for n, f in rows.items()}
    best = {name: max(row[part][name]["auc"] for _, row in trackers) for name in rows}
    room = width - max(len(first), *map(len, labels.values()))
    for specs in _fitting([spec for spec, _ in trackers], room):
        table = _table(title)
        table.add_column(first, no_wrap=True)
        for spec in specs:
            table.add_column(Text(spec), justify="right", overflow="fold", min_width=5)
        for name, label in labels.items():
            values = [summary["trackers"][spec][part][name]["auc"] for spec in specs]
            table.add_row(Text(label), *(_marked(v, v == best[name] and len(trackers) > 1) for v in values))
        tables.append(table)
    return tables


def _fitting(specs: list[str], room: int) -> list[list[str]]:
    """Splits the names into groups that fit side by side, with at least one name each."""
    groups: list[list[str]] = [[]]
    left = room
    for spec in specs:
        needed = max(len(spec), 5) + 3
        if groups[-1] and needed > left:
            groups.append([])
            left = room
        groups[-1].append(spec)
        left -= needed
    return groups


def _table(title: str) -> Table:
    return Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)


def _columns(table: Table, first: str, *others: str) -> None:
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)


def _data(data: dict[str, Any]) -> str:
    count = f"{data['sequences']} sequence" + ("s" if data["sequences"] > 1 else "")
    return f"{data['name']}: {count}, {data['frames']} frames"


def _procedure(protocol: dict[str, Any]) -> str:
    return "" if protocol["procedure"] == ONE_PASS.name else f"; {protocol['procedure']}"


def best_first(summary: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The trackers with their figures: the highest AUC or, with restarts, the fewest failures first.

    Args:
        summary: From `slimtrack.evaluation.summarise`.
    """
    return sorted(
        summary["trackers"].items(),
        key=lambda item: (item[1].get("target_lost", 0), -item[1].get("auc", item[1].get("accuracy"))),
    )


def _marked(value: float, best: bool) -> Text:
    return Text(_number(value, 3), style="bold" if best else "")
