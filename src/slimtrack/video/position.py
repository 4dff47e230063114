"""Reads a place in a video from text: a frame number, seconds, or minutes and seconds."""

import re

from slimtrack.errors import InputError

__all__ = ["parse_position"]

_SECONDS = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*s(?:ec(?:onds?)?)?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+):([0-5]?\d)|(\d+)):([0-5]\d(?:\.\d*)?|\d(?:\.\d*)?)", re.ASCII)


def parse_position(text: str, name: str = "position") -> int | float:
    """Reads a place in a video from text.

    Args:
        text: A frame number, 0-based (``150``), seconds (``12.5s``), or minutes and seconds, with hours if
            needed (``1:30``, ``0:07.5``, ``1:02:03``).
        name: How error messages call it, such as ``--start``.

    Returns:
        An ``int`` for a frame number, a ``float`` for seconds.

    Raises:
        InputError: The text is none of these.
    """
    plain = text.strip().lower()
    if plain.isascii() and plain.isdecimal():
        return int(plain)
    if seconds := _SECONDS.fullmatch(plain):
        return float(seconds[1])
    if clock := _CLOCK.fullmatch(plain):
        hours, minutes = int(clock[1] or 0), int(clock[2] or clock[3])
        return hours * 3600.0 + minutes * 60.0 + float(clock[4])
    hint = f"; for seconds write {plain}s" if re.fullmatch(r"\d+\.\d*", plain, re.ASCII) else ""
    raise InputError(
        f"{name} {text!r} is neither a frame number (150) nor a time (12.5s, 1:30, 1:02:03){hint}"
    )
