"""Prunes inner channels that hardly vary, and refits the others to compensate."""

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
"""Number of cells of each map on which filters are refitted."""

_RIDGE = 1e-2
"""Of the mean energy of a place under the kernel: what one patch does not tell stays as it is."""


def prune_inner(
    network: Network, chosen: Mapping[str, Indices], batch: Features, loss: float
) -> tuple[Network, dict[str, Indices]]:
    """Prunes inner channels that vary little on this target (papers 000 and 001 joined).

    A channel's weight for a layer that reads it is ``variance x || its weights ||^2``. In each layer the
    channels with the least weight are pruned, as long as their sum is at most ``loss`` of the total. Their
    means are added to the readers' biases, so that constant channels cause no error. Their variation is
    fitted by the remaining channels, with least squares over the patches. Chosen channels are kept. Layers
    that are tied to others (residual sums, groups) stay whole.

    This is a cheap form of paper 000's selection and reconstruction: most of a rectified channel's energy is
    in its mean, which costs nothing to keep, and ranking by the remaining variance takes one run per layer.

    Args:
        network: The network, with the taps of the chosen channels.
        chosen: Tap -> its channels, ascending.
        batch: Prepared patches ``(N, 3, H, W)`` of the target.
        loss: Share of the variation that may be lost in each layer; 0: the network is not changed.

    Returns:
        The pruned network, and the indices of the chosen channels in it.

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
    """The input of each layer that reads the channels, ``(N, C, h, w)``."""
    seen = network.tapped({f"@{reader.layer.input}": reader.layer.input for reader in readers})
    maps = seen.run(batch, *(f"@{reader.layer.input}" for reader in readers))
    return [maps[f"@{reader.layer.input}"] for reader in readers]


def _worth(network: Network, readers: list[Reader], maps: list[Features], channels: int) -> Floats:
    """The weight of each channel for the layers that read it."""
    value = np.zeros(channels)
    for reader, x in zip(readers, maps, strict=True):
        weights = network.weights(reader.layer.name)[0][:, reader.positions].astype(float)
        variance = x[:, reader.positions].var((0, 2, 3), dtype=float)
        np.add.at(value, reader.channels, variance * (weights**2).sum((0, 2, 3)))
    return value


def _least(value: Floats, loss: float) -> npt.NDArray[np.intp]:
    """The channels of least weight whose sum is at most ``loss`` of the total; never all channels."""
    finite = np.where(np.isfinite(value), value, 0)
    order = np.argsort(value, kind="stable")
    running = np.cumsum(finite[order])
    lost = running <= loss * running[-1]
    gone = order[lost & np.isfinite(value[order])]
    return np.asarray(gone[: len(value) - 1])


def _without(
    network: Network, layer: str, readers: list[Reader], maps: list[Features], gone: npt.NDArray[np.intp]
) -> Network:
    """The network without some channels of a layer; the layers that read them are refitted."""
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
    """Refits a layer's filters to make up for the pruned channels; also gives the change of the biases.

    With x the inputs minus their means, the change D of the remaining filters minimises
    ``|| D x_stay - W x_lost ||^2 + ridge || D ||^2``, so filters that the patches do not determine do not
    change. Only cells whose kernel does not touch the padding are used, if there are any.

    Args:
        layer: The convolution.
        weights: Its filters ``(n, c, kh, kw)``.
        maps: Its input, ``(N, c, h, w)``.
        lost: ``(c,)``: which channels are pruned.
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
    """The cells of a convolution's output without padding in their input; all cells if each has some."""
    axes = []
    for axis, side in enumerate(size):
        before, after = layer.pads[axis], layer.pads[axis + 2]
        span = layer.dilation[axis] * (layer.kernel[axis] - 1) + 1
        starts = np.arange((side + before + after - span) // layer.stride[axis] + 1) * layer.stride[axis]
        axes.append((starts >= before) & (starts + span <= before + side))
    mask = np.logical_and.outer(*axes)
    return mask if mask.any() else np.ones_like(mask)


def _least_squares(x: Floats, y: Floats) -> Floats:
    """D ``(n, d)`` that minimises ``|| D x - y ||^2 + ridge || D ||^2``, for ``(d, N)`` and ``(n, N)``.

    With fewer cells than unknowns, the same solution is computed from the smaller system over cells.
    """
    count, cells = x.shape
    level = _RIDGE * float(np.square(x, dtype=float).sum()) / count + 1e-12
    wide = cells < count
    system = (x.T @ x if wide else x @ x.T).astype(float)
    system.flat[:: len(system) + 1] += level
    if wide:
        return np.asarray(np.linalg.solve(system, y.T.astype(float)).T @ x.T)
    return np.asarray(np.linalg.solve(system, (x @ y.T).astype(float)).T)
