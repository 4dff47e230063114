"""Networks from any ONNX file with one image input."""

from dataclasses import replace
from pathlib import Path

from slimtrack.errors import InputError
from slimtrack.networks.card import Card
from slimtrack.networks.channels import Channels
from slimtrack.networks.graph import Graph, Node
from slimtrack.networks.grids import grids
from slimtrack.networks.lrn import rewritten
from slimtrack.networks.network import Network
from slimtrack.networks.onnx_forms import channels_first, freed, widened
from slimtrack.networks.onnx_io import parse, read_graph
from slimtrack.networks.sources import digest, read_bytes

__all__ = ["import_onnx"]

_ACTIVATIONS = frozenset(
    ("Relu", "LeakyRelu", "PRelu", "Clip", "HardSwish", "Sigmoid", "Elu", "Mish", "Gelu")
)
"""Operators whose results become taps, in addition to convolutions, sums, pools and concatenations."""

_TAPPED = _ACTIVATIONS | {"Conv", "Add", "Concat", "MaxPool", "AveragePool", "BatchNormalization", "Div"}


def import_onnx(path: str | Path, card: Card | None = None, sha256: str | None = None) -> Network:
    """A network from an ONNX file.

    Taps are the results of all convolutions, activations, sums, concatenations, pools and normalisations
    whose place on the image is known, named after their nodes (a long path keeps its last parts). ``LRN``
    operators are rewritten in faster ones. Other float types become float32, channels last become channels
    first, and fixed sizes become free. A file that `Network.save` wrote keeps its own taps and card.

    Args:
        path: The file.
        card: What is known about it; by default the file's name, RGB, no mean, no scale.
        sha256: Its hash or the first digits, where known.

    Raises:
        InputError: The file is damaged, has another hash, external data, several inputs, channels last that
            it computes with, or no such tensor.
    """
    data = read_bytes(path, sha256)
    model = parse(data, str(path))
    if any(entry.key == "slimtrack.card" for entry in model.metadata_props):
        return Network.load(path, sha256)
    graph = read_graph(freed(channels_first(widened(model), str(path))), str(path))
    graph = rewritten(graph, Channels(graph).count())
    card = replace(card or Card(Path(path).stem), sha256=digest(data))
    taps = _taps(graph)
    if not taps:
        raise InputError(f"{path} has no convolution whose position on the image is known")
    return Network(graph, taps, card)


def _taps(graph: Graph) -> dict[str, str]:
    """Tap names -> tensors."""
    places, counts = grids(graph), Channels(graph).count()
    inner = {node.name for node in graph.nodes if node.name.rpartition("/")[0] + "/band" in graph.bands}
    taps: dict[str, str] = {}
    for node in graph.nodes:
        grid = places.get(node.output)
        if grid is None or node.output not in counts or node.op not in _TAPPED or node.name in inner:
            continue
        if grid.stride[0] == grid.stride[1] and grid.offset[0] == grid.offset[1]:
            taps[_short(node, taps)] = node.output
    return taps


def _short(node: Node, taken: dict[str, str]) -> str:
    """The shortest end of a node's path that no other node has."""
    parts = [part for part in node.name.strip("/").split("/") if part]
    for count in range(1, len(parts) + 1):
        name = "/".join(parts[-count:])
        if name not in taken:
            return name
    return node.name if node.name not in taken else f"{node.name}:{node.output}"
