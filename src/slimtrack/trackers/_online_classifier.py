"""ATOM's classifier beside a network, on the features that the network computes anyway."""

from collections.abc import Callable, Mapping

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Features, Floats, Image
from slimtrack.box import Box
from slimtrack.filters.response import evidence, refine
from slimtrack.online.classifier import Learning, label
from slimtrack.online.first_frame import first_looks
from slimtrack.online.learner import Learner
from slimtrack.trackers._online import OnlineModel, Searched, rising

__all__ = ["OnlineClassifier"]

_LEARNING = Learning(dims=32)
_CAPACITY, _RATE, _INTERVAL = 250, 0.01, 10
"""Samples kept, weight of a new one, and samples from one training to the next: ATOM's."""
_LABEL = 0.25
"""Width of the desired response in sides of the target."""
_APART = 4
"""Responses around the peak that belong to the target."""
_HEIGHTS = 0.2, 0.5
"""Height of the peak: not believed below, wholly above; labels have a height of 1."""
_SURE = 0.5
"""Height from which on it is believed without the network."""
_AGREED = 0.25
"""Height that the response needs at the chosen place to be learned."""
_OTHER = 0.7
"""Distance from the target, in its sides, from which on a peak is a distractor's.."""
_RIVAL = 0.5, 0.2
""".. if it is so high: over the response at the chosen place, and at least."""


class OnlineClassifier(OnlineModel):
    """ATOM's classifier. Response i, j stands i, j cells below and right of the search image's corner.

    Args:
        pixels: Side of the network's search image.
        stride: Pixels of it per cell of the maps.
        factor: Side of the area that it shows, over the target's.
    """

    weight = 1.6

    def __init__(self, pixels: int, stride: int, factor: float) -> None:
        self._pixels, self._stride, self._factor = pixels, stride, factor
        self._cells = pixels // stride
        self._learner = Learner(_LEARNING, capacity=_CAPACITY, rate=_RATE, interval=_INTERVAL)

    def start(self, image: Image, box: Box, features: Callable[[Image], Features]) -> None:
        side = self._factor * box.area**0.5
        looks = list(first_looks(image, (box.cx, box.cy), side, self._pixels, _LEARNING.seed))
        self._learner.start((features(look) for look, _ in looks), (self._label(*at) for _, at in looks))

    def look(self, searched: Searched) -> None:
        assert searched.maps is not None
        self._place, self._area = searched.place, searched.area
        self._sample = self._learner.see(searched.maps)
        self._response = self._learner.respond(self._sample)
        self.seen = evidence(self._response, _APART)

    def at(self, dx: Floats, dy: Floats) -> Floats:
        cell = self._stride * self._area.w / self._pixels
        x = np.asarray((self._place.cx + dx - self._area.x) / cell, np.float32).reshape(1, -1)
        y = np.asarray((self._place.cy + dy - self._area.y) / cell, np.float32).reshape(1, -1)
        return np.asarray(cv2.remap(self._response, x, y, cv2.INTER_LINEAR).ravel().clip(0))

    def trust(self) -> float:
        return rising(self.seen["peak"], *_HEIGHTS)

    def sure(self) -> bool:
        return self._chosen > _SURE

    def place(self) -> tuple[float, float] | None:
        if self.seen["peak"] <= _SURE:
            return None
        y, x = divmod(int(self._response.argmax()), self._cells + 1)
        cell = self._stride * self._area.w / self._pixels
        return (
            self._area.x + _vertex(self._response[y], x) * cell - self._place.cx,
            self._area.y + _vertex(self._response[:, x], y) * cell - self._place.cy,
        )

    def learn(self, box: Box, weight: float) -> None:
        if self._chosen < _AGREED:
            return
        step = self._area.w / self._pixels
        x, y = (box.cx - self._area.x) / step, (box.cy - self._area.y) / step
        if self.sure():
            weight = max(weight, min(self._chosen, 1.0))
        self._learner.learn(self._sample, self._label(x, y), weight, distracted=self._distracted(x, y))

    def evidence(self) -> Mapping[str, float]:
        return {**super().evidence(), "response": self._chosen}

    def _distracted(self, x: float, y: float) -> bool:
        """Whether something far from the target, in pixels of the search image, responds nearly as much."""
        rows, columns = np.mgrid[: self._cells + 1, : self._cells + 1] * float(self._stride)
        far = np.hypot(rows - y, columns - x) > _OTHER * self._pixels / self._factor
        share, least = _RIVAL
        return bool((self._response[far] > max(share * self._chosen, least)).any())

    def _label(self, x: float, y: float) -> Features:
        """The desired response to a target at a place of the search image."""
        at = y / self._stride - 0.5, x / self._stride - 0.5
        return label(at, (self._cells, self._cells), _LABEL * self._cells / self._factor)


def _vertex(line: Floats, top: int) -> float:
    """The place of a line's maximum at ``top``, to a fraction of its step; at an end the end itself."""
    if not 0 < top < len(line) - 1:
        return float(top)
    return top + refine(*map(float, line[top - 1 : top + 2]))
