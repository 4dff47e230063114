"""Lists the images of a folder in natural order."""

import os
import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from slimtrack.errors import SourceError

__all__ = ["IMAGE_SUFFIXES", "image_files", "images_among", "natural_key"]

IMAGE_SUFFIXES = frozenset(
    [".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm",
     ".pnm", ".jp2", ".sr", ".ras"]
)  # fmt: skip
"""Suffixes of images in a folder: the formats that every OpenCV reads."""

_SECONDS = re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
"""Names of images that are numbers with or without a fraction, such as a recorder's seconds."""


def image_files(folder: str | os.PathLike[str]) -> list[Path]:
    """The images in a folder, in natural order of their names.

    Raises:
        SourceError: The folder cannot be read.
    """
    try:
        paths = list(Path(folder).iterdir())
    except OSError as error:
        raise SourceError(
            f"folder {folder} cannot be read: {(error.strerror or str(error)).lower()}"
        ) from error
    return images_among(paths)


def images_among(paths: Iterable[Path]) -> list[Path]:
    """The images among some files, in natural order of their names."""
    # hidden files are not images: macOS writes ._0001.jpg beside 0001.jpg
    images = [p for p in paths if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
    if images and all(_SECONDS.fullmatch(p.stem) for p in images):
        # by value, 0.5 comes after 0.10, which differs from the natural order
        return sorted(images, key=lambda p: (natural_key(p.parent.as_posix()), Decimal(p.stem), p.name))
    return sorted(images, key=lambda p: natural_key(p.as_posix()))


def natural_key(name: str) -> list[tuple[bool, int, str]]:
    """Sort key that puts ``frame10`` after ``frame9``, by comparing digits as numbers."""
    parts = re.split(r"(\d+)", name)
    return [(True, int(part), "") if part.isdecimal() else (False, 0, part) for part in parts]
