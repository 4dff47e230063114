"""The base class of readers, one for each layout of annotated sequences."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from slimtrack.datasets.sequence import Sequence

__all__ = ["Reader", "folders_with"]


class Reader(ABC):
    """Reads one layout; a file of its own each (docs/adding-a-dataset.md).

    Attributes:
        layout: The arrangement of its files, for help and errors: ``"NAME/img/*.jpg and NAME/boxes.txt"``.
    """

    layout: ClassVar[str]

    def recognises(self, folder: Path) -> bool:
        """Whether a folder has this layout; by default, whether `find` finds anything."""
        return bool(self.find(folder))

    @abstractmethod
    def find(self, folder: Path) -> Mapping[str, Path]:
        """The sequences in a folder: name -> file of its boxes. No file is opened."""

    @abstractmethod
    def read(self, name: str, file: Path) -> Sequence:
        """Reads a sequence that `find` found: the annotated images and their boxes.

        Raises:
            SourceError: It cannot be read; names the file and the line.
        """


def folders_with(folder: Path, marker: str) -> list[Path]:
    """The folder itself if it holds a file that matches ``marker``, else its subfolders that do, by name."""
    if any(folder.glob(marker)):
        return [folder.resolve()]  # "." has a name, too
    inside = (entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    return sorted((entry for entry in inside if any(entry.glob(marker))), key=lambda entry: entry.name)
