"""Converts decoded frames to what a player shows: upright, 8 bits, with the right pixel aspect ratio."""

from fractions import Fraction
from typing import Any

import numpy as np

from slimtrack.arrays import AnyArray, Image
from slimtrack.video.converting import Converter

__all__ = ["Show", "pixel_aspect"]


class Show:
    """Converts decoded frames to images; grey frames of more than 8 bits share one scale per video.

    Args:
        notes: List that receives notes for the user about conversions.
    """

    def __init__(self, notes: list[str]) -> None:
        from av.video.reformatter import VideoReformatter

        self._convert = Converter(notes)
        self._formats = VideoReformatter()  # shared by all frames, because planning a conversion takes time

    def __call__(self, frame: Any, number: int) -> Image:
        """The frame as ``(H, W, 3)`` uint8 BGR."""
        return np.ascontiguousarray(_upright(self._image(frame, number), _display_matrix(frame)))

    def _image(self, frame: Any, number: int) -> Image:
        name = frame.format.name
        # FFmpeg keeps the upper 8 of 16 bits, which leaves hardly anything of thermal footage
        if name.startswith(("gray", "ya")) and frame.format.components[0].bits > 8:
            return self._convert(self._array(frame, "gray16le"), f"frame {number}")
        if name.startswith(_DEEP_COLOURS):
            return self._convert(self._array(frame, "rgb48le")[..., ::-1], f"frame {number}")
        return self._array(frame, "bgr24")

    def _array(self, frame: Any, form: str) -> AnyArray:
        array: AnyArray = self._formats.reformat(frame, format=form).to_ndarray()
        return array


_DEEP_COLOURS = ("rgb48", "bgr48", "rgba64", "bgra64", "gbrp12", "gbrp14", "gbrp16", "gbrap12", "gbrap16")
"""Prefixes of FFmpeg's pixel formats with red, green and blue of 12 bits and more."""


def _display_matrix(frame: Any) -> tuple[int, int, int, int] | None:
    """``a, b, c, d`` of ISO 14496-12, 6.2.2: a pixel at (x, y) is shown at (a x + c y, b x + d y)."""
    from av.sidedata.sidedata import Type

    data = frame.side_data.get(Type.DISPLAYMATRIX)
    if data is None:
        return None
    a, b, _, c, d = np.frombuffer(data, np.int32)[:5].tolist()
    return a, b, c, d


def _upright(image: AnyArray, matrix: tuple[int, int, int, int] | None) -> AnyArray:
    """The picture, rotated by quarter turns and mirrored as the matrix says; other angles are rounded."""
    if matrix is None:
        return image
    a, b, c, d = matrix
    if _swaps(matrix):
        image = image.swapaxes(0, 1)
        a, d = c, b
    image = image[:, ::-1] if a < 0 else image
    return image[::-1] if d < 0 else image


def _swaps(matrix: tuple[int, int, int, int]) -> bool:
    """Whether the matrix swaps rows and columns."""
    a, b, c, d = map(abs, matrix)
    return b + c > a + d


def pixel_aspect(stream: Any, frame: Any) -> Fraction:
    """Width of a pixel over its height, as the frame is shown; 1 if unknown."""
    aspect = Fraction(stream.sample_aspect_ratio or 0)
    if aspect <= 0:
        return Fraction(1)
    matrix = _display_matrix(frame)
    return 1 / aspect if matrix is not None and _swaps(matrix) else aspect
