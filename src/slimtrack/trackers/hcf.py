"""HCF (also CF2): a correlation filter for each of several layers of a network, deep and shallow fused."""

from collections.abc import Sequence
from types import new_class
from typing import Annotated, ClassVar, TypeVar, cast

import numpy as np

from slimtrack.arrays import Floats, Spectrum
from slimtrack.correlation.grids import Windowing
from slimtrack.correlation.levels import FirstLevel
from slimtrack.correlation.tracker import CorrelationTracker
from slimtrack.errors import UnknownNameError
from slimtrack.features.taps import NetworkStack
from slimtrack.filters.correlation import LinearFilter
from slimtrack.filters.spectral import GridFilter
from slimtrack.options import Formerly, Range
from slimtrack.trackers._network import NetworkTracker, network_of
from slimtrack.trackers._options import LabelWidth, Rate, Ridge, SearchAreaRatio

__all__ = ["Hcf", "LayeredTracker", "LayerFilters", "MaxSide", "member", "named"]

MaxSide = Annotated[
    float, Range(32, 1024), Formerly("side"), "Square root of the search window's most pixels."
]

_NETWORKS = {"v": "vgg19", "s": "squeezenet1.1"}
"""The letters of paper 001."""

_ALL = {"s": ("relu1", *(f"fire{number}" for number in range(2, 10)))}
"""What ``all`` means: the first layer and every fire module; the 1000 maps of class scores are left out."""

_WEIGHTS = (1.0, 0.5, 0.02)
"""Of the responses, the deepest layer's first; layers beyond weigh as the last (Ma et al., section 5)."""


class LayerFilters:
    """A linear filter for each group of a grid's channels; their responses are added by weight.

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

    def learn(self, x: Spectrum, shift: tuple[float, float] = (0.0, 0.0), weight: float = 1.0) -> None:
        """Mixes ``(C, h, w // 2 + 1)`` into the models; see `slimtrack.filters.spectral.GridFilter`."""
        for filter_, part in zip(self._filters, self._slices, strict=True):
            filter_.learn(x[part], shift, weight)

    def spectrum(self, z: Spectrum) -> Spectrum:
        """Spectra of the responses ``(S, h, w // 2 + 1)`` to ``(S, C, h, w // 2 + 1)``."""
        parts = (
            weight * filter_.spectrum(z[:, part])
            for filter_, part, weight in zip(self._filters, self._slices, self._weights, strict=True)
        )
        return np.asarray(sum(parts))


class LayeredTracker(NetworkTracker, CorrelationTracker):
    """Several layers of a network on one grid, one scale.

    Where the target moved little, what it was found in is learned from, with the response wished for where
    it is: looking anew would give nearly the same, at the cost of a second run of the network.

    The window of a small target is enlarged for layers of large stride: of a few cells no place can be read.
    """

    _features: tuple[NetworkStack]
    network: ClassVar[str]
    layers: ClassVar[tuple[str, ...]]
    """Taps, the shallowest first."""

    def __init__(
        self,
        *,
        search_area_ratio: SearchAreaRatio = 7.84,
        ridge: Ridge = 1e-4,
        rate: Rate = 0.01,
        label_width: LabelWidth = 0.1,
        relearn_shift: Annotated[
            float,
            Range(0, 10),
            Formerly("still"),
            "Shift, as a share of the target's mean side, up to which the network runs once a frame; 0: it "
            "always runs twice, as published.",
        ] = 0.2,
        max_side: MaxSide = 160.0,
        coarse_cells: Annotated[
            float,
            Range(0, 256),
            Formerly("coarse"),
            "Square root of the cells of the coarsest layer to which a smaller search window is enlarged, as "
            "far as max_side allows.",
        ] = 12.0,
        cell: Annotated[int, Range(1, 32), "Side of the common grid's cells in patch pixels."] = 4,
    ) -> None:
        self._area, self._ridge, self._rate, self._label = search_area_ratio, ridge, rate, label_width
        self._relearn_shift, self._cell = relearn_shift, cell
        network = network_of(self.network)
        self._features = (NetworkStack(network, self.layers, cell=cell),)
        stride = max(network.tap(layer).stride for layer in self.layers)
        self._pixels = min(max(coarse_cells * stride, 32.0), max_side) ** 2, max_side**2

    @classmethod
    def needed(cls) -> str:
        """The network in its name."""
        return cls.network

    def _make_windowing(self) -> Windowing:
        return FirstLevel()


class Hcf(LayeredTracker):
    """Hierarchical convolutional features (HCF, also CF2; Ma et al., ICCV 2015).

    The responses of the deepest three layers weigh 1, 0.5 and 0.02.
    """

    def _make_filter(self, label: Floats, target: tuple[float, float]) -> GridFilter:
        count = len(self.layers)
        weights = [*_WEIGHTS[:count], *[_WEIGHTS[-1]] * (count - len(_WEIGHTS))]
        slices = self._features[0].slices
        return LayerFilters(label, slices, weights[::-1], ridge=self._ridge, rate=self._rate)


_T = TypeVar("_T", bound=LayeredTracker)


def named(base: type[_T], name: str, examples: Sequence[str]) -> type[_T]:
    """The tracker behind a name such as ``cf2-v-11+12+21`` (VGG-19) or ``cf2-s-fire3`` (SqueezeNet 1.1).

    Args:
        base: The tracker; its family is the name's beginning.
        name: family-network-layers.
        examples: Names of that form.

    Raises:
        UnknownNameError: The name has another form or another network.
    """
    _, letter, layers = (*name.split("-", 2), "", "")[:3]
    if letter not in _NETWORKS or not layers:
        raise UnknownNameError.of("tracker", name, examples)
    taps = tuple(f"relu{layer[0]}_{layer[1:]}" if letter == "v" else layer for layer in layers.split("+"))
    if layers == "all" and letter in _ALL:
        taps = _ALL[letter]
    values = {"network": _NETWORKS[letter], "layers": taps, "__doc__": base.__doc__}
    values |= {"__module__": base.__module__, "__qualname__": name}
    return cast(type[_T], new_class(name, (base,), {"name": name}, lambda body: body.update(values)))


def member(name: str) -> type[Hcf]:
    """The tracker behind a name such as ``cf2-v-11+12+21``.

    Raises:
        UnknownNameError: The name has another form or another network.
    """
    return named(Hcf, name, ["cf2-v-11+12+21", "cf2-v-34", "cf2-s-fire3"])
