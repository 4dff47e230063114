"""Pairs of views for networks of the ATOM family: pictures, and the target's box in them."""

from typing import NamedTuple

from torch import Tensor

from slimtrack.learning.views import Views

__all__ = ["EXTENT", "SIDE", "Geometry"]

SIDE, EXTENT = 288, 5.0
"""Pixels of a crop in tracking, and its side in sides of the target (paper 003, section 4.1.1)."""


class Geometry(NamedTuple):
    """Sides of the training views, in pixels.

    A side of the target has as many pixels as in tracking. Smaller views only show less around it, and boxes
    near the target pool nothing from there.
    """

    template: int
    search: int

    def pictures(self, views: Views) -> tuple[Tensor, Tensor]:
        """Template and search, ``(N, 3, side, side)`` each."""
        return (
            views.template(self.template, _extent(self.template)),
            views.search(self.search, _extent(self.search)),
        )

    def reference(self, views: Views) -> Tensor:
        """The target's left, top, right, bottom in the template, ``(N, 4)``."""
        return views.batch.template_corners(self.template, _extent(self.template))

    def target(self, views: Views) -> Tensor:
        """The target's left, top, right, bottom in the search, ``(N, 4)``."""
        return views.batch.box(self.search, _extent(self.search))


def _extent(side: int) -> float:
    return EXTENT * side / SIDE
