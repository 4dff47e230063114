"""Every network that is known by name (`slimtrack.networks.entries`), and how they are looked up."""

from collections.abc import Mapping

from slimtrack.errors import UnknownNameError
from slimtrack.networks.entries import ENTRIES
from slimtrack.networks.entry import Entry

__all__ = ["CATALOGUE", "entry", "files_of", "owner"]

CATALOGUE: Mapping[str, Entry] = {each.card.name: each for each in ENTRIES}
"""Networks by name."""


def entry(name: str) -> Entry:
    """What is known about a network.

    Raises:
        UnknownNameError: There is no network of that name in the catalogue.
    """
    if name not in CATALOGUE:
        raise UnknownNameError.of("network", name, CATALOGUE)
    return CATALOGUE[name]


def files_of(name: str) -> tuple[str, ...]:
    """The places of a network's files in a folder of networks.

    Raises:
        UnknownNameError: There is no network of that name in the catalogue.
    """
    return entry(name).places


def owner(path: str) -> Entry | None:
    """The network to which the file at this path inside a folder of networks belongs."""
    for name, each in CATALOGUE.items():
        if path in (f"{name}.onnx", *each.places, *(file.path for file in each.others)):
            return each
    return None
