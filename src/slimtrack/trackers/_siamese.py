"""What tracker networks that rank many boxes a frame share: the choice, and a filter beside the network."""

from typing import ClassVar

import numpy as np

from slimtrack.arrays import Floats, Image
from slimtrack.box import Box
from slimtrack.tracker import Track
from slimtrack.trackers._beside import WEIGHT, Beside, Online
from slimtrack.trackers._onnx import OnnxTracker
from slimtrack.trackers._options import Threads

__all__ = ["SiameseTracker"]


class SiameseTracker(OnnxTracker):
    """A network that ranks boxes; with a filter beside it, both rank them.

    A subclass starts with ``super()._start`` and chooses with `_best`.

    Attributes:
        weight: What the usual response of the filter adds to the network's ranking.
    """

    weight: ClassVar[float] = WEIGHT

    def __init__(self, *, threads: Threads = 1, online: Online = "none") -> None:
        super().__init__(threads=threads)
        self._beside = Beside.named(online)

    def _start(self, image: Image, box: Box) -> None:
        if self._beside is not None:
            self._beside.start(image, box)

    def _best(self, image: Image, ranks: Floats, dx: Floats, dy: Floats) -> int:
        """Which box is chosen.

        Args:
            image: The frame.
            ranks: ``(n,)`` what the network holds of each box.
            dx: ``(n,)`` how far their centres are right of `_place`, in frame pixels.
            dy: How far below.
        """
        beside = self._beside
        if beside is None:
            return int(np.argmax(ranks))
        beside.look(image, self._place)
        heights = beside.at(dx, dy)
        best = int(np.argmax(ranks + self.weight * beside.trust() * heights))
        beside.choose(float(heights[best]))
        return best

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        """The filter learns; the template of the first frame is kept."""
        if self._beside is not None:
            self._beside.learn(box, track.score)
