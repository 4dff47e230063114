"""Which layers are pruned by how much, in paper 000's notation."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slimtrack.errors import InputError, UnknownNameError
from slimtrack.networks.layers import Layer
from slimtrack.networks.network import Network

__all__ = ["DEEP", "Plan", "prunable"]

DEEP = 2
"""How many layers before the last ``deep`` names: the paper prunes conv4_2 and conv4_1 under conv4_3."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to prune.

    Attributes:
        ratios: Layer -> share of its filters taken out.
        last: Share of the last layer's channels taken out; ``None``: down to ``d`` dimensions.
        rebuilt: Layers whose loss is made good in the filters that read them.
    """

    ratios: Mapping[str, float] = field(default_factory=dict)
    last: float | None = None
    rebuilt: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str, network: Network, last: Sequence[str], rebuild: str = "none") -> "Plan":
        """Reads ``0.5/conv4_2``, ``0.25/all``, ``0.25/deep`` or several with ``+`` between; empty: nothing.

        A ratio of the last layer is of its own channels, instead of the reduction to ``d`` dimensions, which
        goes with every other plan.

        Args:
            text: The configuration; a later part overrides an earlier one.
            network: The network, cut to the tap that is tracked.
            last: Its last layers, and the tap's own name.
            rebuild: What is reconstructed: ``none``, ``all`` (that is pruned), ``deep`` (the shallowest of
                the deep layers: conv4_1 in the paper's final configuration), or names with ``+`` between.

        Raises:
            InputError: Another form, or a ratio outside of 0..1.
            UnknownNameError: No such layer, or one that cannot be pruned.
        """
        able = [layer.name for layer in prunable(network) if layer.name not in last]
        ratios: dict[str, float] = {}
        share = None
        for ratio, name in _parts(text):
            if name in last:
                share = ratio
            elif name == "all":
                ratios |= dict.fromkeys(able, ratio)
            elif name == "deep":
                ratios |= dict.fromkeys(able[-DEEP:], ratio)
            elif name in able:
                ratios[name] = ratio
            else:
                raise UnknownNameError.of(
                    "layer that can be pruned named", name, [*able, *last, "all", "deep"]
                )
        ratios = {name: ratio for name, ratio in ratios.items() if ratio > 0}
        return cls(ratios, share, _rebuilt(rebuild, able, list(ratios)))


def _parts(text: str) -> list[tuple[float, str]]:
    parts = []
    for item in filter(None, (piece.strip() for piece in text.split("+"))):
        match = re.fullmatch(r"(\d*\.?\d+)/(\S+)", item)
        if match is None:
            raise InputError(f"configuration {text!r}: {item!r} is not of the form ratio/layer, as 0.25/all")
        ratio = float(match[1])
        if not 0 <= ratio < 1:
            raise InputError(f"configuration {text!r}: the ratio {ratio:g} is not in 0..1")
        parts.append((ratio, match[2]))
    return parts


def _rebuilt(rebuild: str, able: Sequence[str], pruned: Sequence[str]) -> frozenset[str]:
    if rebuild in ("none", ""):
        return frozenset()
    if rebuild == "all":
        return frozenset(pruned)
    if rebuild == "deep":
        return frozenset(able[-DEEP:][:1])
    names = frozenset(name.strip() for name in rebuild.split("+"))
    for name in sorted(names - set(able)):
        raise UnknownNameError.of("layer to reconstruct named", name, [*able, "all", "deep", "none"])
    return names


def prunable(network: Network) -> tuple[Layer, ...]:
    """The layers whose filters can go alone: no residual sum or depthwise layer ties them to others."""
    return tuple(layer for layer in network.layers if network.coupled(layer.name) == (layer.name,))
