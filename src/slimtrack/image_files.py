"""Which files of a folder are images, and in what order they come."""

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
"""What counts as an image in a folder: the formats that any OpenCV reads."""

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
    # names with a dot in front are other programs' droppings (macOS writes ._0001.jpg beside 0001.jpg)
    images = [p for p in paths if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
    if images and all(_SECONDS.fullmatch(p.stem) for p in images):
        # 0.5 comes after 0.10 then, which is not the natural order
        return sorted(images, key=lambda p: (natural_key(p.parent.as_posix()), Decimal(p.stem), p.name))
    return sorted(images, key=lambda p: natural_key(p.as_posix()))


def natural_key(name: str) -> list[tuple[bool, int, str]]:
    """Sorts ``frame10`` behind ``frame9``: runs of digits compare as numbers."""
    parts = re.split(r"(\d+)", name)
    return [(True, int(part), "") if part.isdecimal() else (False, 0, part) for part in parts]
