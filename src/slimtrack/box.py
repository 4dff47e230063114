"""Boxes: upright rectangles in pixels, and their overlap."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt

from slimtrack.errors import InputError

__all__ = ["Box", "overlap"]


@dataclass(frozen=True, slots=True)
class Box(Sequence[float]):
    """An upright rectangle in pixels, 0-based, x to the right and y down.

    ``(x, y)`` is the *outer edge* of the top-left pixel: ``Box(0, 0, 1, 1)`` covers the whole of pixel (0, 0)
    and its centre is (0.5, 0.5). File formats with other conventions convert where they are read and written.

    It is a sequence of its four numbers: ``x, y, w, h = box``, ``tuple(box)``, ``np.array(box)``.

    A box can hold any four numbers, so that a bad one can be reported with its values. `Tracker.init` refuses
    a box that cannot be tracked.

    Attributes:
        x: Left edge.
        y: Top edge.
        w: Width.
        h: Height.
    """

    x: float
    y: float
    w: float
    h: float

    @classmethod
    def from_center(cls, cx: float, cy: float, w: float, h: float) -> "Box":
        """The box of size ``w`` x ``h`` around (``cx``, ``cy``)."""
        return cls(cx - w / 2, cy - h / 2, w, h)

    @classmethod
    def from_corners(cls, left: float, top: float, right: float, bottom: float) -> "Box":
        """The box between two opposite corners (outer edges)."""
        return cls(left, top, right - left, bottom - top)

    @property
    def cx(self) -> float:
        """Horizontal centre."""
        return self.x + self.w / 2

    @property
    def cy(self) -> float:
        """Vertical centre."""
        return self.y + self.h / 2

    @property
    def right(self) -> float:
        """Right edge."""
        return self.x + self.w

    @property
    def bottom(self) -> float:
        """Bottom edge."""
        return self.y + self.h

    @property
    def area(self) -> float:
        """Area in pixels; 0 if a side is negative."""
        return max(self.w, 0.0) * max(self.h, 0.0)

    @property
    def is_finite(self) -> bool:
        """Whether all four numbers are finite."""
        return all(map(math.isfinite, self))

    def __iter__(self) -> Iterator[float]:
        return iter((self.x, self.y, self.w, self.h))

    def __len__(self) -> int:
        return 4

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[float, ...]: ...
    def __getitem__(self, index: int | slice) -> float | tuple[float, ...]:
        return (self.x, self.y, self.w, self.h)[index]

    @property
    def xyxy(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom edge."""
        return self.x, self.y, self.right, self.bottom

    @property
    def int_xyxy(self) -> tuple[int, int, int, int]:
        """The edges, rounded to pixel borders: ``image[top:bottom, left:right]`` is the content of the box.

        Raises:
            InputError: A number is not finite.
        """
        if not self.is_finite:
            raise InputError(f"box {self} has a number that is not finite, so it cannot be rounded to pixels")
        left, top, right, bottom = (math.floor(edge + 0.5) for edge in self.xyxy)
        return left, top, right, bottom

    @property
    def int_xywh(self) -> tuple[int, int, int, int]:
        """`int_xyxy` as x, y, width and height.

        Raises:
            InputError: A number is not finite.
        """
        left, top, right, bottom = self.int_xyxy
        return left, top, right - left, bottom - top

    def __str__(self) -> str:
        return ",".join(f"{value:g}" for value in self)

    def moved(self, dx: float, dy: float) -> "Box":
        """The box moved by ``dx`` to the right and ``dy`` down."""
        return Box(self.x + dx, self.y + dy, self.w, self.h)

    def scaled(self, factor: float) -> "Box":
        """The box with both sides multiplied by ``factor``, around the same centre."""
        return Box.from_center(self.cx, self.cy, self.w * factor, self.h * factor)

    def clipped(self, width: float, height: float) -> "Box":
        """The part inside a frame of ``width`` x ``height`` pixels; its area is 0 if nothing is inside."""
        left, right = (min(max(v, 0.0), width) for v in (self.x, self.right))
        top, bottom = (min(max(v, 0.0), height) for v in (self.y, self.bottom))
        return Box.from_corners(left, top, right, bottom)

    def iou(self, other: "Box") -> float:
        """Intersection over union with another box, in [0, 1]; 0 if both are empty."""
        w = min(self.right, other.right) - max(self.x, other.x)
        h = min(self.bottom, other.bottom) - max(self.y, other.y)
        common = max(w, 0.0) * max(h, 0.0)
        union = self.area + other.area - common
        return common / union if union > 0 else 0.0


def overlap(a: npt.ArrayLike, b: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Intersection over union of boxes, row by row.

    Args:
        a: ``(..., 4)`` boxes as x, y, w, h; a side is the distance of its edges, not a count of pixels.
        b: The same, of a shape that broadcasts with ``a``.

    Returns:
        ``(...)`` float64 in [0, 1]; ``nan`` where either box has a ``nan``.
    """
    p, q = np.asarray(a, float), np.asarray(b, float)
    low = np.maximum(p[..., :2], q[..., :2])
    high = np.minimum(p[..., :2] + p[..., 2:], q[..., :2] + q[..., 2:])
    common = np.prod(np.maximum(high - low, 0), axis=-1)
    areas = [np.prod(np.maximum(r[..., 2:], 0), axis=-1) for r in (p, q)]
    union = areas[0] + areas[1] - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(union), where=union != 0))
