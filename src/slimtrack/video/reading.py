"""Reads results back: boxes from OTB text, and the rows of slimtrack's CSV tables."""

import csv
import os
from pathlib import Path

import numpy as np

from slimtrack.box import Box
from slimtrack.confidence import State
from slimtrack.datasets.rows import lines_of, read_truth, text_of
from slimtrack.errors import SourceError
from slimtrack.follower import Track
from slimtrack.video.results import Row

__all__ = ["read_boxes", "read_rows"]


def read_boxes(path: str | os.PathLike[str], target: int = 1) -> list[Box | None]:
    """Reads the boxes of one target, one per frame, from OTB text or a CSV table of slimtrack.

    Args:
        path: OTB text (``x,y,w,h`` with comma, semicolon, tab or space, 1-based) or a CSV table of
            slimtrack (0-based).
        target: Number of the target, if the table has several.

    Returns:
        Item n is frame n; ``None`` if the target is absent (four ``nan``) or the frame has no line.

    Raises:
        SourceError: The file cannot be read or holds no boxes, or a line is not four numbers; it names the
            line.
    """
    path = Path(path)
    lines = lines_of(path)
    if lines[0].startswith("frame,"):
        return _csv_boxes(path, lines, target)
    return [Box(*row) if np.isfinite(row).all() else None for row in read_truth(path).tolist()]


def _csv_boxes(path: Path, lines: list[str], target: int) -> list[Box | None]:
    boxes: list[Box | None] = []
    for number, row in enumerate(csv.DictReader(lines), start=2):
        try:
            if _target(row) != target:
                continue
            frame = int(row["frame"])
            box = Box(*(float(row[key]) for key in "xywh"))
        except (KeyError, TypeError, ValueError) as error:
            raise SourceError(f"{path}, line {number}: not a frame number and a box") from error
        boxes += [None] * (frame - len(boxes))
        boxes.append(box if box.is_finite else None)
    return boxes


def read_rows(path: str | os.PathLike[str]) -> list[Row]:
    """Reads all rows of a CSV table of slimtrack; a truncated last line is left out.

    Raises:
        SourceError: The file cannot be read, slimtrack did not write it, or a line cannot be used; the error
            names the line.
    """
    path = Path(path)
    text = text_of(path)
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
    return Row(int(fields["frame"]), track, ms, time, _target(fields))


def _target(fields: dict[str, str]) -> int:
    """The number of a row's target; tables of one target have no column for it."""
    return int(fields.get("target", 1))
