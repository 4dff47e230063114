"""A published tracker network as a teacher: by its outputs, on the student's own pairs.

Its ONNX graph is run by torch, so that it works on whatever device trains.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from slimtrack.errors import SourceError
from slimtrack.learning.augment import Batch
from slimtrack.learning.data import Pictures
from slimtrack.learning.losses import Lesson
from slimtrack.learning.scenes import render
from slimtrack.learning.siamese import STRIDE, cell_centres

__all__ = ["FearTeacher", "Graph", "Seen"]

Attributes = dict[str, Any]


def _conv(attributes: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    top, left, bottom, right = attributes["pads"]
    if (top, left) != (bottom, right):
        x, top, left = functional.pad(x, (left, right, top, bottom)), 0, 0
    strides, dilations = tuple(attributes["strides"]), tuple(attributes["dilations"])
    return functional.conv2d(x, weight, bias, strides, (top, left), dilations, attributes["group"])


def _reshape(_: Attributes, x: Tensor, shape: list[int]) -> Tensor:
    """The graph was made for one image: its leading 1 stands for any number of them."""
    return x.reshape(len(x), *shape[1:])


_OPERATORS: dict[str, Callable[..., Tensor]] = {
    "Add": lambda _, a, b: a + b,
    "Concat": lambda attributes, *parts: torch.cat(parts, attributes["axis"]),
    "Conv": _conv,
    "Exp": lambda _, x: torch.exp(x.float()),
    "MatMul": lambda _, a, b: a @ b,
    "Mul": lambda _, a, b: a * b,
    "Relu": lambda _, x: torch.relu(x),
    "Reshape": _reshape,
    "Transpose": lambda attributes, x: x.permute(*attributes["perm"]),
}


class Graph(nn.Module):
    """An ONNX graph of few kinds of operators, run by torch on batches.

    Args:
        path: The file.

    Raises:
        SourceError: It cannot be read or has an operator that is not known here.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        import onnx

        try:
            graph = onnx.load(str(path)).graph
        except Exception as error:
            raise SourceError(f"teacher {path} cannot be read ({error})") from error
        unknown = {node.op_type for node in graph.node} - set(_OPERATORS)
        if unknown:
            raise SourceError(
                f"teacher {path} has operators that cannot be run here: {', '.join(sorted(unknown))}"
            )
        self._shapes: dict[str, list[int]] = {}  # numbers, since reading them from a GPU makes all wait
        for tensor in graph.initializer:
            values = torch.from_numpy(np.array(onnx.numpy_helper.to_array(tensor)))
            if values.is_floating_point():
                self.register_buffer(_field(tensor.name), values.float())
            else:
                self._shapes[tensor.name] = values.tolist()
        self._steps = [
            (node.op_type, list(node.input), node.output[0], _attributes(onnx, node)) for node in graph.node
        ]
        self._inputs = [item.name for item in graph.input]
        self._outputs = [item.name for item in graph.output]

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        """Outputs in the graph's order, for inputs in the graph's order."""
        values: dict[str, Any] = dict(zip(self._inputs, inputs, strict=True)) | self._shapes
        stored = self._buffers
        for operator, names, output, attributes in self._steps:
            given = [values[name] if name in values else stored[_field(name)] for name in names if name]
            values[output] = _OPERATORS[operator](attributes, *given)
        return [values[name] for name in self._outputs]


def _field(name: str) -> str:
    return "v_" + name.replace(".", "_")


def _attributes(onnx: Any, node: Any) -> Attributes:
    return {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}


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
    """FEAR-XS: template 1.4 times, search 5 times the box's sides, not square in the image.

    Args:
        folder: Where `template.onnx` and `search.onnx` are.
    """

    template_side, search_side, cells = 128, 256, 16

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.look, self.search = Graph(folder / "template.onnx"), Graph(folder / "search.onnx")

    @torch.no_grad()
    def forward(self, pictures: Pictures, batch: Batch, generator: torch.Generator) -> Seen:
        """Looks at the pairs of a batch."""
        window = _five_times(batch)
        template = render(pictures, batch.template, _extended(batch), self.template_side, generator)
        search = render(pictures, batch.search, window, self.search_side, generator)
        sides, logits = self.search(search, self.look(template)[0])
        return Seen(sides.float(), logits[:, 0].float().sigmoid(), window)

    def lesson(self, seen: Seen, batch: Batch, side: int) -> Lesson:
        """Its answers, mapped to a student's search view of that side."""
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
    """The best box in fractions of the view; cell (row, column) stands at (column, row) * 16 pixels."""
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
