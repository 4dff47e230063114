"""A network run by torch, so that it can teach and learn."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from slimtrack.arrays import AnyArray
from slimtrack.networks.network import Network
from slimtrack.online.torch_graph import TorchGraph, layer_weights

__all__ = ["TorchNetwork"]


class TorchNetwork(TorchGraph):
    """A network whose convolutions and batch norms can learn.

    All else (the matrices inside of normalisations, too) is fixed. It is called with prepared images
    ``(N, 3, H, W)`` and gives taps by name.

    Args:
        network: Any network of convolutions, ReLU, maximum pooling, normalisation and sums.
        taps: Which of its taps are computed; all if none is named.

    Raises:
        InputError: It has an operator that torch cannot run here.
    """

    def __init__(self, network: Network, taps: Sequence[str] = ()) -> None:
        taken = network.truncate(*taps) if taps else network
        graph, outputs = taken.graph, {name: tap.tensor for name, tap in taken.taps.items()}
        what = f"network {taken.card.name}"
        super().__init__(graph.nodes, graph.weights, [graph.input], outputs, what, graph.bands)
        self._taken = taken

    @property
    def taken(self) -> Network:
        """The network as it was given, cut to its taps."""
        return self._taken

    def prepared(self, rgb: Tensor) -> Tensor:
        """RGB in 0..255, prepared as the network's card says."""
        card = self.taken.card
        planes = rgb.flip(1) if card.colors == "bgr" else rgb
        mean, scale = (rgb.new_tensor(values).reshape(1, 3, 1, 1) for values in (card.mean, card.scale))
        return (planes - mean) * scale

    @torch.no_grad()
    def network(self) -> Network:
        """The network with the present weights of these modules."""
        graph, changed = self.taken.graph, dict[str, AnyArray]()
        for node in graph.nodes:
            module = getattr(self, self.field(node.name), None)
            if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
                numbers = layer_weights(module)
                changed |= {name: _array(value) for name, value in zip(node.inputs[1:], numbers, strict=True)}
        taps = {name: tap.tensor for name, tap in self.taken.taps.items()}
        return Network(
            graph.with_weights(changed),
            taps,
            self.taken.card,
            aliases=self.taken.aliases,
            runtime=self.taken.runtime,
        )


def _array(value: Tensor) -> AnyArray:
    return np.ascontiguousarray(value.detach().float().cpu().numpy())
