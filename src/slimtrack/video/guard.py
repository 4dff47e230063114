"""Protects the input from being overwritten by the results."""

import fnmatch
import glob
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from slimtrack.errors import OutputError
from slimtrack.image_files import IMAGE_SUFFIXES
from slimtrack.video.images import FOLDERS_INSIDE

__all__ = ["guard_files", "guard_folder"]


def guard_files(origin: str | None, paths: Iterable[str | os.PathLike[str]]) -> None:
    """Raises an error if a file to write is the source, or would become a part of it.

    Symbolic and hard links are followed.

    Args:
        origin: Where the frames come from (`slimtrack.video.frames.Frames.origin`).
        paths: The files to write; they need not exist.

    Raises:
        OutputError: A path is a file of the source, lies in its folder of images, or is a picture that its
            pattern would match.
    """
    source = _Inputs(origin)
    for path in map(Path, paths):
        if source.holds(path):
            raise OutputError(f"cannot write {path}: it is the input itself; choose another file")
        if path.resolve().parent in source.folders:
            raise OutputError(
                f"cannot write {path}: it would lie among the input's images; choose another folder"
            )
        if source.matches(path):
            raise OutputError(
                f"cannot write {path}: the pattern {origin} would take it for a frame; choose another folder"
            )


def guard_folder(origin: str | None, folder: str | os.PathLike[str]) -> None:
    """Raises an error if a folder for results holds the source.

    Args:
        origin: Where the frames come from.
        folder: The folder; it need not exist.

    Raises:
        OutputError: It is the source's folder of images, or contains a file of the source.
    """
    source, real = _Inputs(origin), Path(folder).resolve()
    if real in source.folders:
        raise OutputError(f"cannot write into {folder}: it is the input; choose another folder")
    inside = next((file for file in source.files if file.parent == real), None)
    if inside is not None:
        raise OutputError(
            f"cannot write into {folder}: it holds the input {inside.name}; choose another folder, such as "
            f"{Path(folder) / 'results'}"
        )


class _Inputs:
    """The files of a source, with all links resolved.

    Attributes:
        files: Files that are read.
        folders: Folders from which all images are read, even if there are none now.
    """

    def __init__(self, origin: str | None) -> None:
        path = _local(origin)
        self.files: list[Path] = []
        self.folders: list[Path] = []
        self._pattern: list[str] | None = None
        if path is None:
            return
        if path.is_dir():
            self.folders = [folder.resolve() for folder in (path, *(path / name for name in FOLDERS_INSIDE))]
            self.files = [file.resolve() for folder in self.folders for file in _pictures(folder)]
        elif path.exists():
            self.files = [path.resolve()]
        elif glob.has_magic(str(path)):
            self.files = [Path(file).resolve() for file in glob.glob(str(path), recursive=True)]  # noqa: PTH207
            self._pattern = list(path.parts)
        self._numbers = {number for file in self.files if (number := _number(file))}

    def holds(self, path: Path) -> bool:
        """Whether a path is one of the files, under any name."""
        return bool(self.files) and (path.resolve() in self.files or _number(path) in self._numbers)

    def matches(self, path: Path) -> bool:
        """Whether a path is a picture that the pattern would match."""
        if self._pattern is None or path.suffix.lower() not in IMAGE_SUFFIXES:
            return False
        return _found(list(path.absolute().parts), self._pattern)


def _local(origin: str | None) -> Path | None:
    """The path of an origin; ``None`` for cameras, URLs and arrays."""
    if origin is None:
        return None
    if origin.lower().startswith("file:"):
        return Path(unquote(urlsplit(origin).path))
    path = Path(origin)
    return path if path.is_absolute() else None


def _pictures(folder: Path) -> list[Path]:
    files = folder.iterdir() if folder.is_dir() else ()
    return [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]


def _number(path: Path) -> tuple[int, int] | None:
    """Device and inode, which hard links share; ``None`` for a missing file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _found(parts: list[str], pattern: list[str]) -> bool:
    """Whether a path matches a pattern, part by part; ``**`` stands for any number of folders."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return _found(parts, pattern[1:]) or (bool(parts) and _found(parts[1:], pattern))
    return bool(parts) and fnmatch.fnmatch(parts[0], pattern[0]) and _found(parts[1:], pattern[1:])
