"""What a network was before and is after: numbers for a table, pictures of feature maps and of ratios."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from slimtrack.arrays import Features, Floats, Image
from slimtrack.files import atomic_write
from slimtrack.networks.network import Network

__all__ = ["LayerChange", "Size", "changes", "draw_maps", "draw_ratios", "summed"]

_COLORS = ("#555555", "#0072B2", "#D55E00", "#009E73")


@dataclass(frozen=True, slots=True)
class LayerChange:
    """Channels of a layer before and after; 0 before: it is new; 0 after: it is gone."""

    name: str
    before: int
    after: int


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


def changes(before: Network, after: Network) -> list[LayerChange]:
    """The channels of each layer, in the order of computation."""
    old = {layer.name: layer.out_channels for layer in before.layers}
    new = {layer.name: layer.out_channels for layer in after.layers}
    names = [*old, *(name for name in new if name not in old)]
    return [LayerChange(name, old.get(name, 0), new.get(name, 0)) for name in names]


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

    figure = Figure(figsize=(8, 3.6), dpi=110, layout="constrained")
    axes = figure.subplots()
    for (name, values), color in zip(series.items(), _COLORS * len(series), strict=False):
        axes.plot(values, label=f"{name}: {np.mean(values):.3f}", color=color, lw=1.4)
    axes.set(xlabel="frame", ylabel="target information ratio", title=title)
    axes.grid(alpha=0.25)
    axes.legend(fontsize="small")
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    with atomic_write(path, "wb") as file:
        file.write(picture.getvalue())
