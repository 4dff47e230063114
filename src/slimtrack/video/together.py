"""Writes several result files that begin and end on the same frame."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from slimtrack.arrays import Image
from slimtrack.errors import OutputError
from slimtrack.files import undivided
from slimtrack.video.feed import Footage
from slimtrack.video.past import Past
from slimtrack.video.results import Row, Writer, open_writer

__all__ = ["Together"]


class Together:
    """The result files of one run, for use in ``with``.

    Existing files of the same names are replaced once all new ones are complete. If the run fails, both stay;
    if it fails before its first frame, the new files are removed. A run that continues an earlier one copies
    its rows first.

    Attributes:
        rows: Number of new frames written; the last one may be missing in some files.
    """

    def __init__(
        self,
        forms: Mapping[str | os.PathLike[str], str | None],
        *,
        footage: Footage | None = None,
        about: Mapping[str, object] | None = None,
        past: Past | None = None,
    ) -> None:
        """Chooses the files; ``with`` creates them.

        Args:
            forms: File -> its format; ``None``: the suffix decides.
            footage: What a video takes over from the source.
            about: Entries for the head of a JSON file.
            past: Rows to copy from the earlier files.
        """
        self.rows = 0
        self._forms, self._footage, self._about = forms, footage, about
        self._past = [] if past is None else past.rows
        self._void = past is not None and past.dropped > 0
        self._again = 0
        self._writers: list[Writer] = []
        self._kept: list[int] = []

    @property
    def paths(self) -> list[Path]:
        """The files under their current names."""
        return [writer.path for writer in self._writers]

    @property
    def notes(self) -> list[str]:
        """Notes for the user, complete when the files are closed."""
        return [note for writer in self._writers for note in writer.notes]

    def __enter__(self) -> Self:
        try:
            for path, form in self._forms.items():
                writer = open_writer(path, form, footage=self._footage, about=self._about)
                self._writers.append(writer)
                self._kept.append(writer.keep(self._past) if self._past else 0)
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def again(self, rows: Sequence[Row], image: Image) -> None:
        """Writes the next row of the earlier run into files that lack it: a video may have ended early.

        Raises:
            OutputError: A file cannot be written.
        """
        for writer, kept in zip(self._writers, self._kept, strict=True):
            if self._again >= kept:
                writer.add(rows, image)
        self._again += len(rows)

    def add(self, rows: Sequence[Row], image: Image) -> None:
        """Writes the rows of one frame into all files.

        Raises:
            OutputError: A file cannot be written; what was written before stays.
        """
        if not self.rows and self._goes_on:
            self._settle_tables()
        self.rows += 1  # counted first, so that a frame in some of the files keeps them
        for writer in self._writers:
            writer.add(rows, image)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        later = () if error is None else (OutputError,)  # report the first error
        with undivided():
            with suppress(*later):
                self._close()
            for writer in tuple(self._writers):
                with suppress(*later):
                    self._end(writer, failed=error is not None)

    def _close(self) -> None:
        with ExitStack() as stack:  # each is closed, even if another one fails
            for writer in self._writers:
                stack.callback(writer.close)

    def _end(self, writer: Writer, *, failed: bool) -> None:
        """Renames a file to its final name, removes it, or leaves it beside one with other frames."""
        if not self.rows and (failed or not self._goes_on):
            writer.discard()
            self._writers.remove(writer)
        elif not failed or self._goes_on:
            writer.settle()

    @property
    def _goes_on(self) -> bool:
        """Whether the new files contain everything in the earlier ones."""
        return bool(self._past) and not self._void and self._again == len(self._past)

    def _settle_tables(self) -> None:
        """Gives files their final names while they grow, if possible, so that a crash loses nothing."""
        for writer in self._writers:
            if writer.grows_in_place:
                with suppress(OutputError):
                    writer.settle()
