"""What tracker networks that rank many boxes a frame share: the choice, and a filter beside the network."""

import math
from typing import ClassVar

import numpy as np

from slimtrack._compiled import compiled
from slimtrack.arrays import Floats, Image
from slimtrack.box import Box
from slimtrack.calibrations import calibration_of
from slimtrack.confidence import Calibration
from slimtrack.tracker import Track
from slimtrack.trackers._beside import WEIGHT, Beside, Online
from slimtrack.trackers._onnx import OnnxTracker
from slimtrack.trackers._options import Threads

__all__ = ["SiameseTracker", "rank"]


class SiameseTracker(OnnxTracker):
    """A network that ranks boxes; with a filter beside it, both rank them.

    A subclass starts with ``super()._start`` and chooses with `_best`.

    Attributes:
        weight: What the usual response of the filter adds to the network's ranking.
    """

    weight: ClassVar[float] = WEIGHT

    def __init__(self, *, threads: Threads = 1, online: Online = "none") -> None:
        super().__init__(threads=threads)
        self._beside, self._online = Beside.named(online), online

    def _start(self, image: Image, box: Box) -> None:
        if self._beside is not None:
            self._beside.start(image, box)

    def _best(self, image: Image, place: Box, ranks: Floats, dx: Floats, dy: Floats) -> int:
        """Which box is chosen.

        Args:
            image: The frame.
            place: Where the target is looked for.
            ranks: ``(n,)`` what the network holds of each box.
            dx: ``(n,)`` how far their centres are right of the place's, in frame pixels.
            dy: How far below.
        """
        beside = self._beside
        if beside is None:
            return int(np.argmax(ranks))
        beside.look(image, place)
        heights = beside.at(dx, dy)
        best = int(np.argmax(ranks + self.weight * beside.trust() * heights))
        beside.choose(float(heights[best]))
        return best

    def _leave_filter(self) -> None:
        """What is chosen after all is not what the filter saw last, so that it learns nothing."""
        if self._beside is not None:
            self._beside.choose(0.0)

    def _seen_beside(self) -> dict[str, float]:
        """How clear the filter's response is, as evidence; nothing without a filter."""
        if self._beside is None:
            return {}
        return {name: self._beside.seen[name] for name in ("psr", "second")}

    def _calibration(self) -> Calibration:
        """With a filter beside it, the calibration of its name with that option, if there is one."""
        cls = type(self)
        beside = f"{cls.name}[online={self._online}]"
        return calibration_of(cls, beside) or super()._calibration()

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        """The filter learns; the template of the first frame is kept."""
        if self._beside is not None:
            self._beside.learn(box, track.score)


@compiled()
def rank(scores, sides, grid, window, weights, last, shift, step):
    """Ranks the boxes that a network says, as SiamRPN does (Li et al., CVPR 2018): one pass over all cells.

    Args:
        scores: ``(n,)`` float32 what the network holds of each box.
        sides: ``(4, n)`` float32 left, top, right, bottom from each cell's centre, in network pixels.
        grid: ``(2, n)`` float32 the centres, from the middle of the search area.
        window: ``(n,)`` float32 how likely a target is there before it is searched.
        weights: Weight of the window against the penalised score, and strength of the penalty on changes of
            size and shape.
        last: Width and height of the last box, in frame pixels.
        shift: How far the middle of the search area is right of the last box's, and below, in frame pixels.
        step: Frame pixels per network pixel.

    Returns:
        ``(6, n)`` float32: ranks, penalised scores, and in frame pixels how far the centres are right of the
        last box's and below, widths and heights.
    """
    influence, penalty = weights
    out = np.empty((6, len(scores)), np.float32)
    middle = (last[0] + last[1]) / 2
    before = math.sqrt((last[0] + middle) * (last[1] + middle))
    for i in range(len(scores)):
        left, top, right, bottom = sides[0, i], sides[1, i], sides[2, i], sides[3, i]
        w, h = max((left + right) * step, 1e-3), max((top + bottom) * step, 1e-3)
        middle = (w + h) / 2
        size = math.sqrt((w + middle) * (h + middle)) / before
        shape = last[0] / last[1] * h / w
        change = max(size, 1 / size) * max(shape, 1 / shape)
        held = math.exp(penalty * (1 - change)) * scores[i]
        out[0, i], out[1, i] = held * (1 - influence) + window[i] * influence, held
        out[2, i] = (grid[0, i] + (right - left) / 2) * step + shift[0]
        out[3, i] = (grid[1, i] + (bottom - top) / 2) * step + shift[1]
        out[4, i], out[5, i] = w, h
    return out
