"""Boxes in YOLO's text files."""

from collections.abc import Iterator
from pathlib import Path

from slimtrack.datasets.rows import text_of
from slimtrack.errors import SourceError
from slimtrack.image_files import IMAGE_SUFFIXES
from slimtrack.learning.sources.shot import Labelled, Shot, Source, split_of

__all__ = ["Yolo"]


class Yolo(Source):
    """One line per object: class, then centre and size, or the corners of its outline, as fractions."""

    layout = "labels/[SPLIT/]*.txt and images/[SPLIT/]*.jpg; or SPLIT/labels/*.txt and SPLIT/images/*.jpg"

    def recognises(self, folder: Path) -> bool:
        """Whether there are labels."""
        return next(_files(folder), None) is not None

    def shots(self, folder: Path) -> Iterator[Shot]:
        """The pictures that have a file of labels; a file may be empty."""
        for file in _files(folder):
            lines = enumerate(text_of(file).splitlines(), 1)
            found = tuple(_object(line, f"{file}, line {number}") for number, line in lines if line.strip())
            inner = file.relative_to(folder)
            if found:
                yield Shot(_picture(file), found, str(inner), split_of(*inner.parts[:-1]), fractions=True)


def _files(folder: Path) -> Iterator[Path]:
    for place in (folder / "labels", *sorted(folder.glob("*/labels"))):
        yield from sorted(place.rglob("*.txt"))


def _object(line: str, where: str) -> Labelled:
    words = line.split()
    try:
        numbers = [float(word) for word in words[1:]]
    except ValueError:
        raise SourceError(f"{where}: {line!r} is not a class and numbers") from None
    if len(numbers) == 4:
        x, y, w, h = numbers
        return Labelled((x - w / 2, y - h / 2, w, h), words[0])
    if len(numbers) < 6 or len(numbers) % 2:
        raise SourceError(f"{where}: a class and {len(numbers)} numbers are neither a box nor an outline")
    left, top = min(numbers[::2]), min(numbers[1::2])
    return Labelled((left, top, max(numbers[::2]) - left, max(numbers[1::2]) - top), words[0])


def _picture(file: Path) -> Path:
    """The picture of a file of labels: the same path with ``images`` for the last ``labels``."""
    parts = list(file.parts)
    place = len(parts) - 1 - parts[::-1].index("labels")
    wanted = Path(*parts[:place], "images", *parts[place + 1 :])
    suffixes = sorted(IMAGE_SUFFIXES) + [suffix.upper() for suffix in sorted(IMAGE_SUFFIXES)]
    candidates = (wanted.with_name(wanted.stem + suffix) for suffix in suffixes)
    return next((path for path in candidates if path.is_file()), wanted.with_suffix(".jpg"))
