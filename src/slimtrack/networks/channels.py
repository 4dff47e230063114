"""Which channels of a network depend on each other, and how some of them are removed.

Every channel of every tensor gets a number: a convolution's outputs get new ones, operators that work channel
by channel pass theirs on, and a concatenation lists them one after the other. Where an operator combines two
tensors (a residual sum, a gate), its two channels get one number: they can only be removed together. Removing
a channel means removing its number from every weight that has an axis of channels.
"""

import itertools
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from slimtrack.arrays import AnyArray
from slimtrack.errors import InputError
from slimtrack.networks.graph import Graph, Node
from slimtrack.networks.grids import CELLWISE

__all__ = ["Channels"]

_Labels = npt.NDArray[np.intp]

_PASSING = (CELLWISE - {"Concat"}) | frozenset(
    ("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "Pad", "Resize")
)
"""Operators whose channel ``i`` comes from channel ``i`` alone."""


class Channels:
    """The channels of a graph.

    Channels that cannot be followed, such as those behind a reshape, have no numbers.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._parents: list[int] = []
        self._of: dict[str, _Labels] = {graph.input: self._new(graph.channels)}
        for node in graph.nodes:
            labels = self._labels(node)
            if labels is not None:
                self._of[node.output] = labels
        self._resolved = np.array([self._root(label) for label in range(len(self._parents))], np.intp)

    def count(self) -> dict[str, int]:
        """Channels of every tensor that is known to have some."""
        return {name: len(labels) for name, labels in self._of.items()}

    def of(self, tensor: str) -> _Labels:
        """A number for each channel of a tensor, ``(C,)``; equal numbers can only be removed together.

        Raises:
            InputError: The tensor's channels cannot be followed.
        """
        if tensor not in self._of:
            raise InputError(f"the channels of tensor {tensor!r} cannot be followed through the network")
        return self._roots(self._of[tensor])

    def without(self, tensor: str, kept: Iterable[int]) -> Graph:
        """The graph with only these channels of a tensor; everything that depended on the others is adapted.

        Args:
            tensor: The tensor whose channels are chosen.
            kept: Their indices, ascending.

        Raises:
            InputError: Indices are out of range, repeated or not ascending; or channels of the image, or of
                an operator that cannot be adapted, would have to be removed.
        """
        labels = self.of(tensor)
        indices = _checked(list(kept), len(labels), tensor)
        gone = np.setdiff1d(labels, labels[indices])
        if np.isin(gone, self.of(self._graph.input)).any():
            raise InputError(f"{tensor}: its channels are those of the input image and cannot be removed")
        alive = np.ones(len(self._parents), bool)
        alive[gone] = False
        changed: dict[str, AnyArray] = {}
        nodes = [self._mended(node, alive, changed) for node in self._graph.nodes]
        return replace(self._graph, nodes=tuple(nodes)).with_weights(changed)

    def _new(self, count: int) -> _Labels:
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return np.arange(first, first + count)

    def _roots(self, labels: _Labels) -> _Labels:
        return np.asarray(self._resolved[labels])

    def _root(self, label: int) -> int:
        while self._parents[label] != label:
            self._parents[label] = self._parents[self._parents[label]]
            label = self._parents[label]
        return label

    def _join(self, first: _Labels, second: _Labels) -> None:
        for a, b in zip(first.tolist(), second.tolist(), strict=True):
            low, high = sorted((self._root(a), self._root(b)))
            self._parents[high] = low  # the input's channels come first and stay roots

    def _labels(self, node: Node) -> _Labels | None:
        """Numbers for the channels of a node's result; ``None`` where they cannot be followed."""
        if node.op == "Conv":
            return self._conv(node, self._of.get(node.inputs[0]))
        read = [self._of[name] for name in node.inputs if name in self._of]
        if not read:
            return None
        if node.op == "Concat":
            joined = node.attributes.get("axis") in (1, -3) and len(read) == len(node.inputs)
            return np.concatenate(read) if joined else None
        if node.op not in _PASSING:
            return None
        widest = max(read, key=len)
        if self._opaque(node) and len(widest) == 1:
            return None
        for labels in read:
            if len(labels) not in (1, len(widest)):
                return None
            if labels is not widest and len(labels) == len(widest):
                self._join(widest, labels)
        return widest if len(widest) > 1 or self._constants(node) == 1 else None

    def _opaque(self, node: Node) -> list[str]:
        """Tensors of unknown channels that a cell-wise node combines with known ones, such as a gate."""
        if node.op not in CELLWISE:
            return []
        known = {"", *self._of, *self._graph.weights}
        return [name for name in node.inputs if name not in known]

    def _constants(self, node: Node) -> int:
        """The largest number of channels in a cell-wise node's weights; above 1, they repeat a single one."""
        arrays = [self._graph.weights[name] for name in node.inputs if name in self._graph.weights]
        return max((array.shape[-3] for array in arrays if array.ndim >= 3), default=1)

    def _conv(self, node: Node, read: _Labels | None) -> _Labels | None:
        if node.inputs[1] not in self._graph.weights:
            return None
        outputs, groups = len(self._graph.weights[node.inputs[1]]), int(node.attributes.get("group", 1))
        if node.name in self._graph.bands:
            return read
        if (
            read is not None and groups > 1 and groups == len(read)
        ):  # depthwise: each output comes from one channel
            return np.repeat(read, outputs // groups)
        return self._new(outputs)

    def _inputs(self, node: Node) -> int:
        """Channels that a convolution reads."""
        return int(self._graph.weights[node.inputs[1]].shape[1]) * int(node.attributes.get("group", 1))

    def _alive(self, tensor: str, alive: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        return np.asarray(alive[self._roots(self._of[tensor])])

    def _mended(self, node: Node, alive: npt.NDArray[np.bool_], changed: dict[str, AnyArray]) -> Node:
        """The node without the removed channels; its new weights are added to ``changed``."""
        reads = {name: self._alive(name, alive) for name in node.inputs if name in self._of}
        writes = self._alive(node.output, alive) if node.output in self._of else np.ones(1, bool)
        if writes.all() and all(kept.all() for kept in reads.values()):
            return node
        if node.output not in self._of or self._opaque(node):
            raise InputError(f"channels cannot be removed before {node.name} ({node.op})")
        if not writes.any():
            raise InputError(f"nothing would be left of {node.name} ({node.op})")
        if node.op == "Conv":
            everything = np.ones(self._inputs(node), bool)
            return self._mended_conv(node, reads.get(node.inputs[0], everything), writes, changed)
        for name in node.inputs:
            if name in self._graph.weights:
                changed[name] = _along_channels(node, self._graph.weights[name], writes)
        return node

    def _mended_conv(
        self,
        node: Node,
        read: npt.NDArray[np.bool_],
        write: npt.NDArray[np.bool_],
        changed: dict[str, AnyArray],
    ) -> Node:
        groups = int(node.attributes.get("group", 1))
        weight = self._graph.weights[node.inputs[1]]
        if groups == 1:
            weight = weight[write][:, read]
        elif groups == len(read):
            groups, weight = int(read.sum()), weight[write]
        else:
            weight = _grouped(node, weight, groups, read, write)
        changed[node.inputs[1]] = np.ascontiguousarray(weight)
        if len(node.inputs) > 2 and node.inputs[2]:
            changed[node.inputs[2]] = self._graph.weights[node.inputs[2]][write]
        return replace(node, attributes={**node.attributes, "group": groups})


def _grouped(
    node: Node, weight: AnyArray, groups: int, read: npt.NDArray[np.bool_], write: npt.NDArray[np.bool_]
) -> AnyArray:
    """Weights of a convolution in groups; each group must keep as many channels as the others."""
    ins, outs = read.reshape(groups, -1), write.reshape(groups, -1)
    for what, kept in (("reads", ins), ("gives", outs)):
        if len(set(kept.sum(1).tolist())) > 1:
            counts = ", ".join(map(str, kept.sum(1)))
            raise InputError(
                f"{node.name} works in {groups} groups, which would have unequal sizes "
                f"(it {what} {counts} channels): keep equally many in each"
            )
    blocks = weight.reshape(groups, -1, *weight.shape[1:])
    return np.concatenate([block[o][:, i] for block, i, o in zip(blocks, ins, outs, strict=True)])


def _along_channels(node: Node, array: AnyArray, kept: npt.NDArray[np.bool_]) -> AnyArray:
    """A constant of a channel-wise node, cut along its axis of channels where it has one."""
    axis = 0 if node.op == "BatchNormalization" or node.op == "InstanceNormalization" else array.ndim - 3
    if axis < 0 or array.shape[axis] != len(kept):
        return array
    return np.ascontiguousarray(np.compress(kept, array, axis))


def _checked(indices: list[int], count: int, tensor: str) -> list[int]:
    if not indices or any(b <= a for a, b in itertools.pairwise(indices)):
        raise InputError(f"channels of {tensor}: give at least one index, in ascending order and each once")
    if indices[0] < 0 or indices[-1] >= count:
        raise InputError(
            f"channels of {tensor}: indices must lie in 0..{count - 1}, got {indices[0]}..{indices[-1]}"
        )
    return [int(index) for index in indices]
