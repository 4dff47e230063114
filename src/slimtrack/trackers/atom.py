"""ATOM and DRNet, and their students: a classifier learned online says where, a network says which box."""

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np

from slimtrack.arrays import Features, Floats, Image
from slimtrack.box import Box
from slimtrack.calibrations import calibration_of
from slimtrack.confidence import Calibration, Thresholds
from slimtrack.filters.response import evidence
from slimtrack.online.classifier import Learning, label
from slimtrack.online.first_frame import first_looks
from slimtrack.online.learner import Learner
from slimtrack.online.localisation import Finding, Kind, Rules, localised
from slimtrack.online.overlap import STRIDES, Pooling, refined
from slimtrack.options import Range, options_of
from slimtrack.search import extract
from slimtrack.tracker import Estimate, Track, Tracker
from slimtrack.trackers._model import require_onnxruntime
from slimtrack.trackers._options import Interval, Memory, NewSample, SearchScale, Threads
from slimtrack.trackers._overlap import OverlapNetwork, files_in

__all__ = ["Atom", "Drnet", "Matom", "Mdrnet"]

_Folder = Annotated[str, "The network: its name, or the folder with its files."]
_Dims = Annotated[int, Range(1, 512), "Channels between the classifier's two layers."]
_Proposals = Annotated[int, Range(1, 100), "Number of boxes that are moved to a higher predicted overlap."]
_Steps = Annotated[int, Range(0, 50), "Number of steps by which they are moved."]
_Length = Annotated[
    float, Range(0, 10), "Length of a step, as a multiple of the slope of the overlap times the box's size."
]
_SizeRate = Annotated[
    float, Range(0, 1), "Share of the network's size in the box's; the rest is the last size."
]
_Best = Annotated[int, Range(1, 100), "Number of the best boxes that are averaged."]
_Pooling = Annotated[
    Pooling, "Pooling of boxes: precise, or standard, of whole cells, with which ATOM refines no box."
]
_Seed = Annotated[int, Range(0, 2**31), "Seed of all random numbers: first layer, shifts, proposals."]

_PIXELS = 288
"""Side of the search image."""
_CELL = STRIDES[1]
_CELLS = _PIXELS // _CELL
_LABEL = 0.25
"""Width of the desired response in sides of the target."""
_APART = 4
"""Responses around the peak that belong to the target."""
_NOISE = 0.1, 0.3
"""Spread of the proposals' places and sizes, over the target's mean side; ATOM has 0.5 for sizes."""
_NARROWEST = 1 / 3
"""Least side of a proposal over the shorter one of the target."""
_LEAST = 2.0
"""Smallest side of a box in frame pixels."""
_MOST_GROWTH = math.log(2)
"""DRNet's box grows or shrinks by no more than this factor in a frame, as a logarithm."""
_STUDENTS = Thresholds(tracked=0.8, doubt=0.7, found=0.6, learned=0.3)
"""Their scores are fitted, and a clear answer is followed even if UNCERTAIN, so that doubt costs little."""
_UNFITTED = Calibration({"peak": 7.0}, bias=-2.6)
"""Until one is fitted: a peak of 0.25, at which ATOM says "not found", has a score of 0.3, LOST's bound."""


class _LastSearch(NamedTuple):
    """The frame that was searched last.

    Attributes:
        area: The square that was searched.
        sample: The classifier's first layer of it.
        kind: What the responses showed.
    """

    area: Box
    sample: Features
    kind: Kind


class _OverlapTracker(Tracker):
    """What ATOM and DRNet share: everything except how the box is found."""

    _rules = Rules()
    _gives_boxes: bool
    """Whether its network predicts boxes instead of overlaps."""

    def __init__(  # noqa: PLR0913  # an option each
        self,
        *,
        network: _Folder,
        search_scale: SearchScale = 5.0,
        dims: _Dims = 64,
        memory: Memory = 250,
        rate: NewSample = 0.01,
        interval: Interval = 10,
        size_rate: _SizeRate = 0.25,
        pooling: _Pooling = "precise",
        seed: _Seed = 0,
        threads: Threads = 1,
    ) -> None:
        self.require()
        self._pooling: Pooling = pooling
        self._network = OverlapNetwork.read(network, threads, gives_boxes=self._gives_boxes)
        self._scale, self._size_rate, self._seed = search_scale, size_rate, seed
        self._learner = Learner(Learning(dims=dims, seed=seed), capacity=memory, rate=rate, interval=interval)
        self._side = _PIXELS / search_scale / _CELL  # of the target, in cells

    @classmethod
    def require(cls) -> None:
        """Refuses where a package is not here.

        Raises:
            MissingError: What is missing and how to get it.
        """
        require_onnxruntime(cls.name)

    @classmethod
    def reads(cls, options: Mapping[str, Any]) -> list[Path]:
        """The files of its network.

        Raises:
            MissingError: One is not here.
        """
        default = next(option.default for option in options_of(cls) if option.name == "network")
        return files_in(str(options.get("network", default)))

    def _calibration(self) -> Calibration:
        return calibration_of(type(self), self.name) or _UNFITTED

    def _start(self, image: Image, box: Box) -> None:
        side, centre = self._side_of(box), (box.cx, box.cy)
        looks = list(first_looks(image, centre, side, _PIXELS, self._seed))
        blocks = [self._network.blocks(look) for look, _ in looks]
        labels = (self._label(x, y) for _, (x, y) in looks)
        self._learner.start((block4 for _, block4 in blocks), labels)
        sides = _sides(box, Box.from_center(*centre, side, side))
        self._predictor = self._network.head.modulated(
            self._network.to_reference(blocks[0]), sides, self._pooling
        )
        self._predictor.look(partial(self._network.searched, blocks[0]))
        self._measure_error(sides)

    def _locate(self, image: Image) -> Estimate:
        last = self._place
        side = self._side_of(last)
        area = Box.from_center(last.cx, last.cy, side, side)
        blocks = self._network.blocks(extract(image, last.cx, last.cy, side, side, (_PIXELS, _PIXELS)))
        sample = self._learner.see(blocks[1])
        responses = self._learner.respond(sample)
        found = self._localised(responses, last, area)
        self._searched = _LastSearch(area, sample, found.kind)
        shown = evidence(responses, _APART) | {"peak": found.peak}
        if found.kind is Kind.ABSENT:
            return Estimate(last, {**shown, **self._nothing})
        self._predictor.look(partial(self._network.searched, blocks))
        proposal = _around(found, last, area)
        sides, more = self._boxed(proposal)
        moved = _box(self._eased(proposal, sides), area, image)
        clear = found.kind is not Kind.UNCERTAIN and found.peak >= self._rules.absent
        return Estimate(moved, {**shown, **more}, clear=clear)

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        """The classifier takes in the searched frame, and trains now and then, or at once on a distractor."""
        area, sample, kind = self._searched
        if kind in (Kind.UNCERTAIN, Kind.ABSENT):
            return
        step = _PIXELS / area.w
        wanted = self._label((box.cx - area.x) * step, (box.cy - area.y) * step)
        self._learner.learn(sample, wanted, track.score, distracted=kind is Kind.DISTRACTED)

    def _measure_error(self, sides: Floats) -> None:
        """Called with the box in the first frame, which is right, when the predictor looks at that frame."""

    _nothing: ClassVar[Mapping[str, float]] = {}
    """Evidence where the target was not found, in place of what `_boxed` gives."""

    def _boxed(self, proposal: Floats) -> tuple[Floats, dict[str, float]]:
        """The box and evidence, of a proposal; sides of boxes in pixels of the search image."""
        raise NotImplementedError(f"{type(self).__name__} has no _boxed")

    def _eased(self, proposal: Floats, sides: Floats) -> Floats:
        """The box with a size between its own and the proposal's: an error of one frame counts less."""
        old, new = (each[2:] - each[:2] for each in (proposal, sides))
        half = old ** (1 - self._size_rate) * new**self._size_rate / 2
        centre = (sides[:2] + sides[2:]) / 2
        return np.concatenate([centre - half, centre + half])

    def _localised(self, responses: Floats, last: Box, area: Box) -> Finding:
        middle = _PIXELS / 2 / _CELL + 0.5
        h, w = (self._side * side / math.sqrt(last.area) for side in (last.h, last.w))
        return localised(responses, (middle, middle), (h, w), self._rules)

    def _side_of(self, box: Box) -> float:
        return self._scale * math.sqrt(box.area)

    def _label(self, x: float, y: float) -> Features:
        """The desired response to a target at a place of the search image."""
        return label((y / _CELL, x / _CELL), (_CELLS, _CELLS), _LABEL * self._side)


class Atom(_OverlapTracker, name="atom"):
    """ATOM (Danelljan et al., CVPR 2019): a classifier's peak, then the box of highest predicted overlap.

    Departs from the article in proposals whose noise is drawn once and comes in opposite pairs, and in sizes
    that follow the network's with a delay.
    """

    _nothing: ClassVar[Mapping[str, float]] = {"overlap": 0.0}
    _gives_boxes = False

    def __init__(
        self,
        *,
        network: _Folder = "atom",
        proposals: _Proposals = 10,
        steps: _Steps = 5,
        length: _Length = 1.0,
        best: _Best = 3,
        pooling: _Pooling = "precise",
        seed: _Seed = 0,
        **options: Any,
    ) -> None:
        super().__init__(network=network, pooling=pooling, seed=seed, **options)
        if pooling == "standard":  # it has no slopes: the best proposals count as they are
            steps = 0
        self._refined = partial(refined, steps=steps, length=length, best=best)
        half = np.random.default_rng(seed).uniform(-0.5, 0.5, (proposals // 2, 1, 4))
        noise = np.concatenate([half, -half], 1).reshape(-1, 4)[: proposals - 1]
        self._noise = np.concatenate([np.zeros((1, 4)), noise]) * np.repeat(_NOISE, 2)

    def _boxed(self, proposal: Floats) -> tuple[Floats, dict[str, float]]:
        low, high = proposal[:2], proposal[2:]
        size, centre = high - low, (low + high) / 2
        noise = self._noise * math.sqrt(float(size.prod()))
        sizes = np.maximum(size + noise[:, 2:], _NARROWEST * size.min())
        centres = centre + noise[:, :2]
        boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], 1).astype(np.float32)
        sides, overlap = self._refined(self._predictor, boxes)
        return sides, {"overlap": overlap}


class Matom(Atom, name="matom"):
    """ATOM on a small network that learned from ATOM's (CFKD)."""

    thresholds = _STUDENTS

    def __init__(
        self,
        *,
        network: _Folder = "matom",
        dims: _Dims = 32,
        size_rate: _SizeRate = 0.15,
        **options: Any,
    ) -> None:
        super().__init__(network=network, dims=dims, size_rate=size_rate, **options)


class Drnet(_OverlapTracker, name="drnet"):
    """DRNet (VOT 2019): as ATOM, with the box straight from the network.

    Departs from it by a correction: any change that the network says of the box in the first frame, which is
    right, is an error, and is subtracted from all later answers.
    """

    _gives_boxes = True

    def __init__(self, *, network: _Folder = "drnet", **options: Any) -> None:
        super().__init__(network=network, **options)

    def _measure_error(self, sides: Floats) -> None:
        self._error = self._said(sides)

    def _said(self, sides: Floats) -> Floats:
        """The network's answer for a box: shifts in its sides, logarithms of the changes of its sides."""
        said: Floats = self._predictor.values(sides[None].astype(np.float32))[0].astype(float)
        return said

    def _boxed(self, proposal: Floats) -> tuple[Floats, dict[str, float]]:
        low, high = proposal[:2], proposal[2:]
        size = high - low
        change = self._said(proposal) - self._error
        centre = (low + high) / 2 + change[:2] * size
        size = size * np.exp(np.clip(change[2:], -_MOST_GROWTH, _MOST_GROWTH))
        return np.concatenate([centre - size / 2, centre + size / 2]), {}


class Mdrnet(Drnet, name="mdrnet"):
    """DRNet on a small network that learned from DRNet's (CFKD)."""

    thresholds = _STUDENTS

    def __init__(
        self,
        *,
        network: _Folder = "mdrnet",
        dims: _Dims = 32,
        size_rate: _SizeRate = 0.15,
        **options: Any,
    ) -> None:
        super().__init__(network=network, dims=dims, size_rate=size_rate, **options)


def _sides(box: Box, area: Box) -> Floats:
    """Left, top, right, bottom of a box in pixels of the search image of an area."""
    step = _PIXELS / area.w
    return np.array([box.x - area.x, box.y - area.y, box.right - area.x, box.bottom - area.y]) * step


def _around(found: Finding, last: Box, area: Box) -> Floats:
    """The proposal: the last size at the peak. Response i is half a cell before cell i of the map."""
    step = area.w / _PIXELS
    x, y = ((at - 0.5) * _CELL * step for at in (found.x, found.y))
    return _sides(Box.from_center(area.x + x, area.y + y, last.w, last.h), area)


def _box(sides: Floats, area: Box, image: Image) -> Box:
    """A box of the search image in the frame; no smaller than a target, no larger than the frame."""
    step = area.w / _PIXELS
    low, high = sides[:2] * step, sides[2:] * step
    centre = (low + high) / 2
    w, h = (
        min(max(float(side), _LEAST), float(limit))
        for side, limit in zip(high - low, image.shape[1::-1], strict=True)
    )
    return Box.from_center(area.x + float(centre[0]), area.y + float(centre[1]), w, h)
