"""Writes results frame by frame: OTB text, CSV, JSON, MOT and annotated video."""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.errors import OutputError, UnknownNameError
from slimtrack.files import Appended, Place, make_folder
from slimtrack.follower import Track
from slimtrack.video.draw import draw
from slimtrack.video.encoding import Encoder
from slimtrack.video.feed import Footage

__all__ = ["FORMATS", "Row", "Writer", "open_writer", "row_fields"]

FORMATS = {"otb": ".txt", "csv": ".csv", "json": ".json", "mot": ".mot.txt", "mp4": ".mp4"}
"""Format -> suffix of its files."""


@dataclass(frozen=True, slots=True)
class Row:
    """The result for one target in one frame.

    Attributes:
        frame: The frame's number in the source, 0-based.
        track: Box, score and state.
        ms: Milliseconds that `update` took; ``None`` for the first frame.
        time: Seconds from the start of the source; ``None`` if the source has no times.
        target: The target's number; 1 if there is only one.
    """

    frame: int
    track: Track
    ms: float | None = None
    time: float | None = None
    target: int = 1


class Writer(ABC):
    """Writes one kind of result. When `add` returns, the frame's rows (one per target) are on disk.

    An existing file of that name is replaced by `settle`, which the end of ``with`` calls if there was no
    error. Until then the new file lies beside it.
    """

    grows_in_place: ClassVar[bool] = True
    """Whether `settle` may be called before `close`."""

    def __init__(self, path: Path) -> None:
        self._place = Place(path)
        self.notes: list[str] = []  # notes for the user, complete when it is closed

    @property
    def path(self) -> Path:
        """The file under its current name."""
        return self._place.now

    def settle(self) -> None:
        """Replaces an earlier file of this name.

        Raises:
            OutputError: The earlier file cannot be replaced; both files stay.
        """
        self._place.settle()

    def discard(self) -> None:
        """Closes and removes the file; an earlier one stays."""
        self.close()
        self._place.discard()

    @abstractmethod
    def add(self, rows: Sequence[Row], image: Image) -> None:
        """Writes one frame.

        Args:
            rows: The rows of this frame, one per target.
            image: The frame.

        Raises:
            OutputError: The disk is full, or permission is missing; what was written before stays.
        """

    @abstractmethod
    def keep(self, rows: Sequence[Row]) -> int:
        """Copies the first rows from an earlier file of this name, before the first `add`.

        Args:
            rows: The rows that the file should hold, or more.

        Returns:
            Number of rows copied; the others have to be added.

        Raises:
            OutputError: They cannot be written.
        """

    @abstractmethod
    def close(self) -> None:
        """Finishes the file. May be called again.

        Raises:
            OutputError: The last part cannot be written; what was written before stays.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if error is None:
            self.settle()


def open_writer(
    path: str | os.PathLike[str],
    form: str | None = None,
    *,
    footage: Footage | None = None,
    about: Mapping[str, object] | None = None,
    targets: int = 1,
) -> Writer:
    """Starts a result file. Missing folders are created; an existing file is replaced at the end.

    Args:
        path: The file; its suffix decides the format (`.txt` is OTB, `.mot.txt` MOT).
        form: The format, if the suffix does not tell it: one of `FORMATS`.
        footage: What a video takes over from the source: frame rate, pixel aspect ratio, sound.
        about: Entries for the head of a JSON file, such as source and tracker.
        targets: Number of targets, and so of rows per frame.

    Raises:
        UnknownNameError: No such format.
        OutputError: The file cannot be created, or its format cannot hold several targets.
    """
    path = Path(path)
    form = form or _format_of(path)
    if form not in FORMATS:
        raise UnknownNameError.of("result format", form, FORMATS)
    make_folder(path.parent)
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder, give the name of a file")
    if form == "otb" and targets > 1:
        raise OutputError(f"{path}: OTB text holds one target, not {targets}: write csv, json, mot or mp4")
    return _made(path, form, footage or Footage(), about or {}, targets > 1)


def _made(path: Path, form: str, footage: Footage, about: Mapping[str, object], several: bool) -> Writer:
    match form:
        case "mp4":
            return _VideoWriter(path, footage)
        case "json":
            return _JsonWriter(path, about, several)
        case "csv":
            return _CsvWriter(path, several)
        case "mot":
            return _MotWriter(path)
        case _:
            return _OtbWriter(path)


def _format_of(path: Path) -> str:
    for form, suffix in sorted(FORMATS.items(), key=lambda item: -len(item[1])):  # .mot.txt before .txt
        if path.name.lower().endswith(suffix):
            return form
    suffixes = ", ".join(FORMATS.values())
    raise OutputError(
        f"cannot tell the format of {path}: end its name in one of {suffixes}, or give the format"
    )


# ------------------------------------------------------------------------------------------------- text


class _TextWriter(Writer):
    """Writes one line per row."""

    def __init__(self, path: Path, head: str = "") -> None:
        super().__init__(path)
        self._file = Appended(self.path, head)

    def add(self, rows: Sequence[Row], image: Image) -> None:
        self.keep(rows)

    def keep(self, rows: Sequence[Row]) -> int:
        self._file.put("".join(map(self.line, rows)))
        return len(rows)

    def close(self) -> None:
        self._file.close()

    @abstractmethod
    def line(self, row: Row) -> str:
        """The line of one row, including its line end."""


class _OtbWriter(_TextWriter):
    """``x,y,w,h`` with the first pixel at 1; line n is frame n, a broken frame's line is ``nan``."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._next: int | None = None

    def line(self, row: Row) -> str:
        # the first row is always line 1, because readers pair lines with frames from the first on
        missing = 0 if self._next is None else row.frame - self._next
        self._next = row.frame + 1
        return "nan,nan,nan,nan\n" * missing + ",".join(_one_based(row.track.box)) + "\n"


class _MotWriter(_TextWriter):
    """MOT challenge: ``frame,target,x,y,w,h,conf,-1,-1,-1``, frame and position counted from 1."""

    def line(self, row: Row) -> str:
        box = ",".join(_one_based(row.track.box))
        return f"{row.frame + 1},{row.target},{box},{row.track.score:.4f},-1,-1,-1\n"


class _CsvWriter(_TextWriter):
    """A header and ``frame,x,y,w,h,score,state,ms,time``, all 0-based; broken frames have no line.

    If the user gave the box of a frame, the row has no milliseconds. If there are several targets, the last
    column is the target's number.
    """

    def __init__(self, path: Path, several: bool) -> None:
        super().__init__(path, f"frame,x,y,w,h,score,state,ms,time{',target' * several}\n")
        self._several = several

    def line(self, row: Row) -> str:
        target = f",{row.target}" if self._several else ""
        box = ",".join(f"{value:.4f}" if row.ms is not None else _exactly(value) for value in row.track.box)
        ms, time = ("" if value is None else f"{value:.4f}" for value in (row.ms, row.time))
        return f"{row.frame},{box},{row.track.score:.4f},{row.track.state.value},{ms},{time}{target}\n"


def _exactly(value: float) -> str:
    """Four decimals, or as many as needed to restore the number: a resumed run starts from a given box."""
    return text if float(text := f"{value:.4f}") == value else repr(float(value))


def _one_based(box: Box) -> list[str]:
    return [f"{value:.4f}" for value in (box.x + 1, box.y + 1, box.w, box.h)]


def row_fields(row: Row, *, several: bool = False) -> dict[str, Any]:
    """A row for JSON: coordinates in pixels, 0-based; the target's number if there are several."""
    return ({"target": row.target} if several else {}) | {
        "frame": row.frame,
        "time": None if row.time is None else round(row.time, 4),
        "box": [round(value, 4) for value in row.track.box],
        "score": round(row.track.score, 4),
        "state": row.track.state.value,
        "ms": None if row.ms is None else round(row.ms, 4),
    }


class _JsonWriter(Writer):
    """``{..., "frames": [{"frame", "box", "score", "state", "ms"}, ..]}``, complete after every frame.

    The closing brackets are written with each frame and overwritten by the next, in one write, so that a
    crash at any moment leaves a valid file.
    """

    _TAIL = "\n]}\n"

    def __init__(self, path: Path, about: Mapping[str, object], several: bool) -> None:
        super().__init__(path)
        self._several = several
        head = "".join(
            f"{json.dumps(key)}: {json.dumps(value, default=str)},\n" for key, value in about.items()
        )
        self._file = Appended(self.path, "{" + head + '"frames": [', self._TAIL)
        self._first = True

    def add(self, rows: Sequence[Row], image: Image) -> None:
        self.keep(rows)

    def keep(self, rows: Sequence[Row]) -> int:
        text = ",\n".join(json.dumps(row_fields(row, several=self._several)) for row in rows)
        self._file.put(("\n" if self._first else ",\n") + text, self._TAIL)
        self._first = False
        return len(rows)

    def close(self) -> None:
        self._file.close()


# ------------------------------------------------------------------------------------------------ video


class _VideoWriter(Writer):
    """H.264 with each target's box, score and state drawn in."""

    grows_in_place = False  # because closing rewrites it

    def __init__(self, path: Path, footage: Footage) -> None:
        super().__init__(path)
        self._encoder = Encoder(self.path, footage)
        self.notes = self._encoder.notes

    def keep(self, rows: Sequence[Row]) -> int:
        frames = {row.frame: row.time for row in rows}
        taken = set(list(frames)[: self._encoder.keep(self._place.path, list(frames.items()))])
        return sum(row.frame in taken for row in rows)

    def add(self, rows: Sequence[Row], image: Image) -> None:
        first, *others = rows
        tracks = {row.target: row.track for row in rows} if others else first.track
        self._encoder.add(draw(image, tracks, number=first.frame), first.frame, first.time)

    def close(self) -> None:
        if not self._encoder.close():
            self._place.discard()  # no frame came, and players cannot open an empty file
