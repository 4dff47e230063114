"""Frames from image files and from arrays, each brought to BGR uint8."""

import itertools
import os
import re
from collections.abc import Iterable, Sized
from pathlib import Path

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import AnyArray, Image
from slimtrack.errors import MissingError, SourceError
from slimtrack.video.feed import Broken, Feed, Frame

__all__ = [
    "FOLDERS_INSIDE",
    "IMAGE_SUFFIXES",
    "Converter",
    "ImageReader",
    "arrays",
    "folder",
    "image_files",
    "matching",
    "natural_key",
    "one_image",
]

IMAGE_SUFFIXES = frozenset(
    [".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm",
     ".pnm", ".jp2", ".sr", ".ras"]
)  # fmt: skip
"""What counts as an image in a folder: the formats that any OpenCV reads."""

FOLDERS_INSIDE = ("img", "color", "imgs", "images", "frames")
"""Where data sets keep the images of a sequence: OTB's ``img``, VOT's ``color``, and their imitators."""


def folder(path: Path, first: int) -> Feed:
    """The images in a folder, from the one numbered ``first`` on.

    Raises:
        SourceError: It cannot be read or holds no images.
    """
    found = image_files(path)
    for name in FOLDERS_INSIDE:
        inside = path / name
        if inside.is_dir() and (deeper := image_files(inside)):
            found = deeper  # a picture beside the folder of frames is a preview, not a frame
            break
    if not found:
        raise SourceError(
            f"folder {path} holds no images ({', '.join(sorted(IMAGE_SUFFIXES)[:4])} ..): give another"
        )
    return _images(_name_of(path), f"folder {path}", found, str(path.resolve()), first)


def _name_of(folder: Path) -> str:
    """A folder's name; its parent's for ``Deer/img``, or every sequence of a data set had the same name."""
    folder = folder.resolve()
    inside = folder.name.lower() in FOLDERS_INSIDE
    return (folder.parent.name if inside else "") or folder.name


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
    return _sorted(paths)


def _sorted(paths: Iterable[Path]) -> list[Path]:
    # names with a dot in front are other programs' droppings (macOS writes ._0001.jpg beside 0001.jpg)
    images = (p for p in paths if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
    return sorted(images, key=lambda p: natural_key(p.as_posix()))


def matching(text: str, pattern: str, matches: Iterable[Path], first: int) -> Feed | None:
    """The images among what a pattern found, from the one numbered ``first`` on; ``None`` where none is.

    Args:
        text: The pattern as it was given.
        pattern: The same with the user's home put in.
        matches: What it found, in any order.
        first: Number of the first image to give.
    """
    found = _sorted(matches)
    if not found:
        return None
    # absolute(): a pattern is no file that could be resolved
    origin = str(Path(pattern).absolute())
    return _images(_name_of(found[0].parent), f"images {text!r}", found, origin, first)


def one_image(path: Path, first: int) -> Feed:
    """A file that holds one picture: a source of one frame."""
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
    """Reads the image files of one source as BGR uint8; all its 16-bit images are scaled like the first.

    Attributes:
        notes: What the user should know about conversions.
    """

    def __init__(self, notes: list[str] | None = None) -> None:
        self.notes = [] if notes is None else notes
        self._convert = Converter(self.notes)

    def __call__(self, path: Path) -> Image:
        """The image as ``(H, W, 3)`` uint8 BGR.

        Raises:
            SourceError: It cannot be read, or is no image that can be converted.
        """
        image = self.or_reason(path)
        if isinstance(image, str):
            raise SourceError(f"in {path.parent}: {image}")
        return image

    def or_reason(self, path: Path) -> Image | str:
        """The same, or why it cannot be read; what is read but cannot be converted is an error here too."""
        image = _decoded(path)
        return image if isinstance(image, str) else self._convert(image, f"image {path}")


def _decoded(path: Path) -> AnyArray | str:
    """One image file or what is wrong with it; read by us, for cv2 cannot open every name everywhere."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        return f"{path.name} cannot be read: {(error.strerror or str(error)).lower()}"
    image: AnyArray | None = None
    if data.size:
        try:
            image = cv2.imdecode(data, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
        except MissingError:
            raise
        except Exception as error:  # cv2.error: sizes over its limit, codecs that raise
            return f"{path.name} is not a readable image: {str(error).splitlines()[0]}"
    return f"{path.name} is not a readable image" if image is None else image


def arrays(source: Iterable[AnyArray], first: int) -> Feed:
    """Images that somebody has already, from the one numbered ``first`` on."""
    count = len(source) if isinstance(source, Sized) else None
    feed = Feed("frames", "the iterable of frames", iter(()), count=count)
    convert = Converter(feed.notes)
    numbered = itertools.islice(enumerate(source), first, None)
    feed.items = (Frame(convert(image, f"frame {number}"), number) for number, image in numbered)
    return feed


class Converter:
    """Brings any image to BGR uint8; decides once a source how its 16-bit images are scaled."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes
        self._divisor = 0.0

    def __call__(self, image: AnyArray, what: str) -> Image:
        """The image as ``(H, W, 3)`` uint8 BGR.

        Args:
            image: ``(H, W)``, ``(H, W, 1)``, ``(H, W, 3)`` BGR or ``(H, W, 4)`` BGRA, uint8 or uint16.
            what: How to call it in an error.

        Raises:
            SourceError: It has another type or number of channels.
        """
        if not isinstance(image, np.ndarray) or image.ndim not in (2, 3) or image.size == 0:
            shape = getattr(image, "shape", type(image).__name__)
            raise SourceError(f"{what} is {shape}, not an image array (H, W) or (H, W, channels)")
        if image.dtype not in (np.uint8, np.uint16):
            raise SourceError(f"{what} holds {image.dtype}, not 8 or 16 bit whole numbers: convert it first")
        if image.ndim == 2:
            image = image[:, :, None]
        if image.shape[2] not in (1, 3, 4):
            raise SourceError(
                f"{what} has {image.shape[2]} channels, not 1 (grey), 3 (BGR) or 4 (BGR and alpha)"
            )
        if image.dtype == np.uint16:
            image = self._to_8_bit(image)
        if image.shape[2] == 1:
            return np.repeat(image, 3, axis=2)
        return np.ascontiguousarray(image[:, :, :3])

    def _to_8_bit(self, image: AnyArray) -> Image:
        # Cameras store 10, 12 or 14 bits in 16: dividing those by 257 would give a black video. The depth is
        # taken from the first frame and kept, for one that changed from frame to frame would flicker.
        if not self._divisor:
            bits = next(bits for bits in (8, 10, 12, 14, 16) if int(image.max()) < 1 << bits)
            self._divisor = ((1 << bits) - 1) / 255
            self._notes.append(f"16-bit images were taken as {bits}-bit ones and scaled to 0..255")
        return np.minimum(np.rint(image / np.float32(self._divisor)), 255).astype(np.uint8)


def natural_key(name: str) -> list[tuple[bool, int, str]]:
    """Sorts ``frame10`` behind ``frame9``: runs of digits compare as numbers."""
    parts = re.split(r"(\d+)", name)
    return [(True, int(part), "") if part.isdecimal() else (False, 0, part) for part in parts]
