"""A network pruned to chosen channels, for use outside of the tracker that chose them (paper 001)."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from slimtrack.arrays import Image
from slimtrack.compression.channels import Indices, Level
from slimtrack.compression.inner import prune_inner
from slimtrack.compression.report import Choice
from slimtrack.compression.stack import ChosenStack
from slimtrack.features.network import NetworkFeatures
from slimtrack.features.taps import NetworkStack
from slimtrack.files import atomic_write
from slimtrack.networks.network import Network

__all__ = ["choices", "keep_channels", "write_channels"]


def keep_channels(
    network: Network, chosen: Mapping[str, Indices], patch: Image, loss: float = 0.0, *, cell: int = 4
) -> ChosenStack:
    """The chosen channels, from a network that computes no more than they need.

    Args:
        network: The network.
        chosen: Tap -> its channels, rising; may be none of a tap.
        patch: ``(H, W, 3)`` BGR: the target; matters only with a loss.
        loss: See `slimtrack.compression.inner.prune_inner`; 0: exactly.
        cell: Side of the grid's cells in pixels.

    Raises:
        InputError: Nothing is chosen, or ``loss`` is not between 0 and 1.
    """
    left = {tap: at for tap, at in chosen.items() if len(at)}
    cut = network.truncate(*left) if left else network
    margin = NetworkFeatures(network, list(chosen)).margin
    return ChosenStack(*prune_inner(cut, left, cut.prepare(patch), loss), cell=cell, margin=margin)


def write_channels(path: Path, network: Network, chosen: Mapping[str, Indices], after: ChosenStack) -> None:
    """Writes as JSON which channels they are, for a tap that layers read stays whole in the pruned network.

    ``{"network": NAME, "taps": {TAP: {"whole": [..], "pruned": [..]}}}``: indices into the tap of the whole
    network, and of the pruned one.

    Args:
        path: The file.
        network: The whole network.
        chosen: Tap -> its channels.
        after: What is left.

    Raises:
        OutputError: It cannot be written.
    """
    taps = {
        tap: {"whole": chosen[tap].tolist(), "pruned": places.tolist()}
        for tap, places in after.places.items()
    }
    with atomic_write(path) as file:
        file.write(json.dumps({"network": network.card.name, "taps": taps}) + "\n")


def choices(whole: NetworkStack, patches: Sequence[Image], chosen: Mapping[str, Indices]) -> list[Choice]:
    """For a picture: all channels of several frames at one level, as they are compared when chosen.

    Args:
        whole: All channels.
        patches: ``(H, W, 3)`` BGR, a frame each; the first sets the level.
        chosen: Tap -> its channels, in the order of ``whole``.
    """
    maps = [whole(patch) for patch in patches]
    level, ones = Level(maps[0], whole.slices), np.ones(maps[0].shape[1:], np.float32)
    even = [level(each, ones) for each in maps]
    unit = max(float(even[0].std(axis=(1, 2)).max()), 1e-6)
    return [
        Choice(tap, [each[part] / unit for each in even], at)
        for part, (tap, at) in zip(whole.slices, chosen.items(), strict=True)
    ]
