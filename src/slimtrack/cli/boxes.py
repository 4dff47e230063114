"""Reads boxes from text: in pixels, percent or fractions, with a size or with two corners."""

import re
from enum import StrEnum

from slimtrack.box import Box
from slimtrack.errors import InputError
from slimtrack.video.position import parse_position

__all__ = ["BoxFormat", "corners_meant", "parse_box", "parse_correction"]


class BoxFormat(StrEnum):
    """The meaning of the last two numbers of a box."""

    XYWH = "xywh"
    """Its width and height."""
    XYXY = "xyxy"
    """Its lower right corner."""


_SHAPES = {
    BoxFormat.XYWH: "x,y,w,h such as 120,80,40,60",
    BoxFormat.XYXY: "left,top,right,bottom such as 120,80,160,140",
}


def parse_box(text: str, size: tuple[int, int], form: BoxFormat = BoxFormat.XYWH, name: str = "--box") -> Box:
    """Reads a box from text.

    Args:
        text: Four numbers separated by commas or spaces: pixels (``120,80,40,60``), percent of the frame's
            width and height (``10%,20%,5%,8%``), or fractions of them (``0.1,0.2,0.05,0.08``). Fractions are
            recognised by a width or height below one pixel, which no box in pixels can have.
        size: ``(width, height)`` of the frame.
        form: The meaning of the last two numbers.
        name: How error messages call the box.

    Raises:
        InputError: The text is not four numbers, or the second corner is not right of and below the first.
    """
    words = [word for word in re.split(r"\s*[,;]\s*|\s+", text.strip()) if word]
    try:
        a, b, c, d = (_number(word, side) for word, side in zip(words, size * 2, strict=True))
    except ValueError:
        raise InputError(f"{name} {text!r} is not four numbers {_SHAPES[form]}") from None
    box = Box(a, b, c, d) if form is BoxFormat.XYWH else Box.from_corners(a, b, c, d)
    if form is BoxFormat.XYXY and (box.w <= 0 or box.h <= 0):
        raise InputError(
            f"{name} {text!r}: its lower right corner {c:g},{d:g} is not right of and below {a:g},{b:g}; "
            "leave out --box-format if the last two numbers are width and height"
        )
    return _in_pixels(box, size) if "%" not in text and _is_fraction(box) else box


def _number(word: str, side: int) -> float:
    """A number in pixels; ``12.5%`` of a side is rounded to four digits, as in the tables."""
    return round(float(word[:-1]) * side / 100, 4) if word.endswith("%") else float(word)


def _is_fraction(box: Box) -> bool:
    small = 0 < box.w <= 1 and 0 < box.h <= 1 and min(box.w, box.h) < 1
    return small and abs(box.x) <= 1 and abs(box.y) <= 1


def _in_pixels(box: Box, size: tuple[int, int]) -> Box:
    width, height = size
    scaled = (box.x * width, box.y * height, box.w * width, box.h * height)
    return Box(*(round(value, 4) for value in scaled))


def corners_meant(box: Box, size: tuple[int, int]) -> bool:
    """Whether a box given by width and height only lies inside the frame if it is read as two corners."""
    width, height = size
    runs_out = box.right > width or box.bottom > height
    return runs_out and box.x < box.w <= width and box.y < box.h <= height


def parse_correction(
    text: str, size: tuple[int, int], form: BoxFormat = BoxFormat.XYWH
) -> tuple[int | float, Box]:
    """Reads ``FRAME:x,y,w,h``, where the frame may also be a time such as ``1:30``.

    Raises:
        InputError: The text is not of that form.
    """
    place, colon, box = text.rpartition(":")
    if not colon:
        raise InputError(f"--correct {text!r} is not of the form FRAME:x,y,w,h such as 120:100,80,40,60")
    return parse_position(place, "--correct"), parse_box(box, size, form, f"--correct {place}:")
