"""Reads frames from image files and arrays, converted to BGR uint8."""

import itertools
from collections.abc import Iterable, Sized
from pathlib import Path

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import AnyArray, Image
from slimtrack.errors import MissingError, SourceError
from slimtrack.image_files import IMAGE_SUFFIXES, image_files, images_among
from slimtrack.video.converting import Converter
from slimtrack.video.feed import Broken, Feed, Frame
from slimtrack.video.stacks import layout

__all__ = [
    "FOLDERS_INSIDE",
    "ImageReader",
    "arrays",
    "folder",
    "matching",
    "one_image",
]

FOLDERS_INSIDE = ("img", "color", "imgs", "images", "frames")
"""Folders in which data sets keep the images of a sequence: ``img`` in OTB, ``color`` in VOT, and so on."""


def folder(path: Path, first: int) -> Feed:
    """The images in a folder, from the one numbered ``first`` on.

    Raises:
        SourceError: The folder cannot be read or holds no images.
    """
    found = image_files(path)
    for name in FOLDERS_INSIDE:
        inside = path / name
        if inside.is_dir() and (deeper := image_files(inside)):
            found = deeper  # a picture beside the folder of frames is a preview
            break
    if not found:
        raise SourceError(
            f"folder {path} holds no images ({', '.join(sorted(IMAGE_SUFFIXES)[:4])} ..): give another"
        )
    return _images(_name_of(path), f"folder {path}", found, str(path.resolve()), first)


def _name_of(folder: Path) -> str:
    """A folder's name; for ``Deer/img`` that of its parent, as ``img`` says nothing."""
    folder = folder.resolve()
    inside = folder.name.lower() in FOLDERS_INSIDE
    return (folder.parent.name if inside else "") or folder.name


def matching(text: str, pattern: str, matches: Iterable[Path], first: int) -> Feed | None:
    """The images among a pattern's matches, from the one numbered ``first`` on; ``None`` if there are none.

    Args:
        text: The pattern as the user gave it.
        pattern: The pattern with the user's home folder expanded.
        matches: The paths that match, in any order.
        first: Number of the first image to return.
    """
    found = images_among(matches)
    if not found:
        return None
    # absolute(): a pattern is not a file, so it cannot be resolved
    origin = str(Path(pattern).absolute())
    return _images(_name_of(found[0].parent), f"images {text!r}", found, origin, first)


def one_image(path: Path, first: int) -> Feed:
    """A file that holds one picture, as a source of one frame."""
    return _images(path.stem, f"image {path}", [path], str(path.resolve()), first)


def _images(name: str, label: str, paths: list[Path], origin: str, first: int) -> Feed:
    feed = Feed(name, label, iter(()), origin, count=len(paths))
    reader = ImageReader(feed.notes)
    numbered = itertools.islice(enumerate(paths), first, None)
    feed.items = (_read(reader, path, number) for number, path in numbered)
    return feed


def _read(reader: "ImageReader", path: Path, number: int) -> Frame | Broken:
    image = reader.or_reason(path)
    return Broken(number, image) if isinstance(image, str) else Frame(image, number)


class ImageReader:
    """Reads the image files of one source as BGR uint8; its 16-bit images share one scale.

    Attributes:
        notes: Notes for the user about conversions.
    """

    def __init__(self, notes: list[str] | None = None) -> None:
        self.notes = [] if notes is None else notes
        self._convert = Converter(self.notes)
        self._told = False

    def __call__(self, path: Path) -> Image:
        """The image as ``(H, W, 3)`` uint8 BGR.

        Raises:
            SourceError: The file cannot be read, or its image cannot be converted.
        """
        image = self.or_reason(path)
        if isinstance(image, str):
            raise SourceError(f"in {path.parent}: {image}")
        return image

    def or_reason(self, path: Path) -> Image | str:
        """The same, or a text that says why it cannot be read; failed conversions raise an error here too."""
        try:
            data = path.read_bytes()
        except OSError as error:
            return f"{path.name} cannot be read: {(error.strerror or str(error)).lower()}"
        if not self._told and layout(data) != "one":
            self._told = True
            self.notes.append(
                f"{path.name} holds several pictures, of which a folder gives the first: give the file itself"
            )
        image = _decoded(path, np.frombuffer(data, np.uint8))
        return image if isinstance(image, str) else self._convert(image, f"image {path}")


def _decoded(path: Path, data: AnyArray) -> AnyArray | str:
    """One image, or what is wrong with it. Python reads the bytes, as cv2 cannot open every file name."""
    image: AnyArray | None = None
    if data.size:
        try:
            image = cv2.imdecode(data, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
        except MissingError:
            raise
        except Exception as error:  # cv2.error: images above its size limit, codecs that raise
            return f"{path.name} is not a readable image: {str(error).splitlines()[0]}"
    return f"{path.name} is not a readable image" if image is None else image


def arrays(source: Iterable[AnyArray], first: int) -> Feed:
    """Images in memory, from the one numbered ``first`` on."""
    count = len(source) if isinstance(source, Sized) else None
    feed = Feed("frames", "the iterable of frames", iter(()), count=count)
    convert = Converter(feed.notes)
    numbered = itertools.islice(enumerate(source), first, None)
    feed.items = (Frame(convert(image, f"frame {number}"), number) for number, image in numbered)
    return feed
