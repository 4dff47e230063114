"""A place in a video as users write it: a frame's number, seconds, or minutes and seconds."""

import re

from slimtrack.errors import InputError

__all__ = ["parse_position"]

_SECONDS = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*s(?:ec(?:onds?)?)?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+):([0-5]?\d)|(\d+)):([0-5]\d(?:\.\d*)?|\d(?:\.\d*)?)", re.ASCII)


def parse_position(text: str, name: str = "position") -> int | float:
    """The place in a video that a text stands for.

    Args:
        text: A frame's number, 0-based (``150``); seconds (``12.5s``); or minutes and seconds, with hours if
            need be (``1:30``, ``0:07.5``, ``1:02:03``).
        name: What it is, such as ``--start``: the beginning of the sentence when it cannot be read.

    Returns:
        An ``int`` for a frame's number, a ``float`` for seconds.

    Raises:
        InputError: It is none of these.
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
        f"{name} {text!r} is neither a frame's number (150) nor a time (12.5s, 1:30, 1:02:03){hint}"
    )
