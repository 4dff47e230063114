"""HCF (also CF2): a correlation filter for each of several layers of a network, deep and shallow fused."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from slimtrack.arrays import Features, Floats
from slimtrack.errors import UnknownNameError
from slimtrack.features.taps import NetworkStack
from slimtrack.filters.correlation import LinearFilter
from slimtrack.trackers._correlation import checked, within
from slimtrack.trackers._network import NetworkCorrelationTracker, network_of

__all__ = ["Hcf", "LayerFilters", "member"]

_NETWORKS = {"v": "vgg19", "s": "squeezenet1.1"}
"""The letters of paper 001."""


class LayerFilters:
    """A linear filter for each group of channels; their responses are added by weight.

    Args:
        label: The wished response ``(h, w)``.
        slices: The channels of each group.
        weights: Weight of each group's response.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
    """

    def __init__(
        self, label: Floats, slices: Sequence[slice], weights: Sequence[float], *, ridge: float, rate: float
    ) -> None:
        self._slices = slices
        self._weights = [np.float32(weight / sum(weights)) for weight in weights]
        self._filters = [LinearFilter(label, ridge=ridge, rate=rate) for _ in slices]

    def learn(self, x: Features) -> None:
        """Mixes windowed features ``(C, h, w)`` into the models."""
        for filter_, part in zip(self._filters, self._slices, strict=True):
            filter_.learn(x[part])

    def respond(self, z: Features) -> Floats:
        """Responses ``(S, h, w)`` to windowed features ``(S, C, h, w)``."""
        parts = (
            weight * filter_.respond(z[:, part])
            for filter_, part, weight in zip(self._filters, self._slices, self._weights, strict=True)
        )
        return np.asarray(sum(parts))


class Hcf(NetworkCorrelationTracker):
    """Hierarchical convolutional features (Ma et al., ICCV 2015; paper 001's baseline CF2).

    Args:
        area: Area of the search window over the target's.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
        label: Width of the wished response, as a share of the target's mean side.
        fade: Weight of a layer's response over that of the next deeper one; 1 weighs all the same.
        cell: Side of the common grid's cells in patch pixels.
    """

    _feature: NetworkStack
    network: ClassVar[str]
    layers: ClassVar[tuple[str, ...]]
    """Taps, the shallowest first."""

    def __init__(
        self,
        *,
        area: float = 7.84,
        ridge: float = 1e-4,
        rate: float = 0.01,
        label: float = 0.1,
        fade: float = 0.5,
        cell: int = 4,
    ) -> None:
        checked(area=area, ridge=ridge, rate=rate, label=label)
        within(1e-3, 1, fade=fade)
        within(1, 32, cell=cell)
        self._area, self._ridge, self._rate, self._label, self._fade = area, ridge, rate, label, fade
        self._feature = NetworkStack(network_of(self.network), self.layers, cell=cell)

    @classmethod
    def needed(cls) -> str:
        """The network in its name."""
        return cls.network

    def _make_filter(self, label: Floats) -> LayerFilters:
        weights = [self._fade**depth for depth in reversed(range(len(self.layers)))]
        return LayerFilters(label, self._feature.slices, weights, ridge=self._ridge, rate=self._rate)


def member(name: str) -> type[Hcf]:
    """The tracker behind a name such as ``cf2-v-11+12+21`` (VGG-19) or ``cf2-s-fire3`` (SqueezeNet 1.1).

    Raises:
        UnknownNameError: The name has another form or another network.
    """
    family, letter, layers = (*name.split("-", 2), "", "")[:3]
    if family != "cf2" or letter not in _NETWORKS or not layers:
        raise UnknownNameError.of("tracker", name, ["cf2-v-11+12+21", "cf2-v-34", "cf2-s-fire3"])
    taps = tuple(f"relu{layer[0]}_{layer[1:]}" if letter == "v" else layer for layer in layers.split("+"))

    class Member(Hcf, name=name):
        network, layers = _NETWORKS[letter], taps

    Member.__doc__, Member.__qualname__ = Hcf.__doc__, name
    return Member
