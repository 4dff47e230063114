"""A data set: the sequences of a folder, of any known layout."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from slimtrack.datasets.layouts import reader_for, reader_named
from slimtrack.datasets.sequence import Sequence
from slimtrack.errors import SourceError, UnknownNameError

__all__ = ["Dataset"]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Sequences that are evaluated together.

    Attributes:
        name: The folder's name.
        sequences: The sequences in order of name.
    """

    name: str
    sequences: tuple[Sequence, ...]

    @classmethod
    def read(
        cls, folder: str | Path, names: Collection[str] | None = None, layout: str | None = None
    ) -> "Dataset":
        """Reads a folder of sequences, or the folder of one.

        Args:
            folder: The folder.
            names: Only these sequences; all of them when ``None``.
            layout: The reader's name, or ``FILE.py:NAME``; the first that recognises the folder if left out.

        Raises:
            SourceError: There is no sequence, or one cannot be read; the message names the file and the line.
            UnknownNameError: One of ``names``, or the layout, is not there.
        """
        path = Path(folder)
        if not path.is_dir():
            raise SourceError(
                f"dataset {path} is not a folder" if path.exists() else f"dataset {path} does not exist"
            )
        reader = None if layout is None else reader_named(layout)
        try:
            reader = reader or reader_for(path)
            files = reader.find(path)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise SourceError(f"dataset {path} cannot be read: {reason}") from error
        if not files:
            raise SourceError(f"{path} holds no sequence of the layout {layout}: {reader.layout}")
        for name in names or ():
            if name not in files:
                raise UnknownNameError.of(f"sequence in {path} named", name, files)
        wanted = [name for name in files if names is None or name in names]
        return cls(path.resolve().name, tuple(reader.read(name, files[name]) for name in wanted))

    def __iter__(self) -> Iterator[Sequence]:
        return iter(self.sequences)

    def __len__(self) -> int:
        return len(self.sequences)
