"""Local response normalisation across channels, built from fast operators.

``y = x / (k + a S(x^2))^beta`` with ``S`` the sum over ``size`` neighbouring channels. ONNX Runtime's own
``LRN`` operator takes several times as long as the convolutions around it. Here the sum is a 1x1 convolution
with a banded matrix that holds ``a``, its bias is ``k``, and the power 3/4 is a square root times its own
square root.
"""

import math
from dataclasses import replace

import numpy as np

from slimtrack.arrays import AnyArray
from slimtrack.networks.graph import Graph, Node

__all__ = ["lrn_nodes", "rewritten"]


def lrn_nodes(
    name: str, tensor: str, channels: int, size: int, bias: float, alpha: float, beta: float
) -> tuple[list[Node], dict[str, AnyArray], str]:
    """Nodes that normalise a tensor; the result is named ``name``.

    Args:
        name: Name of the normalisation.
        tensor: What is normalised, ``(N, channels, h, w)``.
        channels: Its channels.
        size: Neighbouring channels in the sum, the channel itself in the middle.
        bias: The constant ``k``.
        alpha: What the sum of squares is multiplied by (*not* divided by ``size``, as ONNX does).
        beta: The exponent.

    Returns:
        The nodes, their weights, and the name of the banded convolution for `Graph.bands`.
    """
    at = np.arange(channels)
    distance = at[None, :] - at[:, None]  # channel summed minus channel normalised
    inside = (distance >= -((size - 1) // 2)) & (distance <= size // 2)
    weights: dict[str, AnyArray] = {
        f"{name}/band_w": (alpha * inside).astype(np.float32)[:, :, None, None],
        f"{name}/band_b": np.full(channels, bias, np.float32),
    }
    nodes = [
        Node("Mul", f"{name}/square", (tensor, tensor), (f"{name}/square",)),
        Node(
            "Conv", f"{name}/band", (f"{name}/square", *weights), (f"{name}/band",), {"kernel_shape": [1, 1]}
        ),
    ]
    if math.isclose(beta, 0.75):
        nodes += [
            Node("Sqrt", f"{name}/root", (f"{name}/band",), (f"{name}/root",)),
            Node("Sqrt", f"{name}/root4", (f"{name}/root",), (f"{name}/root4",)),
            Node("Mul", f"{name}/power", (f"{name}/root", f"{name}/root4"), (f"{name}/power",)),
        ]
    else:
        weights[f"{name}/beta"] = np.array(beta, np.float32)
        nodes.append(Node("Pow", f"{name}/power", (f"{name}/band", f"{name}/beta"), (f"{name}/power",)))
    nodes.append(Node("Div", name, (tensor, f"{name}/power"), (name,)))
    return nodes, weights, f"{name}/band"


def rewritten(graph: Graph, channels: dict[str, int]) -> Graph:
    """The graph with every ``LRN`` operator, as read from an ONNX file, in fast operators.

    Args:
        graph: The network.
        channels: Channels of its tensors.
    """
    nodes: list[Node] = []
    weights, bands = dict(graph.weights), set(graph.bands)
    for node in graph.nodes:
        if node.op != "LRN" or node.inputs[0] not in channels:
            nodes.append(node)
            continue
        given, size = node.attributes, int(node.attributes["size"])
        new, extra, band = lrn_nodes(
            node.name,
            node.inputs[0],
            channels[node.inputs[0]],
            size,
            float(given.get("bias", 1.0)),
            float(given.get("alpha", 1e-4)) / size,
            float(given.get("beta", 0.75)),
        )
        nodes += [*new[:-1], replace(new[-1], outputs=node.outputs)]
        weights |= extra
        bands.add(band)
    return replace(graph, nodes=tuple(nodes), weights=weights, bands=frozenset(bands))
