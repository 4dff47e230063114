"""Frames in: from a video file, a folder, a glob, a camera, a URL or arrays, always as BGR uint8."""

import glob
import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import urlsplit

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import AnyArray, Image
from slimtrack.errors import MissingError, SourceError

__all__ = ["Frames", "ImageReader", "Source", "image_files", "natural_key", "open_frames", "IMAGE_SUFFIXES"]

IMAGE_SUFFIXES = frozenset(
    [".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm",
     ".pnm", ".jp2", ".sr", ".ras"]
)  # fmt: skip
"""What counts as an image in a folder: the formats that any OpenCV reads."""

_FOLDERS_INSIDE = ("img", "color", "imgs", "images", "frames")
"""Where data sets keep the images of a sequence: OTB's ``img``, VOT's ``color``, and their imitators."""

_URL_TIMEOUT = 10.0
"""Seconds to open a URL and to wait for its next packet: a camera's key frame can take 5 to 10."""

_SLACK_COUNTED = 2
"""Frames that may be missing without a word where a file counts them: edit lists hide some of whole files."""

_SLACK_GUESSED = 0.03
"""Share that may be missing where the count comes from a duration, which is rounded or that of the sound."""

_MOST_BROKEN = 300
"""Frames broken in a row after which a source is given up: ten seconds of a video."""


class Frames:
    """The frames of one source, one after the other; made by `open_frames`, closed by ``with``.

    The first frame is read when the source is opened, so that its size is known and a source without a
    readable frame is refused at once. Frames are ``(H, W, 3)`` uint8 BGR, all of one size.

    Attributes:
        name: What to call the source, without folder and suffix.
        origin: Where it came from: a full path or pattern, a URL without its password, a camera;
            ``None`` for arrays.
        fps: Frames a second, or ``None`` where the source does not say.
        count: Number of frames that the source announces (broken ones too), or ``None``.
        size: ``(width, height)`` in pixels.
        index: Number of the frame last given, 0-based; broken frames count, so that numbers stay those of
            the source. -1 before the first.
        skipped: Number of broken frames left out so far.
    """

    def __init__(self, feed: "_Feed") -> None:
        self._feed = feed
        self._broken: list[str] = []
        self._position = -1
        self.name, self.origin, self.fps, self.count = feed.name, feed.origin, feed.fps, feed.count
        self.size = (0, 0)
        self.index = -1
        self.skipped = 0
        self._ready: Image | None = self._read()
        if self._ready is None:
            self.close()
            raise SourceError(f"{feed.label} has no frame that can be read{_because(self._broken)}")

    @property
    def notes(self) -> list[str]:
        """What the user should know: broken frames, an end before its time, conversions."""
        notes = list(self._feed.notes)
        if self.skipped:
            plural = "s were" if self.skipped > 1 else " was"
            notes.insert(0, f"{self.skipped} broken frame{plural} skipped{_because(self._broken)}")
        return notes

    @property
    def first(self) -> Image:
        """The first frame, before any has been taken.

        Raises:
            SourceError: Frames have been taken already.
        """
        if self._ready is None:
            raise SourceError(f"{self._feed.label}: its first frame has been taken already, open it again")
        return self._ready

    def __iter__(self) -> Iterator[Image]:
        return self

    def __next__(self) -> Image:
        image, self._ready = self._ready, None
        if image is None:
            image = self._read()
        if image is None:
            raise StopIteration
        self.index = self._position
        return image

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the file or camera back; further frames are none. May be called again."""
        self._ready = None
        self._feed.close()

    def _read(self) -> Image | None:
        """The next frame that can be read, checked; ``None`` at the end."""
        for row, item in enumerate(self._feed.items, start=1):
            self._position += 1
            if not isinstance(item, _Broken):
                return self._checked(item)
            self.skipped += 1
            if len(self._broken) < 3:
                self._broken.append(f"frame {self._position}: {item.reason}")
            if row >= _MOST_BROKEN:
                self._feed.notes.append(f"given up after {row} broken frames in a row")
                break
        return None

    def _checked(self, image: Image) -> Image:
        size = (image.shape[1], image.shape[0])
        if self.size == (0, 0):
            self.size = size
        if size != self.size:
            got, had = (f"{w} x {h}" for w, h in (size, self.size))
            raise SourceError(
                f"{self._feed.label}: frame {self._position} is {got} pixels but those before it are {had}: "
                "split it there, or bring all frames to one size"
            )
        return image


Source: TypeAlias = str | int | os.PathLike[str] | Iterable[AnyArray] | Frames
"""What `open_frames` takes."""


@dataclass(frozen=True, slots=True)
class _Broken:
    """Stands in a feed for a frame that cannot be read."""

    reason: str


@dataclass(slots=True)
class _Feed:
    """What a kind of source provides: its frames, some of them broken, and what is known beforehand."""

    name: str
    label: str  # how an error message calls it
    items: Iterator[Image | _Broken]
    origin: str | None = None
    fps: float | None = None
    count: int | None = None
    close: Callable[[], None] = lambda: None
    notes: list[str] = field(default_factory=list)


def open_frames(
    source: Source, *, name: str | None = None, fps: float | None = None, count: int | None = None
) -> Frames:
    """Opens anything that has frames.

    Args:
        source: A video file, a folder of images (in natural order of their names; also OTB's layout with
            the images in ``img/``), a glob pattern such as ``"shots/*.png"``, a camera's number (``0`` or
            ``"0"``), an RTSP or HTTP URL, or an iterable of image arrays. Grey images and images of 16 bit
            are converted, alpha is dropped. A `Frames` is given back as it is.
        name: What to call it, for sources that have no good name of their own.
        fps: Frames a second, for sources that do not say or say it wrongly.
        count: Number of frames, for sources that do not say.

    Raises:
        SourceError: It does not exist, is of no known kind, or holds no frame that can be read.
    """
    frames = source if isinstance(source, Frames) else Frames(_feed(source))
    frames.name = frames.name if name is None else name
    frames.fps = frames.fps if fps is None else fps
    frames.count = frames.count if count is None else count
    return frames


def _feed(source: str | int | os.PathLike[str] | Iterable[AnyArray]) -> _Feed:
    if isinstance(source, int):
        return _camera(source)
    if isinstance(source, (str, os.PathLike)):
        return _named(os.fspath(source))
    if isinstance(source, Iterable):
        return _arrays(source)
    raise SourceError(
        f"source is a {type(source).__name__}, not a path, URL, camera number or list of images"
    )


def natural_key(name: str) -> list[tuple[bool, int, str]]:
    """Sorts ``frame10`` behind ``frame9``: runs of digits compare as numbers."""
    parts = re.split(r"(\d+)", name)
    return [(True, int(part), "") if part.isdecimal() else (False, 0, part) for part in parts]


def _named(text: str) -> _Feed:
    """The feed behind a text: whatever exists under that name first, then what it looks like."""
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", text):
        return _url(text)
    path = Path(text).expanduser()
    if path.is_dir():
        return _folder(path)
    if path.exists():
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return _images(path.stem, f"image {path}", [path], str(path.resolve()))
        return _video(path)
    if text.strip().isdecimal():
        return _camera(int(text))
    if any(sign in text for sign in "*?["):
        return _pattern(text)
    near = f", nor does its folder {path.parent}" if not path.parent.exists() else ""
    raise SourceError(
        f"{text!r} does not exist{near}: give a video, a folder of images, a glob, a camera or a URL"
    )


def _because(reasons: list[str]) -> str:
    return f" ({'; '.join(reasons)})" if reasons else ""


# ------------------------------------------------------------------------------------------------ images


def _folder(path: Path) -> _Feed:
    found = image_files(path)
    for name in _FOLDERS_INSIDE:
        inside = path / name
        if inside.is_dir() and (deeper := image_files(inside)):
            found = deeper  # a picture beside the folder of frames is a preview, not a frame
            break
    if not found:
        raise SourceError(
            f"folder {path} holds no images ({', '.join(sorted(IMAGE_SUFFIXES)[:4])} ..): give another"
        )
    return _images(_name_of(path), f"folder {path}", found, str(path.resolve()))


def _name_of(folder: Path) -> str:
    """A folder's name; its parent's for ``Deer/img``, or every sequence of a data set had the same name."""
    folder = folder.resolve()
    inside = folder.name.lower() in _FOLDERS_INSIDE
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


def _pattern(text: str) -> _Feed:
    pattern = str(Path(text).expanduser())
    matches = [Path(match) for match in glob.glob(pattern, recursive=True)]  # noqa: PTH207  (any root)
    found = _sorted(matches)
    if not found and len(matches) == 1:
        return _named(str(matches[0]))
    if not found:
        raise SourceError(f"no image matches {text!r}: check the pattern and the folder it starts from")
    # absolute(): a pattern is no file that could be resolved
    return _images(_name_of(found[0].parent), f"images {text!r}", found, str(Path(pattern).absolute()))


def _images(name: str, label: str, paths: list[Path], origin: str) -> _Feed:
    feed = _Feed(name, label, iter(()), origin, count=len(paths))
    reader = ImageReader(feed.notes)
    feed.items = (reader.or_broken(path) for path in paths)
    return feed


class ImageReader:
    """Reads the image files of one source as BGR uint8; all its 16-bit images are scaled like the first.

    Attributes:
        notes: What the user should know about conversions.
    """

    def __init__(self, notes: list[str] | None = None) -> None:
        self.notes = [] if notes is None else notes
        self._convert = _Converter(self.notes)

    def __call__(self, path: Path) -> Image:
        """The image as ``(H, W, 3)`` uint8 BGR.

        Raises:
            SourceError: It cannot be read, or is no image that can be converted.
        """
        image = self.or_broken(path)
        if isinstance(image, _Broken):
            raise SourceError(f"in {path.parent}: {image.reason}")
        return image

    def or_broken(self, path: Path) -> "Image | _Broken":
        """The same, with what cannot be read told apart from what cannot be converted."""
        image = _decoded(path)
        return image if isinstance(image, _Broken) else self._convert(image, f"image {path}")


def _decoded(path: Path) -> AnyArray | _Broken:
    """One image file; read by us and decoded by cv2, which cannot open every name on every system."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        return _Broken(f"{path.name} cannot be read: {(error.strerror or str(error)).lower()}")
    image: AnyArray | None = None
    if data.size:
        try:
            image = cv2.imdecode(data, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
        except MissingError:
            raise
        except Exception as error:  # cv2.error: sizes over its limit, codecs that raise
            return _Broken(f"{path.name} is not a readable image: {str(error).splitlines()[0]}")
    return _Broken(f"{path.name} is not a readable image") if image is None else image


def _arrays(source: Iterable[AnyArray]) -> _Feed:
    count = len(source) if isinstance(source, Sized) else None
    feed = _Feed("frames", "the iterable of frames", iter(()), count=count)
    converter = _Converter(feed.notes)
    numbers = itertools.count()
    feed.items = (converter(image, f"frame {next(numbers)}") for image in source)
    return feed


class _Converter:
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


# ------------------------------------------------------------------------------------------------ videos


def _video(path: Path) -> _Feed:
    import av

    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(_refusal(path, error)) from error
    return _streamed(path.stem, f"video {path}", container, str(path.resolve()), live=False)


def _refusal(path: Path, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return f"video {path} cannot be read: permission denied"
    if path.stat().st_size == 0:
        return f"video {path} is empty (0 bytes): record or copy it again"
    return f"{path} is not a video that can be read: it holds something else, or its end is missing"


def _url(text: str) -> _Feed:
    import av

    shown = _without_password(text)
    # TCP: over UDP, which is FFmpeg's first choice, lost packets smear the picture
    options = {"rtsp_transport": "tcp"} if text.lower().startswith("rtsp") else {}
    try:
        container = av.open(text, timeout=_URL_TIMEOUT, options=options)
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise SourceError(
            f"{shown} cannot be opened: {reason}; check the address and that it is reachable"
        ) from error
    name = Path(urlsplit(text).path).stem or urlsplit(text).hostname or "stream"
    return _streamed(name, shown, container, shown, live=True)


def _without_password(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


def _streamed(name: str, label: str, container: Any, origin: str, *, live: bool) -> _Feed:
    if not container.streams.video:
        container.close()
        raise SourceError(f"{label} has no video stream, only sound or text")
    stream = container.streams.video[0]
    fps = float(stream.average_rate or stream.guessed_rate or 0) or None
    count = None if live else _announced(stream, container)
    feed = _Feed(name, label, iter(()), origin, fps, count, container.close)
    feed.items = _packets(container, stream, feed)
    return feed


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


def _packets(container: Any, stream: Any, feed: _Feed) -> Iterator[Image | _Broken]:
    """Decodes packet by packet, so that one that is broken costs one frame and not the rest."""
    import av

    given, end, cut = 0, 0.0, ""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            break
        except (av.FFmpegError, OSError) as error:
            cut = (getattr(error, "strerror", None) or str(error)).lower()
            packet = None  # nothing more can be read: ask the decoder for what it still holds
        for item in _decode(stream, packet):
            given += 1
            yield item
        if packet is None:
            break
        end = max(end, _end_of(packet))
    missing = 0 if feed.count is None else _missing(given, end, feed.count, stream, container)
    if cut or missing:
        about = "" if stream.frames else "about "
        of = f" of {about}{given + missing}" if missing else ""
        why = f" ({cut})" if cut else ""
        feed.notes.append(
            f"the source ends early, after {given}{of} frames{why}: everything up to there is kept"
        )


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


def _decode(stream: Any, packet: Any) -> list[Image | _Broken]:
    """The frames that one packet completes; the decoder's last ones for ``None``."""
    import av

    try:
        frames = stream.codec_context.decode(packet)
    except av.EOFError:
        return []
    except (av.FFmpegError, OSError, ValueError) as error:
        if packet is None or not packet.size:  # an error at the end of a stream loses no frame
            return []
        return [_Broken(f"not decodable: {(getattr(error, 'strerror', None) or str(error)).lower()}")]
    return [_Broken("damaged") if frame.is_corrupt else _upright(frame) for frame in frames]


def _upright(frame: Any) -> Image:
    """The picture as a player shows it: telephones store it lying and note the turn beside it."""
    image: Image = frame.to_ndarray(format="bgr24")
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


# ------------------------------------------------------------------------------------------------ cameras


def _camera(number: int) -> _Feed:
    """A camera of this machine, through OpenCV: it knows the way on every system."""
    with _silent():
        capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        capture.release()
        raise SourceError(
            f"camera {number} cannot be opened: is it connected, free and allowed, or meant as a file?"
        )
    fps = float(capture.get(cv2.CAP_PROP_FPS)) or None
    label = f"camera {number}"
    feed = _Feed(f"camera{number}", label, iter(()), label, fps, close=capture.release)
    feed.items = _grabbed(capture, _Converter(feed.notes))
    return feed


@contextmanager
def _silent() -> Iterator[None]:
    """No lines of OpenCV's on the terminal: what matters of them is said in our sentence."""
    log = cv2.utils.logging
    before = log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(before)


def _grabbed(capture: Any, converter: _Converter) -> Iterator[Image | _Broken]:
    while capture.isOpened():
        fine, image = capture.read()
        yield converter(image, "the camera's picture") if fine else _Broken("the camera gave no picture")
