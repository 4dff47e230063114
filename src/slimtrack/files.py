"""Writes files so that a reader never sees half of one."""

import contextlib
import errno
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Any, Literal, overload

from slimtrack.errors import OutputError

__all__ = ["Appended", "Place", "atomic_write", "keep_existing", "make_folder", "undivided", "writing"]

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}  # Windows has no number for quotas


@overload
def atomic_write(
    path: str | os.PathLike[str], mode: Literal["w"] = "w"
) -> contextlib.AbstractContextManager[IO[str]]: ...
@overload
def atomic_write(
    path: str | os.PathLike[str], mode: Literal["wb"]
) -> contextlib.AbstractContextManager[IO[bytes]]: ...
def atomic_write(path: str | os.PathLike[str], mode: str = "w") -> contextlib.AbstractContextManager[IO[Any]]:
    r"""Writes a file under a temporary name and renames it when it is complete.

    If the block raises or the process dies, the earlier file stays as it was. Missing folders are created.
    Text is UTF-8 with ``\n`` line ends::

        with atomic_write("out/report.json") as file:
            file.write(text)

    Args:
        path: The file to replace.
        mode: ``"w"`` for text, ``"wb"`` for bytes.

    Raises:
        OutputError: The folder cannot be created, the disk is full, or permission is missing.
    """
    return _atomic(Path(path), mode)


@contextmanager
def _atomic(path: Path, mode: str) -> Iterator[IO[Any]]:
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder, give the name of a file")
    make_folder(path.parent)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    # A file name need not be UTF-8: what is not is escaped, in JSON too, where such an escape is a character.
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n", "errors": "backslashreplace"}
    try:
        with writing(path):
            with beside.open(mode, **text) as file:  # type: ignore[call-overload]  # the mode is a variable
                yield file
                file.flush()
                os.fsync(file.fileno())  # otherwise a power cut can leave an empty file under the new name
            beside.replace(path)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def keep_existing(paths: Iterable[Path], overwrite: bool) -> None:
    """Refuses to write files that exist already, unless the user said that they may be replaced.

    Raises:
        OutputError: One of them exists and `overwrite` is false.
    """
    existing = [str(path) for path in paths if path.exists()]
    if existing and not overwrite:
        raise OutputError(f"{', '.join(existing)} exists: give another name, or replace it with --overwrite")


def make_folder(folder: str | os.PathLike[str]) -> Path:
    """Creates a folder and its parents if they are missing.

    Raises:
        OutputError: The folder cannot be created.
    """
    folder = Path(folder)
    with writing(folder):
        for part in (folder, *folder.parents):
            if part.exists() and not part.is_dir():
                what = "it" if part == folder else part
                raise OutputError(f"cannot make folder {folder}: {what} is a file; give another folder")
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turns an `OSError` inside the block into one sentence about ``path``.

    Raises:
        OutputError: An `OSError` was raised inside.
    """
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        remedy = "free some space or choose another place" if error.errno in _FULL else "choose another place"
        raise OutputError(f"cannot write {path}: {reason}; {remedy}") from error


class Appended:
    """A file that grows by whole pieces: even if the disk is full it ends after a complete one."""

    def __init__(self, path: Path, head: str, tail: str = "") -> None:
        self._path = path
        self._end = 0
        with writing(path):
            self._file = path.open("wb", buffering=0)  # unbuffered: nothing waits in memory for a crash
        try:
            self.put(head, tail)
        except OutputError:
            self._file.close()
            raise

    def put(self, piece: str, tail: str = "") -> None:
        """Writes ``piece`` over the last tail, then a ``tail`` that the next piece will overwrite."""
        data = (piece + tail).encode()
        with writing(self._path):
            try:
                self._write(data)
            except OSError:
                with contextlib.suppress(OSError):
                    self._write(tail.encode())
                    self._file.truncate(self._end + len(tail.encode()))
                raise
        self._end += len(piece.encode())

    def _write(self, data: bytes) -> None:
        self._file.seek(self._end)
        rest = memoryview(data)
        while rest:  # a nearly full disk takes the first part only
            rest = rest[self._file.write(rest) or 0 :]

    def close(self) -> None:
        """Closes the file. May be called again."""
        with writing(self._path):
            self._file.close()


class Place:
    """The place of a file that is written over time; an existing file of that name stays until `settle`.

    If there is no existing file, the new one grows under its own name, so that a crash loses nothing. If
    there is one, the new file grows beside it: ``track.csv`` as ``track.part-1f2e.csv``.

    Attributes:
        path: The final name.
        now: The current name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = path
        if path.is_file() or path.is_symlink():  # a device or a pipe has nothing to lose
            stem, dot, suffixes = path.name.partition(".")
            self.now = path.with_name(f"{stem}.part-{secrets.token_hex(2)}{dot}{suffixes}")
        self._over = False

    def settle(self) -> None:
        """Replaces the earlier file.

        Raises:
            OutputError: The earlier file cannot be replaced; both files stay.
        """
        with writing(self.path):
            if self.now != self.path:
                self.now.replace(self.path)
        self.now = self.path

    def discard(self) -> None:
        """Removes what was written; the earlier file stays. May be called again."""
        if self.now.is_file() and not self._over:
            with writing(self.now):
                self.now.unlink()
        self.now, self._over = self.path, True  # what has this name from now on is not ours


@contextmanager
def undivided() -> Iterator[None]:
    """Delays Ctrl-C and SIGTERM to the end of a block, so that files that belong together end on one frame.

    The second signal takes effect at once, in case a disk does not respond.
    """
    before = _handlers()
    pending: list[tuple[int, FrameType | None]] = []

    def wait(number: int, frame: FrameType | None) -> None:
        _handle(before)
        pending.append((number, frame))

    _handle(dict.fromkeys(before, wait))
    try:
        yield
    finally:
        _handle(before)
    for number, frame in pending:
        before[number](number, frame)


_Handler = Callable[[int, FrameType | None], Any]


def _handlers() -> dict[int, _Handler]:
    """What handles Ctrl-C and SIGTERM, where that is Python's; nothing outside of the main thread."""
    if threading.current_thread() is not threading.main_thread():  # only that one receives signals
        return {}
    found = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    return {number: handler for number, handler in found.items() if callable(handler)}


def _handle(handlers: Mapping[int, _Handler]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
