"""What learns the target beside a network trained beforehand, around one box: the interface, and a filter."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Features, Floats, Image
from slimtrack.box import Box
from slimtrack.correlation.tracker import CorrelationTracker
from slimtrack.filters.response import evidence
from slimtrack.trackers.eco import EcoHc

__all__ = ["OnlineModel", "OnlineFilter", "Online", "Searched", "rising"]

Online = Annotated[Literal["none", "eco-hc"], "A filter that learns the target beside the network, or none."]

_AGREED = 0.5
"""Share of the usual height that a response needs at the chosen place for the filter to learn it."""
_HEIGHTS = 0.3, 0.7
"""Height of the peak over the usual one: not believed below, wholly above."""
_SECONDS = 0.4, 0.8
"""Height of the second peak over the first: wholly believed below, not above."""
_PACE = 0.1
"""Share of the newest frame in the usual height and in the agreement."""


class Searched(NamedTuple):
    """What a network searched.

    Attributes:
        image: The frame.
        place: The box where the target is looked for.
        area: The part of the frame that the network was given.
        maps: ``(C, n, n)`` the network's features of it; ``None`` if it has none to give.
    """

    image: Image
    place: Box
    area: Box
    maps: Features | None = None


class OnlineModel(ABC):
    """Says where it sees the target, and learns what was chosen; the box is the network's.

    All boxes are as the user draws them.

    Attributes:
        weight: What a response of 1 that can be trusted adds to the network's ranking.
        seen: How clear the last response is (`slimtrack.filters.response.evidence`).
    """

    weight: ClassVar[float]
    seen: dict[str, float]
    _chosen: float

    @abstractmethod
    def start(self, image: Image, box: Box, features: Callable[[Image], Features]) -> None:
        """Learns the first frame; ``features`` are the network's maps ``(C, n, n)`` of a search image."""

    @abstractmethod
    def look(self, searched: Searched) -> None:
        """Responds to a frame."""

    @abstractmethod
    def at(self, dx: Floats, dy: Floats) -> Floats:
        """Responses so many pixels right of and below the place; at least 0, and 1 is usual for a target."""

    @abstractmethod
    def trust(self) -> float:
        """How far the response is to be believed, 0 to 1."""

    def choose(self, chosen: float) -> None:
        """Takes note of the response at the chosen place."""
        self._chosen = chosen

    @abstractmethod
    def learn(self, box: Box, weight: float) -> None:
        """Learns the last frame, with the target at the box, if it sees the target there, too."""

    def sure(self) -> bool:
        """Whether the response at the chosen place alone is enough to follow the box."""
        return False

    def place(self) -> tuple[float, float] | None:
        """How far right of and below the place it sees the target, if it may say so by itself."""
        return None

    def evidence(self) -> Mapping[str, float]:
        """Figures for the score."""
        return {name: self.seen[name] for name in ("psr", "second")}


class OnlineFilter(OnlineModel):
    """A correlation filter; its window follows the network's box, its tracker's search over sizes rests.

    Args:
        tracker: Whose filter it is.
    """

    weight = 0.8

    def __init__(self, tracker: CorrelationTracker | None = None) -> None:
        self._tracker = tracker or EcoHc()

    def start(self, image: Image, box: Box, _: object = None) -> None:
        self._tracker.init(image, box)
        self._first = box
        self._usual = 0.0
        self._agreement = 1.0

    def look(self, searched: Searched) -> None:
        tracker, place = self._tracker, searched.place
        side = math.sqrt(place.area / self._first.area)
        self._at = Box.from_center(place.cx, place.cy, self._first.w * side, self._first.h * side)
        filter_ = tracker.filter
        samples = filter_.transform(tracker.features_at(searched.image, self._at))
        response = filter_.respond(samples).values[0]
        self._sample = filter_.at(samples, 0)
        self.seen = evidence(response)
        self._usual = self._usual or max(self.seen["peak"], 1e-6)
        rows, columns = response.shape
        rolled = np.roll(response, (rows // 2, columns // 2), (0, 1))
        # Boxes stand up to half a cell of the network from the target: the highest response near counts.
        self._map = cv2.dilate(np.ascontiguousarray(rolled, np.float32), np.ones((3, 3), np.uint8))

    def at(self, dx: Floats, dy: Floats) -> Floats:
        rows, columns = self._map.shape
        step = self._tracker.window.pixel * self._at.w / self._first.w
        w, h = (side * step for side in self._tracker.window.patch)
        x = np.asarray(dx / w * columns + columns // 2, np.float32)
        y = np.asarray(dy / h * rows + rows // 2, np.float32)
        found = cv2.remap(self._map, x.reshape(1, -1), y.reshape(1, -1), cv2.INTER_LINEAR)
        return np.asarray(found.ravel().clip(0) / self._usual, np.float32)

    def trust(self) -> float:
        # Where it sees its target, its response is about as high as usual and has one peak; over time, its
        # peak lies where the network sees the target, too.
        height, second = self.seen["peak"] / self._usual, self.seen["second"]
        return rising(height, *_HEIGHTS) * (1 - rising(second, *_SECONDS)) * self._agreement

    def choose(self, chosen: float) -> None:
        super().choose(chosen)
        self._agreement += _PACE * (
            min(chosen * self._usual / max(self.seen["peak"], 1e-6), 1.0) - self._agreement
        )

    def learn(self, box: Box, weight: float) -> None:
        if self._chosen < _AGREED:
            return
        step = self._tracker.window.pixel * self._at.w / self._first.w
        w, h = (side * step for side in self._tracker.window.patch)
        shift = (box.cy - self._at.cy) / h, (box.cx - self._at.cx) / w
        self._tracker.filter.learn(self._sample, shift, weight)
        self._usual += _PACE * weight * (self.seen["peak"] - self._usual)


def rising(value: float, low: float, high: float) -> float:
    """0 up to ``low``, 1 from ``high`` on, a line between."""
    return min(max((value - low) / (high - low), 0.0), 1.0)
