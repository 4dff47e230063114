"""What the target looked like, to judge whether a box still holds it."""

import math

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import AnyArray, Floats, Image
from slimtrack.box import Box
from slimtrack.search import extract

__all__ = ["Appearance"]

_SIDE = 32
"""Side in pixels of the square that a box's content is brought to; 8 x 8 HOG cells."""

_RING = 8
"""Pixels of surroundings on each side: a quarter of the box."""

_FLAT = 1.5
"""Standard deviation in grey levels under which there is nothing to see: sensor noise is larger."""

_RATE = 0.05
"""Share of the newest believed frame in the look of the target and in its colours."""

_SCENE_RATE = 0.1
"""The same for the whole frame."""

_SCENE = 5.0
"""Grey levels by which a still camera's frames may differ."""

_RARE = 1e-4
"""Frequency given to every colour, so that one never seen says neither target nor surroundings."""

_THUMBNAIL = 16
"""Samples of the whole frame, down and across."""

_COLORS = 8
"""Levels of each colour channel in the histograms."""


class Appearance:
    """Compares the content of a box with the target of the first frame and of the frames believed since.

    It knows no filter: its figures tell a drifted tracker, whose own response is content with what it
    learned by mistake, from one that still holds its target.
    """

    def __init__(self, image: Image, box: Box) -> None:
        self._target = self._last = _Look(image, box)
        self._counts = self._last.counts()
        self._scene = self._seen = _thumbnail(image)

    def evidence(self, image: Image, box: Box) -> dict[str, float]:
        """Named figures for the calibration.

        Returns:
            ``shape`` and ``grey``: correlation (-1 .. 1) of the orientation histograms and of the grey
            levels with the target's; ``color``: how much likelier the target's colours are inside the box
            than around it (-1 .. 1); ``outside``: share of the box outside of the frame; ``scene``: logarithm
            of how much the whole frame differs from those of late; ``flat``: 1 when there is nothing to see.
        """
        look = self._last = _Look(image, box)
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
        """Takes the box last judged for the target's, ``weight`` (0 to 1) times as much as at most."""
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
        around: The same for a frame of a quarter of the box around it.
    """

    def __init__(self, image: Image, box: Box) -> None:
        from slimtrack.features.hog import fhog  # here: `import slimtrack` must not wait for the compiler

        side = _SIDE + 2 * _RING
        grown = side / _SIDE
        whole = extract(image, box.cx, box.cy, grown * box.w, grown * box.h, (side, side))
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
        """A look between this one and another."""
        mixed = object.__new__(_Look)
        mixed.shape, _ = _centred(self.shape + np.float32(share) * (other.shape - self.shape))
        mixed.grey, _ = _centred(self.grey + np.float32(share) * (other.grey - self.grey))
        return mixed

    def counts(self) -> AnyArray:
        """Frequencies ``(2, 512)`` of the colours inside and around."""
        both = (np.bincount(bins, minlength=_COLORS**3) / len(bins) for bins in (self.inside, self.around))
        return np.stack(list(both)).astype(np.float32)


def _thumbnail(image: Image) -> Floats:
    """Grey levels ``(16, 16)`` float32 of single pixels spread over the frame."""
    rows, columns = (
        ((np.arange(_THUMBNAIL) + 0.5) * side / _THUMBNAIL).astype(int) for side in image.shape[:2]
    )
    return np.asarray(image[rows[:, None], columns].mean(axis=2), np.float32)


def _centred(values: Floats) -> tuple[Floats, float]:
    """Values with mean 0 and length 1, and the length they had."""
    centred = values - values.mean()
    length = float(np.vdot(centred, centred)) ** 0.5
    return np.asarray(centred * np.float32(1 / max(length, 1e-3))), length
