"""Networks by name, from files in the folders that `slimtrack.networks.find` looks in; nothing is fetched."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from slimtrack.errors import InputError, UnknownNameError
from slimtrack.networks.catalogue import CATALOGUE
from slimtrack.networks.entry import Entry, File
from slimtrack.networks.find import SHIPPED, is_there, network_folders, not_found
from slimtrack.networks.importers.matconvnet import import_matconvnet
from slimtrack.networks.importers.npz import import_npz
from slimtrack.networks.importers.torchvision import fold_all, import_torchvision
from slimtrack.networks.network import Network

__all__ = ["KNOWN", "find", "locate"]

KNOWN = tuple(name for name, entry in CATALOGUE.items() if entry.taps)
"""Names of the networks that features are had from."""


def find(name: str) -> Network:
    """A network by its name, or from a file.

    Reading takes up to a second, so a process keeps what it has read; networks cannot be changed and may be
    shared.

    Args:
        name: One of `KNOWN`; or NAME of a file ``NAME.onnx`` in a folder of networks; or the path of an
            ``.onnx`` file. The first folder that holds a file of that name counts.

    Raises:
        UnknownNameError: There is no network of that name.
        MissingError: Its file was not found; the sentence says where it was looked for and how to get it.
        InputError: The file is damaged or another version.
    """
    file, path = locate(name)
    if file is not None:
        return _known(name, file, path)
    return _from_file(path.resolve(), path.stat().st_mtime_ns if path.is_file() else 0)


def locate(name: str) -> tuple[File | None, Path]:
    """The file that `find` reads, and which known one it is; ``None`` for an ``.onnx`` file of a user's.

    Raises:
        UnknownNameError: There is no network of that name.
        InputError: It is one that a tracker runs as it is.
        MissingError: It was not found.
    """
    if Path(name).suffix == ".onnx":
        return None, Path(name)
    files = {each.path: each for each in _files(CATALOGUE[name])} if name in KNOWN else {}
    for folder in (*network_folders(), SHIPPED):
        for relative in (*files, f"{name}.onnx"):
            if is_there(folder / relative):
                return files.get(relative), folder / relative
    if name not in KNOWN and name in CATALOGUE:
        raise InputError(f"network {name} is a tracker's own and has no taps: there are {', '.join(KNOWN)}")
    if name not in KNOWN:
        raise UnknownNameError.of("network", name, KNOWN)
    raise not_found(next(iter(files), f"{name}.onnx"))


def _files(entry: Entry) -> list[File]:
    """The forms that a network comes in, those that are read quickest first."""
    return sorted((*entry.files, *entry.others), key=lambda file: not file.path.endswith(".npz"))


@lru_cache(maxsize=16)
def _known(name: str, file: File, place: Path) -> Network:
    if place.suffix == ".onnx":
        network = Network.load(place, file.sha256)
        return network.with_card(replace(network.card, sha256=file.sha256))
    if place.suffix == ".mat":
        return import_matconvnet(place, CATALOGUE[name].card, file.sha256)
    if place.suffix == ".pth":
        network = fold_all(import_torchvision(place, name, file.sha256))
        return network.with_card(replace(CATALOGUE[name].card, sha256=file.sha256))
    return import_npz(place, name, file.sha256)


@lru_cache(maxsize=16)
def _from_file(path: Path, changed: int) -> Network:
    return Network.load(path)
