"""Tables of a benchmark for the terminal."""

from typing import Any

from rich.table import Table

__all__ = ["attribute_table", "sequence_table", "tracker_table"]


def tracker_table(summary: dict[str, Any]) -> Table:
    """One row a tracker, best AUC first.

    Args:
        summary: Of `slimtrack.evaluation.summarise`.
    """
    head = summary["dataset"]
    protocol = summary["protocol"]
    runs = f"{protocol['runs']} first boxes" if protocol["runs"] > 1 else "one run: chaotic, see --jitter 1"
    table = Table(title=f"{head['name']}: {head['sequences']} sequences, {runs}", title_justify="left")
    table.add_column("tracker", no_wrap=True)
    for name in (
        "AUC",
        "±",
        "prec@20",
        "norm. prec",
        "fps",
        "p50 ms",
        "p95 ms",
        "init ms",
        "AUROC",
        "ECE",
        "false alarm",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for spec, row in _by_auc(summary):
        table.add_row(
            spec,
            _number(row["auc"], 3),
            _number(row["auc_spread"], 3),
            _number(row["precision20"], 3),
            _number(row["normalized_precision"], 3),
            _number(row["fps"], 0) + ("~" if row["noisy"] else ""),
            _number(row["p50_ms"], 2),
            _number(row["p95_ms"], 2),
            _number(row["init_ms"], 1),
            _number(row["score_auroc"], 3),
            _number(row["score_ece"], 3),
            _percent(row["absent_called_tracked"]),
        )
    return table


def sequence_table(summary: dict[str, Any]) -> Table:
    """AUC of every tracker on every sequence.

    Args:
        summary: Of `slimtrack.evaluation.summarise`.
    """
    return _cross("AUC per sequence", "sequence", "sequences", summary)


def attribute_table(summary: dict[str, Any]) -> Table | None:
    """AUC of every tracker by what makes a sequence hard; ``None`` when the dataset names no attributes.

    Args:
        summary: Of `slimtrack.evaluation.summarise`.
    """
    if not any(row["attributes"] for row in summary["trackers"].values()):
        return None
    return _cross("AUC per attribute", "attribute", "attributes", summary)


def _cross(title: str, first: str, part: str, summary: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first, no_wrap=True)
    columns = _by_auc(summary)
    for spec, _ in columns:
        table.add_column(spec, justify="right")
    for name, figures in columns[0][1][part].items():
        label = f"{name} ({figures['sequences']})" if part == "attributes" else name
        values = [row[part][name]["auc"] for _, row in columns]
        table.add_row(label, *(_best(value, values) for value in values))
    return table


def _by_auc(summary: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return sorted(summary["trackers"].items(), key=lambda item: -item[1]["auc"])


def _best(value: float, values: list[float]) -> str:
    text = _number(value, 3)
    return f"[bold]{text}[/]" if len(values) > 1 and value == max(values) else text


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
