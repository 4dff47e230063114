"""A tap of a network projected to fewer dimensions, and the layers that it is made of (paper 000)."""

from dataclasses import replace

import numpy as np

from slimtrack.arrays import Floats
from slimtrack.compression.prune import Channels
from slimtrack.networks.graph import Graph, Node
from slimtrack.networks.network import Network

__all__ = ["last_layers", "projected"]


def projected(network: Network, tap: str, components: Floats) -> Network:
    """The network with a tap's channels projected: as a 1x1 convolution behind it, which becomes the tap.

    Where the tap is a convolution's own result that nothing else reads, its filters take the projection in.

    Args:
        network: The network; its other taps are left out.
        tap: The tap.
        components: ``(C, d)``.
    """
    cut = network.truncate(tap)
    tensor = cut.tap(tap).tensor
    writer = next((layer for layer in cut.layers if layer.output == tensor), None)
    if writer is None or writer.groups > 1 or cut.graph.readers(tensor):
        return _appended(cut, tap, components)
    weights, bias = cut.weights(writer.name)
    names = cut.graph.node(writer.name).inputs
    changed = {names[1]: np.tensordot(components.T, weights, 1).astype(np.float32)}
    if len(names) > 2 and names[2]:
        changed[names[2]] = (components.T @ bias).astype(np.float32)
    return _rewrapped(cut, cut.graph.with_weights(changed), tensor)


def _appended(cut: Network, tap: str, components: Floats) -> Network:
    tensor = cut.tap(tap).tensor
    name = f"{cut.tap(tap).name}_reduced"
    node = Node("Conv", name, (tensor, f"{name}_w"), (name,), {"kernel_shape": [1, 1]})
    weight = np.ascontiguousarray(components.T[:, :, None, None], np.float32)
    graph = cut.graph.with_weights({f"{name}_w": weight})
    return _rewrapped(cut, replace(graph, nodes=(*graph.nodes, node)), name)


def _rewrapped(cut: Network, graph: Graph, tensor: str) -> Network:
    """A network of one tap with another graph."""
    (name,) = cut.taps
    return Network(graph, {name: tensor}, cut.card, aliases=cut.aliases, runtime=cut.runtime)


def last_layers(network: Network, tap: str) -> dict[str, tuple[Channels, Channels]]:
    """The layers whose channels a tap gives -> their places in the tap and their own numbers there."""
    probe = _appended(network, tap, np.eye(network.tap(tap).channels, dtype=np.float32))
    end = probe.layers[-1].name
    found = {}
    for layer in network.layers:
        for reader in probe.readers(layer.name):
            if reader.layer.name == end:
                found[layer.name] = (reader.positions, reader.channels)
    return found
