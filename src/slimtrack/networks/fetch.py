"""Downloads the files of a network: resumed, checked, and put in place once complete."""

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from slimtrack.errors import InputError, MissingError
from slimtrack.files import atomic_write, make_folder, writing
from slimtrack.networks.entry import File
from slimtrack.networks.sources import file_digest

__all__ = ["fetch", "is_there"]

_CHUNK = 1 << 16
"""Bytes read at a time."""

_SECONDS = 30
"""Seconds after which a silent server is given up."""

_RANGE_REFUSED = 416


def is_there(file: File, folder: Path) -> bool:
    """Whether a folder holds the published file.

    Raises:
        InputError: It holds another file in its place.
    """
    path = folder / file.path
    if not path.exists():
        return False
    found = file_digest(path)
    if found == file.sha256:
        return True
    raise InputError(
        f"{path} is there, but is another version than the one to be fetched (its sha256 is {found[:16]}.., "
        f"not {file.sha256[:16]}..): give --overwrite to replace it, or another folder by --networks DIR"
    )


def fetch(file: File, folder: Path, told: Callable[[int], None] = lambda done: None) -> Path:
    """Downloads a file into its place in a folder of networks; one that is there is replaced.

    What arrives is kept beside the place, and after a broken connection the next call continues from there.
    The file appears in its place only when its size and hash are right.

    Args:
        file: The file; it has an address.
        folder: The folder of networks.
        told: Called with the number of bytes that have arrived so far.

    Returns:
        Its path.

    Raises:
        MissingError: The server cannot be reached, does not have it, or the connection was cut.
        InputError: What the server has is another file.
        OutputError: It cannot be written.
    """
    path = folder / file.path
    make_folder(path.parent)
    part = _Part(path, file)
    resumed = part.size > 0
    _complete(file, part, told)
    found = file_digest(part.path)
    if found != file.sha256 and resumed:  # an earlier part of another version: start again
        part.drop()
        _complete(file, part, told)
        found = file_digest(part.path)
    if found != file.sha256:
        part.drop()
        raise InputError(
            f"{file.url} is not the file that is expected: its sha256 is {found}, {file.sha256} is expected; "
            f"nothing was written. Try again; if it stays so, the file was changed there"
        )
    part.finish()
    return path


class _Part:
    """The part of a file that has arrived, and the server's tag for that version of it.

    Args:
        place: Where the file will be.
        file: The file.
    """

    def __init__(self, place: Path, file: File) -> None:
        self._place = place
        self.path = place.with_name(f".{place.name}.{file.sha256[:8]}.part")
        self._tag = self.path.with_suffix(".tag")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def tag(self) -> str:
        """The server's tag for the version of this part; empty if it is not known."""
        return self._tag.read_text(encoding="utf-8") if self._tag.is_file() else ""

    @tag.setter
    def tag(self, text: str) -> None:
        with atomic_write(self._tag) as file:
            file.write(text)

    def drop(self) -> None:
        for path in (self.path, self._tag):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Puts the file into its place."""
        with writing(self._place):
            self.path.replace(self._place)
        self.drop()


def _complete(file: File, part: _Part, told: Callable[[int], None]) -> None:
    """Downloads what is still missing of the file."""
    if part.size > file.size:
        part.drop()
    if part.size == file.size:
        return
    with _reaching(file, part), _opened(file, part) as response:
        resumed = response.status == http.client.PARTIAL_CONTENT
        have = part.size if resumed else 0
        _check_size(file, have, response)
        part.tag = _tag(response)
        _append(file, part, response, "ab" if resumed else "wb", told)
    if part.size < file.size:
        raise MissingError(_cut(file, part))


def _append(file: File, part: _Part, response: Any, mode: str, told: Callable[[int], None]) -> None:
    done = part.size if mode == "ab" else 0
    with writing(part.path):
        out = part.path.open(mode)
    with out:
        told(done)
        while done < file.size and (chunk := response.read(min(_CHUNK, file.size - done))):
            with writing(part.path):
                out.write(chunk)
                out.flush()
            done += len(chunk)
            told(done)
        with writing(part.path):
            os.fsync(out.fileno())


@contextmanager
def _opened(file: File, part: _Part) -> Iterator[Any]:
    """The server's answer, from the end of the part if the server can do that, else from the beginning."""
    have, headers = part.size, {"User-Agent": "slimtrack"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if part.tag:
            headers["If-Range"] = part.tag
    try:
        response = urllib.request.urlopen(urllib.request.Request(file.url, headers=headers), timeout=_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != _RANGE_REFUSED:
            raise
        part.drop()
        with _opened(file, part) as response:
            yield response
        return
    with response:
        yield response


def _check_size(file: File, have: int, response: Any) -> None:
    """Refuses a file of another size before anything is written."""
    length = response.headers.get("Content-Length", "")
    if length.isdigit() and have + int(length) != file.size:
        raise InputError(
            f"{file.url} is not the file that is expected: it has {have + int(length):,} bytes, "
            f"{file.size:,} are expected; nothing was written. It was changed there, or something on the way "
            "answers in its place"
        )


def _tag(response: Any) -> str:
    """What names this version in an ``If-Range``: a strong tag, or else its date."""
    tag = str(response.headers.get("ETag", ""))
    return tag if tag and not tag.startswith("W/") else str(response.headers.get("Last-Modified", ""))


@contextmanager
def _reaching(file: File, part: _Part) -> Iterator[None]:
    """Turns errors of the connection into one sentence."""
    elsewhere = f"or take it from elsewhere and put it at {part.path.parent / Path(file.path).name}"
    try:
        yield
    except urllib.error.HTTPError as error:
        raise MissingError(
            f"{file.url} cannot be downloaded: the server answers {error.code} ({error.reason}). Try again "
            f"later, {elsewhere}"
        ) from error
    except urllib.error.URLError as error:
        reason = getattr(error.reason, "strerror", None) or error.reason
        raise MissingError(
            f"{file.url} cannot be reached ({reason}): check the connection, {elsewhere}"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise MissingError(_cut(file, part)) from error


def _cut(file: File, part: _Part) -> str:
    return (
        f"the connection to {file.url} ended after {part.size:,} of {file.size:,} bytes: give the command "
        "again to continue from there"
    )
