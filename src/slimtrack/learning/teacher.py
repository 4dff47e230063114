"""A published tracker network as a teacher: its outputs on the student's own pairs.

Its ONNX graph is run by torch, so that it works on the device of the training.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from slimtrack.learning.augment import Batch
from slimtrack.learning.data import Pictures
from slimtrack.learning.losses import Lesson
from slimtrack.learning.scenes import render
from slimtrack.learning.siamese import STRIDE, cell_centres
from slimtrack.networks.onnx_io import parse, read_nodes
from slimtrack.networks.sources import read_bytes
from slimtrack.online.torch_graph import TorchGraph

__all__ = ["FearTeacher", "Seen", "published"]


def published(path: Path) -> TorchGraph:
    """An ONNX file with any number of inputs, run by torch on batches; its weights are fixed.

    Raises:
        InputError: It cannot be read, or has an operator that torch cannot run here.
        MissingError: It is not there.
    """
    what = f"teacher {path}"
    graph = (model := parse(read_bytes(path), what)).graph
    nodes, weights = read_nodes(model, what)
    outputs = {item.name: item.name for item in graph.output}
    inputs = [item.name for item in graph.input if item.name not in weights]
    return TorchGraph(nodes, weights, inputs, outputs, what).requires_grad_(False)


class Seen(NamedTuple):
    """A teacher's answers in its own view.

    Attributes:
        sides: ``(N, 4, n, n)``: left, top, right, bottom in the view's pixels.
        scores: ``(N, n, n)`` probabilities.
        window: ``(N, 4)``: the view in the scene.
    """

    sides: Tensor
    scores: Tensor
    window: Tensor


class FearTeacher(nn.Module):
    """FEAR-XS: its template covers 1.4 times and its search 5 times the box's sides, with the box's shape.

    Args:
        folder: Where `template.onnx` and `search.onnx` are.
    """

    template_side, search_side, cells = 128, 256, 16

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.look, self.search = published(folder / "template.onnx"), published(folder / "search.onnx")

    @torch.no_grad()
    def forward(self, pictures: Pictures, batch: Batch, generator: torch.Generator) -> Seen:
        """The teacher's answers for the pairs of a batch."""
        window = _five_times(batch)
        template = render(pictures, batch.template, _extended(batch), self.template_side, generator)
        search = render(pictures, batch.search, window, self.search_side, generator)
        answer = self.search(search, *self.look(template).values())
        sides, logits = answer["bbox"], answer["cls"]
        return Seen(sides.float(), logits[:, 0].float().sigmoid(), window)

    def lesson(self, seen: Seen, batch: Batch, side: int) -> Lesson:
        """The teacher's answers, mapped to a student's search view of that side."""
        ratio = (batch.search_window[:, 2:] / seen.window[:, 2:])[:, :, None, None]
        places = 0.5 + (cell_centres(side // STRIDE, ratio.device) / side - 0.5) * ratio
        index = places * self.cells
        grid = (index * 2 / (self.cells - 1) - 1).permute(0, 2, 3, 1)
        scores = functional.grid_sample(seen.scores[:, None], grid, align_corners=True)[:, 0]
        known = ((index >= 0) & (index <= self.cells - 1)).all(1)
        box = _best(seen.sides, seen.scores, self.search_side, self.cells)
        half = torch.cat([ratio, ratio], 1)[:, :, 0, 0]
        return Lesson(scores, known, (0.5 + (box - 0.5) / half) * side)


def _best(sides: Tensor, scores: Tensor, side: int, cells: int) -> Tensor:
    """The best box in fractions of the view; cell (row, column) is at pixel (16 column, 16 row)."""
    best = scores.flatten(1).argmax(1)
    left, top, right, bottom = sides.flatten(2)[torch.arange(len(best), device=best.device), :, best].unbind(
        1
    )
    x, y = (best % cells) * 16, (best // cells) * 16
    return torch.stack([x - left, y - top, x + right, y + bottom], 1) / side


def _extended(batch: Batch) -> Tensor:
    """1.4 times the template's box, mirrored as the student's window is."""
    x, y, w, h = batch.template_box.unbind(1)
    sign = torch.sign(batch.template_window[:, 2])
    centre = x + w / 2
    return torch.stack([centre - 0.7 * w * sign, y - 0.2 * h, 1.4 * w * sign, 1.4 * h], 1)


def _five_times(batch: Batch) -> Tensor:
    """Five times the box that the student's window came from, about the window's centre."""
    window, box = batch.search_window, batch.search_box
    side = box[:, 2:].prod(1, keepdim=True).sqrt()
    size = 5 * window[:, 2:] / (4 * side) * box[:, 2:]
    return torch.cat([window[:, :2] + window[:, 2:] / 2 - size / 2, size], 1)
