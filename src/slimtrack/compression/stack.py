"""Chosen channels of several taps of a network, and no more of the network than they need (paper 001)."""

import itertools
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from slimtrack.arrays import Features, Image
from slimtrack.compression.channels import Indices
from slimtrack.errors import InputError
from slimtrack.features.network import Margin, NetworkFeatures
from slimtrack.features.taps import NetworkStack
from slimtrack.networks.channels import Channels
from slimtrack.networks.network import Network

__all__ = ["ChosenStack", "pruned"]


def pruned(network: Network, chosen: Mapping[str, Indices]) -> Network:
    """The network that computes only these channels of its taps, exactly.

    Taps without a chosen channel go, with every layer that only they need. Of a tap that is left and that no
    layer reads, the other channels are not computed; taps that layers read stay whole, and so do joined
    branches of which one would be left empty.

    Args:
        network: Any network.
        chosen: Tap -> its channels, rising.

    Raises:
        InputError: Nothing is chosen.
        UnknownNameError: There is no such tap.
    """
    taps = [name for name, indices in chosen.items() if len(indices)]
    if not taps:
        raise InputError(f"network {network.card.name}: no channel is chosen, nothing would be left of it")
    small = network.truncate(*taps)
    for name in taps:
        if not small.graph.readers(small.tap(name).tensor) and not _empties(small, name, chosen[name]):
            small = small.select_channels(name, chosen[name].tolist())
    return small


def _empties(network: Network, tap: str, indices: Indices) -> bool:
    """Whether a layer whose channels the tap has would lose all of them."""
    labels = Channels(network.graph)
    every = labels.of(network.tap(tap).tensor)
    outputs = [labels.of(layer.output) for layer in network.layers]
    return any(np.isin(x, every).any() and not np.isin(x, every[indices]).any() for x in outputs)


class _Chosen(NetworkFeatures):
    """Taps of a pruned network, and of those that had to stay whole the chosen channels."""

    def __init__(self, network: Network, chosen: Mapping[str, Indices]) -> None:
        taps = [name for name, indices in chosen.items() if len(indices)]
        super().__init__(pruned(network, chosen), taps)
        whole = [tap.channels > len(chosen[tap.name]) for tap in self.taps]
        self._picks = [chosen[tap.name] if more else None for tap, more in zip(self.taps, whole, strict=True)]
        self.taps = tuple(replace(tap, channels=len(chosen[tap.name])) for tap in self.taps)

    def __call__(self, patch: Image) -> list[Features]:
        maps = super().__call__(patch)
        return [x if pick is None else x[..., pick, :, :] for x, pick in zip(maps, self._picks, strict=True)]

    @property
    def places(self) -> dict[str, Indices]:
        """Where each tap of the pruned network has the chosen channels."""
        return {
            tap.name: np.arange(tap.channels) if pick is None else pick
            for tap, pick in zip(self.taps, self._picks, strict=True)
        }


class ChosenStack(NetworkStack):
    """`NetworkStack` of chosen channels; the network is pruned to what they need.

    Its cells lie where those of the whole stack lie, whichever taps are left.

    Args:
        network: The network.
        chosen: Tap -> its channels, rising; may be none of a tap.
        cell: Side of the grid's cells in pixels.
        margin: That of the whole stack, where its taps are not all in ``chosen``.

    Attributes:
        network: The pruned network.
        places: Tap -> where the pruned network's tap has the chosen channels, in their order.

    Raises:
        InputError: Nothing is chosen.
    """

    def __init__(
        self,
        network: Network,
        chosen: Mapping[str, Indices],
        *,
        cell: int = 4,
        margin: Margin | None = None,
    ) -> None:
        maps = _Chosen(network, chosen)
        margin = margin or NetworkFeatures(network, list(chosen)).margin
        super().__init__(maps.network, [tap.name for tap in maps.taps], cell=cell, margin=margin)
        self._maps = maps
        self.network, self.taps, self.places = maps.network, maps.taps, maps.places
        ends = np.cumsum([0, *(tap.channels for tap in maps.taps)])
        self.slices = [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]
        self.channels = int(ends[-1])
