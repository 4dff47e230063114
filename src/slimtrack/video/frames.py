"""Reads frames from a video file, folder, glob, camera, URL or arrays, always as BGR uint8."""

import math
import os
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TypeAlias

from slimtrack.arrays import AnyArray, Image
from slimtrack.errors import InputError, SourceError
from slimtrack.video.feed import Feed, Footage, Frame, Mark, reached
from slimtrack.video.images import ImageReader
from slimtrack.video.marks import check_order, check_timed, mark_of
from slimtrack.video.sources import feed_of

__all__ = ["Frame", "Frames", "ImageReader", "Source", "open_frames"]

_MOST_BROKEN = 300
"""Number of broken frames in a row after which reading stops: ten seconds of a video."""


class Frames:
    """The frames of one source. `open_frames` creates it, ``with`` closes it.

    The first frame is read when the source is opened, so that the size is known and a source without a
    readable frame is refused at once. Frames are ``(H, W, 3)`` uint8 BGR, all of one size. Iterating gives
    the images; `numbered` gives them with number and time.

    Attributes:
        name: Name of the source, without folder and suffix.
        origin: Where the frames come from: a full path or pattern, a URL without its password, a camera;
            ``None`` for arrays.
        fps: Frames a second, or ``None`` if the source states none.
        count: Number of frames from start to end that the source announces (broken ones too), or ``None``.
        size: ``(width, height)`` in pixels.
        aspect: Width of a pixel over its height; 1 if unknown.
        index: Number of the frame last returned, 0-based; broken frames count, so that numbers are those of
            the source. -1 before the first.
        time: Time in seconds of the frame last returned; ``None`` if unknown.
        skipped: Number of broken frames left out so far.
    """

    def __init__(
        self, feed: Feed, start: Mark = 0, end: Mark | None = None, fps: float | None = None
    ) -> None:
        self._feed = feed
        self._start, self._end, self._stated_fps = start, end, fps
        self._broken: list[str] = []
        self.name = _printable(feed.name)
        self.origin = feed.origin
        self.fps = feed.fps if fps is None else fps
        self.size = (0, 0)
        self.index = -1
        self.time: float | None = None
        self.skipped = 0
        self._ready: Frame | None = self._read()
        if self._ready is None:
            self.close()
            raise SourceError(self._nothing(start))
        # times from a stated frame rate do not match the sound
        self._sound = feed.sound if fps is None else None
        self.aspect = feed.aspect
        self.count = self._between(self._ready.number)

    @property
    def notes(self) -> list[str]:
        """Notes for the user: broken frames, an early end, conversions."""
        notes = list(self._feed.notes)
        if self.skipped:
            plural = "s were" if self.skipped > 1 else " was"
            notes.insert(0, f"{self.skipped} broken frame{plural} skipped{_because(self._broken)}")
        return [_printable(note) for note in notes]

    @property
    def footage(self) -> Footage:
        """What a video made from these frames takes over."""
        return Footage(self.fps, self.aspect, self._sound)

    @property
    def first(self) -> Image:
        """The image of the first frame; only before any frame has been read.

        Raises:
            SourceError: Frames have been read already.
        """
        return self.upcoming.image

    @property
    def upcoming(self) -> Frame:
        """The first frame with number and time; only before any frame has been read.

        Raises:
            SourceError: Frames have been read already.
        """
        if self._ready is None:
            raise SourceError(f"{self._feed.label}: its first frame has been read already, open it again")
        return self._ready

    def numbered(self) -> Iterator[Frame]:
        """The remaining frames, each with its number and time."""
        while (frame := self._next()) is not None:
            yield frame

    def __iter__(self) -> Iterator[Image]:
        return self

    def __next__(self) -> Image:
        frame = self._next()
        if frame is None:
            raise StopIteration
        return frame.image

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Releases the file or camera; there are no further frames. May be called again."""
        self._ready = None
        self._feed.items = iter(())
        self._feed.close()

    def _next(self) -> Frame | None:
        frame, self._ready = self._ready, None
        if frame is None:
            frame = self._read()
        if frame is not None:
            self.index, self.time = frame.number, frame.time
        return frame

    def _read(self) -> Frame | None:
        """The next readable frame, after checking it; ``None`` at the end."""
        broken = 0
        for item in self._feed.items:
            if isinstance(item, Frame):
                item = self._with_time(item)
            time = item.time if isinstance(item, Frame) else None
            if self._end is not None and reached(self._end, item.number, time):
                self.close()
                break
            if not reached(self._start, item.number, time):
                continue
            if isinstance(item, Frame):
                self._start = 0
                return self._checked(item)
            broken += 1
            self.skipped += 1
            if len(self._broken) < 3:
                self._broken.append(f"frame {item.number}: {item.reason}")
            if broken >= _MOST_BROKEN:
                self._feed.notes.append(f"given up after {broken} broken frames in a row")
                break
        return None

    def _with_time(self, frame: Frame) -> Frame:
        """The frame, with the time from the stated frame rate if there is one."""
        if self._stated_fps is None:
            return frame
        return Frame(frame.image, frame.number, frame.number / self._stated_fps)

    def _checked(self, frame: Frame) -> Frame:
        size = (frame.image.shape[1], frame.image.shape[0])
        if self.size == (0, 0):
            self.size = size
        if size != self.size:
            got, had = (f"{w} x {h}" for w, h in (size, self.size))
            raise SourceError(
                f"{self._feed.label}: frame {frame.number} is {got} pixels but those before it are {had}: "
                "split it there, or resize all frames to one size"
            )
        return frame

    def _between(self, first: int) -> int | None:
        """Number of frames that the source announces from number ``first`` to the end."""
        last: float = math.inf if self._feed.count is None else self._feed.count
        if isinstance(self._end, int):
            last = min(last, self._end)
        elif self._end is not None and self.fps:
            last = min(last, math.ceil(self._end * self.fps))
        return None if last == math.inf else max(int(last) - first, 1)

    def _nothing(self, start: Mark) -> str:
        """A text that says why there is no frame."""
        label, count = self._feed.label, self._feed.count
        if not start or self._broken:
            return f"{label} has no frame that can be read{_because(self._broken)}"
        has = f": it has {count} frames" if count is not None and isinstance(start, int) else ""
        place = f"frame {start}" if isinstance(start, int) else f"{start:g} seconds"
        return f"{label} ends before {place}{has}; start earlier"


Source: TypeAlias = str | int | os.PathLike[str] | Iterable[AnyArray] | Frames
"""The types that `open_frames` takes."""


def open_frames(
    source: Source,
    *,
    name: str | None = None,
    fps: float | None = None,
    count: int | None = None,
    start: Mark = 0,
    end: Mark | None = None,
) -> Frames:
    """Opens a source of frames.

    Args:
        source: A video file, a folder of images (in natural order of their names; also OTB's layout with
            the images in ``img/``), a glob pattern such as ``"shots/*.png"``, a camera's number (``0`` or
            ``"0"``), an RTSP or HTTP URL, or an iterable of image arrays. Grey images and images of 16 bit
            are converted, alpha is dropped. A `Frames` is given back as it is.
        name: Name of the source, if it has none of its own.
        fps: Frames a second, if the source states none or a wrong one; times are then number / fps.
        count: Number of frames, if the source does not state it.
        start: Where to begin: a whole number is a frame number (0-based), a float is a time in seconds. The
            first frame is that one, or the first at or after that time; it keeps its number and time. In
            video files the reader seeks; in other sources earlier frames are read and dropped.
        end: Where to end, in the same notation; this frame is not included.

    Raises:
        SourceError: The source does not exist, is of no known kind, holds no readable frame, or ends before
            ``start``.
        InputError: ``start`` or ``end`` cannot be used.
    """
    if isinstance(source, Frames):
        if start or end is not None:
            raise InputError("start and end cannot be given with opened frames; give them to open_frames")
        frames = source
        frames.fps = frames.fps if fps is None else fps
    else:
        marks = mark_of("start", start, fps), None if end is None else mark_of("end", end, fps)
        check_order(*marks)
        feed = feed_of(source, marks[0])
        try:
            check_timed(feed, marks)
            frames = Frames(feed, *marks, fps)
        except BaseException:
            feed.close()
            raise
    frames.name = frames.name if name is None else name
    frames.count = frames.count if count is None else count
    return frames


def _printable(text: str) -> str:
    """The text with question marks for the parts of a file name that are not UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _because(reasons: list[str]) -> str:
    return f" ({'; '.join(reasons)})" if reasons else ""
