"""Reads image files that hold many pictures: TIFF stacks, animated WebP and PNG, concatenated PGM and PPM."""

import contextlib
import itertools
import mmap
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from slimtrack._cv2 import cv2, silent_cv2
from slimtrack.arrays import AnyArray
from slimtrack.errors import MissingError, SourceError
from slimtrack.video.converting import Converter
from slimtrack.video.feed import Broken, Feed, Frame

__all__ = ["Layout", "layout", "layout_of", "stack"]

Layout: TypeAlias = Literal["one", "pages", "webp", "film"]
"""The kinds of image files: one picture, pages of a TIFF, an animated WebP, or a video for FFmpeg."""

_Data: TypeAlias = bytes | mmap.mmap

_AT_ONCE = 64 << 20
"""Bytes of pages to decode at once, because finding a page means reading past all earlier ones."""


def layout_of(path: Path) -> Layout:
    """The kind of an image file; "one" if it cannot be read, as reading it later gives the reason."""
    try:
        return layout(_mapped(path))
    except (OSError, ValueError):  # ValueError: an empty file cannot be mapped
        return "one"


def layout(data: _Data) -> Layout:
    """The kind of an image file, from its bytes."""
    head = bytes(data[:64])
    if head.startswith((b"II", b"MM")) and len(_pages(data)) > 1:
        return "pages"
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and head[20] & 2:
        return "webp"
    if head.startswith(b"\x89PNG\r\n\x1a\n") and _is_animated_png(data):
        return "film"
    return "film" if _are_netpbm(data, head) else "one"


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _pages(data: _Data) -> list[int]:
    """Positions of a TIFF's full pictures, without thumbnails and masks (TIFF 6.0, tag 254)."""
    kinds: list[int] = []
    with contextlib.suppress(struct.error):  # truncated: read what is there
        kinds.extend(_kinds(data))
    return [number for number, kind in enumerate(kinds) if not kind & 5]


def _kinds(data: _Data) -> Iterator[int]:
    """The kind of each picture of a TIFF or BigTIFF: bit 0 is a smaller version, bit 2 a mask."""
    order = "<" if data[:2] == b"II" else ">"
    (version,) = struct.unpack_from(order + "H", data, 2)
    if version not in (42, 43):
        return
    at, size, count, link, value = (4, 12, "H", "I", 8) if version == 42 else (8, 20, "Q", "Q", 12)
    seen: set[int] = set()
    while True:
        (at,) = struct.unpack_from(order + link, data, at)
        if not at or at in seen:
            return
        seen.add(at)
        (entries,) = struct.unpack_from(order + count, data, at)
        at += struct.calcsize(count)
        kind = 0
        for entry in range(at, at + size * entries, size):
            if struct.unpack_from(order + "H", data, entry)[0] == 254:
                (kind,) = struct.unpack_from(order + "I", data, entry + value)
        yield kind
        at += size * entries


def _is_animated_png(data: _Data) -> bool:
    """Whether the control chunk before the pixels announces several frames (APNG)."""
    for kind, at, _ in _chunks(data, 8, ">I4s", 12):
        if kind == b"acTL":
            return int.from_bytes(data[at : at + 4], "big") > 1
        if kind == b"IDAT":
            break
    return False


def _chunks(data: _Data, at: int, head: str, around: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, position and length of the contents of PNG's and RIFF's chunks.

    Args:
        data: The file.
        at: Position of the first chunk.
        head: Format of a chunk's length and kind, for `struct`.
        around: Number of bytes of a chunk that are not content.
    """
    while at + 8 <= len(data):
        fields = struct.unpack_from(head, data, at)
        kind, length = fields if isinstance(fields[0], bytes) else fields[::-1]
        yield kind, at + 8, length
        at += length + around
        if head[0] == "<":
            at += length % 2  # RIFF's chunks begin at even positions


def _are_netpbm(data: _Data, head: bytes) -> bool:
    """Whether a second picture follows the first in a binary PGM or PPM."""
    match = re.match(rb"P([56])\s+(?:#[^\n]*\n\s*)*(\d+)\s+(\d+)\s+(\d+)\s", head)
    if match is None:
        return False
    kind, width, height, most = map(int, match.groups())
    end = match.end() + width * height * (3 if kind == 6 else 1) * (2 if most > 255 else 1)
    return bytes(data[end : end + 2]) == head[:2]


def stack(path: Path, kind: Layout, first: int) -> Feed:
    """The pictures of a TIFF stack or of an animated WebP, from the one numbered ``first`` on."""
    data = _mapped(path)
    if kind == "pages":
        pages = _pages(data)
        feed = Feed(path.stem, f"stack {path}", iter(()), str(path.resolve()), count=len(pages))
        feed.items = _paged(np.frombuffer(data, np.uint8), pages, first, Converter(feed.notes))
        return feed
    times = _webp_times(data)
    feed = Feed(path.stem, f"animation {path}", iter(()), str(path.resolve()), count=len(times) - 1)
    feed.timed, feed.fps = True, (len(times) - 1) / times[-1] if times[-1] else None
    feed.items = _animated(np.frombuffer(data, np.uint8), times, first, Converter(feed.notes))
    return feed


def _paged(data: AnyArray, pages: list[int], first: int, convert: Converter) -> Iterator[Frame | Broken]:
    at_once, number = 1, first
    while number < len(pages):
        wanted = pages[number : number + at_once]
        images = _decoded(data, wanted[0], wanted[-1] + 1)
        if len(images) < wanted[-1] + 1 - wanted[0]:
            # one of them is broken, and OpenCV does not say which: page by page
            wanted = wanted[:1]
            images = _decoded(data, wanted[0], wanted[0] + 1)
        if images:
            for page in wanted:
                yield Frame(convert(images[page - wanted[0]], f"page {page}"), number)
                number += 1
            at_once = max(_AT_ONCE // max(images[0].nbytes, 1), 1)
        else:
            yield Broken(number, f"page {wanted[0]} is not a readable image")
            number += 1


def _decoded(data: AnyArray, first: int, end: int) -> list[AnyArray]:
    flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR
    try:
        with silent_cv2():
            return list(cv2.imdecodemulti(data, flags, range=(first, end))[1])
    except TypeError:  # this OpenCV reads all pages or none
        return list(cv2.imdecodemulti(data, flags)[1][first:end])
    except MissingError:
        raise
    except Exception:  # cv2.error: what it cannot read
        return []


def _webp_times(data: _Data) -> list[float]:
    """Times in seconds at which the pictures of an animated WebP begin, and at which the last one ends."""
    frames = (at for kind, at, _ in _chunks(data, 12, "<4sI", 8) if kind == b"ANMF")
    durations = [int.from_bytes(data[at + 12 : at + 15], "little") / 1000 for at in frames]
    return list(itertools.accumulate(durations, initial=0.0))


def _animated(data: AnyArray, times: list[float], first: int, convert: Converter) -> Iterator[Frame | Broken]:
    at_once, number, count = 1, first, len(times) - 1
    while number < count:
        try:
            images = list(cv2.imdecodeanimation(data, number, at_once)[1].frames)
        except AttributeError as error:
            raise SourceError(
                "this OpenCV cannot read animated WebP: install 4.11 or newer, or convert the file to a video"
            ) from error
        if not images:
            yield Broken(number, "not a readable picture")
            number += 1
        for image in images:
            yield Frame(convert(image, f"picture {number}"), number, times[number])
            number += 1
            at_once = max(_AT_ONCE // max(image.nbytes, 1), 1)
