"""Positions on the input, and number, of the cells of every tensor.

A window operator (convolution, pooling) with kernel ``k`` (dilated), stride ``s`` and ``p`` padded cells
before the first has the centre of its cell 0 at ``offset_in + stride_in ((k - 1) / 2 - p)`` and
``stride_in s`` input pixels between cells. Operators that work cell by cell pass both through.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from slimtrack.errors import InputError
from slimtrack.networks.graph import Graph, Node

__all__ = ["CELLWISE", "Grid", "Size", "Window", "grids", "sizes", "window"]

Size: TypeAlias = tuple[int, int]
"""Height and width."""

CELLWISE = frozenset(
    [
        "Relu",
        "LeakyRelu",
        "PRelu",
        "Clip",
        "Sigmoid",
        "HardSigmoid",
        "HardSwish",
        "Tanh",
        "Elu",
        "Selu",
        "Celu",
        "Softplus",
        "Softsign",
        "Mish",
        "Gelu",
        "Erf",
        "Sqrt",
        "Pow",
        "Abs",
        "Exp",
        "Log",
        "Neg",
        "Reciprocal",
        "Floor",
        "Ceil",
        "Round",
        "Identity",
        "Dropout",
        "Cast",
        "BatchNormalization",
        "LRN",
        "InstanceNormalization",
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Max",
        "Min",
        "Sum",
        "Mean",
        "Concat",
    ]
)
"""Operators that keep the grid of what they read."""

_GLOBAL = frozenset(("GlobalAveragePool", "GlobalMaxPool"))
"""Operators whose result has one cell for the whole map; it may be combined with any grid."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Place of a tensor's cells on the input, (vertical, horizontal).

    Attributes:
        stride: Input pixels between neighbouring cells.
        offset: Input pixel of the centre of cell 0; pixel 0's own centre is 0.5.
    """

    stride: tuple[int, int] = (1, 1)
    offset: tuple[float, float] = (0.5, 0.5)


@dataclass(frozen=True, slots=True)
class Window:
    """The window of a convolution or pooling, (vertical, horizontal).

    Attributes:
        kernel: Cells, without dilation.
        stride: Cells between neighbouring results.
        pads: Cells padded at the top, left, bottom, right; unused where ``same`` is set.
        dilation: Cells between the kernel's cells.
        ceil: Whether a last window that is not full counts.
        same: ``"UPPER"`` or ``"LOWER"``: padded as TensorFlow's SAME, by the size; empty otherwise.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    ceil: bool = False
    same: str = ""

    def extent(self, axis: int) -> int:
        """Number of cells from the first to the last under the window."""
        return (self.kernel[axis] - 1) * self.dilation[axis] + 1

    def padded(self, axis: int, cells: int | None) -> tuple[int, int]:
        """Cells padded before and after ``cells`` of them (``None``: a multiple of the stride)."""
        if not self.same:
            return self.pads[axis], self.pads[axis + 2]
        step = self.stride[axis]
        last = step if cells is None or cells % step == 0 else cells % step
        total = max(self.extent(axis) - last, 0)
        small, large = total // 2, total - total // 2
        return (small, large) if self.same == "UPPER" else (large, small)

    def results(self, axis: int, cells: int) -> int:
        """Number of results for ``cells`` cells; 0 if they are too few."""
        before, after = self.padded(axis, cells)
        room, step = cells + before + after - self.extent(axis), self.stride[axis]
        if room < 0:
            return 0
        count = (-(-room // step) if self.ceil else room // step) + 1
        # A window that would begin in the padding behind the last cell sees nothing and is left out.
        return count - 1 if self.ceil and (count - 1) * step >= cells + before else count


def window(graph: Graph, node: Node) -> Window | None:
    """The window of a convolution, pooling or padding node; ``None`` for any other."""
    given = node.attributes
    if node.op == "Conv":
        kernel = graph.weights[node.inputs[1]].shape[2:] if node.inputs[1] in graph.weights else ()
    elif node.op in ("MaxPool", "AveragePool"):
        kernel = tuple(given["kernel_shape"])
    elif node.op == "Pad":
        return _padding(graph, node)
    else:
        return None
    if len(kernel) != 2:
        return None
    mode = _text(given.get("auto_pad", "NOTSET"))
    return Window(
        (int(kernel[0]), int(kernel[1])),
        _pair(given.get("strides")),
        (0, 0, 0, 0) if mode == "VALID" else _quad(given.get("pads")),
        _pair(given.get("dilations")),
        bool(given.get("ceil_mode", 0)),
        mode.removeprefix("SAME_") if mode.startswith("SAME_") else "",
    )


def _padding(graph: Graph, node: Node) -> Window | None:
    """Padding by a constant number of cells as a window of one cell."""
    pads = graph.weights.get(node.inputs[1]) if len(node.inputs) > 1 else None
    if pads is None or pads.shape != (8,) or pads[[0, 1, 4, 5]].any():
        return None
    top, left, bottom, right = (int(value) for value in pads[[2, 3, 6, 7]])
    return Window((1, 1), pads=(top, left, bottom, right))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _pair(values: Any) -> tuple[int, int]:
    return (int(values[0]), int(values[1])) if values else (1, 1)


def _quad(values: Any) -> tuple[int, int, int, int]:
    return (int(values[0]), int(values[1]), int(values[2]), int(values[3])) if values else (0, 0, 0, 0)


def sizes(graph: Graph, size: Size) -> dict[str, Size]:
    """Height and width in cells of every tensor whose size is known, for an input of ``size``.

    Raises:
        InputError: The input is so small that a tensor would have no cells.
    """
    known = {graph.input: size}
    for node in graph.nodes:
        inputs = [known[name] for name in node.inputs if name in known]
        seen = window(graph, node)
        if not inputs:
            continue
        if seen is not None:
            result = seen.results(0, inputs[0][0]), seen.results(1, inputs[0][1])
            if min(result) < 1:
                raise InputError(f"an input of {size[0]}x{size[1]} pixels is too small for {node.name}")
            known[node.output] = result
        elif _is_global(graph, node) or (node.op not in CELLWISE and set(inputs) == {(1, 1)}):
            known[node.output] = (1, 1)
        elif node.op in CELLWISE:
            known[node.output] = max(inputs)
    return known


def grids(graph: Graph, size: Size | None = None) -> dict[str, Grid | None]:
    """The grid of every tensor that has one; ``None`` where a tensor is one cell for the whole map.

    Args:
        graph: The network.
        size: Height and width of the input in pixels. It matters only for padding by TensorFlow's SAME;
            ``None``: a multiple of every stride.
    """
    cells = sizes(graph, size) if size else {}
    known: dict[str, Grid | None] = {graph.input: Grid()}
    for node in graph.nodes:
        inputs = [known[name] for name in node.inputs if name in known]
        if not inputs:
            continue
        seen = window(graph, node)
        if _is_global(graph, node) or all(grid is None for grid in inputs):
            known[node.output] = None  # computed from single cells only
        elif seen is not None:
            known[node.output] = inputs[0] and _through(inputs[0], seen, cells.get(node.inputs[0]))
        elif node.op in CELLWISE:
            placed = {grid for grid in inputs if grid is not None}
            if len(placed) <= 1:
                known[node.output] = placed.pop() if placed else None
    return known


def _through(grid: Grid, seen: Window, cells: Size | None) -> Grid:
    before = [seen.padded(axis, cells[axis] if cells else None)[0] for axis in (0, 1)]
    y, x = (
        grid.offset[axis] + grid.stride[axis] * ((seen.extent(axis) - 1) / 2 - before[axis])
        for axis in (0, 1)
    )
    return Grid((grid.stride[0] * seen.stride[0], grid.stride[1] * seen.stride[1]), (y, x))


def _is_global(graph: Graph, node: Node) -> bool:
    if node.op == "ReduceMean":
        axes = node.attributes.get("axes")
        if axes is None and len(node.inputs) > 1 and node.inputs[1] in graph.weights:
            axes = graph.weights[node.inputs[1]].tolist()
        return axes is not None and sorted(int(np.mod(a, 4)) for a in axes) == [2, 3]
    return node.op in _GLOBAL
