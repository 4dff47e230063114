"""Results read back: boxes of anybody's, and the rows of our own tables."""

import csv
import math
import os
import re
from pathlib import Path

from slimtrack.box import Box
from slimtrack.confidence import State
from slimtrack.errors import SourceError
from slimtrack.tracker import Track
from slimtrack.video.results import Row

__all__ = ["read_boxes", "read_rows"]


def read_boxes(path: str | os.PathLike[str]) -> list[Box | None]:
    """Reads boxes from OTB text or from our CSV, a frame each.

    Args:
        path: OTB text (``x,y,w,h`` with comma, semicolon, tab or space, 1-based) or a CSV with our head
            (0-based).

    Returns:
        Item n is frame n; ``None`` where the target is absent (four ``nan``) or the frame has no line.

    Raises:
        SourceError: The file cannot be read or holds no boxes, or a line is not four numbers; it names the
            line.
    """
    path = Path(path)
    lines = _text(path).splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise SourceError(f"{path} holds no boxes")
    if lines[0].startswith("frame,"):
        return _csv_boxes(path, lines)
    # a line is a frame: an empty one between others would move all that follow, so it is refused
    return [_otb_box(line.strip(), f"{path}, line {number}") for number, line in enumerate(lines, start=1)]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # -sig: editors on Windows write a mark
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not a text file of boxes") from error
    except OSError as error:
        raise SourceError(f"boxes {path} cannot be read: {(error.strerror or str(error)).lower()}") from error


def _otb_box(line: str, where: str) -> Box | None:
    try:
        row = [float(value) for value in re.split(r"\s*[,;]\s*|\s+", line)]
    except ValueError:
        raise SourceError(f"{where}: {line!r} is not four numbers x, y, w, h") from None
    if len(row) != 4:
        raise SourceError(f"{where}: {line!r} has {len(row)} numbers, not four: x, y, w, h")
    if all(map(math.isnan, row)):
        return None
    if any(map(math.isnan, row)):
        raise SourceError(f"{where}: {line!r} is nan in part: an absent target has four nan")
    if any(map(math.isinf, row)):
        raise SourceError(f"{where}: {line!r} has a number that is not finite")
    x, y, w, h = row
    return Box(x - 1, y - 1, w, h)


def _csv_boxes(path: Path, lines: list[str]) -> list[Box | None]:
    boxes: list[Box | None] = []
    for number, row in enumerate(csv.DictReader(lines), start=2):
        try:
            frame = int(row["frame"])
            box = Box(*(float(row[key]) for key in "xywh"))
        except (KeyError, TypeError, ValueError) as error:
            raise SourceError(f"{path}, line {number}: not a frame number and a box") from error
        boxes += [None] * (frame - len(boxes))
        boxes.append(box if box.is_finite else None)
    return boxes


def read_rows(path: str | os.PathLike[str]) -> list[Row]:
    """Reads a CSV of ours, every row of it; a last line that was cut off is left out.

    Raises:
        SourceError: The file cannot be read, is none of ours, or a line of it cannot be used; it names the
            line.
    """
    path = Path(path)
    text = _text(path)
    whole = text[: text.rfind("\n") + 1]
    rows = []
    for number, fields in enumerate(csv.DictReader(whole.splitlines()), start=2):
        try:
            rows.append(_row(fields))
        except (KeyError, TypeError, ValueError) as error:
            raise SourceError(f"{path}, line {number}: not a row of a table that track wrote") from error
    return rows


def _row(fields: dict[str, str]) -> Row:
    box = Box(*(float(fields[key]) for key in "xywh"))
    track = Track(box, float(fields["score"]), State(fields["state"]))
    ms, time = (float(text) if (text := fields.get(key)) else None for key in ("ms", "time"))
    return Row(int(fields["frame"]), track, ms, time)
