"""Networks of any architecture whose weights are made up."""

import numpy as np

from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.importers.store import Store
from slimtrack.networks.network import Network


class Generated(Store):
    """Weights made as they are asked for: the layers named, each with so many filters."""

    def __init__(self, filters: dict[str, int]) -> None:
        self._filters, self._rng = filters, np.random.default_rng(7)

    def __contains__(self, layer: str) -> bool:
        return layer in self._filters

    def ends_before(self, layer: str) -> bool:
        return layer not in self

    def conv(self, builder: Builder, layer: str, norm: str = "", *, kernel: int, **options: object) -> str:
        fan = builder.channels // int(options.get("groups", 1))  # type: ignore[call-overload]
        shape = (self._filters[layer], fan, kernel, kernel)
        weight = self._rng.normal(size=shape) * np.sqrt(2 / (fan * kernel**2))
        bias = 0.05 * self._rng.normal(size=shape[0])
        return builder.conv(layer, weight, bias, **options)  # type: ignore[arg-type]


def made(builder: Builder, name: str = "generated") -> Network:
    return Network(builder.graph(), builder.taps, Card(name, mean=(128.0,) * 3, scale=(1 / 64,) * 3))
