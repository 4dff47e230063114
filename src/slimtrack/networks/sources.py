"""The bytes of a network file, and its hash."""

import hashlib
from pathlib import Path

from slimtrack.errors import InputError

__all__ = ["digest", "file_digest", "read_bytes"]


def read_bytes(path: str | Path, sha256: str | None = None) -> bytes:
    """The content of a network file, checked against its hash where that is known.

    Raises:
        InputError: It cannot be read, or has another hash.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"network file {path} cannot be read: {(error.strerror or str(error)).lower()}"
        ) from error
    found = digest(data)
    if sha256 and not found.startswith(sha256.lower()):
        raise InputError(
            f"network file {path} is damaged or another version: its sha256 is {found[:16]}.., "
            f"{sha256[:16]}.. is expected; download it again"
        )
    return data


def digest(data: bytes) -> str:
    """The sha256 of a file's content."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """The sha256 of a file, which is not kept in memory.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"network file {path} cannot be read: {(error.strerror or str(error)).lower()}"
        ) from error
