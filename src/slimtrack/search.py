"""The search window: from a place in the frame to a patch of fixed size, and back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Features, Floats, Image
from slimtrack.box import Box
from slimtrack.errors import InputError

__all__ = ["SearchWindow", "cosine_window", "extract"]


def extract(image: Image, cx: float, cy: float, w: float, h: float, out: tuple[int, int]) -> Image:
    """Cuts the area ``w`` x ``h`` around (``cx``, ``cy``) and resizes it, sub-pixel exact and anti-aliased.

    Outside the frame the nearest border pixel is repeated. An area shrunk by two or more is first averaged
    over whole pixels, then sampled bilinearly, so that no detail folds into the patch.

    Args:
        image: ``(H, W, 3)`` uint8.
        cx: Centre, frame pixels (outer-edge convention of `Box`).
        cy: Centre.
        w: Width of the area in frame pixels, > 0.
        h: Height of the area.
        out: Width and height of the patch.

    Returns:
        ``(out[1], out[0], 3)`` uint8, C-contiguous.
    """
    left, top, sx, sy = cx - w / 2, cy - h / 2, w / out[0], h / out[1]
    # A block of half the frame is as coarse as can matter, and bounds the memory of a huge window.
    kx, ky = (
        int(min(step, max(side // 2, 1))) for step, side in ((sx, image.shape[1]), (sy, image.shape[0]))
    )
    if kx >= 2 or ky >= 2:
        image, left, top, sx, sy = _averaged(image, (left, top), (w, h), (max(kx, 1), max(ky, 1)), (sx, sy))
    # Pixel j of the patch has its centre at left + (j + 0.5) sx; cv2 counts from the pixels' centres.
    matrix = np.array([[sx, 0, left + sx / 2 - 0.5], [0, sy, top + sy / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, matrix, out, flags=flags, borderMode=cv2.BORDER_REPLICATE))


def _averaged(
    image: Image,
    corner: tuple[float, float],
    size: tuple[float, float],
    block: tuple[int, int],
    step: tuple[float, float],
) -> tuple[Image, float, float, float, float]:
    """The part of the frame under an area, averaged over ``block`` pixels; corner and step in its pixels."""
    low, blocks = [], []
    for at, extent, k, limit in zip(corner, size, block, image.shape[1::-1], strict=True):
        # One spare block on each side for the bilinear samples; nothing beyond one block outside the frame.
        first = int(np.clip(np.floor(at) - k, -k, max(limit - 1, 0)))
        last = int(np.clip(np.ceil(at + extent) + k, first + k, limit + k))
        low.append(first)
        blocks.append(max(-(-(last - first) // k), 1))
    whole = [n * k for n, k in zip(blocks, block, strict=True)]
    cut = _crop(image, low[0], low[1], whole[0], whole[1])
    small = cv2.resize(cut, (blocks[0], blocks[1]), interpolation=cv2.INTER_AREA)
    return (
        small.reshape(blocks[1], blocks[0], -1),
        (corner[0] - low[0]) / block[0],
        (corner[1] - low[1]) / block[1],
        step[0] / block[0],
        step[1] / block[1],
    )


def _crop(image: Image, x: int, y: int, w: int, h: int) -> Image:
    """Whole pixels from (x, y), border pixels repeated outside the frame."""
    height, width = image.shape[:2]
    if x >= 0 and y >= 0 and x + w <= width and y + h <= height:
        return image[y : y + h, x : x + w]
    (left, before_x, after_x), (top, before_y, after_y) = (_padded(x, w, width), _padded(y, h, height))
    inside = image[top : top + h - before_y - after_y, left : left + w - before_x - after_x]
    return np.asarray(
        cv2.copyMakeBorder(inside, before_y, after_y, before_x, after_x, borderType=cv2.BORDER_REPLICATE)
    )


def _padded(first: int, count: int, limit: int) -> tuple[int, int, int]:
    """Of ``count`` pixels from ``first``: the first inside the frame, how many to repeat before and after."""
    low, high = min(max(first, 0), limit - 1), max(min(first + count, limit), 1)
    before = min(max(low - first, 0), count - 1)
    return low, before, max(count - before - max(high - low, 1), 0)


def cosine_window(h: int, w: int) -> Features:
    """Hann window of ``h`` x ``w`` samples that is zero just outside, float32.

    The outermost samples keep a small weight (``sin^2`` at half steps), so that a window of one sample is 1.
    """
    rows, columns = (np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in (h, w))
    return np.outer(rows, columns).astype(np.float32)


@dataclass(frozen=True, slots=True)
class SearchWindow:
    """A patch of fixed size in which a target of a known first size is looked for.

    Attributes:
        patch: Width and height of the patch in its own pixels.
        pixel: Frame pixels per patch pixel at scale 1.
        target: Width and height of the target in patch pixels at scale 1.
    """

    patch: tuple[int, int]
    pixel: float
    target: tuple[float, float]

    @classmethod
    def around(
        cls,
        box: Box,
        *,
        area: float = 6.25,
        square: bool = False,
        stride: int = 4,
        pixels: float = 160.0**2,
        least: float = 32.0**2,
    ) -> "SearchWindow":
        """Plans the window for a target.

        Args:
            box: The target in the first frame.
            area: Area of the window over the target's area (6.25: each side 2.5 times).
            square: A square window instead of one of the target's shape.
            stride: The patch's sides are whole multiples of this (a feature's cell).
            pixels: Most pixels of the patch: a larger window is shrunk to it.
            least: Fewest pixels of the patch: a smaller window is enlarged to it.

        Raises:
            InputError: The window is not larger than 1 times the target, or sizes contradict each other.
        """
        if not area >= 1:
            raise InputError(f"area={area} of a search window over its target's must be at least 1")
        if pixels < least:
            raise InputError(f"a search window of at most pixels={pixels} cannot have least={least} of them")
        side = area**0.5
        w, h = (side * box.w, side * box.h) if not square else ((box.area * area) ** 0.5,) * 2
        pixel = max(1.0, (w * h / pixels) ** 0.5) * min(1.0, (w * h / least) ** 0.5)
        patch = tuple(max(round(v / pixel / stride), 3) * stride for v in (w, h))
        return cls((patch[0], patch[1]), pixel, (box.w / pixel, box.h / pixel))

    def extract(
        self, image: Image, cx: float, cy: float, scale: float = 1.0, margin: tuple[float, int] = (0.0, 0)
    ) -> Image:
        """The patch ``(h, w, 3)`` uint8 at a centre of the frame.

        Args:
            image: The frame.
            cx: Centre of the window, frame pixels.
            cy: Centre of the window.
            scale: By how much the area is larger than at scale 1.
            margin: Where the patch starts from the window's corner in patch pixels (negative: before it), and
                how many pixels it is larger than the window: what a network needs around the window.
        """
        step = self.pixel * scale
        start, extra = margin
        w, h = (side + extra for side in self.patch)
        shift = (start + extra / 2) * step
        return extract(image, cx + shift, cy + shift, w * step, h * step, (w, h))

    def pyramid(
        self,
        image: Image,
        cx: float,
        cy: float,
        scales: Sequence[float] | Floats,
        margin: tuple[float, int] = (0.0, 0),
    ) -> Image:
        """The patches ``(S, h, w, 3)`` uint8 of several scales at one centre; arguments as `extract`'s."""
        w, h = (side + margin[1] for side in self.patch)
        out = np.empty((len(scales), h, w, 3), np.uint8)
        for patch, scale in zip(out, scales, strict=True):
            patch[:] = self.extract(image, cx, cy, scale, margin)
        return out

    def moved(self, box: Box, dx: float, dy: float, *, scale: float = 1.0) -> Box:
        """A box moved by a shift given in patch pixels at ``scale``, to frame pixels."""
        step = self.pixel * scale
        return box.moved(dx * step, dy * step)
