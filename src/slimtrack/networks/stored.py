"""Networks on disk: ONNX with card and taps in its ``metadata_props``."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from slimtrack.errors import InputError
from slimtrack.networks import onnx_io
from slimtrack.networks.card import Card
from slimtrack.networks.graph import Graph
from slimtrack.networks.sources import read_bytes

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["Stored", "read", "to_model"]


class Stored(NamedTuple):
    """The contents of a file.

    Attributes:
        graph: The nodes and weights.
        taps: Tap name -> name of its tensor.
        card: What is known about the network.
        aliases: Other name -> tap name.
    """

    graph: Graph
    taps: Mapping[str, str]
    card: Card
    aliases: Mapping[str, str]


def to_model(parts: Stored) -> "ModelProto":
    """The parts as an ONNX model."""
    metadata = {
        "slimtrack.card": parts.card.to_json(),
        "slimtrack.taps": json.dumps(dict(parts.taps)),
        "slimtrack.aliases": json.dumps(dict(parts.aliases)),
        "slimtrack.bands": json.dumps(sorted(parts.graph.bands)),
    }
    made = {tensor: at for at, node in enumerate(parts.graph.nodes) for tensor in node.outputs}
    tensors = sorted(dict.fromkeys(parts.taps.values()), key=lambda tensor: made.get(tensor, -1))
    return onnx_io.to_model(parts.graph, tensors, metadata)


def read(path: str | Path, sha256: str | None = None) -> Stored:
    """The parts in a file.

    Args:
        path: The file.
        sha256: Its hash, or the first digits; ``None``: not checked.

    Raises:
        InputError: It is not such a file, is damaged, or has another hash.
    """
    model = onnx_io.parse(read_bytes(path, sha256), str(path))
    texts = {entry.key: entry.value for entry in model.metadata_props}
    if "slimtrack.card" not in texts:
        raise InputError(f"{path} has no card: it is not a network that slimtrack saved, import it first")
    card = Card.from_json(texts["slimtrack.card"])
    try:
        bands, taps, aliases = (json.loads(texts[f"slimtrack.{k}"]) for k in ("bands", "taps", "aliases"))
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: its list of taps is missing or damaged ({error})") from error
    graph = replace(onnx_io.read_graph(model, str(path)), bands=frozenset(bands))
    return Stored(graph, taps, card, aliases)
