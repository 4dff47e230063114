"""Opens video files and network streams; of several video streams in a file, the film is chosen."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from slimtrack.errors import SourceError
from slimtrack.video.feed import Feed, Mark
from slimtrack.video.film import Film, error_text, ffmpeg_name
from slimtrack.video.wholeness import announced

__all__ = ["url", "video"]

_URL_TIMEOUT = 10.0
"""Seconds to wait for a URL to open and for its next packet: a camera's key frame can take 5 to 10."""

_NO_FILM = ("attached_pic", "still_image", "timed_thumbnails")
"""Marks of streams that hold a cover or a preview."""


def video(path: Path, start: Mark) -> Feed:
    """The frames of a video file from ``start`` on.

    Raises:
        SourceError: The file cannot be read, or holds no video.
    """
    import av

    try:
        container = av.open(ffmpeg_name(path))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(_refusal(path, error)) from error
    film = _film(f"video {path}", container, path)
    feed = film.feed(path.stem, str(path.resolve()))
    feed.count = announced(film.stream, container)
    feed.items = film.frames(start, feed)
    return feed


def _refusal(path: Path, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return f"video {path} cannot be read: permission denied"
    if path.stat().st_size == 0:
        return f"video {path} is empty (0 bytes): record or copy it again"
    return f"{path} is not a video that can be read: it holds something else, or its end is missing"


def url(text: str, start: Mark) -> Feed:
    """The frames of a network stream from ``start`` on; earlier frames are read and dropped.

    Raises:
        SourceError: The stream cannot be opened, or holds no video.
    """
    import av

    shown = _without_password(text)
    # TCP, because lost packets of UDP, FFmpeg's first choice, damage the picture
    options = {"rtsp_transport": "tcp"} if text.lower().startswith("rtsp") else {}
    try:
        container = av.open(text, timeout=_URL_TIMEOUT, options=options)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(
            f"{shown} cannot be opened: {error_text(error)}; check the address, and whether it is reachable"
        ) from error
    film = _film(shown, container, None)
    feed = film.feed(Path(urlsplit(text).path).stem or urlsplit(text).hostname or "stream", shown)
    feed.items = film.frames(start, feed)
    return feed


def _without_password(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


def _film(label: str, container: Any, path: Path | None) -> Film:
    streams = container.streams.video
    films = [stream for stream in streams if not _is_marked(stream)]
    if not films:
        container.close()
        only = "a cover picture" if streams else "sound or text"
        raise SourceError(f"{label} has no video stream, only {only}")
    taken = _longest(films, container)
    film = Film(label, container, taken, path)
    if len(streams) > 1:
        left = ", ".join(_described(stream) for stream in streams if stream is not taken)
        film.notes.append(f"of its {len(streams)} video streams {_described(taken)} was taken, not {left}")
    return film


def _is_marked(stream: Any) -> bool:
    from av.stream import Disposition

    return any(stream.disposition & Disposition[name] for name in _NO_FILM)


def _longest(streams: list[Any], container: Any) -> Any:
    """The film: of the streams about as long as the longest, the one with the most pixels, then the first."""
    counts = [announced(stream, container) or 0 for stream in streams]
    long = [s for s, count in zip(streams, counts, strict=True) if count >= 0.5 * max(counts)]
    return max(long, key=lambda stream: stream.width * stream.height)


def _described(stream: Any) -> str:
    return f"number {stream.index} ({stream.codec_context.name}, {stream.width} x {stream.height})"
