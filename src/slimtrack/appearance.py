"""Compares what a box shows with what the target looked like, as evidence for the score."""

import functools
import math

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import AnyArray, Floats, Image
from slimtrack.box import Box
from slimtrack.search import View, extract

__all__ = ["Appearance"]

_SIDE = 32
"""Side in pixels of the square that a box's content is resized to; 8 x 8 HOG cells."""

_RING = 8
"""Pixels of surroundings on each side: a quarter of the box."""

_FLAT = 1.5
"""Standard deviation in grey levels below which there is nothing to see: sensor noise is larger."""

_RATE = 0.05
"""Share of the newest frame with a high score in the target's appearance and colours."""

_SCENE_RATE = 0.1
"""The same for the whole frame."""

_SCENE = 5.0
"""Difference in grey levels between two frames of a camera that does not move."""

_RARE = 1e-4
"""Frequency added to every colour, so that a colour never seen is evidence for neither side."""

_THUMBNAIL = 16
"""Number of samples of the whole frame in each direction."""

_COLORS = 8
"""Levels of each colour channel in the histograms."""


class Appearance:
    """Compares the content of a box with the target in the first frame and in later frames with a high score.

    It is independent of the tracker's filter. A filter that has drifted learned the wrong content and
    responds strongly to it; these figures show that it no longer holds the target.
    """

    def __init__(self, image: Image, box: Box) -> None:
        self._target = self._last = _Look(image, box)
        self._counts = self._last.counts()
        self._scene = self._seen = _thumbnail(image)

    def evidence(self, image: Image, box: Box, view: View | None = None) -> dict[str, float]:
        """Named figures for the calibration.

        Args:
            image: The frame.
            box: The box in it.
            view: A picture of the box's surroundings that exists already, and is quicker to look at.

        Returns:
            ``shape`` and ``grey``: correlation (-1 .. 1) of the orientation histograms and of the grey
            levels with the target's; ``color``: how much more likely the target's colours are inside the
            box than around it (-1 .. 1); ``outside``: share of the box outside the frame; ``scene``:
            logarithm of how much the whole frame differs from recent frames; ``flat``: 1 if there is nothing
            to see.
        """
        near = view is not None and view.holds(_grown(box))
        look = self._last = _Look(view.picture, view.place(box)) if view and near else _Look(image, box)
        self._seen = _thumbnail(image)
        target, rest = self._counts
        share = (target + _RARE) / (target + rest + 2 * _RARE)
        height, width = image.shape[:2]
        return {
            "shape": float(np.vdot(look.shape, self._target.shape)),
            "grey": float(np.vdot(look.grey, self._target.grey)),
            "color": float(share[look.inside].mean() - share[look.around].mean()),
            "outside": 1 - box.clipped(width, height).area / box.area,
            "scene": math.log1p(float(np.abs(self._seen - self._scene).mean()) / _SCENE),
            "flat": float(look.deviation < _FLAT),
        }

    def learn(self, weight: float) -> None:
        """Adapts to the content of the last box, at ``weight`` (0 to 1) times the full rate."""
        self._target = self._target.towards(self._last, _RATE * weight)
        self._counts = self._counts + np.float32(_RATE * weight) * (self._last.counts() - self._counts)
        self._scene = self._scene + np.float32(_SCENE_RATE * weight) * (self._seen - self._scene)


class _Look:
    """A box's content: unsigned HOG and grey levels, mean 0 and length 1, and colours inside and around.

    Attributes:
        shape: ``(9, 8, 8)`` float32.
        grey: ``(32, 32)`` float32.
        deviation: Standard deviation of the grey levels.
        inside: Index of the colour of each pixel in the box.
        around: The same for the surroundings, a quarter of the box wide on each side.
    """

    def __init__(self, image: Image, box: Box) -> None:
        # imported here, so that `import slimtrack` does not wait for the compiler
        from slimtrack.features.hog import fhog

        side, area = _SIDE + 2 * _RING, _grown(box)
        whole = extract(image, box.cx, box.cy, area.w, area.h, (side, side))
        inner = slice(_RING, _RING + _SIDE)
        patch = np.ascontiguousarray(whole[inner, inner])
        grey = cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY).astype(np.float32)
        self.grey, length = _centred(grey)
        self.deviation = length / _SIDE
        # Unsigned: a target may turn from dark to bright.
        self.shape, _ = _centred(fhog(patch)[18:27])
        level = (whole >> 5).astype(np.intp)
        bins = level[..., 0] + _COLORS * level[..., 1] + _COLORS**2 * level[..., 2]
        self.inside = bins[inner, inner].ravel()
        self.around = np.concatenate([
            bins[:_RING].ravel(), bins[-_RING:].ravel(),
            bins[inner, :_RING].ravel(), bins[inner, -_RING:].ravel(),
        ])  # fmt: skip

    def towards(self, other: "_Look", share: float) -> "_Look":
        """A mixture of this appearance and another one."""
        mixed = object.__new__(_Look)
        mixed.shape, _ = _centred(self.shape + np.float32(share) * (other.shape - self.shape))
        mixed.grey, _ = _centred(self.grey + np.float32(share) * (other.grey - self.grey))
        return mixed

    def counts(self) -> AnyArray:
        """Frequencies ``(2, 512)`` of the colours inside and around the box."""
        both = (np.bincount(bins, minlength=_COLORS**3) / len(bins) for bins in (self.inside, self.around))
        return np.stack(list(both)).astype(np.float32)


def _grown(box: Box) -> Box:
    """The box with its surroundings."""
    share = 1 + 2 * _RING / _SIDE
    return Box.from_center(box.cx, box.cy, share * box.w, share * box.h)


def _thumbnail(image: Image) -> Floats:
    """Grey levels ``(16, 16)`` float32 of single pixels, evenly spread over the frame."""
    return np.asarray(image[_samples(*image.shape[:2])].mean(axis=2), np.float32)


@functools.lru_cache
def _samples(height: int, width: int) -> tuple[AnyArray, AnyArray]:
    """Rows and columns of the pixels of a thumbnail."""
    rows, columns = (
        ((np.arange(_THUMBNAIL) + 0.5) * side / _THUMBNAIL).astype(int) for side in (height, width)
    )
    return rows[:, None], columns


def _centred(values: Floats) -> tuple[Floats, float]:
    """Values with mean 0 and length 1, and their length before."""
    centred = values - values.mean()
    length = float(np.vdot(centred, centred)) ** 0.5
    return np.asarray(centred * np.float32(1 / max(length, 1e-3))), length
