"""What tracker networks that rank many boxes a frame share: the choice, and what learns beside them."""

import math

import numpy as np

from slimtrack._compiled import compiled
from slimtrack.arrays import Features, Floats, Image
from slimtrack.box import Box
from slimtrack.calibrations import calibration_of
from slimtrack.confidence import Calibration
from slimtrack.tracker import Track
from slimtrack.trackers._online import OnlineFilter, OnlineModel, Searched
from slimtrack.trackers._onnx import OnnxTracker
from slimtrack.trackers._options import Threads

__all__ = ["SiameseTracker", "eased", "rank"]


class SiameseTracker(OnnxTracker):
    """A network that ranks boxes; what learns the target beside it ranks them, too.

    A subclass starts with ``super()._start`` and chooses with `_best`.
    """

    def __init__(self, *, threads: Threads = 1, online: str = "none") -> None:
        super().__init__(threads=threads)
        self._online_model, self._online = self._create_online_model(online), online

    def _create_online_model(self, online: str) -> OnlineModel | None:
        """What the option of that value asks for."""
        return None if online == "none" else OnlineFilter()

    def _start(self, image: Image, box: Box) -> None:
        if self._online_model is not None:
            self._online_model.start(image, box, self._features_of)

    def _features_of(self, picture: Image) -> Features:
        """The features ``(C, n, n)`` of a search image, of a network that has some to give."""
        raise NotImplementedError(f"{type(self).__name__} has no _features_of")

    def _best(self, searched: Searched, ranks: Floats, dx: Floats, dy: Floats) -> int:
        """Which box is chosen.

        Args:
            searched: What the network searched.
            ranks: ``(n,)`` what the network holds of each box.
            dx: ``(n,)`` how far their centres are right of the place's, in frame pixels.
            dy: How far below.
        """
        model = self._online_model
        if model is None:
            return int(np.argmax(ranks))
        model.look(searched)
        heights = model.at(dx, dy)
        best = int(np.argmax(ranks + model.weight * model.trust() * heights))
        model.choose(float(heights[best]))
        return best

    def _calibration(self) -> Calibration:
        """With something beside it, the calibration of its name with that option, if there is one."""
        cls = type(self)
        name = f"{cls.name}[online={self._online}]"
        return calibration_of(cls, name) or super()._calibration()

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        """What is beside the network learns; the template of the first frame is kept."""
        if self._online_model is not None:
            self._online_model.learn(box, track.score)


def eased(image: Image, last: Box, ranked: Floats, best: int, rate: float, least: float) -> Box:
    """A ranked box, in a size between the last one and its own: an error of one frame counts less.

    Args:
        image: The frame; no side becomes longer than its.
        last: The last box.
        ranked: ``(6, n)`` what `rank` gave.
        best: Which box.
        rate: Share of its own size, where its penalised score is 1.
        least: Shortest side in frame pixels.
    """
    _, held, dx, dy, *sides = ranked[:, best].tolist()
    share = held * rate
    w, h = (
        min(max((1 - share) * old + share * new, least), float(limit))
        for old, new, limit in zip((last.w, last.h), sides, image.shape[1::-1], strict=True)
    )
    return Box.from_center(last.cx + dx, last.cy + dy, w, h)


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
