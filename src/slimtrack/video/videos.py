"""Frames from video files and streams, through PyAV: each with its number and its time, from any place on."""

import itertools
import math
import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import numpy as np

from slimtrack.arrays import Image
from slimtrack.errors import SourceError
from slimtrack.video.feed import TOLERANCE, Broken, Feed, Frame, Mark, reached

__all__ = ["video", "url"]

_URL_TIMEOUT = 10.0
"""Seconds to open a URL and to wait for its next packet: a camera's key frame can take 5 to 10."""

_SLACK_COUNTED = 2
"""Frames that may be missing without a word where a file counts them: edit lists hide some of whole files."""

_SLACK_GUESSED = 0.03
"""Share that may be missing where the count comes from a duration, which is rounded or that of the sound."""

_REORDERED = 32
"""Packets after a frame's in which an earlier frame may still come: H.264 and HEVC reorder by 16 at most."""

_HIDING = frozenset(["vp8"])
"""Codecs with packets that are never shown: counting packets would not count frames."""

_USUAL_FPS = 25.0
"""For the times of frames without a stamp in a video without a rate."""

_JUMP = 1.0
"""Seconds by which a stamp may lie before the last one and still be taken for a slip."""

_BACK = (0.0, 1.0, 10.0)
"""Seconds to seek before the frame that is asked for: an index can lead behind it, or to frames that lean on
earlier ones. After the last the file is read from its beginning."""

_Decoded: TypeAlias = Any
"""A decoded `av.VideoFrame`, or a text: why there is none."""


def video(path: Path, start: Mark) -> Feed:
    """The frames of a video file from ``start`` on.

    Raises:
        SourceError: It cannot be read, or holds no pictures.
    """
    import av

    opened = partial(av.open, str(path))
    try:
        container = opened()
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(_refusal(path, error)) from error
    film = _film(f"video {path}", container)
    feed = film.feed(path.stem, str(path.resolve()))
    feed.count = _announced(film.stream, container)
    feed.items = film.frames(start, feed, opened)
    return feed


def _refusal(path: Path, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return f"video {path} cannot be read: permission denied"
    if path.stat().st_size == 0:
        return f"video {path} is empty (0 bytes): record or copy it again"
    return f"{path} is not a video that can be read: it holds something else, or its end is missing"


def url(text: str, start: Mark) -> Feed:
    """The frames of a stream on the net, from ``start`` on; what comes before is read and thrown away.

    Raises:
        SourceError: It cannot be opened, or holds no pictures.
    """
    import av

    shown = _without_password(text)
    # TCP: over UDP, which is FFmpeg's first choice, lost packets smear the picture
    options = {"rtsp_transport": "tcp"} if text.lower().startswith("rtsp") else {}
    try:
        container = av.open(text, timeout=_URL_TIMEOUT, options=options)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(
            f"{shown} cannot be opened: {_said(error)}; check the address and that it is reachable"
        ) from error
    film = _film(shown, container)
    feed = film.feed(Path(urlsplit(text).path).stem or urlsplit(text).hostname or "stream", shown)
    feed.items = film.frames(start, feed)
    return feed


def _without_password(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


def _film(label: str, container: Any) -> "_Film":
    if not container.streams.video:
        container.close()
        raise SourceError(f"{label} has no video stream, only sound or text")
    return _Film(label, container, container.streams.video[0])


class _Film:
    """The pictures of an open container, in the order in which they are shown."""

    def __init__(self, label: str, container: Any, stream: Any) -> None:
        self.stream = stream
        self._index = stream.index
        self._label = label
        self._container = container
        self._end = 0.0  # seconds at which the last packet's picture ends
        self._cut = ""  # why nothing more could be read

    def feed(self, name: str, origin: str) -> Feed:
        """What is known beforehand; the frames are to be put in."""
        fps = float(self.stream.average_rate or self.stream.guessed_rate or 0) or None
        return Feed(name, self._label, iter(()), origin, fps, timed=True, close=self._close)

    def _close(self) -> None:
        self._container.close()

    def frames(self, start: Mark, feed: Feed, opened: Any = None) -> Iterator[Frame | Broken]:
        """The frames from ``start`` on.

        Args:
            start: Number or seconds of the first.
            feed: Takes the notes.
            opened: Opens the file once more; ``None`` for a stream in which nothing can be sought.
        """
        number, decoded = self._sought(start, opened) if start and opened else (0, self._decoded())
        clock = _Clock(self._beginning(live=opened is None), feed.fps)
        for item in decoded:
            if isinstance(item, str):
                if reached(start, number, None):
                    yield Broken(number, item)
            else:
                time = clock(item)
                if reached(start, number, time):
                    start = 0
                    yield Frame(_upright(item), number, time)
            number += 1
        feed.notes += self._early(number, feed.count)

    def _beginning(self, live: bool) -> float | None:
        """Seconds on the container's clock where a player begins to count; ``None``: at the first frame."""
        container, stream = self._container.start_time, self.stream.start_time
        if live or container is None:
            return None
        begin = float(container) / 1e6
        return begin if stream is None else min(begin, float(stream * self.stream.time_base))

    # ------------------------------------------------------------------------------------------ seeking

    def _sought(self, start: Mark, opened: Any) -> tuple[int, Iterator[_Decoded]]:
        """A number and the frames from it on: that of ``start`` where the file can be trusted to find it."""
        place = self._place(start, opened)
        if place is None:
            return 0, self._decoded()
        number, stamp = place
        if stamp is None:
            return number, iter(())
        decoded = self._jumped(stamp)
        if decoded is not None:
            return number, decoded
        self._container.close()
        self._container = opened()
        self.stream = self._container.streams[self._index]
        return 0, self._decoded()

    def _place(self, start: Mark, opened: Any) -> tuple[int, int | None] | None:
        """Number and stamp of the frame at ``start``, by the packets alone: none is decoded but the first.

        Returns:
            ``None`` where packets do not tell frames; a stamp of ``None`` where the file ends before.
        """
        stream = self.stream
        codec = stream.codec_context
        if codec.name in _HIDING or (self._container.format.name == "avi" and not codec.codec.intra_only):
            return None  # AVI notes the order of decoding only
        ticks = math.inf
        if isinstance(start, float):
            begin = self._beginning(live=False) or 0.0
            ticks = math.ceil((start - TOLERANCE + begin) / stream.time_base)
        stamps = self._stamps(start, ticks, opened)
        if stamps is None:
            return None
        number = bisect_left(stamps, ticks) if isinstance(start, float) else start
        return number, stamps[number] if number < len(stamps) else None

    def _stamps(self, start: Mark, ticks: float, opened: Any) -> list[int] | None:
        """The stamps of all frames up to the one at ``start`` at least, in order; ``None`` if unsure."""
        import av

        stamps: list[int] = []
        first: int | None = None
        later = 0
        try:
            with opened() as container:
                stream = container.streams[self._index]
                for packet in container.demux(stream):
                    if first is None and (frames := stream.codec_context.decode(packet)):
                        first = frames[0].pts
                    if packet.dts is None and not packet.size:  # the end
                        break
                    if packet.is_discard:
                        continue
                    if packet.pts is None or not packet.size:
                        return None
                    stamps.append(packet.pts)
                    later += len(stamps) > start if isinstance(start, int) else packet.pts >= ticks
                    if later > _REORDERED:
                        break
        except (av.FFmpegError, OSError, ValueError):
            return None
        stamps.sort()
        # packets before the first key frame give no frame: then counting them would count wrongly
        sure = bool(stamps) and stamps[0] == first and len(set(stamps)) == len(stamps)
        return stamps if sure else None

    def _jumped(self, stamp: int) -> Iterator[_Decoded] | None:
        """The frames from the one with that stamp on; ``None`` where seeking does not lead there."""
        import av
        from av.video.frame import PictureType

        for back in _BACK:
            try:
                self._container.seek(stamp - round(back / self.stream.time_base), stream=self.stream)
            except (av.FFmpegError, OSError):
                continue
            decoded = self._decoded()
            for place, item in enumerate(item for item in decoded if not isinstance(item, str)):
                if place == 0 and item.pict_type != PictureType.I:
                    break  # a film refreshed piece by piece: what comes here leans on what came before
                if item.pts == stamp:
                    return itertools.chain([item], decoded)
                if item.pts is None or item.pts > stamp:
                    break
        return None

    # ----------------------------------------------------------------------------------------- decoding

    def _decoded(self) -> Iterator[_Decoded]:
        """Decodes packet by packet, so that one that is broken costs one frame and not the rest."""
        import av

        packets = self._container.demux(self.stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.FFmpegError, OSError) as error:
                self._cut = _said(error)
                packet = None  # nothing more can be read: ask the decoder for what it still holds
            yield from _decode(self.stream, packet)
            if packet is None:
                return
            self._end = max(self._end, _end_of(packet))

    def _early(self, given: int, announced: int | None) -> list[str]:
        """The note that a file ends before its time, where it does.

        Args:
            given: Frames from the file's beginning to where it ended.
            announced: Frames that it says it has.
        """
        missing = (
            0 if announced is None else _missing(given, self._end, announced, self.stream, self._container)
        )
        if not (self._cut or missing):
            return []
        about = "" if self.stream.frames else "about "
        of = f" of {about}{given + missing}" if missing else ""
        why = f" ({self._cut})" if self._cut else ""
        return [f"the source ends early, after {given}{of} frames{why}: everything up to there is kept"]


def _said(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


class _Clock:
    """Seconds since the beginning of a source, from its frames' stamps; always later than the last.

    Args:
        begin: What the stamps say at the beginning, in seconds; ``None`` for what the first frame says.
        fps: Frames a second where stamps are missing.
    """

    def __init__(self, begin: float | None, fps: float | None) -> None:
        self._begin = begin
        self._tick = 1 / (fps or _USUAL_FPS)
        self._last = -math.inf

    def __call__(self, frame: Any) -> float:
        """The time of the next frame."""
        said = None if frame.pts is None else float(frame.pts * frame.time_base)
        if self._begin is None:
            self._begin = said
        time = self._last + self._tick if said is None else said - (self._begin or 0.0)
        if self._last == -math.inf:
            time = max(time, 0.0) if said is not None else 0.0
        elif time < self._last - _JUMP:  # films put one behind the other: the stamps begin anew
            self._begin = (self._begin or 0.0) - (self._last + self._tick - time)
            time = self._last + self._tick
        elif time <= self._last:
            time = self._last + self._tick / 2
        self._last = time
        return time


def _announced(stream: Any, container: Any) -> int | None:
    """How many frames a file says it has; from its duration where it does not count them."""
    if stream.frames:
        return int(stream.frames)
    seconds = _seconds(stream, container)
    return int(seconds * float(stream.average_rate) + 0.5) if seconds and stream.average_rate else None


def _seconds(stream: Any, container: Any) -> float:
    """How long a file says its pictures last; its sound may last longer. 0 where it does not say."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    tag = re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", ""))  # Matroska's way
    if tag:
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
    return float(container.duration or 0) / 1e6


def _end_of(packet: Any) -> float:
    """Seconds from the stream's beginning at which a packet's picture ends."""
    if packet.pts is None:
        return 0.0
    start = packet.stream.start_time or 0
    return float((packet.pts - start + (packet.duration or 0)) * packet.time_base)


def _missing(given: int, end: float, announced: int, stream: Any, container: Any) -> int:
    """How many frames a file lacks; 0 where it is as good as whole.

    Args:
        given: Frames that came.
        end: Seconds at which the last of them ends.
        announced: Frames that it says it has.
        stream: The pictures.
        container: The file.
    """
    missing = announced - given
    if stream.frames:
        return missing if missing > _SLACK_COUNTED else 0
    # frames that come at an uneven rate are fewer than rate x duration says: then the clock tells
    late = end > (1 - _SLACK_GUESSED) * _seconds(stream, container)
    return 0 if late or missing <= max(_SLACK_COUNTED, _SLACK_GUESSED * announced) else missing


def _decode(stream: Any, packet: Any) -> list[_Decoded]:
    """The frames that one packet completes; the decoder's last ones for ``None``."""
    import av

    try:
        frames = stream.codec_context.decode(packet)
    except av.EOFError:
        return []
    except (av.FFmpegError, OSError, ValueError) as error:
        if packet is None or not packet.size:  # an error at the end of a stream loses no frame
            return []
        return [f"not decodable: {_said(error)}"]
    return ["damaged" if frame.is_corrupt else frame for frame in frames]


def _upright(frame: Any) -> Image:
    """The picture as a player shows it: telephones store it lying and note the turn beside it."""
    image: Image = frame.to_ndarray(format="bgr24")
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
