"""A run's log as a picture."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from slimtrack.files import atomic_write
from slimtrack.learning.journal import read_log

__all__ = ["draw_curves"]

_SMOOTH = 0.02
"""Losses are averaged over this share of the run."""


def draw_curves(log: Path, picture: Path) -> bool:
    """Draws losses above and validation figures below; returns ``False`` if matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        return False
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = read_log(log)
    figure = Figure(figsize=(7, 7), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True)
    _draw(above, [line for line in lines if "losses" in line], "losses", smooth=True)
    _draw(below, [line for line in lines if "figures" in line], "figures", smooth=False)
    above.set_yscale("log")
    above.set_title("losses while training")
    below.set_title("validation")
    below.set_xlabel("step")
    with atomic_write(picture, "wb") as file:
        figure.savefig(file, format="png", dpi=110)
    return True


def _draw(axes: Any, lines: list[dict[str, Any]], key: str, *, smooth: bool) -> None:
    steps = np.array([line["step"] for line in lines])
    for name in dict.fromkeys(name for line in lines for name in line[key]):
        values = np.array([line[key].get(name, np.nan) for line in lines], dtype=float)
        axes.plot(
            steps, _smoothed(values) if smooth else values, "." if len(values) == 1 else "-", label=name
        )
    if lines:
        axes.legend(fontsize="small")
    axes.grid(alpha=0.3)


def _smoothed(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A running mean over a share of all values."""
    width = min(max(round(_SMOOTH * len(values)), 1), max(len(values), 1))
    padded = np.pad(values, (width // 2, width - 1 - width // 2), mode="edge")
    return np.convolve(padded, np.ones(width) / width, mode="valid")
