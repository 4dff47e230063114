"""Inner channels that hardly vary, made up for by the others: a distilled network made smaller still."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from slimtrack.arrays import Features, Floats
from slimtrack.compression.channels import Indices
from slimtrack.compression.contributions import samples
from slimtrack.compression.information import Mask
from slimtrack.errors import InputError
from slimtrack.networks.channels import Channels
from slimtrack.networks.layers import Layer, Reader
from slimtrack.networks.network import Network

__all__ = ["prune_inner"]

_CELLS = 2048
"""Cells of each map that filters are refitted on."""

_RIDGE = 1e-2
"""Of the mean energy of a place under the kernel: what one patch does not tell stays as it is."""


def prune_inner(
    network: Network, chosen: Mapping[str, Indices], batch: Features, loss: float
) -> tuple[Network, dict[str, Indices]]:
    """Takes out inner channels that say little about this target (papers 000 and 001 joined).

    A channel matters to a layer that reads it by ``variance x || its weights ||^2``. Of each layer the least
    of them go, as long as together they are no more than ``loss`` of the sum. What they were on average goes
    into the readers' biases, so that nothing is lost where they are constant; what else they gave is fitted
    by the channels that stay, with least squares over the patches. Chosen channels stay. Layers that are tied
    to others (residual sums, groups) stay whole.

    This is the cheap cousin of paper 000's selection and reconstruction: with most of a rectified channel's
    energy in its mean, which needs no computing, ranking by what is left takes one run a layer.

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
        maps = _inputs(network, readers, batch)
        value = _worth(network, readers, maps, layer.out_channels)
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
        network = _without(network, layer.name, readers, maps, gone)
    return network, places


def _inputs(network: Network, readers: list[Reader], batch: Features) -> list[Features]:
    """What each reader reads, ``(N, C, h, w)``."""
    seen = network.tapped({f"@{reader.layer.input}": reader.layer.input for reader in readers})
    maps = seen.run(batch, *(f"@{reader.layer.input}" for reader in readers))
    return [maps[f"@{reader.layer.input}"] for reader in readers]


def _worth(network: Network, readers: list[Reader], maps: list[Features], channels: int) -> Floats:
    """Each channel's worth to its readers."""
    value = np.zeros(channels)
    for reader, x in zip(readers, maps, strict=True):
        weights = network.weights(reader.layer.name)[0][:, reader.positions].astype(float)
        variance = x[:, reader.positions].var((0, 2, 3), dtype=float)
        np.add.at(value, reader.channels, variance * (weights**2).sum((0, 2, 3)))
    return value


def _least(value: Floats, loss: float) -> npt.NDArray[np.intp]:
    """The channels of least worth that together have no more than ``loss`` of what all have; not all."""
    finite = np.where(np.isfinite(value), value, 0)
    order = np.argsort(value, kind="stable")
    running = np.cumsum(finite[order])
    lost = running <= loss * running[-1]
    gone = order[lost & np.isfinite(value[order])]
    return np.asarray(gone[: len(value) - 1])


def _without(
    network: Network, layer: str, readers: list[Reader], maps: list[Features], gone: npt.NDArray[np.intp]
) -> Network:
    """The network without channels of a layer; those that read them make up for it."""
    for reader, x in zip(readers, maps, strict=True):
        weights, bias = network.weights(reader.layer.name)
        lost = np.zeros(weights.shape[1], bool)
        lost[reader.positions[np.isin(reader.channels, gone)]] = True
        new, constant = _refitted(reader.layer, weights, x, lost)
        network = network.replace(reader.layer.name, new, np.asarray(bias + constant, np.float32))
    kept = np.setdiff1d(np.arange(network.layer(layer).out_channels), gone)
    return network.select_channels(layer, kept.tolist())


def _refitted(
    layer: Layer, weights: Features, maps: Features, lost: npt.NDArray[np.bool_]
) -> tuple[Features, Floats]:
    """Filters whose other channels give what the lost ones gave, as far as they can; and what biases gain.

    With x the inputs less their means, the change D of the filters that stay makes
    ``|| D x_stay - W x_lost ||^2 + ridge || D ||^2`` least: the answer goes to no change where the patches do
    not tell. Looked at where the kernel does not touch the padding, if there is such a place.

    Args:
        layer: The convolution.
        weights: Its filters ``(n, c, kh, kw)``.
        maps: What it reads, ``(N, c, h, w)``.
        lost: ``(c,)``: which channels go.
    """
    mask = _inner_cells(layer, maps.shape[2:])
    inside = np.concatenate([samples(x, layer, mask, _CELLS).values for x in maps], axis=2)
    inside = inside.swapaxes(0, 1)  # (c, k, cells)
    means = inside.mean(2, dtype=float)
    centred = inside - means[..., None].astype(np.float32)
    filters = weights.reshape(*weights.shape[:2], -1)
    stay = centred[~lost].reshape(-1, inside.shape[2])
    missing = filters[:, lost].reshape(len(weights), -1) @ centred[lost].reshape(-1, inside.shape[2])
    change = _least_squares(stay, missing)
    constant = (
        filters[:, lost].reshape(len(weights), -1) @ means[lost].ravel() - change @ means[~lost].ravel()
    )
    new = np.array(weights)
    new[:, ~lost] += change.reshape(new[:, ~lost].shape).astype(np.float32)
    return new, constant


def _inner_cells(layer: Layer, size: tuple[int, ...]) -> Mask:
    """The cells of a convolution's output that see no padding; all where each sees some."""
    axes = []
    for axis, side in enumerate(size):
        before, after = layer.pads[axis], layer.pads[axis + 2]
        span = layer.dilation[axis] * (layer.kernel[axis] - 1) + 1
        starts = np.arange((side + before + after - span) // layer.stride[axis] + 1) * layer.stride[axis]
        axes.append((starts >= before) & (starts + span <= before + side))
    mask = np.logical_and.outer(*axes)
    return mask if mask.any() else np.ones_like(mask)


def _least_squares(x: Floats, y: Floats) -> Floats:
    """D ``(n, d)`` with ``|| D x - y ||^2 + ridge || D ||^2`` least, of ``(d, N)`` and ``(n, N)``.

    With fewer cells than unknowns the same solution comes from the smaller system of cells.
    """
    count, cells = x.shape
    level = _RIDGE * float(np.square(x, dtype=float).sum()) / count + 1e-12
    wide = cells < count
    system = (x.T @ x if wide else x @ x.T).astype(float)
    system.flat[:: len(system) + 1] += level
    if wide:
        return np.asarray(np.linalg.solve(system, y.T.astype(float)).T @ x.T)
    return np.asarray(np.linalg.solve(system, (x @ y.T).astype(float)).T)
