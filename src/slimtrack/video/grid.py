"""Draws a frame with a grid of coordinates, to choose a box without a screen to draw it on."""

import os
from pathlib import Path

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.errors import OutputError
from slimtrack.files import atomic_write
from slimtrack.video.draw import draw_box

__all__ = ["grid", "write_image"]

_LEAST, _MOST = 960, 1920
"""Pixels of the longer side: small frames are enlarged so that the numbers are legible, huge ones reduced."""

_APART = 75
"""Least distance between two lines of the grid in pixels: room for a number of five digits."""

_PAPER, _INK, _LIGHT, _DARK = (250, 250, 250), (40, 40, 40), (255, 255, 255), (30, 30, 30)

_GIVEN = (240, 50, 250)
"""Colour of a given box: one that hardly any object has."""


def grid(image: Image, box: Box | None = None) -> Image:
    """Draws lines at round coordinates, with their numbers in the margin.

    Args:
        image: ``(H, W, 3)`` uint8 BGR; not changed.
        box: A box to draw, to check it.

    Returns:
        ``(H', W', 3)`` uint8 BGR, the longer side 960 to 1920 pixels; the numbers are pixels of ``image``.
    """
    height, width = image.shape[:2]
    scale = min(max(_LEAST / max(width, height), 1.0), _MOST / max(width, height))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    sides = (max(round(width * scale), 1), max(round(height * scale), 1))
    shown = cv2.resize(image, sides, interpolation=kind)
    step = _step(_APART / scale)
    _lines(shown, scale, step)
    if box is not None:
        draw_box(shown, Box(*(value * scale for value in box)), _GIVEN)
    return _labelled(shown, scale, step, (width, height))


def _step(least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50, .. that is at least ``least``."""
    power = 1
    while True:
        for digit in (1, 2, 5):
            if digit * power >= least:
                return digit * power
        power *= 10


def _lines(canvas: Image, scale: float, step: int) -> None:
    """Translucent lines that are visible on light and on dark backgrounds."""
    over = canvas.copy()
    rows, columns = canvas.shape[:2]
    for color, thick in ((_DARK, 3), (_LIGHT, 1)):
        for x in range(step, int(columns / scale) + 1, step):
            cv2.line(over, (round(x * scale), 0), (round(x * scale), rows), color, thick)
        for y in range(step, int(rows / scale) + 1, step):
            cv2.line(over, (0, round(y * scale)), (columns, round(y * scale)), color, thick)
    cv2.addWeighted(over, 0.5, canvas, 0.5, 0, canvas)


def _labelled(shown: Image, scale: float, step: int, size: tuple[int, int]) -> Image:
    """The picture with a margin that holds the numbers of its lines."""
    wide, high, end = _text_size(str(max(size)))[0] + 14, 26, 30
    canvas = np.full((shown.shape[0] + high + end, shown.shape[1] + wide + end, 3), _PAPER, np.uint8)
    canvas[high : high + shown.shape[0], wide : wide + shown.shape[1]] = shown
    for x in range(0, size[0] + 1, step):
        _write(canvas, str(x), wide + round(x * scale) - _text_size(str(x))[0] // 2, high - 8)
    for y in range(0, size[1] + 1, step):
        _write(canvas, str(y), wide - 8 - _text_size(str(y))[0], high + round(y * scale) + 5)
    _write(canvas, f"{size[0]} x {size[1]} pixels, a line every {step}", 8, canvas.shape[0] - 10)
    return canvas


def _text_size(text: str) -> tuple[int, int]:
    width, height = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)[0]
    return int(width), int(height)


def _write(canvas: Image, text: str, left: int, bottom: int) -> None:
    cv2.putText(canvas, text, (max(left, 2), bottom), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)


def write_image(path: str | os.PathLike[str], image: Image) -> None:
    """Writes an image in one step; the suffix decides the format.

    Raises:
        OutputError: The suffix is not that of an image format, or the file cannot be written.
    """
    path = Path(path)
    try:
        fine, data = cv2.imencode(path.suffix or ".", image)
    except cv2.error:
        fine = False
    if not fine:
        raise OutputError(f"cannot write {path}: give a picture's name that ends in .png or .jpg")
    with atomic_write(path, "wb") as file:
        file.write(data.tobytes())
