"""Plots of a benchmark: success, precision, reliability, speed against accuracy, attributes."""

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from slimtrack.errors import MissingError
from slimtrack.evaluation.calibration import reliability
from slimtrack.evaluation.metrics import Curves
from slimtrack.evaluation.procedures import Restarts
from slimtrack.evaluation.report.tables import best_first
from slimtrack.evaluation.runner import Evaluation
from slimtrack.evaluation.summary import curves_of, judged_frames
from slimtrack.files import atomic_write

try:
    import matplotlib
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator
    from matplotlib.transforms import Bbox
except ImportError as error:
    raise MissingError(f"plots need matplotlib: run `pip install slimtrack[plot]` ({error})") from error

__all__ = ["save_curve", "save_plots"]

_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F3C8D", "#4B4B4B")
"""Okabe and Ito's palette for colour-blind readers, its light colours darkened for a white page."""

_PLACES = (
    ((7, 4), "left"), ((7, -11), "left"), ((-7, 4), "right"), ((-7, -11), "right"), ((0, 9), "center"),
    ((0, -16), "center"), ((8, 4), "left"),
)  # fmt: skip
"""Positions of a label beside its point, best first; the last is used if none is free."""

_DASHES = ("-", "--", "-.", ":")
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelcolor": "#333333",
    "axes.edgecolor": "#888888",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.9,
    "figure.dpi": 150,
}


def save_plots(evaluation: Evaluation, summary: dict[str, Any], folder: str | Path) -> list[Path]:
    """Draws all plots as PNG files.

    Args:
        evaluation: The runs.
        summary: From `slimtrack.evaluation.summarise` of the same runs.
        folder: Folder for the plots; created if missing.

    Returns:
        The files: ``success.png``, ``precision.png``, ``reliability.png``, ``speed_accuracy.png`` and, if the
        data set has attributes, ``attributes.png``. With restarts after failures ``robustness.png`` and
        ``reliability.png``.

    Raises:
        OutputError: A file cannot be written.
    """
    plots: dict[str, Callable[[Evaluation, dict[str, Any]], Figure | None]] = {
        "success": _success,
        "precision": _precision,
        "reliability": _reliability,
        "speed_accuracy": _speed_accuracy,
        "attributes": _attributes,
    }
    if isinstance(evaluation.protocol.procedure, Restarts):
        plots = {"robustness": _robustness, "reliability": _reliability}
    files = []
    for name, draw in plots.items():
        with matplotlib.rc_context(_STYLE):
            figure = draw(evaluation, summary)
            if figure is not None:
                file = Path(folder) / f"{name}.png"
                _save(figure, file)
                files.append(file)
    return files


def save_curve(summary: dict[str, Any], folder: str | Path) -> Path:
    """Draws AUC against frames a second as ``frame_rates.png``.

    Args:
        summary: From `slimtrack.evaluation.realtime.curve`.
        folder: Folder for the plot; created if missing.

    Returns:
        The file.

    Raises:
        OutputError: The file cannot be written.
    """
    with matplotlib.rc_context(_STYLE):
        figure, axes = _figure(7.2, 4.6)
        curves = {spec: [p for p in points if p["fps"]] for spec, points in summary["curve"].items()}
        ranked = sorted(curves.items(), key=lambda item: -np.mean([point["auc"] for point in item[1]]))
        for rank, (spec, points) in enumerate(ranked):
            style = _DASHES[rank // len(_COLORS) % len(_DASHES)]
            x, y = [p["fps"] for p in points], [p["auc"] for p in points]
            axes.plot(x, y, style, marker="o", markersize=4, color=_COLORS[rank % len(_COLORS)], label=spec)
        axes.set(xlabel="frames that come each second", ylabel="AUC", ylim=(0, None))
        axes.set_xticks(sorted({point["fps"] for points in curves.values() for point in points}))
        axes.grid(True)
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0, handlelength=1.8)
        here = any(point["fps"] is None for point in next(iter(summary["curve"].values())))
        cpu = f", {summary['machine']['cpu']}" if here else ""  # the times may be those of another machine
        axes.set_title(f"In real time on {_data(summary)}{cpu}")
        file = Path(folder) / "frame_rates.png"
        _save(figure, file)
    return file


def _success(evaluation: Evaluation, summary: dict[str, Any]) -> Figure:
    figure, axes = _figure(7.2, 4.6)
    x = np.array(evaluation.protocol.overlap_thresholds)
    _curves(axes, evaluation, summary, x, lambda curves: curves.success, "auc")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="overlap threshold (IoU)", ylabel="share of frames above it")
    axes.set_title(f"Success on {_data(summary)}")
    return figure


def _precision(evaluation: Evaluation, summary: dict[str, Any]) -> Figure:
    figure, axes = _figure(7.2, 4.6)
    x = np.array(evaluation.protocol.error_thresholds)
    axes.axvline(20, color="#999999", linewidth=0.9, linestyle=(0, (2, 2)))
    _curves(axes, evaluation, summary, x, lambda curves: curves.precision, "precision20")
    axes.set(
        xlim=(0, 50),
        ylim=(0, 1),
        xlabel="centre error threshold (pixels)",
        ylabel="share of frames within it",
    )
    axes.set_title(f"Precision on {_data(summary)}")
    return figure


def _curves(
    axes: Axes,
    evaluation: Evaluation,
    summary: dict[str, Any],
    x: Any,
    part: Callable[[Curves], Any],
    figure: str,
) -> None:
    """One line per tracker: the mean over runs, then over sequences; the legend is in order of the figure."""
    for rank, (spec, row) in enumerate(_ranked(summary, figure)):
        of_sequence = evaluation.runs[spec]
        each = [part(curves_of(of_sequence[s.name], s, evaluation.protocol)) for s in evaluation.dataset]
        style = _DASHES[rank // len(_COLORS) % len(_DASHES)]
        label = f"{row[figure]:.3f}  {spec}"
        axes.plot(x, np.mean(each, axis=0), style, color=_COLORS[rank % len(_COLORS)], label=label)
    axes.grid(True)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0, handlelength=1.8)


def _reliability(evaluation: Evaluation, summary: dict[str, Any]) -> Figure:
    ranked = best_first(summary)
    columns = min(4, len(ranked))
    rows = math.ceil(len(ranked) / columns)
    figure = Figure(figsize=(max(2.5 * columns + 0.6, 4.8), 3.0 * rows + 0.6), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.flat[len(ranked) :]:
        axes.set_axis_off()
    for axes, (spec, row) in zip(grid.flat, ranked, strict=False):
        _diagram(axes, evaluation, spec)
        note = f"ECE {_text(row['score_ece'])}   AUROC {_text(row['score_auroc'])}"
        axes.set_title(spec, fontsize=10, pad=18)
        axes.text(0, 1.03, note, transform=axes.transAxes, fontsize=8, color="#666666")
    figure.supxlabel("score: probability promised (bars: share of frames)", fontsize=10, color="#333333")
    figure.supylabel("share of frames with IoU > 0.5", fontsize=10, color="#333333")
    return figure


def _diagram(axes: Axes, evaluation: Evaluation, spec: str) -> None:
    """Actual share of good boxes against the score; the area of a point is its share of the frames."""
    pairs = ((run, s) for s in evaluation.dataset for run in evaluation.runs[spec][s.name])
    judged = judged_frames(pairs)
    table = reliability(judged.scores, judged.right)
    used = table.counts > 0
    share = table.counts[used] / max(table.counts.sum(), 1)
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.9, linestyle=(0, (4, 3)))
    axes.bar(
        (np.arange(len(used))[used] + 0.5) / len(used),
        share,
        1 / len(used),
        color="#D9E6F2",
        edgecolor="white",
    )
    x, y = table.promised[used], table.came[used]
    axes.plot(x, y, color=_COLORS[0], linewidth=1.2)
    axes.scatter(x, y, s=12 + 160 * share, color=_COLORS[0], edgecolor="white", linewidth=0.7, zorder=3)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), aspect="equal")
    axes.set_xticks((0, 0.5, 1), ("0", "0.5", "1"))
    axes.set_yticks((0, 0.5, 1), ("0", "0.5", "1"))
    axes.grid(True)


def _speed_accuracy(_: Evaluation, summary: dict[str, Any]) -> Figure | None:
    ranked = [(spec, row) for spec, row in _ranked(summary, "auc") if row["fps"]]
    if not ranked:
        return None
    figure, axes = _figure(7.2, 4.6)
    spread = [row["auc_spread"] or 0 for _, row in ranked]
    x, y = [row["fps"] for _, row in ranked], [row["auc"] for _, row in ranked]
    axes.errorbar(x, y, yerr=spread, fmt="none", ecolor="#BBBBBB", elinewidth=1, capsize=2, zorder=1)
    front = [(fps, auc) for fps, auc in zip(x, y, strict=True) if not _beaten(fps, auc, x, y)]
    axes.plot(
        *zip(*sorted(front), strict=True), color="#E3E3E3", linewidth=4, solid_capstyle="round", zorder=0
    )
    colors = [_COLORS[rank % len(_COLORS)] for rank in range(len(ranked))]
    axes.scatter(x, y, s=46, c=colors, edgecolor="white", zorder=3)
    axes.set_xscale("log")
    low, high = min(x), max(x)
    axes.set_xlim(low / 1.6, high * 2.6)
    room = max(0.03, 0.15 * (max(y) - min(y)))
    axes.set_ylim(max(0, min(y) - room - max(spread)), min(1, max(y) + room + max(spread)))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
    axes.xaxis.set_minor_locator(NullLocator())  # matplotlib writes some of these as 4x10^2
    axes.grid(True)
    machine = summary["machine"]
    axes.set(
        xlabel=f"frames a second (1000 / median ms; {machine['cpu']})",
        ylabel="AUC",
    )
    axes.set_title(f"Speed and accuracy on {_data(summary)}")
    _label(figure, axes, [spec for spec, _ in ranked], x, y)
    return figure


def _robustness(_: Evaluation, summary: dict[str, Any]) -> Figure:
    ranked = best_first(summary)
    figure, axes = _figure(7.2, 4.6)
    x, y = ([row[name] for _, row in ranked] for name in ("target_lost_per_100", "accuracy"))
    axes.scatter(
        x, y, s=46, c=[_COLORS[k % len(_COLORS)] for k in range(len(x))], edgecolor="white", zorder=3
    )
    room = max(0.2, 0.2 * max(x))
    axes.set(xlim=(max(x) + room, min(0, min(x)) - room / 2), ylim=(0, 1))  # the best is at the top right
    axes.grid(True)
    axes.set(
        xlabel="times the target was lost, per 100 frames", ylabel="accuracy (mean IoU between failures)"
    )
    axes.set_title(f"Restarts after failures on {_data(summary)}")
    _label(figure, axes, [spec for spec, _ in ranked], x, y)
    return figure


def _beaten(fps: float, auc: float, x: list[float], y: list[float]) -> bool:
    """Whether another tracker is faster and more accurate."""
    return any(f > fps and a > auc for f, a in zip(x, y, strict=True))


def _label(figure: Figure, axes: Axes, names: list[str], x: list[float], y: list[float]) -> None:
    """Writes a name beside each point, without overlapping other points and names if possible."""
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    points = axes.transData.transform(np.column_stack([x, y]))
    taken = [Bbox.from_bounds(px - 6, py - 6, 12, 12) for px, py in points]
    for name, place in zip(names, zip(x, y, strict=True), strict=True):
        for offset, side in _PLACES:
            text = axes.annotate(
                name, place, offset, textcoords="offset points", ha=side, fontsize=9, color="#333333"
            )
            box = text.get_window_extent()
            if not any(box.overlaps(other) for other in taken):
                break
            if (offset, side) != _PLACES[-1]:
                text.remove()
        taken.append(box)


def _attributes(_: Evaluation, summary: dict[str, Any]) -> Figure | None:
    ranked = _ranked(summary, "auc")
    names = list(ranked[0][1]["attributes"])
    if not names:
        return None
    values = np.array([[row["attributes"][name]["auc"] for name in names] for _, row in ranked])
    longest = max(len(spec) for spec, _ in ranked)
    figure, axes = _figure(1.4 + 0.62 * len(names) + 0.085 * longest, 1.3 + 0.36 * len(ranked))
    axes.imshow(values, cmap="YlGnBu", vmin=0, vmax=max(0.8, values.max()), aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        best = value == values[:, j].max() and len(ranked) > 1
        axes.text(
            j, i, f"{value:.2f}", ha="center", va="center", fontsize=8.5,
            color="white" if value > 0.45 else "#222222", fontweight="bold" if best else "normal",
        )  # fmt: skip
    counts = [ranked[0][1]["attributes"][name]["sequences"] for name in names]
    axes.set_xticks(
        range(len(names)), [f"{name}\n{count}" for name, count in zip(names, counts, strict=True)]
    )
    axes.set_yticks(range(len(ranked)), [spec for spec, _ in ranked])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("AUC by attribute, with the number of sequences")
    return figure


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _save(figure: Figure, file: Path) -> None:
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, facecolor="white")
    with atomic_write(file, "wb") as stream:
        stream.write(buffer.getvalue())


def _ranked(summary: dict[str, Any], figure: str) -> list[tuple[str, dict[str, Any]]]:
    return sorted(summary["trackers"].items(), key=lambda item: -item[1][figure])


def _data(summary: dict[str, Any]) -> str:
    data, runs = summary["dataset"], summary["protocol"]["runs"]
    return f"{data['name']}: {data['sequences']} sequences" + (f", {runs} first boxes" if runs > 1 else "")


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
