"""Networks from files of other programs; nothing in a file is ever executed."""

from pathlib import Path

from slimtrack.errors import InputError
from slimtrack.networks.importers.matconvnet import import_matconvnet
from slimtrack.networks.importers.npz import NETWORKS, import_npz, read_npz
from slimtrack.networks.importers.onnx_file import import_onnx
from slimtrack.networks.importers.torchvision import ARCHITECTURES, import_torchvision
from slimtrack.networks.network import Network
from slimtrack.networks.sources import read_bytes

__all__ = ["import_file"]


def import_file(path: str | Path, name: str | None = None, sha256: str | None = None) -> Network:
    """A network from a file, told by the end of its name.

    Args:
        path: ``.onnx``; ``.mat`` of MatConvNet; or weights alone: ``.npz``, ``.safetensors``, ``.pth``.
        name: For weights alone, which network they are of. A file of a network that torchvision publishes is
            checked against the hash in its published name, where it still has that name.
        sha256: Its hash or the first digits, where known.

    Raises:
        InputError: A name is needed; or the file is damaged, of another kind, or has another hash.
        UnknownNameError: No network of that name.
        MissingError: A package that it needs is not installed.
    """
    path = Path(path)
    if path.suffix == ".onnx":
        return import_onnx(path, sha256=sha256)
    if path.suffix == ".mat":
        return import_matconvnet(path, sha256=sha256)
    if name is None:
        known = ", ".join(sorted({*ARCHITECTURES, *NETWORKS}))
        raise InputError(f"{path} holds weights alone: say of which network, one of {known}")
    if path.suffix == ".npz" and name in NETWORKS and _is_ours(path):
        return import_npz(path, name, sha256)
    if name in ARCHITECTURES and path.name == ARCHITECTURES[name].file:
        sha256 = sha256 or ARCHITECTURES[name].sha256
    return import_torchvision(path, name, sha256)


def _is_ours(path: Path) -> bool:
    """Whether arrays are named ``<layer>_w`` and not as in a state dict."""
    return any(name.endswith("_w") for name in read_npz(read_bytes(path), str(path)))
