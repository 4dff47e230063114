"""A network: an ONNX graph with named taps, whose positions on the image are known exactly."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import AnyArray, Features, Image
from slimtrack.errors import InputError
from slimtrack.files import atomic_write
from slimtrack.networks import onnx_io, stored
from slimtrack.networks.card import Card
from slimtrack.networks.edits import folded, rewired
from slimtrack.networks.graph import Graph
from slimtrack.networks.runtimes import Execute, Runtime
from slimtrack.networks.structure import Structure

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["Network"]

_LARGEST = 1 << 14
"""Largest side in pixels that `Network.input_size` tries."""


class Network(Structure):
    """A network with named taps. It is immutable: methods that change something return a new network.

    Networks share the weights that they have in common. Sessions of the runtime are made when first needed,
    for the taps that are asked for, and may be used from several threads.

    Attributes:
        graph: The nodes and weights.
        card: Its origin, licence and preprocessing.
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
        super().__init__(graph, taps, card, aliases)
        self.runtime = runtime or Runtime()
        self._sessions: dict[tuple[str, ...], Execute] = {}

    def __repr__(self) -> str:
        return f"Network({self.card.name!r}, taps={list(self._tensors)})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Leaves out sessions: copies and other processes make their own."""
        return _remade, (self.graph, self._tensors, self.card, dict(self.aliases), self.runtime)

    def prepare(self, patches: Image) -> Features:
        """Images prepared as the network's card says: order of colours, mean and scale.

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
        """The network with only these taps, and the nodes they need.

        Raises:
            UnknownNameError: There is no such tap.
        """
        names = [self.tap(name).name for name in taps]
        return self._with(taps={name: self._tensors[name] for name in names})

    def tapped(self, taps: Mapping[str, str]) -> "Network":
        """The network with more taps: name -> any tensor, such as a layer's ``input`` or ``output``.

        Raises:
            InputError: There is no such tensor, or its place on the image is not known.
        """
        return self._with(taps={**self._tensors, **taps})

    def select_channels(self, layer_or_tap: str, indices: Iterable[int]) -> "Network":
        """The network with only these output channels of a layer (or channels of a tap); readers are adapted.

        The result computes what the network would with the other channels zero right after the convolution
        (and after any bias). Channels that a residual sum ties to them are removed too (`coupled` names
        the layers); all others stay. They are followed through concatenations and normalisations.

        Args:
            layer_or_tap: Its name; a layer where both have that name.
            indices: Channels to keep, ascending, each once.

        Raises:
            UnknownNameError: There is no such layer or tap.
            InputError: Bad indices; or channels would go that cannot, such as the image's own, those before
                an operator that is not known to work channel by channel, or unequally many in groups.
        """
        known = {layer.name: layer.output for layer in self.layers}
        tensor = known[layer_or_tap] if layer_or_tap in known else self.tap(layer_or_tap).tensor
        return self._with(self._channels.without(tensor, indices))

    def replace(self, layer: str, weight: AnyArray, bias: AnyArray | None = None) -> "Network":
        """The network with other weights in a layer.

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
        return self._with(rewired(self.graph, node, node.output, weight, new_bias))

    def fold_batch_norm(self) -> "Network":
        """The network with batch normalisation folded into the convolution directly before it.

        A convolution whose own result is a tap keeps its normalisation, because the tap would change.
        """
        return self._with(folded(self.graph, set(self._tensors.values())))

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
        while low < high:  # the number of cells never falls as the side grows
            middle = (low + high) // 2
            low, high = (low, middle) if count(middle) >= cells else (middle + 1, high)
        if cells < 1 or count(low) != cells:
            raise InputError(f"no input of {self.card.name} gives {cells} cells at {tap}")
        return low

    # On disk.

    def to_model(self) -> "ModelProto":
        """The network as an ONNX model, with card and taps in its ``metadata_props``."""
        return stored.to_model(stored.Stored(self.graph, self._tensors, self.card, self.aliases))

    def save(self, path: str | Path, *, half: bool = False) -> None:
        """Writes an ONNX file for any runtime; an earlier file is replaced once the new one is complete.

        Args:
            path: The file.
            half: Store weights as float16; computing is in float32 nevertheless.

        Raises:
            OutputError: It cannot be written.
        """
        model = self.to_model()
        data = (onnx_io.halved(model) if half else model).SerializeToString()
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
        parts = stored.read(path, sha256)
        return cls(parts.graph, parts.taps, parts.card, aliases=parts.aliases)


def _remade(
    graph: Graph, taps: Mapping[str, str], card: Card, aliases: Mapping[str, str], runtime: Runtime
) -> Network:
    return Network(graph, taps, card, aliases=aliases, runtime=runtime)


def _guarded(execute: Execute, places: Sequence[int], network: Network, names: Sequence[str]) -> Execute:
    """Puts results into the requested order, and turns errors into a sentence."""

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
