"""Networks pruned to chosen channels, for use outside the tracker that chose them (paper 001)."""

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
    """A feature with the chosen channels, from a network that only computes what they need.

    Args:
        network: The network.
        chosen: Tap -> its channels, ascending; may be empty for a tap.
        patch: ``(H, W, 3)`` BGR, showing the target; only used with a loss.
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
    """Writes the chosen channels as JSON, because taps that other layers read stay whole in the network.

    ``{"network": NAME, "taps": {TAP: {"whole": [..], "pruned": [..]}}}``: indices into the tap of the whole
    network, and of the pruned one.

    Args:
        path: The file.
        network: The whole network.
        chosen: Tap -> its channels.
        after: The pruned network.

    Raises:
        OutputError: The file cannot be written.
    """
    taps = {
        tap: {"whole": chosen[tap].tolist(), "pruned": places.tolist()}
        for tap, places in after.places.items()
    }
    with atomic_write(path) as file:
        file.write(json.dumps({"network": network.card.name, "taps": taps}) + "\n")


def choices(whole: NetworkStack, patches: Sequence[Image], chosen: Mapping[str, Indices]) -> list[Choice]:
    """All channels of several frames after scaling, as they are compared when chosen; for a picture.

    Args:
        whole: All channels.
        patches: ``(H, W, 3)`` BGR, one per frame; the first sets the scaling.
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
