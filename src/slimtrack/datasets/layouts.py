"""The known layouts, and which of them a folder has."""

from collections.abc import Iterator
from pathlib import Path

from slimtrack.datasets.got10k import Got10k
from slimtrack.datasets.lasot import Lasot
from slimtrack.datasets.otb import Otb
from slimtrack.datasets.reader import Reader
from slimtrack.datasets.trackingnet import TrackingNet
from slimtrack.datasets.uav123 import Uav123
from slimtrack.datasets.vot import Vot
from slimtrack.errors import InputError, MissingError, SourceError, UnknownNameError
from slimtrack.plugins import class_in_file, entry_points, is_in_file, load

__all__ = ["READERS", "reader_for", "reader_named"]

READERS: dict[str, type[Reader]] = {
    "otb": Otb, "got10k": Got10k, "lasot": Lasot, "vot": Vot, "trackingnet": TrackingNet, "uav123": Uav123,
}  # fmt: skip
"""Readers by name, in the order in which they are asked whether they recognise a folder."""


def reader_for(folder: Path) -> Reader:
    """The first reader that recognises a folder.

    Raises:
        SourceError: None does.
    """
    for reader in _all():
        if reader.recognises(folder):
            return reader
    known = "; ".join(f"{reader.layout} ({name})" for name, reader in READERS.items())
    raise SourceError(f"{folder} holds no sequence of a layout known here, which are: {known}")


def reader_named(name: str) -> Reader:
    """The reader of a name, of an installed package, or ``FILE.py:NAME`` of a file.

    Raises:
        UnknownNameError: There is none of that name.
        InputError: The file cannot be run, or contains no such reader.
    """
    if is_in_file(name):
        found: object = class_in_file(name, "layout", Reader)
    else:
        found = READERS.get(name) or _installed(name)
    if not (isinstance(found, type) and issubclass(found, Reader)):
        raise InputError(f"layout {name}: {found!r} is not a class derived from slimtrack.datasets.Reader")
    return found()


def _all() -> Iterator[Reader]:
    for known in READERS.values():
        yield known()
    for entry in entry_points("dataset"):
        try:
            yield load(entry, "dataset")()
        except MissingError:
            continue  # a broken package must not hide the others


def _installed(name: str) -> object:
    entries = {entry.name: entry for entry in entry_points("dataset")}
    if name not in entries:
        raise UnknownNameError.of("layout of a dataset named", name, [*READERS, *entries])
    return load(entries[name], "dataset")
