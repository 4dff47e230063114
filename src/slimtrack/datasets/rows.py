"""Text files of annotations: boxes, polygons and flags, one row per frame."""

import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from slimtrack.errors import SourceError

__all__ = ["box_row", "hull_row", "lines_of", "read_flags", "read_truth", "text_of"]

_ABSENT = (math.nan,) * 4


def read_truth(
    file: str | os.PathLike[str],
    *,
    origin: Literal[0, 1] = 1,
    row: Callable[[str, str], tuple[float, ...]] | None = None,
) -> npt.NDArray[np.float64]:
    """The true boxes in a file, one row per frame.

    Args:
        file: Text with ``x,y,w,h`` in each line, separated by comma, semicolon, tab or space; four ``nan``
            where the target is absent.
        origin: The number of the first pixel in a row or column: 1 or 0.
        row: Turns a line and its place (for errors) into x, y, w, h. Default: `box_row`.

    Returns:
        ``(N, 4)`` float64, 0-based outer edges as `Box`; ``nan`` where the target is absent.

    Raises:
        SourceError: The file cannot be read, or a row is wrong; names the line.
    """
    parse = row or box_row
    # a line is a frame: an empty one between others would move all that follow, so it is refused
    rows = [
        parse(line.strip(), f"{file}, line {number}") for number, line in enumerate(lines_of(file), start=1)
    ]
    truth = np.array(rows, dtype=float)
    truth[:, :2] -= origin
    return truth


def read_flags(file: Path, count: int) -> npt.NDArray[np.bool_]:
    """Flags 0 and 1, separated by commas, spaces or lines.

    Args:
        file: The file.
        count: Number of frames, each of which has a flag.

    Raises:
        SourceError: The file cannot be read, or holds anything else.
    """
    words = re.split(r"[,\s]+", " ".join(lines_of(file)).strip())
    if not set(words) <= {"0", "1"} or len(words) != count:
        raise SourceError(f"{file} must hold {count} values 0 or 1, one per frame; it has {len(words)}")
    return np.array([word == "1" for word in words])


def text_of(file: str | os.PathLike[str]) -> str:
    """The text of a file of annotations.

    Raises:
        SourceError: It cannot be read, or is not text.
    """
    try:
        return Path(file).read_text(encoding="utf-8-sig")  # -sig: editors on Windows write a byte order mark
    except UnicodeDecodeError as error:
        raise SourceError(f"{file} is not a text file of boxes") from error
    except OSError as error:
        raise SourceError(f"boxes {file} cannot be read: {(error.strerror or str(error)).lower()}") from error


def lines_of(file: str | os.PathLike[str]) -> list[str]:
    """The lines of a file of annotations, without empty ones at its end.

    Raises:
        SourceError: It cannot be read, is not text, or is empty.
    """
    lines = text_of(file).rstrip().splitlines()
    if not lines:
        raise SourceError(f"{file} holds no boxes")
    return lines


def box_row(line: str, where: str) -> tuple[float, ...]:
    """Four numbers x, y, w, h as they stand; four ``nan`` for an absent target.

    Raises:
        SourceError: They are not four numbers, or ``nan`` or infinite in part.
    """
    row = _numbers(line, where, "four numbers x, y, w, h")
    if len(row) != 4:
        raise SourceError(f"{where}: {line!r} has {len(row)} numbers, not four: x, y, w, h")
    return row


def hull_row(line: str, where: str) -> tuple[float, ...]:
    """As `box_row`, or the upright box around a polygon ``x1,y1,x2,y2,..`` of three or more corners.

    Raises:
        SourceError: It is neither.
    """
    row = _numbers(line, where, "x, y, w, h or the corners x1, y1, x2, y2, .. of a polygon")
    if len(row) == 4 or all(map(math.isnan, row)):
        return row if len(row) == 4 else _ABSENT
    if len(row) < 6 or len(row) % 2:
        raise SourceError(f"{where}: {line!r} has {len(row)} numbers: neither a box nor corners of a polygon")
    left, top, right, bottom = min(row[::2]), min(row[1::2]), max(row[::2]), max(row[1::2])
    return left, top, right - left, bottom - top


def _numbers(line: str, where: str, what: str) -> tuple[float, ...]:
    try:
        row = tuple(float(value) for value in re.split(r"\s*[,;]\s*|\s+", line))
    except ValueError:
        raise SourceError(f"{where}: {line!r} is not {what}") from None
    if any(map(math.isnan, row)) and not all(map(math.isnan, row)):
        raise SourceError(f"{where}: {line!r} is partly nan: for an absent target, all numbers must be nan")
    if any(map(math.isinf, row)):
        raise SourceError(f"{where}: {line!r} has a number that is not finite")
    return row
