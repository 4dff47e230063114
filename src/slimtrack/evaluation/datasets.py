"""Annotated sequences in the layout of the Object Tracking Benchmark (OTB)."""

import csv
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from slimtrack.box import Box
from slimtrack.errors import SourceError, UnknownNameError
from slimtrack.video import reading
from slimtrack.video.frames import image_files

__all__ = ["Dataset", "Sequence", "read_boxes"]

_FIRST_FRAME = {"David": 300, "BlurCar1": 247, "BlurCar3": 3, "BlurCar4": 18}
"""Sequences of OTB whose boxes begin at a later image than the first, by the benchmark's own list
(`configSeqs.m`); these and the ones of `_ENDS_EARLY` come with more images than boxes."""

_ENDS_EARLY = {"Diving", "Football1", "Freeman3", "Freeman4"}
"""Sequences of OTB whose boxes end before their images do."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """Frames with the true box in each.

    Attributes:
        name: Its name in tables.
        frames: Image files, in order of time.
        truth: ``(N, 4)`` float64 x, y, w, h, 0-based outer edges as `Box`; ``nan`` where the target is
            absent. Read-only.
        attributes: Short names such as ``"OCC"`` of what makes it hard.
    """

    name: str
    frames: tuple[Path, ...]
    truth: npt.NDArray[np.float64] = field(repr=False)
    attributes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def first_box(self) -> Box:
        """The box of the first frame."""
        return Box(*map(float, self.truth[0]))

    @property
    def absent(self) -> npt.NDArray[np.bool_]:
        """``(N,)``: whether the target is absent."""
        return np.asarray(np.isnan(self.truth).any(axis=1))


@dataclass(frozen=True, slots=True)
class Dataset:
    """Sequences that are evaluated together.

    Attributes:
        name: The folder's name.
        sequences: The sequences in order of name.
    """

    name: str
    sequences: tuple[Sequence, ...]

    @classmethod
    def read(cls, folder: str | Path, names: Collection[str] | None = None) -> "Dataset":
        """Reads a folder of sequences, or the folder of one.

        A sequence is a folder ``NAME`` with ``NAME/img/*.jpg`` (or other images), in natural order, and
        ``NAME/groundtruth_rect.txt``: a row a frame, x, y, w, h, 1-based, by comma, tab or space; a row of
        ``nan`` says that the target is absent. Several targets in one folder
        (``groundtruth_rect.2.txt``) become ``NAME-2``. ``attributes.csv`` (``sequence,OCC,..`` with 0 and 1)
        lies in the folder or one level above. There must be as many rows as images, but for the few sequences
        of which OTB itself says that they are annotated in part (David from image 300 on, for example).

        Args:
            folder: The folder.
            names: Only these sequences; all of them when ``None``.

        Raises:
            SourceError: There is no sequence, or one cannot be read; the message names the file and the line.
            UnknownNameError: One of ``names`` is not there.
        """
        path = Path(folder)
        if not path.is_dir():
            raise SourceError(
                f"dataset {path} is not a folder" if path.exists() else f"dataset {path} does not exist"
            )
        alone = bool(_annotations(path))
        files = {
            name: file for entry in ([path] if alone else _folders(path)) for name, file in _named(entry)
        }
        if not files:
            raise SourceError(
                f"{path} holds no sequence: expected {path}/NAME/groundtruth_rect.txt and NAME/img/*.jpg"
            )
        for name in names or ():
            if name not in files:
                raise UnknownNameError.of(f"sequence in {path} named", name, files)
        attributes = _read_attributes(path.resolve().parent if alone else path)
        wanted = [name for name in files if names is None or name in names]
        return cls(
            path.resolve().name,
            tuple(_read_sequence(name, files[name], attributes.get(name, ())) for name in wanted),
        )

    def __iter__(self) -> Iterator[Sequence]:
        return iter(self.sequences)

    def __len__(self) -> int:
        return len(self.sequences)


def read_boxes(file: str | Path) -> npt.NDArray[np.float64]:
    """Boxes of a file, as `slimtrack.video.reading.read_boxes` reads them, in one array.

    Returns:
        ``(N, 4)`` float64, 0-based outer edges as `Box`; ``nan`` where the target is absent.

    Raises:
        SourceError: The file cannot be read, or a row is not four numbers.
    """
    absent = (np.nan,) * 4
    return np.array([absent if box is None else tuple(box) for box in reading.read_boxes(file)], dtype=float)


def _folders(path: Path) -> list[Path]:
    entries = [entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    return sorted(entries, key=lambda entry: entry.name)


def _annotations(folder: Path) -> list[Path]:
    found = folder.glob("groundtruth_rect*.txt")
    return sorted(file for file in found if re.fullmatch(r"groundtruth_rect(\.\d+)?\.txt", file.name))


def _named(folder: Path) -> list[tuple[str, Path]]:
    """Names of the sequences in a folder and their annotation files."""
    files, name = _annotations(folder), folder.resolve().name
    plain = [file for file in files if file.name == "groundtruth_rect.txt"]
    numbered = [(f"{name}-{file.name.split('.')[1]}", file) for file in files if file not in plain]
    return [(name, plain[0])] if plain else numbered


def _read_sequence(name: str, file: Path, attributes: tuple[str, ...]) -> Sequence:
    truth = read_boxes(file)
    frames = _images(file.parent / "img")
    where = f"sequence {name}"
    if len(frames) > len(truth):
        frames = _annotated_part(file.parent.resolve().name, frames, len(truth))
    if len(frames) != len(truth):
        raise SourceError(
            f"{where}: {len(frames)} images in {file.parent / 'img'} but {len(truth)} rows in {file}"
        )
    if not np.isfinite(truth[0]).all() or (truth[0, 2:] <= 0).any():
        raise SourceError(f"{file}, line 1: the first frame has no box to start from")
    truth.flags.writeable = False
    return Sequence(name, tuple(frames), truth, attributes)


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise SourceError(f"{folder} is not there: a sequence has its images in NAME/img")
    images = image_files(folder)
    if not images:
        raise SourceError(f"{folder} holds no images (jpg, png, tif ..)")
    return images


def _annotated_part(name: str, frames: list[Path], count: int) -> list[Path]:
    """The images that the boxes belong to, for the sequences of OTB known to have more images."""
    if name in _ENDS_EARLY:
        return frames[:count]
    if name in _FIRST_FRAME:
        later = [file for file in frames if file.stem.isdigit() and int(file.stem) >= _FIRST_FRAME[name]]
        return later[:count]
    return frames


def _read_attributes(folder: Path) -> Mapping[str, tuple[str, ...]]:
    """Names of the attributes of each sequence; none where there is no file."""
    file = next(
        (f for f in (folder / "attributes.csv", folder.resolve().parent / "attributes.csv") if f.is_file()),
        None,
    )
    if file is None:
        return {}
    try:
        rows = list(csv.reader(file.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{file} cannot be read: {error}") from error
    if not rows or not rows[0] or rows[0][0].strip() != "sequence":
        raise SourceError(f"{file}, line 1: expected a head such as sequence,OCC,SV")
    names = [name.strip() for name in rows[0][1:]]
    found = {}
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        flags = [value.strip() for value in row[1:]]
        if len(flags) != len(names) or not set(flags) <= {"0", "1"}:
            raise SourceError(f"{file}, line {number}: expected a name and {len(names)} times 0 or 1")
        found[row[0].strip()] = tuple(name for name, flag in zip(names, flags, strict=True) if flag == "1")
    return found
