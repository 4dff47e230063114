"""A decoded frame as a player shows it: turned and mirrored upright, of 8 bits, with its pixels' shape."""

from fractions import Fraction
from typing import Any

import numpy as np

from slimtrack.arrays import AnyArray, Image
from slimtrack.video.converting import Converter

__all__ = ["Show", "pixel_aspect"]


class Show:
    """Makes images of decoded frames; all of one film's deep grey ones are scaled alike.

    Args:
        notes: Takes what the user should know about conversions.
    """

    def __init__(self, notes: list[str]) -> None:
        from av.video.reformatter import VideoReformatter

        self._convert = Converter(notes)
        self._formats = VideoReformatter()  # one for all: a frame's own would plan its conversion anew

    def __call__(self, frame: Any, number: int) -> Image:
        """The frame as ``(H, W, 3)`` uint8 BGR."""
        return np.ascontiguousarray(_upright(self._image(frame, number), _display_matrix(frame)))

    def _image(self, frame: Any, number: int) -> Image:
        name = frame.format.name
        # FFmpeg keeps the upper 8 of 16 bits: of thermal film, which uses few of them, hardly anything stays
        if name.startswith(("gray", "ya")) and frame.format.components[0].bits > 8:
            return self._convert(self._array(frame, "gray16le"), f"frame {number}")
        if name.startswith(_DEEP_COLOURS):
            return self._convert(self._array(frame, "rgb48le")[..., ::-1], f"frame {number}")
        return self._array(frame, "bgr24")

    def _array(self, frame: Any, form: str) -> AnyArray:
        array: AnyArray = self._formats.reformat(frame, format=form).to_ndarray()
        return array


_DEEP_COLOURS = ("rgb48", "bgr48", "rgba64", "bgra64", "gbrp12", "gbrp14", "gbrp16", "gbrap12", "gbrap16")
"""Beginnings of the names of FFmpeg's formats of red, green and blue in 12 bits and more."""


def _display_matrix(frame: Any) -> tuple[int, int, int, int] | None:
    """``a, b, c, d`` of ISO 14496-12, 6.2.2: a pixel at (x, y) is shown at (a x + c y, b x + d y)."""
    from av.sidedata.sidedata import Type

    data = frame.side_data.get(Type.DISPLAYMATRIX)
    if data is None:
        return None
    a, b, _, c, d = np.frombuffer(data, np.int32)[:5].tolist()
    return a, b, c, d


def _upright(image: AnyArray, matrix: tuple[int, int, int, int] | None) -> AnyArray:
    """The picture turned by quarters and mirrored as the matrix says; of any other angle, the nearest."""
    if matrix is None:
        return image
    a, b, c, d = matrix
    if _swaps(matrix):
        image = image.swapaxes(0, 1)
        a, d = c, b
    image = image[:, ::-1] if a < 0 else image
    return image[::-1] if d < 0 else image


def _swaps(matrix: tuple[int, int, int, int]) -> bool:
    """Whether rows become columns."""
    a, b, c, d = map(abs, matrix)
    return b + c > a + d


def pixel_aspect(stream: Any, frame: Any) -> Fraction:
    """Width by height of a pixel of the frame as it is shown; 1 where nobody says."""
    aspect = Fraction(stream.sample_aspect_ratio or 0)
    if aspect <= 0:
        return Fraction(1)
    matrix = _display_matrix(frame)
    return 1 / aspect if matrix is not None and _swaps(matrix) else aspect
