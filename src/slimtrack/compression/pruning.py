"""One run of paper 000's algorithm 1: dimensions of the last layer, then channels layer by layer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from slimtrack.arrays import Features, Image
from slimtrack.box import Box
from slimtrack.compression.contributions import Quadratic, quadratic, samples
from slimtrack.compression.information import Mask, Reduction, pca, reduction, target_cells
from slimtrack.compression.method import Compressed, Progress, silent
from slimtrack.compression.plans import Plan
from slimtrack.compression.projection import last_layers, projected
from slimtrack.compression.prune import Channels, adaptive, fixed_ratio, largest_sums
from slimtrack.compression.reconstruct import reweighted
from slimtrack.compression.settings import Settings
from slimtrack.features.network import NetworkFeature
from slimtrack.networks.layers import Layer, Reader
from slimtrack.networks.network import Network

__all__ = ["Pruned", "compress", "planned"]


@dataclass(frozen=True, slots=True)
class Pruned(Compressed):
    """What came out.

    Attributes:
        reduction: What became of the tap's channels; ``None`` where they stay.
        plan: What was asked for.
    """

    feature: NetworkFeature
    reduction: Reduction | None
    plan: Plan


def compress(
    network: Network, tap: str, patch: Image, target: Box, settings: Settings | None = None,
    progress: Progress = silent,
) -> Pruned:  # fmt: skip
    """Prunes a network for one target (paper 000, algorithm 1, equations 21 and 22).

    Args:
        network: Any network; it stays as it is.
        tap: The tap that is tracked with: its channels are reduced, what it does not need is left out.
        patch: ``(H, W, 3)`` uint8 BGR: the target with its background, as the tracker sees it.
        target: The target in the patch's pixels.
        settings: How.
        progress: Called with what is being done.

    Raises:
        UnknownNameError: No such tap or layer.
        InputError: Settings that contradict each other, or a patch that is too small.
    """
    return _Pruning(network, tap, patch, target, settings or Settings()).run(progress)


def planned(network: Network, tap: str, how: Settings) -> Plan:
    """What settings mean for a network.

    Raises:
        UnknownNameError: No such tap or layer.
        InputError: The configuration has another form.
    """
    cut, name = network.truncate(tap), network.tap(tap).name
    return Plan.parse(how.configuration, cut, [*last_layers(cut, name), name], how.reconstruct)


class _Pruning:
    """One run of algorithm 1."""

    def __init__(self, network: Network, tap: str, patch: Image, target: Box, how: Settings) -> None:
        self._tap = network.tap(tap)
        self._original = network.truncate(tap)
        self._last = last_layers(self._original, self._tap.name)
        self.plan = planned(network, tap, how)
        self._how, self._target = how, target
        self._batch = network.prepare(patch)
        self._network = self._original
        tensors = [self._tap.tensor, *(layer.output for layer in self._original.layers)]
        self._places = self._original.tapped({tensor: tensor for tensor in tensors})
        self._sizes = self._places.sizes((self._batch.shape[2], self._batch.shape[3]))
        self._kept: dict[str, Channels] = {}
        self._alive: dict[str, np.ndarray[tuple[int], np.dtype[np.bool_]]] = {}
        self._reduction: Reduction | None = None

    def run(self, progress: Progress) -> Pruned:
        """Chooses, and gives the smaller network."""
        order = [layer for layer in reversed(self._original.layers) if layer.name in self.plan.ratios]
        selecting = self._how.method not in ("pca", "none")
        rebuilt = self._rebuilt_layers() if selecting else []
        steps = 2 + (len(order) + len(rebuilt) if selecting else 0)
        progress("feature maps", 0, steps)
        self._maps = self._observed([*order, *rebuilt] if selecting else [])
        progress(f"dimensions of {self._tap.name}", 1, steps)
        if self._how.method != "none":
            self._reduce()
        if selecting:
            for done, layer in enumerate(order, 2):
                progress(f"channels of {layer.name}", done, steps)
                self._select(layer)
            for done, layer in enumerate(rebuilt, 2 + len(order)):
                progress(f"filters of {layer.name}", done, steps)
                self._rebuild(layer)
        progress("done", steps, steps)
        pruned = self._projected()
        feature = NetworkFeature(pruned, self._tap.name)
        return Pruned(pruned, feature, self._kept, self._reduction, self.plan)

    # What the original network shows.

    def _observed(self, layers: Sequence[Layer]) -> dict[str, Features]:
        """The original maps that the steps need; those of the image itself are the image."""
        wanted = {self._tap.tensor}
        for layer in layers:
            wanted |= {reader.layer.input for reader in self._original.readers(layer.name)}
            wanted.add(layer.output)
        return _maps(self._original, sorted(wanted), self._batch)

    def _mask(self, tensor: str) -> Mask:
        tap = self._places.tap(tensor)
        return target_cells(self._sizes[tap.name], tap.stride, tap.offset, self._target)

    # Dimension reduction of the last layer.

    def _reduce(self) -> None:
        """Equation 6; its channels go from the network, its projection is appended at the end."""
        maps, how = self._maps[self._tap.tensor], self._how
        if how.method == "pca":
            components, _ = pca(maps, how.d)
            self._reduction = Reduction(np.arange(len(maps)), components, {})
            return
        count = self._tap.channels
        if self.plan.last is not None:
            size = max(round(count * (1 - self.plan.last)), 1)
            d, d_prime = size, size
        else:
            d, d_prime = how.d, how.d_prime
        self._reduction = reduction(
            maps, self._mask(self._tap.tensor), d,
            d_prime=min(d_prime, count) or None, metric=how.metric, with_error=how.error,
        )  # fmt: skip
        if not self._removable():
            return
        channels = self._reduction.channels
        self._network = self._network.select_channels(self._tap.name, channels)
        for name, (places, own) in self._last.items():
            self._keep(name, np.sort(own[np.isin(places, channels)]))

    def _removable(self) -> bool:
        """Whether the tap's channels can go: only the tap reads them, no sum and no parts tie them."""
        return all(
            not self._original.readers(name)
            and self._original.coupled(name) == (name,)
            and self._original.layer(name).groups == 1
            for name in self._last
        )

    def _projected(self) -> Network:
        """The network with the reduction's projection behind it."""
        found = self._reduction
        if found is None:
            return self._network
        if not self._removable():  # all channels are still there: those dropped get a row of zeros
            components = np.zeros((self._tap.channels, found.dimensions), np.float32)
            whole = np.eye(len(found.channels), dtype=np.float32)
            components[found.channels] = whole if found.components is None else found.components
            return projected(self._network, self._tap.name, components)
        if found.components is None:
            return self._network
        return projected(self._network, self._tap.name, found.components)

    # Channel selection, backward.

    def _select(self, layer: Layer) -> None:
        """One step of equation 21: fewer filters in a layer, from what its readers make of them."""
        parts = self._parts(layer)
        count = round(layer.out_channels * (1 - self.plan.ratios[layer.name]))
        groups = len(parts or [0])
        count = max(count // groups, 1) * groups
        readers = self._original.readers(layer.name)
        if self._how.method == "firstK":
            chosen = np.concatenate([part[: count // groups] for part in parts or [np.arange(count)]])
        elif self._how.method == "maxK":
            first = readers[0]
            order = first.positions[np.argsort(first.channels)]
            chosen = largest_sums(self._maps[first.layer.input][order], count, parts)
        else:
            loss = self._loss(layer, readers)
            if self._how.adaptive:
                chosen = adaptive(loss, self._how.adaptive)
                count = max(len(chosen) // groups, 1) * groups
            if parts or not self._how.adaptive:
                chosen = fixed_ratio(loss, count, parts)
        self._network = self._network.select_channels(layer.name, chosen)
        self._keep(layer.name, chosen)

    def _parts(self, layer: Layer) -> list[Channels] | None:
        """Groups of a layer's channels of which equally many must be kept (AlexNet's two parts)."""
        groups = [layer.groups]
        groups += [reader.layer.groups for reader in self._original.readers(layer.name)]
        most = max(groups)
        return np.array_split(np.arange(layer.out_channels), most) if most > 1 else None

    def _keep(self, name: str, channels: Channels) -> None:
        """Remembers what is kept, and what is gone from the inputs of the readers."""
        self._kept[name] = channels
        for reader in self._original.readers(name):
            alive = self._alive.setdefault(reader.layer.name, np.ones(reader.layer.in_channels, bool))
            alive[reader.positions[~np.isin(reader.channels, channels)]] = False

    def _loss(self, layer: Layer, readers: Sequence[Reader]) -> Quadratic:
        """Equation 9 over all readers of a layer: their losses add, as do those of a reader's parts."""
        total = Quadratic(np.zeros((layer.out_channels,) * 2), np.zeros(layer.out_channels))
        for reader in readers:
            maps = self._maps[reader.layer.input]
            mask = self._mask(reader.layer.output)
            now = self._network.layer(reader.layer.name)
            alive = self._alive.get(now.name, np.ones(len(maps), bool))
            inside, outside = (samples(maps[alive], now, part, self._how.cells) for part in (mask, ~mask))
            weights, bias = self._network.weights(now.name)
            positions = np.full(len(maps), -1)
            positions[reader.positions] = reader.channels
            owners = positions[alive]
            for rows, columns in _groups(now):
                part, other = (
                    replace(each, values=np.ascontiguousarray(each.values[:, columns]))
                    for each in (inside, outside)
                )
                mine = np.flatnonzero(owners[columns] >= 0)
                if len(mine):
                    flat = _flat(weights[rows])
                    loss = quadratic(flat, bias[rows], part, other, mine, self._how.background)
                    total += loss.placed(owners[columns][mine], layer.out_channels)
        return total

    # Weight reconstruction, forward.

    def _rebuilt_layers(self) -> list[Layer]:
        """The layers that read what reconstructed layers have lost, in the order of computation."""
        read = {
            reader.layer.name
            for name in self.plan.rebuilt & set(self.plan.ratios)
            for reader in self._original.readers(name)
        }
        return [layer for layer in self._original.layers if layer.name in read]

    def _rebuild(self, original: Layer) -> None:
        """One step of equation 22: from the pruned network's own maps to the original network's outputs."""
        layer = self._network.layer(original.name)
        maps = _maps(self._network, [layer.input], self._batch)[layer.input]
        inside = samples(maps, layer, self._mask(original.output), self._how.cells)
        kept = self._kept.get(original.name, np.arange(original.out_channels))
        wished = samples(
            self._maps[original.output][kept], _POINT, self._mask(original.output), self._how.cells
        )
        weights, bias = self._network.weights(layer.name)
        new = np.empty_like(weights)
        for rows, columns in _groups(layer):
            values = np.ascontiguousarray(inside.values[:, columns])
            aim = wished.values[0, rows] - bias[rows, None]
            filters = reweighted(_flat(weights[rows]), values, aim, self._how.refit)
            new[rows] = filters.reshape(weights[rows].shape)
        self._network = self._network.replace(layer.name, new)


_POINT = Layer("", "", "", 1, 1, (1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 1)
"""Reads single cells."""


def _maps(network: Network, tensors: Sequence[str], batch: Features) -> dict[str, Features]:
    """Tensors of a network on one patch, ``(C, h, w)`` each."""
    names = [name for name in tensors if name != network.graph.input]
    cut = network.tapped({name: name for name in names}).truncate(*names) if names else network
    found = {name: maps[0] for name, maps in cut.run(batch, *names).items()} if names else {}
    return found | {network.graph.input: batch[0]}


def _groups(layer: Layer) -> list[tuple[slice, slice]]:
    """Outputs and inputs of each group of a convolution."""
    outs, ins = layer.out_channels // layer.groups, layer.in_channels // layer.groups
    return [(slice(g * outs, (g + 1) * outs), slice(g * ins, (g + 1) * ins)) for g in range(layer.groups)]


def _flat(weights: Features) -> Features:
    """Filters ``(n, c, kh, kw)`` as ``(n, c, k)``."""
    return weights.reshape(*weights.shape[:2], -1)
