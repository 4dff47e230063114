"""What a network was before and is after: numbers for a table, pictures of feature maps and of ratios."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from slimtrack.arrays import Features, Floats, Image
from slimtrack.compression.channels import Indices
from slimtrack.files import atomic_write
from slimtrack.networks.network import Network

__all__ = ["Choice", "Size", "draw_channels", "draw_maps", "draw_ratios", "summed"]

_COLORS = ("#555555", "#0072B2", "#D55E00", "#009E73")

_KEPT, _DROPPED = (1.0, 1.0, 1.0), (0.9, 0.1, 0.1)
"""Frames of channels, red, green and blue: white as in paper 001's Fig. 2, red as in its Fig. 3."""

_FRAME, _WIDTH = 2, 6.0
"""Cells that a frame is wide; inches of a column."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a network is.

    Attributes:
        multiply_adds: Of all convolutions for one image, as paper 000's Table II counts them.
        parameters: Numbers in the filters, biases not counted, as there.
        megabytes: Of all weights in float32.
    """

    multiply_adds: int
    parameters: int
    megabytes: float

    @classmethod
    def of(cls, network: Network, side: tuple[int, int]) -> "Size":
        """The size of a network for images of a height and width."""
        parameters = sum(layer.parameters for layer in network.layers)
        return cls(network.flops(side, "plain"), parameters, network.bytes / 1e6)


def summed(maps: Features) -> Floats:
    """All maps ``(C, h, w)`` added up, from 0 to 1: what paper 000's Fig. 1 shows."""
    total = np.abs(maps).sum(axis=0)
    low, high = float(total.min()), float(total.max())
    return np.asarray((total - low) / max(high - low, 1e-12))


def draw_maps(path: Path, rows: Sequence[tuple[str, Image, Mapping[str, Floats]]]) -> None:
    """Writes a PNG of patches beside what networks make of them (paper 000, Fig. 1); needs matplotlib.

    Args:
        path: The picture.
        rows: For each patch its name, the patch ``(H, W, 3)`` BGR, and maps ``(h, w)`` by name.
    """
    from matplotlib.figure import Figure

    columns = 1 + max(len(maps) for _, _, maps in rows)
    figure = Figure(figsize=(2.6 * columns, 2.8 * len(rows)), dpi=110, layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes, (name, patch, maps) in zip(grid, rows, strict=True):
        for place in axes:
            place.set_axis_off()
        axes[0].imshow(patch[..., ::-1])
        axes[0].set_title(name, fontsize=9)
        for place, (title, values) in zip(axes[1:], maps.items(), strict=False):
            place.imshow(values, cmap="inferno")
            place.set_title(title, fontsize=9)
    _save(figure, path)


def draw_ratios(path: Path, series: Mapping[str, Sequence[float]], title: str = "") -> None:
    """Writes a PNG of target information ratios over the frames (paper 000, Fig. 6); needs matplotlib.

    Args:
        path: The picture.
        series: Name -> a ratio for each frame; the legend says their means.
        title: Its head line.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 3.6), dpi=110, layout="constrained")
    axes = figure.subplots()
    for (name, values), color in zip(series.items(), _COLORS * len(series), strict=False):
        axes.plot(values, label=f"{name}: {np.mean(values):.3f}", color=color, lw=1.4)
    axes.set(xlabel="frame", ylabel="target information ratio", title=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.legend(fontsize="small")
    _save(figure, path)


@dataclass(frozen=True, slots=True)
class Choice:
    """The good channels of one tap.

    Attributes:
        name: The tap.
        maps: Its maps ``(C, h, w)`` in each of several frames, of one level: 0 is a channel's mean, 1 its
            deviation.
        kept: The good channels.
    """

    name: str
    maps: Sequence[Features]
    kept: Indices


def draw_channels(path: Path, patches: Mapping[str, Image], choices: Sequence[Choice]) -> None:
    """Writes a PNG of all channels, kept and dropped (paper 001, Fig. 2 and 3); needs matplotlib.

    Args:
        path: The picture.
        patches: Name -> the patch ``(H, W, 3)`` BGR of each frame, side by side.
        choices: The taps, below each other.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    colors = colormaps["viridis"]
    grids = [[_mosaic(maps, choice.kept, colors) for maps in choice.maps] for choice in choices]
    heights = [_WIDTH / 3, *(_WIDTH * row[0].shape[0] / row[0].shape[1] for row in grids)]
    size = (_WIDTH * len(patches), sum(heights) + 0.3 * len(heights) + 0.3)
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    axes = figure.subplots(len(heights), len(patches), squeeze=False, height_ratios=heights)
    for place, (name, patch) in zip(axes[0], patches.items(), strict=True):
        place.imshow(patch[..., ::-1])
        place.set_title(name, fontsize=9)
    for places, grid, choice in zip(axes[1:], grids, choices, strict=True):
        for place, picture in zip(places, grid, strict=True):
            place.imshow(picture)
            place.set_title(f"{choice.name}: {len(choice.kept)} of {len(choice.maps[0])} kept", fontsize=9)
    for place in axes.flat:
        place.set_axis_off()
    figure.suptitle("channels kept (white frames) and dropped (red frames)", fontsize=10)
    _save(figure, path)


def _mosaic(maps: Features, kept: Indices, colors: Any) -> Floats:
    """All channels in one picture ``(H, W, 3)``, those kept first, each in its frame."""
    count, h, w = maps.shape
    order = np.concatenate([kept, np.setdiff1d(np.arange(count), kept)])
    columns = max(math.ceil(math.sqrt(count * (h / w) * 2)), 1)  # about twice as wide as high
    rows = -(-count // columns)
    tiles = np.ones((rows * columns, h + 2 * _FRAME, w + 2 * _FRAME, 3))
    tiles[: len(kept)], tiles[len(kept) : count] = _KEPT, _DROPPED
    inside = tiles[:count, _FRAME:-_FRAME, _FRAME:-_FRAME]
    # From two deviations below a channel's mean to four above it.
    inside[:] = colors(np.clip((maps[order] + 2) / 6, 0, 1))[..., :3]
    grid = tiles.reshape(rows, columns, *tiles.shape[1:])
    return np.asarray(grid.swapaxes(1, 2).reshape(rows * tiles.shape[1], -1, 3))


def _save(figure: Any, path: Path) -> None:
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    with atomic_write(path, "wb") as file:
        file.write(picture.getvalue())
