"""A tracker that is told whether its box is right, for collecting evidence.

It has a module of its own because joblib's workers cannot make a class of a script's `__main__`.
"""

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.confidence import Thresholds
from slimtrack.registry import settings, tracker_class
from slimtrack.tracker import Estimate, Tracker

TAUGHT = Thresholds(tracked=0.5, doubt=0.5, lost=0.0, found=0.0)
"""While evidence is collected LOST is never said, and right boxes alone are learned, whose score is 1: what a
drifted filter answers says little."""


def taught(name: str) -> Tracker:
    """A tracker that learns a frame when its box is right, whatever its own score says.

    It is right when it overlaps the tracker's attribute ``truth``, a box or ``None``, by more than one half.
    """

    class Taught(tracker_class(name)):  # type: ignore[misc]  # a class known by its name
        thresholds = TAUGHT
        truth: Box | None = None

        def _score(self, image: Image, box: Box, estimate: Estimate) -> float | None:
            nothing = super()._score(image, box, estimate) is None
            return None if nothing else float(self.truth is not None and box.iou(self.truth) > 0.5)

    return Taught(**settings(name))
