"""Decodes the frames of an open video container from any place on, with frame numbers and times."""

import itertools
import math
import os
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from slimtrack.video.feed import TOLERANCE, Broken, Feed, Frame, Mark, Sound, reached
from slimtrack.video.showing import Show, pixel_aspect
from slimtrack.video.wholeness import early

__all__ = ["Film", "ffmpeg_name", "error_text"]

_REORDERED = 32
"""Packets after a frame's that may still hold an earlier frame: H.264 and HEVC reorder by 16 at most."""

_HIDING = frozenset(["vp8"])
"""Codecs with packets that are never shown, so that counting packets does not count frames."""

_USUAL_FPS = 25.0
"""Frame rate for frames without a time stamp in a video without a frame rate."""

_JUMP = 1.0
"""Seconds by which a time stamp may go back and still count as a small error."""

_BACK = (0.0, 1.0, 10.0)
"""Seconds to seek before the wanted frame, tried in turn: an index can lead past it, or to frames that depend
on earlier ones. If all fail the file is read from its beginning."""

_Decoded: TypeAlias = Any
"""A decoded `av.VideoFrame`, or a text that says why there is none."""


def ffmpeg_name(path: str | os.PathLike[str]) -> str:
    """A file's name for FFmpeg, which would otherwise read ``12:30.mp4`` and ``pipe:0`` as addresses."""
    return f"file:{os.fspath(path)}"


class Film:
    """The frames of an open container, in the order in which they are shown.

    Attributes:
        stream: PyAV's video stream.
        notes: Notes for the user.

    Args:
        label: How error messages call the source.
        container: PyAV's container; closed by the feed.
        stream: One of its streams.
        path: The file; ``None`` for a network stream, which cannot be sought in.
    """

    def __init__(self, label: str, container: Any, stream: Any, path: Path | None) -> None:
        self.stream = stream
        self.notes: list[str] = []
        self._path = path
        self._index = stream.index
        self._label = label
        self._container = container
        self._end = 0.0  # seconds at which the last packet's picture ends
        self._cut = ""  # why nothing more could be read

    def feed(self, name: str, origin: str) -> Feed:
        """A feed with what is known before reading; the frames are still to be added."""
        fps = float(self.stream.average_rate or self.stream.guessed_rate or 0) or None
        feed = Feed(name, self._label, iter(()), origin, fps, timed=True, close=self._close, notes=self.notes)
        if self._path is not None and self._container.streams.audio:
            feed.sound = Sound(self._path, self._beginning() or 0.0)
        return feed

    def _close(self) -> None:
        self._container.close()

    def frames(self, start: Mark, feed: Feed) -> Iterator[Frame | Broken]:
        """The frames from ``start`` on (number or seconds); the first sets the feed's pixel aspect ratio."""
        number, decoded = self._sought(start) if start and self._path else (0, self._decoded())
        begun = False
        clock, show = _Clock(self._beginning(), feed.fps), Show(self.notes)
        for item in decoded:
            if isinstance(item, str):
                if reached(start, number, None):
                    yield Broken(number, item)
            else:
                time = clock(item)
                if reached(start, number, time):
                    if not begun:
                        start, begun = 0, True
                        feed.aspect = pixel_aspect(self.stream, item)
                    yield Frame(show(item, number), number, time)
            number += 1
        if self._path is not None:
            self.notes += early(
                number, self._end, feed.count, self._cut, self.stream, self._container, self._path
            )
        elif self._cut:
            self.notes.append(f"the stream broke off after {number} frames ({self._cut})")

    def _beginning(self) -> float | None:
        """Time stamp, in seconds, that a player shows as 0; ``None``: that of the first frame."""
        container, stream = self._container.start_time, self.stream.start_time
        if self._path is None or container is None:
            return None
        begin = float(container) / 1e6
        return begin if stream is None else min(begin, float(stream * self.stream.time_base))

    # ------------------------------------------------------------------------------------------ seeking

    def _sought(self, start: Mark) -> tuple[int, Iterator[_Decoded]]:
        """A frame number and the frames from it on; that of ``start`` if seeking in the file is reliable."""
        place = self._place(start)
        if place is None:
            return 0, self._decoded()
        number, stamp = place
        if stamp is None:
            return number, iter(())
        decoded = self._jumped(stamp)
        if decoded is not None:
            return number, decoded
        self._container.close()
        self._container = self._opened()
        self.stream = self._container.streams[self._index]
        return 0, self._decoded()

    def _opened(self) -> Any:
        import av

        return av.open(ffmpeg_name(self._path or ""))

    def _place(self, start: Mark) -> tuple[int, int | None] | None:
        """Number and time stamp of the frame at ``start``, from the packets; only the first is decoded.

        Returns:
            ``None`` if packets do not correspond to frames; a time stamp of ``None`` if the file ends before.
        """
        stream = self.stream
        codec = stream.codec_context
        if codec.name in _HIDING or (self._container.format.name == "avi" and not codec.codec.intra_only):
            return None  # AVI stores the order of decoding only
        ticks = math.inf
        if isinstance(start, float):
            begin = self._beginning() or 0.0
            ticks = math.ceil((start - TOLERANCE + begin) / stream.time_base)
        stamps = self._stamps(start, ticks)
        if stamps is None:
            return None
        number = bisect_left(stamps, ticks) if isinstance(start, float) else start
        return number, stamps[number] if number < len(stamps) else None

    def _stamps(self, start: Mark, ticks: float) -> list[int] | None:
        """The time stamps of the frames, at least up to ``start``, in order; ``None`` if unreliable."""
        import av

        stamps: list[int] = []
        first: int | None = None
        later = 0
        try:
            with self._opened() as container:
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
        # packets before the first key frame give no frame, so counting them would be wrong
        sure = bool(stamps) and stamps[0] == first and len(set(stamps)) == len(stamps)
        return stamps if sure else None

    def _jumped(self, stamp: int) -> Iterator[_Decoded] | None:
        """The frames from the one with that time stamp on; ``None`` if seeking does not lead there."""
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
                    break  # no key frames, refreshed piece by piece: frames here depend on earlier ones
                if item.pts == stamp:
                    return itertools.chain([item], decoded)
                if item.pts is None or item.pts > stamp:
                    break
        return None

    # ----------------------------------------------------------------------------------------- decoding

    def _decoded(self) -> Iterator[_Decoded]:
        """Decodes packet by packet, so that a broken packet costs one frame and not the rest."""
        import av

        packets = self._container.demux(self.stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.FFmpegError, OSError) as error:
                self._cut = error_text(error)
                packet = None  # nothing more can be read: flush the decoder
            yield from _decode(self.stream, packet)
            if packet is None:
                return
            self._end = max(self._end, _end_of(packet))


def error_text(error: Exception) -> str:
    """The text of an error of FFmpeg or the system."""
    return (getattr(error, "strerror", None) or str(error)).lower()


class _Clock:
    """Turns time stamps into seconds since the start of the source, always later than the last frame's.

    Args:
        begin: Time stamp of the start, in seconds; ``None``: that of the first frame.
        fps: Frames a second, used if time stamps are missing.
    """

    def __init__(self, begin: float | None, fps: float | None) -> None:
        self._begin = begin
        self._tick = 1 / (fps or _USUAL_FPS)
        self._last = -math.inf

    def __call__(self, frame: Any) -> float:
        """The time of the next frame."""
        stamp = None if frame.pts is None else float(frame.pts * frame.time_base)
        if self._begin is None:
            self._begin = stamp
        time = self._last + self._tick if stamp is None else stamp - (self._begin or 0.0)
        if self._last == -math.inf:
            time = max(time, 0.0) if stamp is not None else 0.0
        elif time < self._last - _JUMP:  # videos joined together: the time stamps begin anew
            self._begin = (self._begin or 0.0) - (self._last + self._tick - time)
            time = self._last + self._tick
        elif time <= self._last:
            time = self._last + self._tick / 2
        self._last = time
        return time


def _end_of(packet: Any) -> float:
    """Seconds from the stream's start at which a packet's picture ends."""
    if packet.pts is None:
        return 0.0
    start = packet.stream.start_time or 0
    return float((packet.pts - start + (packet.duration or 0)) * packet.time_base)


def _decode(stream: Any, packet: Any) -> list[_Decoded]:
    """The frames that one packet completes; for ``None``, the last ones in the decoder."""
    import av

    try:
        frames = stream.codec_context.decode(packet)
    except av.EOFError:
        return []
    except (av.FFmpegError, OSError, ValueError) as error:
        if packet is None or not packet.size:  # an error at the end of a stream loses no frame
            return []
        return [f"not decodable: {error_text(error)}"]
    return ["damaged" if frame.is_corrupt else frame for frame in frames]
