"""A network as plain, immutable data: nodes, and weights as numpy arrays.

An ONNX file is read into it and written from it (`slimtrack.networks.onnx_io`). Operations make new graphs
that share unchanged weights, so that cutting or pruning a network copies next to nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from slimtrack.arrays import AnyArray
from slimtrack.errors import InputError

__all__ = ["INPUT", "Graph", "Node"]

INPUT = "input"
"""Name of the image tensor in graphs that we build."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operator, with ONNX's names and attributes.

    Attributes:
        op: Operator type such as ``"Conv"``.
        name: Unique in its graph.
        inputs: Tensors read: results of nodes, the graph's input, or weights; ``""`` for an omitted one.
        outputs: Tensors written.
        attributes: As in ONNX.
        domain: Operator set; empty for ONNX's own.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    domain: str = ""

    @property
    def output(self) -> str:
        """The first tensor written."""
        return self.outputs[0]


@dataclass(frozen=True)
class Graph:
    """A network from one image tensor ``(N, channels, H, W)`` to any of its tensors.

    Attributes:
        nodes: In an order in which they can run.
        weights: Constant tensors by name; read-only arrays.
        input: Name of the image tensor.
        channels: Planes of the image tensor.
        bands: Names of 1x1 convolutions that are part of a local response normalisation: their matrix sums
            over neighbouring channels, it is no layer (see `slimtrack.networks.lrn`).
        opsets: Operator sets that the nodes are written in.
    """

    nodes: tuple[Node, ...]
    weights: Mapping[str, AnyArray]
    input: str = INPUT
    channels: int = 3
    bands: frozenset[str] = frozenset()
    opsets: tuple[tuple[str, int], ...] = (("", 17),)

    def __post_init__(self) -> None:
        for array in self.weights.values():
            array.setflags(write=False)

    @property
    def tensors(self) -> set[str]:
        """Names of all results of nodes."""
        return {name for node in self.nodes for name in node.outputs if name}

    def node(self, name: str) -> Node:
        """The node of that name.

        Raises:
            InputError: There is none.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        raise InputError(f"the graph has no node {name!r}")

    def producer(self, tensor: str) -> Node | None:
        """The node that writes a tensor; ``None`` for the input and for weights."""
        return next((node for node in self.nodes if tensor in node.outputs), None)

    def readers(self, tensor: str) -> list[Node]:
        """The nodes that read a tensor."""
        return [node for node in self.nodes if tensor in node.inputs]

    def needed(self, tensors: Iterable[str]) -> "Graph":
        """The graph with only the nodes and weights that these tensors need."""
        wanted = set(tensors)
        kept = []
        for node in reversed(self.nodes):
            if wanted.intersection(node.outputs):
                kept.append(node)
                wanted.update(node.inputs)
        weights = {name: array for name, array in self.weights.items() if name in wanted}
        names = {node.name for node in kept}
        return replace(self, nodes=tuple(reversed(kept)), weights=weights, bands=self.bands & names)

    def with_weights(self, changed: Mapping[str, AnyArray]) -> "Graph":
        """The graph with some weights replaced or added."""
        return replace(self, weights={**self.weights, **changed})
