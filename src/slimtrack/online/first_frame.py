"""Augmented views of the target from the first frame (ATOM, section 3.4)."""

from collections.abc import Iterator

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Image
from slimtrack.search import extract

__all__ = ["first_looks"]

_GROWN = 2
"""Side of the area that looks are cut from, over a look's, so that turned and shifted ones show the frame."""
_TURNS = 5, -5, 10, -10, 20, -20, 30, -30, 45, -45
_BLURS = (2, 0.2), (0.2, 2), (3, 1), (1, 3), (2, 2)
_SHIFT = 0.6
"""Shift of the target towards each corner, over half a side of the look: it is not always in the middle."""
_DRIFT = 1 / 3
"""Greatest random shift of a turned, mirrored or blurred look, over half its side."""


def first_looks(
    image: Image, centre: tuple[float, float], side: float, pixels: int, seed: int
) -> Iterator[tuple[Image, tuple[float, float]]]:
    """Looks ``(pixels, pixels, 3)`` uint8, the first as it is, and where each shows the target.

    Args:
        image: The frame.
        centre: x and y of the target's centre in it.
        side: Side of the area of a look in the frame.
        pixels: Side of a look.
        seed: Of the random shifts.

    Yields:
        A look, and x and y of the target's centre in it, in pixels.
    """
    rng = np.random.default_rng(seed)
    yield extract(image, *centre, side, side, (pixels, pixels)), (pixels / 2, pixels / 2)
    whole = extract(image, *centre, _GROWN * side, _GROWN * side, (_GROWN * pixels, _GROWN * pixels))
    for x, y in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
        yield _look(whole, pixels, np.array([x, y]) * _SHIFT)
    look, at = _look(whole, pixels, rng.uniform(-_DRIFT, _DRIFT, 2))
    yield np.ascontiguousarray(look[:, ::-1]), (pixels - at[0], at[1])
    for angle in _TURNS:
        yield _look(whole, pixels, rng.uniform(-_DRIFT, _DRIFT, 2), angle)
    for sigma_x, sigma_y in _BLURS:
        look, at = _look(whole, pixels, rng.uniform(-_DRIFT, _DRIFT, 2))
        yield cv2.GaussianBlur(look, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y), at


def _look(
    whole: Image, pixels: int, shift: np.ndarray, angle: float = 0.0
) -> tuple[Image, tuple[float, float]]:
    """A look at the middle of the area, turned about the target, which is moved by shares of half a side."""
    middle = _GROWN * pixels / 2 - 0.5  # cv2 counts from the pixels' centres
    x, y = pixels / 2 * (1 + shift)
    matrix = cv2.getRotationMatrix2D((middle, middle), angle, 1.0)
    matrix[:, 2] += x - 0.5 - middle, y - 0.5 - middle
    look = cv2.warpAffine(whole, matrix, (pixels, pixels), borderMode=cv2.BORDER_REPLICATE)
    return look, (float(x), float(y))
