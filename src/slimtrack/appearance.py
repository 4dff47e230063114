"""What the target looked like, to judge whether a box still holds it."""

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Floats, Image
from slimtrack.box import Box
from slimtrack.search import extract

__all__ = ["Appearance"]

_SIDE = 32
"""Side in pixels of the square that a box's content is brought to; 8 x 8 HOG cells."""

_FLAT = 1.5
"""Standard deviation in grey levels under which there is nothing to see: sensor noise is larger."""


class Appearance:
    """Compares the content of a box with the target of the first frame.

    It knows no filter: its figures tell a drifted tracker, whose own response is content with what it
    learned by mistake, from one that still holds its target.
    """

    def __init__(self, image: Image, box: Box) -> None:
        self._shape, self._grey, _ = _look(image, box)

    def evidence(self, image: Image, box: Box) -> dict[str, float]:
        """Named figures for the calibration.

        Returns:
            ``shape`` and ``grey``: correlation (-1 .. 1) of the orientation histograms and of the grey
            levels with the first frame's; ``flat``: 1 when there is nothing to see.
        """
        shape, grey, deviation = _look(image, box)
        return {
            "shape": float(np.vdot(shape, self._shape)),
            "grey": float(np.vdot(grey, self._grey)),
            "flat": float(deviation < _FLAT),
        }


def _look(image: Image, box: Box) -> tuple[Floats, Floats, float]:
    """Unsigned HOG and grey levels of a box, mean 0 and length 1, and the deviation of its grey levels."""
    from slimtrack.features.hog import fhog  # here: `import slimtrack` must not wait for the compiler

    patch = extract(image, box.cx, box.cy, box.w, box.h, (_SIDE, _SIDE))
    grey, length = _centred(cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY).astype(np.float32))
    shape, _ = _centred(fhog(patch)[18:27])  # unsigned: a target may turn from dark to bright
    return shape, grey, length / _SIDE


def _centred(values: Floats) -> tuple[Floats, float]:
    """Values with mean 0 and length 1, and the length they had."""
    centred = values - values.mean()
    length = float(np.vdot(centred, centred)) ** 0.5
    return np.asarray(centred * np.float32(1 / max(length, 1e-3))), length
