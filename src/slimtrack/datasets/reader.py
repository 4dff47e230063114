"""The protocol of a reader: what one layout of annotated sequences needs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from slimtrack.datasets.sequence import Sequence

__all__ = ["Reader", "folders_with"]


class Reader(ABC):
    """Reads one layout; a file of its own each (docs/adding-a-dataset.md).

    Attributes:
        layout: How its files lie, such as ``"NAME/img/*.jpg and NAME/boxes.txt"``: for help and errors.
    """

    layout: ClassVar[str]

    def recognises(self, folder: Path) -> bool:
        """Whether a folder has this layout; whether `find` finds anything, unless that is not enough."""
        return bool(self.find(folder))

    @abstractmethod
    def find(self, folder: Path) -> Mapping[str, Path]:
        """The sequences in a folder: name -> the file of its boxes. Opens none of them."""

    @abstractmethod
    def read(self, name: str, file: Path) -> Sequence:
        """One of the sequences found: the images its boxes are about, and the boxes.

        Raises:
            SourceError: It cannot be read; names the file and the line.
        """


def folders_with(folder: Path, marker: str) -> list[Path]:
    """The folder itself where it holds a file that matches ``marker``, else those in it that do, by name."""
    if any(folder.glob(marker)):
        return [folder.resolve()]  # "." has a name, too
    inside = (entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    return sorted((entry for entry in inside if any(entry.glob(marker))), key=lambda entry: entry.name)
