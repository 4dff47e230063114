"""Result files that begin and end together."""

import os
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from slimtrack.arrays import Image
from slimtrack.errors import OutputError
from slimtrack.files import undivided
from slimtrack.video.feed import Footage
from slimtrack.video.results import Row, Writer, open_writer

__all__ = ["Together"]


class Together:
    """The files of one run, for ``with``.

    Earlier files of their names are replaced when all of the new ones are whole. Where the run fails, both
    stay; where it fails before its first frame, the new ones go.

    Attributes:
        rows: Frames written, the last one perhaps not into all of them.
    """

    def __init__(
        self,
        forms: Mapping[str | os.PathLike[str], str | None],
        *,
        footage: Footage | None = None,
        about: Mapping[str, object] | None = None,
    ) -> None:
        """Names the files; they are begun by ``with``.

        Args:
            forms: File -> its format, ``None`` where the suffix says it.
            footage: What a video takes over from the source.
            about: What to say at the head of a JSON file.
        """
        self.rows = 0
        self._forms, self._footage, self._about = forms, footage, about
        self._writers: list[Writer] = []

    @property
    def paths(self) -> list[Path]:
        """The files as they are called now."""
        return [writer.path for writer in self._writers]

    @property
    def notes(self) -> list[str]:
        """What the user should know of them when they are closed."""
        return [note for writer in self._writers for note in writer.notes]

    def __enter__(self) -> Self:
        try:
            for path, form in self._forms.items():
                self._writers.append(open_writer(path, form, footage=self._footage, about=self._about))
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def add(self, row: Row, image: Image) -> None:
        """Writes one frame into all of them.

        Raises:
            OutputError: One of them cannot be written; what was written before stays.
        """
        self.rows += 1  # first: a frame that some of them have is no reason to throw it away
        for writer in self._writers:
            writer.add(row, image)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            with undivided():
                self._close()
                for writer in self._writers:
                    writer.settle() if self.rows else writer.discard()
            return
        with undivided(), suppress(OutputError):  # the error that came first is the one to tell
            self._close()
            for writer in self._writers if not self.rows else ():
                writer.discard()

    def _close(self) -> None:
        with ExitStack() as stack:  # each is closed, whatever becomes of the others
            for writer in self._writers:
                stack.callback(writer.close)
