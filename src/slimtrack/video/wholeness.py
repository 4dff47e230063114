"""Tells whether a video file is complete, and how many frames it announces."""

import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

__all__ = ["announced", "early", "is_cut_off"]

_SLACK_COUNTED = 2
"""Frames that may be missing without a note if the file counts frames: the last are often not shown."""

_SLACK_GUESSED = 0.03
"""Share that may be missing if the count comes from a duration, which is rounded or that of the sound."""


def announced(stream: Any, container: Any) -> int | None:
    """Number of frames that a file announces, from its duration if it does not count them."""
    seconds, rate = _seconds(stream, container), float(stream.average_rate or 0)
    guess = int(seconds * rate + 0.5) if seconds and rate else None
    if not stream.frames:
        return guess
    # an edit list hides frames; the duration takes it into account
    return int(stream.frames) if guess is None or stream.duration is None else min(stream.frames, guess)


def _seconds(stream: Any, container: Any) -> float:
    """Duration of the video stream in seconds, as the file states it; 0 if unknown."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    tag = re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", ""))  # Matroska's way
    if tag:
        end = int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
        return max(end - float(container.start_time or 0) / 1e6, 0.0)
    return float(container.duration or 0) / 1e6


def early(
    given: int, end: float, count: int | None, reason: str, stream: Any, container: Any, path: Path
) -> list[str]:
    """A note if a file ends too early.

    Args:
        given: Number of frames read from the start of the file.
        end: Time in seconds at which the last frame ends.
        count: Number of frames that the file announces.
        reason: Why nothing more could be read, if known.
        stream: The video stream.
        container: The open file.
        path: The file.
    """
    cut = is_cut_off(path)
    if not reason and cut is False:
        return []  # frame counts in headers are often wrong, the sizes of a file's parts are not
    missing = 0 if count is None else count - given
    if missing <= _slack(stream, count) or (not (cut and stream.frames) and _late(end, stream, container)):
        missing = 0
    if not (reason or missing or (cut and count is None)):
        return []
    about = "" if stream.frames else "about "
    of = f" of {about}{given + missing}" if missing else ""
    why = f" ({reason})" if reason else ""
    return [f"the source ends early, after {given}{of} frames{why}: everything up to there is kept"]


def _slack(stream: Any, count: int | None) -> float:
    """Number of frames that may be missing without a note."""
    return _SLACK_COUNTED if stream.frames else max(_SLACK_COUNTED, _SLACK_GUESSED * (count or 0))


def _late(end: float, stream: Any, container: Any) -> bool:
    """Whether the last frame ends at the stated end: an uneven rate gives fewer frames than stated."""
    return end > (1 - _SLACK_GUESSED) * _seconds(stream, container)


def is_cut_off(path: str | os.PathLike[str]) -> bool | None:
    """Whether a file is shorter than its own parts say; ``None`` if its format does not tell.

    Supported are MP4 and MOV (boxes), AVI (RIFF) and Matroska with WebM (EBML).
    """
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(12)
            for known, ends in _FORMATS:
                if known(head):
                    return ends(file, size)
    except (OSError, struct.error, ValueError):
        pass
    return None


def _boxes_cut(file: IO[bytes], size: int) -> bool | None:
    """ISO 14496-12, 4.2: a box is its size, its name and its contents."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        length, _, large = struct.unpack(">I4sQ", file.read(16).ljust(16, b"\0"))
        if length == 0:  # up to the end of the file, wherever that is
            return None
        length = large if length == 1 else length
        if length < 8:
            return None
        at += length
    return at > size


def _riff_cut(file: IO[bytes], size: int) -> bool | None:
    """RIFF: the length follows the name; an AVI above 1 GiB has several RIFF parts."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        name, length = struct.unpack("<4sI", file.read(8))
        if name != b"RIFF" or not length:
            return None if at == 0 else False  # data after the last part is ignored
        at += 8 + length + length % 2
    return at > size + 1  # the last padding byte is often missing


def _ebml_cut(file: IO[bytes], size: int) -> bool | None:
    """RFC 8794: an element is its name, its length and its contents; a length of ones is unknown."""
    at = 0
    for _ in range(2):  # the head and the segment
        file.seek(at)
        data = file.read(12)  # both names, of head and segment, have four bytes
        if len(data) < 5:
            return True
        name, length = 4, 9 - data[4].bit_length()
        if length > 8:
            return None
        raw = int.from_bytes(data[name : name + length], "big")
        content = raw & ((1 << 7 * length) - 1)
        if content == (1 << 7 * length) - 1:
            return None
        at += name + length + content
    return at > size


_FORMATS: tuple[tuple[Callable[[bytes], bool], Callable[[IO[bytes], int], bool | None]], ...] = (
    (lambda head: head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"), _boxes_cut),
    (lambda head: head[:4] == b"RIFF", _riff_cut),
    (lambda head: head[:4] == b"\x1a\x45\xdf\xa3", _ebml_cut),
)
