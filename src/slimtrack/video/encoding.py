"""Writes H.264 video in MP4, with the times, pixel aspect ratio and sound of its source."""

import heapq
import math
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from slimtrack.arrays import Image
from slimtrack.errors import OutputError
from slimtrack.files import writing
from slimtrack.video.feed import Footage, Sound
from slimtrack.video.film import ffmpeg_name
from slimtrack.video.sound import copied, heard, second

__all__ = ["Encoder"]

_USUAL_FPS = 25.0
"""Frame rate for sources that state none, such as folders: that of cinema and European video."""

_TICKS = 90_000
"""Ticks per second: frames at 24, 25, 30, 50, 60, 1000 and 30000/1001 per second each fall on a tick."""

_REFUSED = (OSError, ValueError)
"""The exceptions that FFmpeg and the system raise."""


class Encoder:
    """Writes pictures as a video that browsers play.

    The video is written in fragments of one frame each, so that a crash leaves a video that plays. `close`
    rewrites it without encoding again, adds the sound, and puts the index first, so that every player can
    seek.

    Args:
        path: The file.
        footage: What the video takes over from its source.

    Attributes:
        notes: Notes for the user.
    """

    _FRAGMENTS = {  # noqa: RUF012  (never changed)
        "movflags": "frag_every_frame+empty_moov+default_base_moof",
        "flush_packets": "1",
    }

    def __init__(self, path: Path, footage: Footage) -> None:
        self.notes: list[str] = []
        self._path, self._footage = path, footage
        fps = footage.fps
        # a stream's time base (90000) or nonsense in a header is not a frame rate
        self._fps = fps if fps is not None and math.isfinite(fps) and 0.1 <= fps <= 480 else _USUAL_FPS
        self._begin = 0.0  # seconds of the source at which the first picture is shown
        self._sound_begin = 0.0  # and at which the video begins
        self._stamp: int | None = None
        self._whole: int | None = None  # bytes of whole fragments, while another is written
        self._stream: Any = None
        with _encoding(path):
            import av

            self._container: Any = av.open(ffmpeg_name(path), "w", format="mp4", options=self._FRAGMENTS)

    def add(self, image: Image, number: int, time: float | None) -> None:
        """Writes one picture, which is shown from its time until the next picture.

        Args:
            image: ``(H, W, 3)`` uint8 BGR.
            number: The frame's number in the source.
            time: Its time in seconds; ``None`` if the source has no times.

        Raises:
            OutputError: The disk is full, or permission is missing.
        """
        import av

        image = _even(image)
        with _encoding(self._path):
            if self._stream is None:
                self._stream = self._started(image.shape[1], image.shape[0])
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = self._next_stamp(number, time), Fraction(1, _TICKS)
            self._mux(self._stream.encode(frame))

    def keep(self, path: Path, places: Sequence[tuple[int, float | None]]) -> int:
        """Copies pictures from an earlier video without encoding them again.

        Args:
            path: A video written by this class, complete or truncated; it may be missing.
            places: Number and seconds of the frame that each picture shows; further pictures are ignored.

        Returns:
            Number of pictures copied; 0 if the earlier video was encoded in another way.

        Raises:
            OutputError: The disk is full, or permission is missing.
        """
        import av

        kept = 0
        try:
            with av.open(ffmpeg_name(path)) as source:
                stream = source.streams.video[0]
                with _encoding(self._path):
                    self._stream = self._started(stream.width, stream.height)
                    self._container.start_encoding()
                if not _alike(stream, self._stream):
                    return 0
                packets = _plain(source, stream)
                for (number, time), packet in zip(places, packets, strict=False):
                    packet.pts = packet.dts = self._next_stamp(number, time)
                    packet.time_base, packet.stream = Fraction(1, _TICKS), self._stream
                    with _encoding(self._path):
                        self._mux([packet])
                    kept += 1
        except (*_REFUSED, IndexError):
            pass  # not a video, or truncated here: the rest is drawn anew
        return kept

    def _next_stamp(self, number: int, time: float | None) -> int:
        """When to show the frame, in ticks from the first frame; always later than the frame before."""
        seconds = number / self._fps if time is None else time
        if self._stamp is None:
            self._begin, self._stamp = seconds, 0
            # a video tracked from its start keeps the sound before its first picture
            self._sound_begin = 0.0 if number == 0 else seconds
            return 0
        stamp = round((seconds - self._begin) * _TICKS)
        self._stamp = stamp if stamp > self._stamp else self._stamp + self._tick
        return self._stamp

    @property
    def _tick(self) -> int:
        return round(_TICKS / self._fps)

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            packet.duration = (
                packet.duration or self._tick
            )  # only matters for the last picture: the others end with the next
            # FFmpeg makes the file with the first packet
            self._whole = self._path.stat().st_size if self._path.exists() else 0
            self._container.mux(packet)
            self._whole = None

    def _started(self, width: int, height: int) -> Any:
        # zerolatency: the encoder holds no frame back; crf 20 keeps thin lines sharp
        options = {"preset": "veryfast", "tune": "zerolatency", "crf": "20"}
        rate = Fraction(self._fps).limit_denominator(1001)
        stream = self._container.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS)
        stream.codec_context.sample_aspect_ratio = self._footage.aspect.limit_denominator(1 << 15)
        return stream

    def close(self) -> bool:
        """Finishes the file and returns whether it holds a picture. May be called again.

        Raises:
            OutputError: The last part cannot be written; what was written before stays.
        """
        container, self._container = self._container, self._container
        if container is None:
            return self._stream is not None
        try:
            with _encoding(self._path):
                if self._stream is not None:
                    self._mux(self._stream.encode())
        finally:
            self._container = None
            try:
                with _encoding(self._path):
                    container.close()
            finally:
                self._cut()
        if self._stream is not None:
            self._finish()
        return self._stream is not None

    def _cut(self) -> None:
        """Removes a truncated fragment, which some players cannot skip."""
        if self._whole is not None and self._path.is_file():
            with suppress(OSError):
                os.truncate(self._path, self._whole)

    def _finish(self) -> None:
        """Rewrites the fragments as a plain file; leaves them as they are if the disk is full."""
        sound = self._footage.sound
        if sound is not None:
            try:
                self._rewrite(sound)
            except _REFUSED as error:
                reason = str(error).splitlines()[0]
                self.notes.append(f"the sound was not copied into {self._path.name}: {reason}")
            else:
                return
        with suppress(*_REFUSED):  # the fragmented file plays too, but seeks more slowly
            self._rewrite(None)

    def _rewrite(self, sound: Sound | None) -> None:
        import av

        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        lead = round((self._begin - self._sound_begin) * _TICKS)
        end = self._sound_begin + (lead + (self._stamp or 0) + self._tick) / _TICKS
        try:
            with (
                av.open(ffmpeg_name(self._path)) as source,
                av.open(ffmpeg_name(beside), "w", format="mp4", options={"movflags": "+faststart"}) as target,
            ):
                copy = target.add_stream_from_template(source.streams.video[0])
                pictures = copied(source, source.streams.video[0], copy, lead if sound else 0)
                with heard(sound, target, self._sound_begin, end) as packets:
                    for packet in heapq.merge(pictures, packets, key=second):
                        target.mux(packet)
            beside.replace(self._path)
        finally:
            beside.unlink(missing_ok=True)


def _alike(earlier: Any, stream: Any) -> bool:
    """Whether pictures of both can be in one video, because their parameter sets are the same."""
    sets = re.split(rb"\x00\x00\x00?\x01", stream.codec_context.extradata or b"")
    return bool(sets[1:]) and all(part in (earlier.codec_context.extradata or b"") for part in sets)


def _plain(source: Any, stream: Any) -> Iterator[Any]:
    """The packets of a stream in an MP4, as an encoder gives them, up to the first broken one."""
    import av

    as_encoded = av.BitStreamFilterContext("h264_mp4toannexb", stream)
    for packet in source.demux(stream):
        if packet.dts is None or packet.is_corrupt:
            return
        yield from as_encoded.filter(packet)


@contextmanager
def _encoding(path: Path) -> Iterator[None]:
    """Turns errors of the encoder or the disk into one sentence."""
    import av

    try:
        with writing(path):
            yield
    except (av.FFmpegError, ValueError) as error:
        raise OutputError(f"cannot write video {path}: {error}") from error


def _even(image: Image) -> Image:
    """The image with even sides, which yuv420p needs; the last row or column is repeated if necessary."""
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return image
