"""Descriptions of a network's parts: taps, convolutions, and which convolution reads which."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from slimtrack.errors import InputError
from slimtrack.networks.graph import Graph, Node
from slimtrack.networks.grids import window

__all__ = ["Convention", "Layer", "Reader", "Tap", "layer_of", "operations"]

Convention = Literal["multiply-add", "double", "plain"]
"""How operations are counted; see `Network.flops`."""


@dataclass(frozen=True, slots=True)
class Tap:
    """A tensor of a network that can serve as features.

    Attributes:
        name: Its name.
        tensor: The tensor's name in the graph.
        channels: Number of its channels.
        stride: Input pixels between neighbouring cells, both ways.
        offset: Input pixel of the centre of cell 0; pixel 0's own centre is 0.5.
    """

    name: str
    tensor: str
    channels: int
    stride: int
    offset: float


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution.

    Attributes:
        name: Its name.
        input: The tensor it reads.
        output: The tensor it writes, before any activation.
        in_channels: Channels of ``input``.
        out_channels: Filters.
        kernel: Height and width.
        stride: Cells between results, (vertical, horizontal).
        pads: Cells padded at the top, left, bottom, right (for TensorFlow's SAME: at sizes that the stride
            divides).
        dilation: Cells between the kernel's cells.
        groups: Number of groups convolved separately; equal to ``in_channels`` if depthwise.
    """

    name: str
    input: str
    output: str
    in_channels: int
    out_channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pads: tuple[int, int, int, int]
    dilation: tuple[int, int]
    groups: int

    @property
    def parameters(self) -> int:
        """Number of weights in its filters, without biases."""
        return self.out_channels * (self.in_channels // self.groups) * self.kernel[0] * self.kernel[1]


class Reader(NamedTuple):
    """A convolution that reads channels of another layer.

    Attributes:
        layer: The convolution that reads.
        positions: ``(k,)`` indices among its input channels.
        channels: ``(k,)`` indices among the other layer's outputs, in the same order.
    """

    layer: Layer
    positions: npt.NDArray[np.intp]
    channels: npt.NDArray[np.intp]


def layer_of(graph: Graph, node: Node) -> Layer:
    """The convolution of a graph's node.

    Raises:
        InputError: It is not a convolution over height and width.
    """
    seen = window(graph, node)
    if seen is None:
        raise InputError(f"layer {node.name} is not a convolution over height and width")
    shape, groups = graph.weights[node.inputs[1]].shape, int(node.attributes.get("group", 1))
    (top, bottom), (left, right) = seen.padded(0, None), seen.padded(1, None)
    return Layer(
        node.name,
        node.inputs[0],
        node.output,
        shape[1] * groups,
        shape[0],
        seen.kernel,
        seen.stride,
        (top, left, bottom, right),
        seen.dilation,
        groups,
    )


def operations(layer: Layer, known: Mapping[str, tuple[int, int]], convention: Convention) -> int:
    """Operations of a convolution for one image, counted as `Network.flops` says.

    Args:
        layer: The convolution.
        known: Height and width in cells of the tensors it reads and writes.
        convention: How they are counted.

    Raises:
        InputError: The convention is unknown.
    """
    (h, w), (in_h, in_w) = known[layer.output], known[layer.input]
    per_cell = layer.parameters
    if convention == "double":
        return 2 * h * w * (per_cell + layer.out_channels)
    if convention == "multiply-add":
        return per_cell * in_h * in_w + h * w * layer.out_channels
    if convention == "plain":
        return h * w * per_cell
    raise InputError(f"convention {convention!r} is not 'multiply-add', 'double' or 'plain'")
