"""What is known about a network by name: its card, and its files with address, size and hash."""

from dataclasses import dataclass
from pathlib import Path

from slimtrack.networks.card import Card

__all__ = ["OVERLAP_FILES", "TORCHVISION", "Entry", "File", "Published"]

TORCHVISION = "https://download.pytorch.org/models"
"""Where torchvision publishes its weights."""

OVERLAP_FILES = ("backbone.onnx", "search.onnx", "reference.onnx", "head.npz")
"""The files of a network of the ATOM family, in a folder of its name."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that holds a network or a part of one.

    Attributes:
        path: Its place inside a folder of networks.
        size: Bytes.
        sha256: Its hash.
        url: Where it is published; empty if it was converted from a published file.
    """

    path: str
    size: int
    sha256: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A network that is known by name.

    Attributes:
        card: Its origin, licence and preprocessing.
        files: The files that it needs, all of them; ``NAME.onnx`` if none is listed.
        others: Files each of which can replace them.
        taps: The taps that give features; empty for a tracker's network, which is run as a whole.
        make: How to make it, where its files have no address.
        shipped: Whether it comes with slimtrack.
        parts: Places of files that users make themselves, so that neither size nor hash is known.
    """

    card: Card
    files: tuple[File, ...]
    others: tuple[File, ...] = ()
    taps: str = ""
    make: str = ""
    shipped: bool = False
    parts: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[str, ...]:
        """Where its files are inside a folder of networks."""
        return (*(file.path for file in self.files), *self.parts)

    @property
    def downloads(self) -> tuple[File, ...]:
        """The published files that give it: all of `files`, else the first of `others` with an address."""
        if self.files and all(file.url for file in self.files):
            return self.files
        return next(((file,) for file in self.others if file.url), ())

    @property
    def published(self) -> bool:
        """Whether it can be downloaded."""
        return bool(self.downloads)

    @property
    def remedy(self) -> str:
        """What to do if it is missing."""
        if self.shipped:
            return "it comes with slimtrack, so install that again"
        command = f"`slimtrack network fetch {self.card.name}`"
        return f"run {command}" if self.published else f"{command} says how to make it"


@dataclass(frozen=True, slots=True)
class Published:
    """Weights alone, as torchvision publishes them: `import_file` makes a network of them.

    Attributes:
        card: Its origin, licence and preprocessing.
        file: The file's name, which ends in the first digits of its sha256; empty where it has no fixed one.
        size: Rough size, such as ``"45 MB"``.
    """

    card: Card
    file: str
    size: str = ""

    @property
    def url(self) -> str:
        """Where the file is published."""
        return f"{TORCHVISION}/{self.file}"

    @property
    def sha256(self) -> str:
        """First digits of the file's sha256."""
        return Path(self.file).stem.rpartition("-")[2]
