"""The patch that a network gets, and the position of the target in it."""

from dataclasses import dataclass
from typing import Protocol

from slimtrack.arrays import Features, Image
from slimtrack.box import Box
from slimtrack.compression.information import target_cells, target_information_ratio
from slimtrack.errors import InputError
from slimtrack.features.network import Margin
from slimtrack.networks.network import Network
from slimtrack.search import SearchWindow

__all__ = ["PlacedFeature", "View", "ratio_of"]


_AREA = 9.0
"""Area of the window over the target's (paper 000, section IV-A)."""


class PlacedFeature(Protocol):
    """Features that need a margin around the search window, from one tap or several.

    Attributes:
        stride: Patch pixels between neighbouring cells.
        offset: Patch pixel of the centre of cell 0.
        margin: See `slimtrack.features.network.Margin`.
    """

    stride: int
    offset: float
    margin: Margin

    def __call__(self, patch: Image) -> Features:
        """Features ``(C, h, w)`` of a patch ``(H, W, 3)``."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """A search window with the margin that a network needs around it.

    Attributes:
        window: The search window.
        margin: See `slimtrack.features.network.Margin`.
    """

    window: SearchWindow
    margin: Margin

    @classmethod
    def around(cls, box: Box, feature: PlacedFeature, *, side: float = 96.0) -> "View":
        """The view on a target in the first frame.

        Args:
            box: The target.
            feature: The features.
            side: Square root of the window's number of pixels, 32 to 1024.

        Raises:
            InputError: ``side`` is out of range.
        """
        if not 32 <= side <= 1024:
            raise InputError(f"side={side:g}: a search window's side must be between 32 and 1024")
        window = SearchWindow.around(box, area=_AREA, stride=feature.stride, pixels=side**2, least=side**2)
        return cls(window, feature.margin)

    @property
    def target(self) -> Box:
        """The target in the patch's pixels, at scale 1."""
        cx, cy = (side / 2 - self.margin.start for side in self.window.patch)
        return Box.from_center(cx, cy, *self.window.target)

    def patch(self, image: Image, box: Box) -> Image:
        """The patch ``(h, w, 3)`` around the centre of a box, at the first frame's scale."""
        return self.window.extract(image, box.cx, box.cy, margin=self.margin)

    def ratio(self, feature: PlacedFeature, maps: Features) -> float:
        """Target information ratio of a feature's maps ``(C, h, w)`` of a patch (paper 000, Fig. 6)."""
        return _ratio(maps, feature.stride, feature.offset, self.target)


def ratio_of(network: Network, tap: str, maps: Features, target: Box) -> float:
    """Target information ratio of a tap's maps ``(C, h, w)`` (paper 000, Fig. 6).

    Args:
        network: The network.
        tap: The tap.
        maps: Its maps.
        target: The target in the patch's pixels.
    """
    place = network.tap(tap)
    return _ratio(maps, place.stride, place.offset, target)


def _ratio(maps: Features, stride: float, offset: float, target: Box) -> float:
    mask = target_cells((maps.shape[1], maps.shape[2]), stride, offset, target)
    return target_information_ratio(maps, mask)
