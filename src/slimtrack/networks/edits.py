"""Changes of a graph's weights: another convolution, or batch normalisation folded in."""

from collections.abc import Set
from dataclasses import replace

import numpy as np

from slimtrack.arrays import AnyArray
from slimtrack.networks.graph import Graph, Node

__all__ = ["folded", "rewired"]


def folded(graph: Graph, taps: Set[str]) -> Graph:
    """The graph without batch normalisation that directly follows a convolution.

    Args:
        graph: The graph.
        taps: Tensors that must stay as they are.
    """
    for norm in [node for node in graph.nodes if node.op == "BatchNormalization"]:
        conv = graph.producer(norm.inputs[0])
        alone = conv is not None and conv.op == "Conv" and len(graph.readers(conv.output)) == 1
        if conv is None or not alone or conv.output in taps:
            continue
        graph = _without_norm(graph, conv, norm)
    return graph


def _without_norm(graph: Graph, conv: Node, norm: Node) -> Graph:
    """The graph with one normalisation inside the convolution before it."""
    scale, shift, mean, variance = (graph.weights[name].astype(np.float64) for name in norm.inputs[1:5])
    factor = scale / np.sqrt(variance + float(norm.attributes.get("epsilon", 1e-5)))
    weight = graph.weights[conv.inputs[1]]
    bias = graph.weights[conv.inputs[2]] if len(conv.inputs) > 2 else np.zeros(len(weight))
    graph = replace(graph, nodes=tuple(node for node in graph.nodes if node.name != norm.name))
    return rewired(
        graph, conv, norm.output, weight * factor[:, None, None, None], (bias - mean) * factor + shift
    )


def rewired(graph: Graph, conv: Node, output: str, weight: AnyArray, bias: AnyArray) -> Graph:
    """The graph with a convolution's result under another name and other numbers inside."""
    name = conv.inputs[2] if len(conv.inputs) > 2 and conv.inputs[2] else f"{conv.name}@bias"
    changed = replace(conv, inputs=(*conv.inputs[:2], name), outputs=(output,))
    nodes = tuple(changed if node.name == conv.name else node for node in graph.nodes)
    weights = {conv.inputs[1]: np.array(weight, np.float32), name: np.array(bias, np.float32)}
    return replace(graph, nodes=nodes).with_weights(weights)
