"""Result files that begin and end together."""

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
    """The files of one run, for ``with``.

    Earlier files of their names are replaced when all of the new ones are whole. Where the run fails, both
    stay; where it fails before its first frame, the new ones go. A run that goes on from an earlier one takes
    its rows over first.

    Attributes:
        rows: New frames written, the last one perhaps not into all of them.
    """

    def __init__(
        self,
        forms: Mapping[str | os.PathLike[str], str | None],
        *,
        footage: Footage | None = None,
        about: Mapping[str, object] | None = None,
        past: Past | None = None,
    ) -> None:
        """Names the files; they are begun by ``with``.

        Args:
            forms: File -> its format, ``None`` where the suffix says it.
            footage: What a video takes over from the source.
            about: What to say at the head of a JSON file.
            past: Rows to take over from the earlier files.
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
        """The files as they are called now."""
        return [writer.path for writer in self._writers]

    @property
    def notes(self) -> list[str]:
        """What the user should know of them when they are closed."""
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
        """Writes the next frame taken over into those files that lack it: a video may have ended early.

        Raises:
            OutputError: One of them cannot be written.
        """
        for writer, kept in zip(self._writers, self._kept, strict=True):
            if self._again >= kept:
                writer.add(rows, image)
        self._again += len(rows)

    def add(self, rows: Sequence[Row], image: Image) -> None:
        """Writes the rows of one frame into all of them.

        Raises:
            OutputError: One of them cannot be written; what was written before stays.
        """
        if not self.rows and self._goes_on:
            self._settle_tables()
        self.rows += 1  # first: a frame that some of them have is no reason to throw it away
        for writer in self._writers:
            writer.add(rows, image)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        later = () if error is None else (OutputError,)  # the error that came first is the one to tell
        with undivided():
            with suppress(*later):
                self._close()
            for writer in tuple(self._writers):
                with suppress(*later):
                    self._end(writer, failed=error is not None)

    def _close(self) -> None:
        with ExitStack() as stack:  # each is closed, whatever becomes of the others
            for writer in self._writers:
                stack.callback(writer.close)

    def _end(self, writer: Writer, *, failed: bool) -> None:
        """Gives a file its name, removes it, or leaves it beside an earlier one that has other frames."""
        if not self.rows and (failed or not self._goes_on):
            writer.discard()
            self._writers.remove(writer)
        elif not failed or self._goes_on:
            writer.settle()

    @property
    def _goes_on(self) -> bool:
        """Whether the new files hold all that the earlier ones hold."""
        return bool(self._past) and not self._void and self._again == len(self._past)

    def _settle_tables(self) -> None:
        """Gives files their names while they grow, where the system allows it: a crash then costs nothing."""
        for writer in self._writers:
            if writer.grows_in_place:
                with suppress(OutputError):
                    writer.settle()
