"""The interface of features, and a feature that joins several of the same stride."""

from typing import Protocol

import numpy as np

from slimtrack.arrays import Features, Image
from slimtrack.errors import InputError

__all__ = ["Feature", "Stack"]


class Feature(Protocol):
    """Turns a patch into channels on a grid.

    Attributes:
        channels: Number of channels.
        stride: Patch pixels between neighbouring cells.
        offset: Patch pixel (outer-edge convention) of the centre of cell 0.
        margin: ``(start, extra)``: where the patch begins relative to the window, and how many pixels it is
            larger.
    """

    channels: int
    stride: int
    offset: float

    @property
    def margin(self) -> tuple[float, int]:
        """``(start, extra)``: where the patch begins relative to the window, and how much larger it is."""
        ...

    def __call__(self, patch: Image) -> Features:
        """Features ``(C, h, w)`` of ``(H, W, 3)``, or ``(S, C, h, w)`` of ``(S, H, W, 3)``."""
        ...


class Stack:
    """Joins the channels of several features of the same stride."""

    def __init__(self, *parts: Feature) -> None:
        if len({(part.stride, part.offset, part.margin) for part in parts}) != 1:
            grids = ", ".join(f"stride {p.stride}, offset {p.offset:g}" for p in parts) or "none"
            raise InputError(f"a stack needs features on one grid (stride, offset, margin), not {grids}")
        self._parts = parts
        self.channels = sum(part.channels for part in parts)
        self.stride, self.offset = parts[0].stride, parts[0].offset
        self.margin = parts[0].margin

    def __call__(self, patch: Image) -> Features:
        """Features ``(C, h, w)`` of a patch ``(H, W, 3)``, or ``(S, C, h, w)`` of several."""
        if len(self._parts) == 1:
            return self._parts[0](patch)
        return np.concatenate([part(patch) for part in self._parts], axis=-3)
