"""Inner channels that hardly vary, replaced by their mean: a distilled network made smaller still."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from slimtrack.arrays import Features, Floats
from slimtrack.compression.channels import Indices
from slimtrack.errors import InputError
from slimtrack.networks.channels import Channels
from slimtrack.networks.network import Network, Reader

__all__ = ["thinned"]


def thinned(
    network: Network, chosen: Mapping[str, Indices], batch: Features, loss: float
) -> tuple[Network, dict[str, Indices]]:
    """Takes out inner channels that say little about this target (papers 000 and 001 joined).

    A channel matters to a layer that reads it by ``variance x || its weights ||^2``. Of each layer the least
    of them go, as long as together they are no more than ``loss`` of the sum; what they were on average goes
    into the readers' biases, so that nothing is lost where they are constant. Chosen channels stay. Layers
    that are tied to others (residual sums, groups) stay whole.

    This is the cheap cousin of paper 000's selection: with most of a rectified channel's energy in its mean,
    which needs no computing, ranking by what is left takes one run of the network.

    Args:
        network: The network, with the taps that channels are chosen of.
        chosen: Tap -> its channels, rising.
        batch: Prepared patches ``(N, 3, H, W)`` of the target.
        loss: Share of the variation that may be lost in each layer; 0: the network stays as it is.

    Returns:
        The network, and the chosen channels by their places in it.

    Raises:
        InputError: ``loss`` is not between 0 and 1.
    """
    if not 0 <= loss <= 1:
        raise InputError(f"loss={loss} of inner channels must be between 0 and 1")
    places = dict(chosen)
    for layer in network.layers if loss else ():
        readers = network.readers(layer.name)
        alone = network.coupled(layer.name) == (layer.name,)
        if not readers or not alone or any(reader.layer.groups > 1 for reader in readers):
            continue
        mean, value = _statistics(network, readers, batch, layer.out_channels)
        labels = Channels(network.graph)
        mine = labels.of(layer.output)
        wanted = [labels.of(network.tap(tap).tensor)[at] for tap, at in places.items()]
        value[np.isin(mine, np.concatenate(wanted))] = np.inf
        gone = _least(value, loss)
        if not len(gone):
            continue
        for tap, at in places.items():
            stays = ~np.isin(labels.of(network.tap(tap).tensor), mine[gone])
            places[tap] = np.cumsum(stays)[at] - 1
        network = _without(network, layer.name, readers, mean, gone)
    return network, places


def _statistics(
    network: Network, readers: list[Reader], batch: Features, channels: int
) -> tuple[list[Floats], Floats]:
    """For each reader the means of the channels it reads ``(k,)``; and each channel's worth."""
    seen = network.tapped({f"@{reader.layer.input}": reader.layer.input for reader in readers})
    maps = seen.run(batch, *(f"@{reader.layer.input}" for reader in readers))
    means, value = [], np.zeros(channels)
    for reader in readers:
        x = maps[f"@{reader.layer.input}"][:, reader.positions]
        weights = network.weights(reader.layer.name)[0][:, reader.positions]
        means.append(x.mean((0, 2, 3), dtype=float))
        worth = x.var((0, 2, 3), dtype=float) * (weights.astype(float) ** 2).sum((0, 2, 3))
        np.add.at(value, reader.channels, worth)
    return means, value


def _least(value: Floats, loss: float) -> npt.NDArray[np.intp]:
    """The channels of least worth that together have no more than ``loss`` of what all have; not all."""
    finite = np.where(np.isfinite(value), value, 0)
    order = np.argsort(value, kind="stable")
    lost = np.cumsum(finite[order]) <= loss * finite.sum()
    gone = order[lost & np.isfinite(value[order])]
    return np.asarray(gone[: len(value) - 1])


def _without(
    network: Network, layer: str, readers: list[Reader], means: list[Floats], gone: npt.NDArray[np.intp]
) -> Network:
    """The network without channels of a layer, their means in the biases of those that read them."""
    for reader, mean in zip(readers, means, strict=True):
        weights, bias = network.weights(reader.layer.name)
        away = np.isin(reader.channels, gone)
        constant = weights[:, reader.positions[away]].sum((2, 3)) @ mean[away]
        network = network.replace(reader.layer.name, weights, np.asarray(bias + constant, np.float32))
    kept = np.setdiff1d(np.arange(network.layer(layer).out_channels), gone)
    return network.select_channels(layer, kept.tolist())
