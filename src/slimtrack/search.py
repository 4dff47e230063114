"""Search windows: cut a patch of fixed size from a frame, and convert positions between both."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack._halves import cropped, halves
from slimtrack.arrays import AnyArray, Features, Floats, Image
from slimtrack.box import Box
from slimtrack.errors import InputError

__all__ = ["SearchWindow", "View", "Zoom", "cosine_window", "extract"]


def extract(image: Image, cx: float, cy: float, w: float, h: float, out: tuple[int, int]) -> Image:
    """Cuts the area ``w`` x ``h`` around (``cx``, ``cy``) and resizes it, sub-pixel exact and anti-aliased.

    Outside the frame the nearest border pixel is repeated. To avoid aliasing, an area that is shrunk by two
    or more is first halved (by means over 2 x 2 pixels) until less than a factor of two remains, and then
    sampled bilinearly. From three halvings on, only every eighth pixel is read. While a tracker works, all
    cuts from a frame share its halved versions (`slimtrack._halves`).

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
    # Blocks of half the frame are coarse enough for any window, and bound the memory of a huge one.
    across, down = (
        int(max(min(step, side // 2), 1)).bit_length() - 1
        for step, side in ((sx, image.shape[1]), (sy, image.shape[0]))
    )
    if level := min(across, down):
        image, left, top = halves(image).at(level, (left, top), (w, h))
        sx, sy, w, h = (v / 2**level for v in (sx, sy, w, h))
    if across != down:
        block = 1 << (across - level), 1 << (down - level)
        image, left, top, sx, sy = _averaged(image, (left, top), (w, h), block, (sx, sy))
    # Pixel j of the patch has its centre at left + (j + 0.5) sx; cv2 counts from the pixels' centres.
    matrix = np.array([[sx, 0, left + sx / 2 - 0.5], [0, sy, top + sy / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, matrix, out, flags=flags, borderMode=cv2.BORDER_REPLICATE))


class View(NamedTuple):
    """A picture of an area of the frame, made without leaving out pixels.

    Attributes:
        picture: ``(h, w, 3)`` uint8.
        area: The area, in frame pixels.
    """

    picture: Image
    area: Box

    def holds(self, box: Box) -> bool:
        """Whether all of a box in the frame is to be seen."""
        area = self.area
        return area.x <= box.x and area.y <= box.y and box.right <= area.right and box.bottom <= area.bottom

    def place(self, box: Box) -> Box:
        """Where a box in the frame is in the picture."""
        sx, sy = self.picture.shape[1] / self.area.w, self.picture.shape[0] / self.area.h
        return Box((box.x - self.area.x) * sx, (box.y - self.area.y) * sy, box.w * sx, box.h * sy)


class Zoom:
    """Patches of one size that show a box at several scales, sampled from one cut.

    The cut is as large as the largest factor needs and as fine as the smallest. If all factors are less than
    two apart, the patches are sampled from it without averaging; otherwise there are several cuts.

    Args:
        factors: ``(count,)`` sizes of the areas relative to the box, in ascending order.
        size: Width and height of a patch.
    """

    def __init__(self, factors: Floats, size: tuple[int, int]) -> None:
        self._size, self._count = size, len(factors)
        self._cuts: list[_Cut] = []
        for group in _less_than_two_apart(factors):
            self._cuts.append(_cut(group, size))

    def __call__(self, image: Image, box: Box) -> Image:
        """The patches ``(count, h, w, 3)`` uint8, in the order of the factors."""
        parts = []
        for cut in self._cuts:
            whole = extract(image, box.cx, box.cy, box.w * cut.factor, box.h * cut.factor, cut.size)
            parts.append(cv2.remap(whole, *cut.maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
        patches = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return np.asarray(patches.reshape(self._count, self._size[1], self._size[0], 3))


@dataclass(frozen=True, slots=True)
class _Cut:
    """One cut for several patches.

    Attributes:
        factor: Its size relative to the box.
        size: Width and height in its own pixels.
        maps: Positions of the patches' pixels in the cut, one patch below the other, for `cv2.remap`.
    """

    factor: float
    size: tuple[int, int]
    maps: tuple[AnyArray, AnyArray]


def _less_than_two_apart(factors: Floats) -> list[Floats]:
    """Splits the ordered factors into groups in which no factor is twice another."""
    starts = [0]
    for i, factor in enumerate(factors):
        ratio = factor / factors[starts[-1]]
        if not 0.5 < ratio < 2:
            starts.append(i)
    return np.split(factors, starts[1:])


def _cut(factors: Floats, size: tuple[int, int]) -> _Cut:
    large, small = float(factors.max()), float(factors.min())
    w, h = (math.ceil(side * large / small) for side in size)
    shares = factors[:, None] / large
    x, y = (
        whole / 2 + (np.arange(side) + 0.5 - side / 2) * whole / side * shares - 0.5
        for whole, side in ((w, size[0]), (h, size[1]))
    )
    shape = len(factors), size[1], size[0]
    places = [np.broadcast_to(v, shape).reshape(-1, size[0]) for v in (x[:, None, :], y[:, :, None])]
    maps = cv2.convertMaps(*(np.asarray(v, np.float32) for v in places), cv2.CV_16SC2)
    return _Cut(large, (w, h), maps)


def _averaged(
    image: Image,
    corner: tuple[float, float],
    size: tuple[float, float],
    block: tuple[int, int],
    step: tuple[float, float],
) -> tuple[Image, float, float, float, float]:
    """The frame under an area, averaged over ``block`` pixels, with the area's corner and step in it."""
    low, blocks = [], []
    for at, extent, k, limit in zip(corner, size, block, image.shape[1::-1], strict=True):
        # One spare block on each side for the bilinear samples; nothing beyond one block outside the frame.
        first = int(np.clip(np.floor(at) - k, -k, max(limit - 1, 0)))
        last = int(np.clip(np.ceil(at + extent) + k, first + k, limit + k))
        low.append(first)
        blocks.append(max(-(-(last - first) // k), 1))
    whole = [n * k for n, k in zip(blocks, block, strict=True)]
    cut = cropped(image, low[0], low[1], whole[0], whole[1])
    small = cv2.resize(cut, (blocks[0], blocks[1]), interpolation=cv2.INTER_AREA)
    return (
        small.reshape(blocks[1], blocks[0], -1),
        (corner[0] - low[0]) / block[0],
        (corner[1] - low[1]) / block[1],
        step[0] / block[0],
        step[1] / block[1],
    )


def cosine_window(h: int, w: int) -> Features:
    """Hann window of ``h`` x ``w`` samples, float32, sampled at half steps.

    It is zero just outside the window, so the outermost samples keep a small weight, and a window of one
    sample is 1.
    """
    rows, columns = (np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in (h, w))
    return np.outer(rows, columns).astype(np.float32)


def _smooth(count: int) -> int:
    """The nearest number without a prime factor above 7; the smaller one if two are equally near.

    Fourier transforms of other sizes take up to five times as long: 37 x 37 cells take three times as long as
    36 x 36.
    """
    apart = (n for away in range(count) for n in (count - away, count + away))
    return next(n for n in apart if 210**16 % n == 0)


@dataclass(frozen=True, slots=True)
class SearchWindow:
    """The patch of fixed size in which a target is searched for.

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
            area: Area of the window over the target's area (6.25: each side is 2.5 times as long).
            square: Make the window square instead of giving it the target's shape.
            stride: Side of a feature's cell in pixels. The patch's sides are multiples of it, with a number
                of cells that transforms quickly.
            pixels: Largest number of pixels of the patch; a larger window is shrunk to it.
            least: Smallest number of pixels of the patch; a smaller window is enlarged to it.

        Raises:
            InputError: The window is smaller than the target, or ``least`` is above ``pixels``.
        """
        if not area >= 1:
            raise InputError(f"area={area}: a search window must be at least as large as its target (area=1)")
        if pixels < least:
            raise InputError(
                f"a search window cannot have at least {least} and at most {pixels} pixels: raise pixels "
                "or lower least"
            )
        side = area**0.5
        w, h = (side * box.w, side * box.h) if not square else ((box.area * area) ** 0.5,) * 2
        pixel = max(1.0, (w * h / pixels) ** 0.5) * min(1.0, (w * h / least) ** 0.5)
        cells = max(3, math.floor(least**0.5 / stride))  # a thin target needs some surroundings too
        patch = tuple(_smooth(max(round(v / pixel / stride), cells)) * stride for v in (w, h))
        return cls((patch[0], patch[1]), pixel, (box.w / pixel, box.h / pixel))

    def extract(
        self, image: Image, cx: float, cy: float, scale: float = 1.0, margin: tuple[float, int] = (0.0, 0)
    ) -> Image:
        """The patch ``(h, w, 3)`` uint8 at a centre of the frame.

        Args:
            image: The frame.
            cx: Centre of the window, frame pixels.
            cy: Centre of the window.
            scale: Size of the area relative to scale 1.
            margin: ``(start, extra)``: where the patch begins relative to the window's corner, in patch
                pixels (negative: before it), and how many pixels it is larger than the window. Networks need
                this.
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
        patches = [self.extract(image, cx, cy, scale, margin) for scale in scales]
        return patches[0][None] if len(patches) == 1 else np.stack(patches)

    def moved(self, box: Box, dx: float, dy: float, *, scale: float = 1.0) -> Box:
        """The box, moved by a shift in patch pixels at ``scale``."""
        step = self.pixel * scale
        return box.moved(dx * step, dy * step)
