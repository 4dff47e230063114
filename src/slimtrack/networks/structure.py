"""The parts of a network: its taps, its layers, which layer reads which, and their sizes."""

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType

import numpy as np

from slimtrack.arrays import AnyArray
from slimtrack.errors import InputError, UnknownNameError
from slimtrack.networks.card import Card
from slimtrack.networks.channels import Channels
from slimtrack.networks.graph import Graph
from slimtrack.networks.grids import Grid, grids, sizes
from slimtrack.networks.layers import Convention, Layer, Reader, Tap, layer_of, operations

__all__ = ["Structure"]


class Structure:
    """The part of a `Network` that describes it; `Network` adds running.

    Attributes:
        graph: The nodes and weights.
        card: Its origin, licence and preprocessing.
        aliases: Other names for taps, such as those of papers.
    """

    def __init__(
        self, graph: Graph, taps: Mapping[str, str], card: Card, aliases: Mapping[str, str] | None = None
    ) -> None:
        """Wraps a graph.

        Args:
            graph: The network.
            taps: Tap name -> name of its tensor.
            card: What is known about it.
            aliases: Other name -> tap name; those of other taps are left out.

        Raises:
            InputError: A tap names no tensor, or one whose place on the image is not known.
        """
        self.graph = graph.needed(taps.values())
        self.card = card
        self.aliases = MappingProxyType({k: v for k, v in (aliases or {}).items() if v in taps})
        self._tensors = dict(taps)
        if not taps:
            raise InputError(f"network {card.name}: a network needs at least one tap")
        for name, tensor in taps.items():
            self._tap(name, tensor, self._grids.get(tensor))

    @cached_property
    def _channels(self) -> Channels:
        return Channels(self.graph)

    @cached_property
    def _counts(self) -> dict[str, int]:
        return self._channels.count()

    @cached_property
    def _grids(self) -> dict[str, Grid | None]:
        return grids(self.graph)

    @cached_property
    def taps(self) -> Mapping[str, Tap]:
        """The taps by name, in the order in which they are computed."""
        order = {tensor: at for at, node in enumerate(self.graph.nodes) for tensor in node.outputs}
        pairs = sorted(self._tensors.items(), key=lambda pair: order.get(pair[1], -1))
        return MappingProxyType(
            {name: self._tap(name, tensor, self._grids[tensor]) for name, tensor in pairs}
        )

    def _tap(self, name: str, tensor: str, grid: Grid | None) -> Tap:
        if grid is None or tensor not in self._counts:
            raise InputError(f"tap {name}: the positions of tensor {tensor!r} on the image are not known")
        if grid.stride[0] != grid.stride[1] or grid.offset[0] != grid.offset[1]:
            raise InputError(f"tap {name}: its stride or offset is not the same in x and y, as it must be")
        return Tap(name, tensor, self._counts[tensor], grid.stride[0], grid.offset[0])

    def tap(self, name: str, size: int | None = None) -> Tap:
        """A tap by its name or alias.

        Args:
            name: The name.
            size: Side of the input in pixels; matters only for networks padded by TensorFlow's SAME, whose
                offset depends on it. ``None``: a multiple of every stride.

        Raises:
            UnknownNameError: There is no such tap.
        """
        proper = self.aliases.get(name, name)
        if proper not in self._tensors:
            raise UnknownNameError.of(f"tap of network {self.card.name!r}", name, [*self.taps, *self.aliases])
        if size is None:
            return self.taps[proper]
        tensor = self._tensors[proper]
        return self._tap(proper, tensor, grids(self.graph, (size, size)).get(tensor))

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The convolutions, in the order in which they are computed."""
        return tuple(
            layer_of(self.graph, node)
            for node in self.graph.nodes
            if node.op == "Conv"
            and node.name not in self.graph.bands
            and node.inputs[1] in self.graph.weights
        )

    def layer(self, name: str) -> Layer:
        """A convolution by its name.

        Raises:
            UnknownNameError: There is no such layer.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise UnknownNameError.of(
            f"layer of network {self.card.name!r}", name, [each.name for each in self.layers]
        )

    def readers(self, name: str) -> list[Reader]:
        """The convolutions that read a layer's channels, directly or through other operators.

        Through a concatenation a layer's channel ``channels[j]`` is the reader's input ``positions[j]``;
        through a residual sum it is that of several layers, and each of them lists the reader. A convolution
        of each channel for itself (depthwise) hands channels on: it is listed, and so are those behind it.

        Raises:
            UnknownNameError: There is no such layer.
        """
        mine = self._channels.of(self.layer(name).output)
        found = []
        for layer in self.layers:
            if layer.name == name or layer.input not in self._counts:
                continue
            theirs = self._channels.of(layer.input)
            positions, channels = np.nonzero(theirs[:, None] == mine[None, :])
            if len(positions):
                found.append(Reader(layer, positions, channels))
        return found

    def coupled(self, name: str) -> tuple[str, ...]:
        """The layers whose channels go together with this one's, itself among them.

        Residual sums tie layers, and so do convolutions of each channel for itself (depthwise).

        Raises:
            UnknownNameError: There is no such layer.
        """
        mine = self._channels.of(self.layer(name).output)
        return tuple(
            layer.name for layer in self.layers if np.isin(self._channels.of(layer.output), mine).any()
        )

    def weights(self, layer: str) -> tuple[AnyArray, AnyArray]:
        """Filters ``(O, I / groups, kh, kw)`` and biases ``(O,)`` of a layer, read-only; no bias is zeros.

        Raises:
            UnknownNameError: There is no such layer.
        """
        node = self.graph.node(self.layer(layer).name)
        weight = self.graph.weights[node.inputs[1]]
        if len(node.inputs) > 2 and node.inputs[2]:
            return weight, self.graph.weights[node.inputs[2]]
        return weight, np.zeros(len(weight), weight.dtype)

    @property
    def parameters(self) -> int:
        """Numbers in all weights; the matrices inside of normalisations are none."""
        return sum(array.size for array in self._own_weights())

    @property
    def bytes(self) -> int:
        """Bytes of those weights."""
        return sum(array.nbytes for array in self._own_weights())

    def _own_weights(self) -> list[AnyArray]:
        bands = [self.graph.node(name) for name in self.graph.bands]
        aside = {name for node in bands for name in node.inputs}
        return [array for name, array in self.graph.weights.items() if name not in aside and array.ndim]

    def sizes(self, size: int | tuple[int, int]) -> dict[str, tuple[int, int]]:
        """Height and width in cells of every tap for an input of ``size`` (side, or height and width).

        Raises:
            InputError: The input is too small.
        """
        known = sizes(self.graph, _both(size))
        return {name: known[tap.tensor] for name, tap in self.taps.items()}

    def flops(self, size: int | tuple[int, int], convention: Convention = "multiply-add") -> int:
        """Operations of all convolutions for one image.

        Args:
            size: Side of the input in pixels, or its height and width.
            convention: ``"double"`` as paper 002, equation 12: ``2 H W (C_in K^2 + 1) C_out`` with the
                output's size. ``"multiply-add"`` as paper 003, equation 4.5:
                ``S_K^2 D_F S_F^2 D_G + S_G^2 D_G`` with the *input's* size ``S_F`` in the first term and the
                output's ``S_G`` in the second. ``"plain"`` as paper 000: multiply-adds ``H W C_in K^2 C_out``
                with the output's size, no biases.

        Raises:
            InputError: The input is too small, or the convention unknown.
        """
        known = sizes(self.graph, _both(size))
        return sum(operations(layer, known, convention) for layer in self.layers)


def _both(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size
