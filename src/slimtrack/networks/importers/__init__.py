"""Networks from files of other programs; nothing in a file is ever executed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from slimtrack.errors import InputError
from slimtrack.networks.importers.matconvnet import import_matconvnet
from slimtrack.networks.importers.npz import NETWORKS, import_npz, read_npz
from slimtrack.networks.importers.onnx_file import import_onnx
from slimtrack.networks.importers.torchvision import ARCHITECTURES, STATES, fold_all, import_torchvision
from slimtrack.networks.network import Network
from slimtrack.networks.sources import read_bytes
from slimtrack.networks.weights import WEIGHTS

__all__ = ["fold_all", "import_file"]

_PLANES = 3
"""Channels of the images that networks are given."""

_SIDES = (40, 80, 160, 320, 640)
"""Sides in pixels of the images with which a network is tried; the first that is large enough."""


def import_file(
    path: str | Path, name: str | None = None, sha256: str | None = None, taps: Sequence[str] = ()
) -> Network:
    """A network from a file whose suffix says its kind; the network has been run once.

    Args:
        path: ``.onnx``; ``.mat`` of MatConvNet; or weights alone: ``.npz``, ``.safetensors``, ``.pth``.
        name: For weights alone, which network they are of. A file of a network that torchvision publishes is
            checked against the hash in its published name, where it still has that name.
        sha256: Its hash or the first digits, where known.
        taps: Keep only these, and what they need; all when empty.

    Raises:
        InputError: A name is needed; or the file is damaged, of another kind, has another hash, or holds a
            network that cannot be run.
        UnknownNameError: No network of that name, or no such tap.
        MissingError: A package that it needs is not installed.
    """
    network = _read(Path(path), name, sha256)
    return _tried(network.truncate(*taps) if taps else network, Path(path))


def _read(path: Path, name: str | None, sha256: str | None) -> Network:
    if path.suffix == ".onnx":
        return import_onnx(path, sha256=sha256)
    if path.suffix == ".mat":
        return import_matconvnet(path, sha256=sha256)
    if path.suffix not in STATES:
        raise InputError(
            f"{path} is of an unknown kind: a network is .onnx, or .mat of MatConvNet; weights alone are "
            f"{', '.join(STATES)}"
        )
    if name is None:
        known = ", ".join(sorted({*ARCHITECTURES, *NETWORKS}))
        raise InputError(f"{path} holds weights alone: say which network they are of, one of {known}")
    if path.suffix == ".npz" and name in NETWORKS and _is_ours(path):
        return import_npz(path, name, sha256)
    if name in WEIGHTS and path.name == WEIGHTS[name].file:
        sha256 = sha256 or WEIGHTS[name].sha256
    return import_torchvision(path, name, sha256)


def _tried(network: Network, path: Path) -> Network:
    """Runs the network on two images of unusual sizes, and returns it."""
    channels = network.graph.channels
    if channels != _PLANES:
        raise InputError(
            f"{path}: its input {network.graph.input!r} is (N, {channels}, H, W), and an image here is "
            f"(N, {_PLANES}, H, W), BGR or RGB: export the network with {_PLANES} channels"
        )
    side = next((side for side in _SIDES if _fits(network, side)), _SIDES[-1])
    size = (side, side + side // 2)
    batch = np.random.default_rng(0).uniform(-1, 1, (2, network.graph.channels, *size)).astype(np.float32)
    try:
        results = network.run(batch)
        shapes = network.sizes(size)
        wrong = [n for n, tap in network.taps.items() if results[n].shape != (2, tap.channels, *shapes[n])]
    except InputError as error:
        raise InputError(
            f"{path} was read, but cannot be run ({error}); `--tap NAME` keeps only what a tap needs, "
            f"there are: {', '.join(network.taps)}"
        ) from error
    if wrong:
        raise InputError(f"{path}: its taps {', '.join(wrong)} give other shapes than their layers say")
    return network


def _fits(network: Network, side: int) -> bool:
    try:
        network.sizes(side)
    except InputError:
        return False
    return True


def _is_ours(path: Path) -> bool:
    """Whether arrays are named ``<layer>_w`` and not as in a state dict."""
    return any(name.endswith("_w") for name in read_npz(read_bytes(path), str(path)))
