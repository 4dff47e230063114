"""A network: an ONNX graph with named taps, whose place on the image is known exactly."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import AnyArray, Features, Image
from slimtrack.errors import InputError, UnknownNameError
from slimtrack.files import atomic_write
from slimtrack.networks import onnx_io
from slimtrack.networks.card import Card
from slimtrack.networks.channels import Channels
from slimtrack.networks.graph import Graph, Node
from slimtrack.networks.grids import Grid, grids, sizes
from slimtrack.networks.layers import Convention, Layer, Reader, Tap, layer_of, operations
from slimtrack.networks.runtimes import Execute, Runtime
from slimtrack.networks.sources import read_bytes

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["Network"]

_LARGEST = 1 << 14
"""Widest input, in pixels, that `Network.input_size` looks for."""


class Network:
    """A network with named taps. It cannot be changed: what changes something gives a new network.

    Networks share the weights that they have in common. Sessions of the runtime are made when first needed,
    for the taps that are asked for, and may be used from several threads.

    Attributes:
        graph: The nodes and weights.
        card: Whose weights they are, and how an image is prepared.
        runtime: What runs it.
        aliases: Other names for taps, such as those of papers.
    """

    def __init__(
        self,
        graph: Graph,
        taps: Mapping[str, str],
        card: Card,
        *,
        aliases: Mapping[str, str] | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        """Wraps a graph.

        Args:
            graph: The network.
            taps: Tap name -> name of its tensor.
            card: What is known about it.
            aliases: Other name -> tap name; those of other taps are left out.
            runtime: What runs it; ONNX Runtime with one thread when ``None``.

        Raises:
            InputError: A tap names no tensor, or one whose place on the image is not known.
        """
        self.graph = graph.needed(taps.values())
        self.card = card
        self.runtime = runtime or Runtime()
        self.aliases = MappingProxyType({k: v for k, v in (aliases or {}).items() if v in taps})
        self._tensors = dict(taps)
        self._sessions: dict[tuple[str, ...], Execute] = {}
        if not taps:
            raise InputError(f"network {card.name}: a network needs at least one tap")
        for name, tensor in taps.items():
            self._tap(name, tensor, self._grids.get(tensor))

    def __repr__(self) -> str:
        return f"Network({self.card.name!r}, taps={list(self._tensors)})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and other processes make sessions of their own."""
        return _remade, (self.graph, self._tensors, self.card, dict(self.aliases), self.runtime)

    # What it is.

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
            raise InputError(f"tap {name}: {tensor!r} is no tensor of cells at known places of the image")
        if grid.stride[0] != grid.stride[1] or grid.offset[0] != grid.offset[1]:
            raise InputError(f"tap {name}: its cells lie differently down and across, which is not supported")
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

    def input_size(self, cells: int, tap: str) -> int:
        """The smallest side of a square input, in pixels, that gives ``cells`` cells a side at a tap.

        Raises:
            UnknownNameError: There is no such tap.
            InputError: No input gives exactly that many.
        """
        wanted = self.tap(tap)
        only = self.truncate(wanted.name)

        def count(side: int) -> int:
            try:
                return only.sizes(side)[wanted.name][0]
            except InputError:
                return 0

        low, high = 1, _LARGEST
        while low < high:  # the count never falls as the side grows
            middle = (low + high) // 2
            low, high = (low, middle) if count(middle) >= cells else (middle + 1, high)
        if cells < 1 or count(low) != cells:
            raise InputError(f"no input of {self.card.name} gives {cells} cells at {tap}")
        return low

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

    # What it does.

    def prepare(self, patches: Image) -> Features:
        """Images as the network wants them: order of colours, mean and scale of its card.

        Args:
            patches: ``(N, H, W, 3)`` or ``(H, W, 3)`` uint8, BGR.

        Returns:
            ``(N, 3, H, W)`` float32, C-contiguous; N = 1 for a single image.

        Raises:
            InputError: Another shape or type.
        """
        if patches.dtype != np.uint8 or patches.ndim not in (3, 4) or patches.shape[-1] != 3:
            raise InputError(
                f"patches are {patches.dtype} {patches.shape}: uint8 (N, H, W, 3) or (H, W, 3) is needed"
            )
        images = patches[None] if patches.ndim == 3 else patches
        batch = np.empty((len(images), 3, *images.shape[1:3]), np.float32)
        planes = (2, 1, 0) if self.card.colors == "rgb" else (0, 1, 2)
        for image, out in zip(images, batch, strict=True):
            # Splitting first and widening plane by plane is ten times as fast as cv2.dnn.blobFromImage.
            for plane, channel in zip(planes, cv2.split(image), strict=True):
                np.subtract(channel, np.float32(self.card.mean[plane]), out=out[plane], dtype=np.float32)
                if self.card.scale[plane] != 1:
                    out[plane] *= np.float32(self.card.scale[plane])
        return batch

    def run(self, batch: Features, *taps: str) -> dict[str, Features]:
        """Computes taps, and only what they need.

        Args:
            batch: ``(N, C, H, W)`` float32, prepared.
            *taps: Names or aliases; all taps when none is given.

        Returns:
            Name as asked for -> ``(N, C, h, w)`` float32, C-contiguous.

        Raises:
            UnknownNameError: There is no such tap.
            InputError: The batch has another shape or type, or is too small.
        """
        if batch.dtype != np.float32 or batch.ndim != 4 or batch.shape[1] != self.graph.channels:
            raise InputError(
                f"batch is {batch.dtype} {batch.shape}: float32 (N, {self.graph.channels}, H, W) is needed"
            )
        names = taps or tuple(self.taps)
        results = self._execute(names)(batch)
        return dict(zip(names, results, strict=True))

    def _execute(self, names: tuple[str, ...]) -> Execute:
        """The prepared runtime for these taps; made on the first call."""
        if names not in self._sessions:
            tensors = [self.tap(name).tensor for name in names]
            graph = self.graph.needed(tensors)
            unique = list(dict.fromkeys(tensors))
            execute = self.runtime.prepare(onnx_io.to_model(graph, unique).SerializeToString(), unique)
            places = [unique.index(tensor) for tensor in tensors]
            self._sessions[names] = _guarded(execute, places, self, names)
        return self._sessions[names]

    # What gives new networks.

    def _with(
        self,
        graph: Graph | None = None,
        *,
        taps: Mapping[str, str] | None = None,
        card: Card | None = None,
        runtime: Runtime | None = None,
    ) -> "Network":
        return Network(
            graph or self.graph,
            self._tensors if taps is None else taps,
            card or self.card,
            aliases=self.aliases,
            runtime=runtime or self.runtime,
        )

    def with_card(self, card: Card) -> "Network":
        """The network with another card."""
        return self._with(card=card)

    def on(self, runtime: Literal["onnxruntime", "openvino"], threads: int = 1) -> "Network":
        """The network on another runtime, or with another number of threads.

        Raises:
            InputError: No such runtime, or fewer threads than one.
        """
        return self._with(runtime=Runtime(runtime, threads))

    def truncate(self, *taps: str) -> "Network":
        """Only these taps, and the nodes they need.

        Raises:
            UnknownNameError: There is no such tap.
        """
        names = [self.tap(name).name for name in taps]
        return self._with(taps={name: self._tensors[name] for name in names})

    def tapped(self, taps: Mapping[str, str]) -> "Network":
        """With more taps: name -> any tensor of the graph, such as a layer's ``input`` or ``output``.

        Raises:
            InputError: There is no such tensor, or its place on the image is not known.
        """
        return self._with(taps={**self._tensors, **taps})

    def select_channels(self, layer_or_tap: str, indices: Iterable[int]) -> "Network":
        """Only these output channels of a layer (or channels of a tap), everything that reads them mended.

        The result computes what the network would with the other channels zero right after the convolution
        (and after any bias). Channels that a residual sum ties to these go with them (`coupled` names the
        layers); all others stay. Behind a concatenation or a normalisation the right ones are found.

        Args:
            layer_or_tap: Its name; a layer where both have that name.
            indices: Channels to keep, rising, each once.

        Raises:
            UnknownNameError: There is no such layer or tap.
            InputError: Bad indices; or channels would go that cannot, such as the image's own, those before
                an operator that is not known to work channel by channel, or unequally many in groups.
        """
        known = {layer.name: layer.output for layer in self.layers}
        tensor = known[layer_or_tap] if layer_or_tap in known else self.tap(layer_or_tap).tensor
        return self._with(self._channels.without(tensor, indices))

    def replace(self, layer: str, weight: AnyArray, bias: AnyArray | None = None) -> "Network":
        """Other numbers in a layer.

        Args:
            layer: Its name.
            weight: ``(O, I / groups, kh, kw)``, of the old shape.
            bias: ``(O,)``; the old one when ``None``.

        Raises:
            UnknownNameError: There is no such layer.
            InputError: Another shape.
        """
        node = self.graph.node(self.layer(layer).name)
        old_weight, old_bias = self.weights(layer)
        new_bias = old_bias if bias is None else bias
        if weight.shape != old_weight.shape or new_bias.shape != old_bias.shape:
            raise InputError(
                f"layer {layer}: weights {weight.shape} and bias {new_bias.shape} do not fit "
                f"{old_weight.shape} and {old_bias.shape}"
            )
        return self._with(_rewired(self.graph, node, node.output, weight, new_bias))

    def fold_batch_norm(self) -> "Network":
        """Batch normalisation that directly follows a convolution goes into its filters and bias.

        A convolution whose own result is a tap keeps its normalisation, because the tap would change.
        """
        graph, taps = self.graph, set(self._tensors.values())
        for norm in [node for node in graph.nodes if node.op == "BatchNormalization"]:
            conv = graph.producer(norm.inputs[0])
            alone = conv is not None and conv.op == "Conv" and len(graph.readers(conv.output)) == 1
            if conv is None or not alone or conv.output in taps:
                continue
            scale, shift, mean, variance = (
                graph.weights[name].astype(np.float64) for name in norm.inputs[1:5]
            )
            factor = scale / np.sqrt(variance + float(norm.attributes.get("epsilon", 1e-5)))
            weight = graph.weights[conv.inputs[1]]
            bias = graph.weights[conv.inputs[2]] if len(conv.inputs) > 2 else np.zeros(len(weight))
            graph = replace(graph, nodes=tuple(node for node in graph.nodes if node.name != norm.name))
            folded = (weight * factor[:, None, None, None], (bias - mean) * factor + shift)
            graph = _rewired(graph, conv, norm.output, *folded)
        return self._with(graph)

    # On disk.

    def to_model(self) -> "ModelProto":
        """The network as an ONNX model, with card and taps in its ``metadata_props``."""
        metadata = {
            "slimtrack.card": self.card.to_json(),
            "slimtrack.taps": json.dumps(self._tensors),
            "slimtrack.aliases": json.dumps(dict(self.aliases)),
            "slimtrack.bands": json.dumps(sorted(self.graph.bands)),
        }
        tensors = list(dict.fromkeys(tap.tensor for tap in self.taps.values()))
        return onnx_io.to_model(self.graph, tensors, metadata)

    def save(self, path: str | Path) -> None:
        """Writes an ONNX file that any runtime reads; a file that was there is replaced when all went well.

        Raises:
            OutputError: It cannot be written.
        """
        data = self.to_model().SerializeToString()
        with atomic_write(path, "wb") as file:
            file.write(data)

    @classmethod
    def load(cls, path: str | Path, sha256: str | None = None) -> "Network":
        """Reads a file that `save` wrote.

        Args:
            path: The file.
            sha256: Its hash, or the first digits; ``None``: not checked.

        Raises:
            InputError: Not such a file, damaged, or another hash.
        """
        data = read_bytes(path, sha256)
        model = onnx_io.parse(data, str(path))
        texts = {entry.key: entry.value for entry in model.metadata_props}
        if "slimtrack.card" not in texts:
            raise InputError(f"{path} has no card: it is not a network that slimtrack saved, import it first")
        card = Card.from_json(texts["slimtrack.card"])
        try:
            bands, taps, aliases = (json.loads(texts[f"slimtrack.{k}"]) for k in ("bands", "taps", "aliases"))
        except (KeyError, ValueError) as error:
            raise InputError(f"{path}: its list of taps is missing or damaged ({error})") from error
        graph = replace(onnx_io.read_graph(model, str(path)), bands=frozenset(bands))
        return cls(graph, taps, card, aliases=aliases)


def _remade(
    graph: Graph, taps: Mapping[str, str], card: Card, aliases: Mapping[str, str], runtime: Runtime
) -> Network:
    return Network(graph, taps, card, aliases=aliases, runtime=runtime)


def _both(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _rewired(graph: Graph, conv: Node, output: str, weight: AnyArray, bias: AnyArray) -> Graph:
    """The graph with a convolution's result under another name and other numbers inside."""
    name = conv.inputs[2] if len(conv.inputs) > 2 and conv.inputs[2] else f"{conv.name}@bias"
    changed = replace(conv, inputs=(*conv.inputs[:2], name), outputs=(output,))
    nodes = tuple(changed if node.name == conv.name else node for node in graph.nodes)
    weights = {conv.inputs[1]: np.array(weight, np.float32), name: np.array(bias, np.float32)}
    return replace(graph, nodes=nodes).with_weights(weights)


def _guarded(execute: Execute, places: Sequence[int], network: Network, names: Sequence[str]) -> Execute:
    """Gives results in the order asked for, and a sentence for an input that is too small."""

    def guarded(batch: Features) -> list[Features]:
        try:
            results = execute(batch)
        except Exception as error:
            network.sizes((batch.shape[2], batch.shape[3]))  # says which layer the input is too small for
            reason = str(error).strip().splitlines()[0]
            raise InputError(
                f"network {network.card.name} failed on a batch {batch.shape} ({', '.join(names)}): {reason}"
            ) from error
        return [results[place] for place in places]

    return guarded
