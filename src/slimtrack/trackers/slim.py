"""`slim` and `slim-large`: the networks that come with slimtrack, as trackers."""

import math
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Features, Floats, Image
from slimtrack.box import Box
from slimtrack.confidence import Thresholds
from slimtrack.errors import InputError
from slimtrack.lookout import Trail
from slimtrack.networks.catalogue import files_of
from slimtrack.networks.find import find_network
from slimtrack.search import View
from slimtrack.tracker import Estimate
from slimtrack.trackers._online import OnlineModel, Searched
from slimtrack.trackers._online_classifier import OnlineClassifier
from slimtrack.trackers._onnx import cut, planes
from slimtrack.trackers._options import Threads
from slimtrack.trackers._siamese import SiameseTracker, eased, rank

__all__ = ["Slim", "SlimLarge"]

_Online = Annotated[
    Literal["none", "eco-hc", "atom"],
    "What learns the target beside the network: ECO-HC's filter, ATOM's classifier on the network's "
    "features, or nothing.",
]

_STRIDE = 16
"""Pixels of the search image per cell."""
_LEAST = 4.0
"""Smallest side of a box in frame pixels."""
_NEAR, _WIDE = 4.0, 8.0
"""Side of the area that is searched, over the target's: in every frame, and where no answer is clear."""
_BETTER = 0.05
"""By how much the best score of the wide area has to be higher."""
_BOXES, _FEATURES = ("score", "sides"), "features"
"""Outputs of the search network: for its boxes, and for the classifier."""
_LOOKS = (0, 0, 1), (0.3, 0, 1), (-0.3, 0, 1), (0, 0.3, 1), (0, -0.3, 1), (0, 0, 0.85), (0, 0, 1 / 0.85)
"""Searches in the first frame: offset to the right and down, over the target's side, and factor of size."""
_WEAK = 0.3
"""Score of the network below which the classifier beside it may say by itself where the target is."""
_FOUND = 0.4
"""Overlap with the given box from which on the network counts as having found the target."""
_MOST = 0.25
"""Limit of the difference between given and found box: in its sides, and in the logarithms of its sides."""


class _Habit(NamedTuple):
    """How the user draws boxes, compared with the network: looser or tighter, with more or less of the legs.

    Attributes:
        x, y: How far the user's centre is right of and below the network's, over the network's sides.
        w, h: The user's sides over the network's.
    """

    x: float
    y: float
    w: float
    h: float

    @classmethod
    def seen(cls, given: Box, found: list[Box], share: float) -> "_Habit":
        """That share of the mean difference; none where nothing was found."""
        pairs = [
            ((given.cx - box.cx) / box.w, (given.cy - box.cy) / box.h,
             math.log(given.w / box.w), math.log(given.h / box.h))
            for box in found
        ]  # fmt: skip
        mean = np.clip(np.mean(pairs, axis=0), -_MOST, _MOST) if pairs else np.zeros(4)
        x, y, w, h = (share * mean).tolist()
        return cls(x, y, math.exp(w), math.exp(h))

    def users(self, box: Box) -> Box:
        """The network's box as the user would draw it."""
        centre = box.cx + self.x * box.w, box.cy + self.y * box.h
        return Box.from_center(*centre, box.w * self.w, box.h * self.h)

    def networks(self, box: Box) -> Box:
        """The user's box as the network would draw it."""
        w, h = box.w / self.w, box.h / self.h
        return Box.from_center(box.cx - self.x * w, box.cy - self.y * h, w, h)


class _Look(NamedTuple):
    """What the network says of an area.

    Attributes:
        patch: The area as the network sees it.
        scores: ``(n,)`` of its cells.
        sides: ``(4, n)`` of their boxes.
        maps: ``(C, cells, cells)`` its features, where a classifier asks for them.
    """

    patch: Image
    scores: Floats
    sides: Floats
    maps: Features | None


class _Slim(SiameseTracker):
    """A siamese network: template of twice, search of four times the target's side (of a square of its area).

    The networks were trained by `slimtrack distill slim`. Beside them a classifier learns the target on
    their features (``online=atom``), or ECO-HC's filter (``online=eco-hc``), or nothing (``online=none``).
    Where the answer is not clear, eight times the side are searched, too.

    Attributes:
        template, search: Sides of the two images in pixels.
        influence: Weight of the cosine window against the penalised score.
        penalty: Strength of the penalty on changes of size and shape.
        rate: How fast the box's size adapts, multiplied by score and penalty.
        habit: How much of the difference between the given box and the network's in the first frame stays.
        clear: Score from which on the box is followed, whatever it shows.
    """

    template: ClassVar[int]
    search: ClassVar[int]
    uses_appearance = True
    newest = 0.8  # its answer of one frame says about as much as a mean over several
    lookout = Trail
    influence: ClassVar[float] = 0.3
    penalty: ClassVar[float] = 0.1
    rate: ClassVar[float] = 0.6
    habit: ClassVar[float] = 0.5
    clear: ClassVar[float] = 0.4

    def __init__(self, *, threads: Threads = 1, online: _Online = "atom") -> None:
        super().__init__(threads=threads, online=online)
        cells = self.search // _STRIDE
        line = (np.arange(cells, dtype=np.float32) + 0.5) * _STRIDE - self.search / 2
        self._grid = np.stack(np.meshgrid(line, line)).reshape(2, -1)
        hann = np.hanning(cells + 2)[1:-1]
        self._window = np.outer(hann, hann).astype(np.float32).ravel()

    def _create_online_model(self, online: str) -> OnlineModel | None:
        if online != "atom":
            return super()._create_online_model(online)
        if _FEATURES not in self._networks[1].outputs:
            raise InputError(
                f"network file {find_network(self.files[1])} has no output {_FEATURES!r}, from which "
                "online=atom learns: export it again (`slimtrack distill .. --resume`), or take online=none"
            )
        return OnlineClassifier(self.search, _STRIDE, _NEAR)

    def _start(self, image: Image, box: Box) -> None:
        self._border = tuple(cv2.mean(image)[:3])
        area = _around(box, 2.0)
        picture = planes(cut(image, area, self.template, self._border), rgb=True)
        mask = _covered(box, area, self.template // _STRIDE)
        cells, kernel = self._networks[0].run({"image": picture, "mask": mask})
        self._target = {"cells": cells, "kernel": kernel}
        found = [best for look in _LOOKS if (best := self._glance(image, box, *look)).iou(box) >= _FOUND]
        self._habit = _Habit.seen(box, found, self.habit)
        super()._start(image, box)

    def _look(self, image: Image, area: Box) -> _Look:
        """The network's answer to an area."""
        patch = cut(image, area, self.search, self._border)
        scores, sides, *maps = self._answer(patch)
        return _Look(patch, scores.ravel(), sides.reshape(4, -1), maps[0][0] if maps else None)

    def _answer(self, patch: Image) -> list[Features]:
        """The network's outputs for a search image."""
        wanted = (*_BOXES, _FEATURES) if self._online == "atom" else _BOXES
        return self._networks[1].run({"image": planes(patch, rgb=True), **self._target}, wanted)

    def _features_of(self, picture: Image) -> Features:
        _, _, maps = self._answer(picture)
        return np.asarray(maps[0])

    def _glance(self, image: Image, box: Box, right: float, below: float, larger: float) -> Box:
        """The best box of a search around a box moved by so many of its sides and made so much larger."""
        side = math.sqrt(box.area)
        place = Box.from_center(box.cx + right * side, box.cy + below * side, box.w * larger, box.h * larger)
        area = _around(place, _NEAR)
        _, scores, sides, _ = self._look(image, area)
        best, step = int(np.argmax(scores)), area.w / self.search
        x, y = self._grid[:, best].tolist()
        w, n, e, s = sides[:, best].tolist()
        corner = area.cx + (x - w) * step, area.cy + (y - n) * step
        return Box(*corner, (w + e) * step, (n + s) * step)

    def _locate(self, image: Image) -> Estimate:
        place = self._place
        near = self._found(image, place)
        if near.clear:
            return near
        wide = self._found(image, place, _WIDE)
        least = near.evidence["peak"] + _BETTER
        if wide.evidence["peak"] < least or wide.box is None:
            return near
        # The wide area is coarse: what it found is looked at as closely as usual.
        again = self._found(image, Box.from_center(wide.box.cx, wide.box.cy, place.w, place.h))
        if again.evidence["peak"] < least:
            if self._online_model is not None:
                self._online_model.choose(0.0)  # it saw another place last, of which it learns nothing
            return near
        return again

    def _found(self, image: Image, place: Box, factor: float = _NEAR) -> Estimate:
        """The best box of an area of that many sides of a place; the online model helps in the usual one."""
        last = self._habit.networks(place)
        area = _around(last, factor)
        look = self._look(image, area)
        ranked = rank(
            look.scores,
            look.sides,
            self._grid,
            self._window,
            (self.influence, self.penalty),
            (last.w, last.h),
            (area.cx - last.cx, area.cy - last.cy),
            area.w / self.search,
        )
        ranks, _, dx, dy, _, _ = ranked
        model = self._online_model if factor == _NEAR else None
        searched = Searched(image, place, area, look.maps)
        best = self._best(searched, ranks, dx, dy) if model else int(np.argmax(ranks))
        peak = float(look.scores[best])
        if model and peak < _WEAK and (there := model.place()) is not None:
            dx[best], dy[best] = there
            model.choose(float(model.at(dx, dy)[best]))
        box = eased(image, last, ranked, best, self.rate, _LEAST)
        view = View(look.patch, area) if area.w <= 2 * self.search else None
        evidence = {"peak": peak} | (dict(model.evidence()) if model else {})
        clear = peak >= self.clear or (model is not None and model.sure())
        return Estimate(self._habit.users(box), evidence, clear=clear, view=view)


class Slim(_Slim, name="slim"):
    """A small siamese network that comes with slimtrack; a classifier beside it learns the target."""

    files = files_of("slim")
    # Higher than for other trackers that learn: the network stays as it is, and so doubt costs little.
    thresholds = Thresholds(tracked=0.8, doubt=0.7, found=0.6, learned=0.3)
    template, search = 112, 224


class SlimLarge(_Slim, name="slim-large"):
    """`slim` with a larger network (trained by `slimtrack distill slim[design=slim-large]`)."""

    files = files_of("slim-large")
    thresholds = Thresholds(tracked=0.85, doubt=0.8, found=0.7, learned=0.3)
    template, search = 128, 256
    rate = 0.4  # a box that takes in too much of its surroundings grows more slowly


def _around(box: Box, factor: float) -> Box:
    """The square around the box, with ``factor`` times the side of a square of its area, in whole pixels.

    Whole pixels are resized four times as fast as others are sampled.
    """
    side = max(round(factor * math.sqrt(box.w * box.h)), 1)
    return Box(round(box.cx - side / 2), round(box.cy - side / 2), side, side)


def _covered(box: Box, area: Box, cells: int) -> Features:
    """Share of each cell of the area that the box covers: ``(1, 1, cells, cells)`` float32."""
    edges = np.arange(cells)
    shares = []
    for low, high, start, side in ((box.x, box.right, area.x, area.w), (box.y, box.bottom, area.y, area.h)):
        low, high = (low - start) / side * cells, (high - start) / side * cells
        shares.append((np.minimum(high, edges + 1) - np.maximum(low, edges)).clip(0))
    return np.outer(shares[1], shares[0]).astype(np.float32)[None, None]
