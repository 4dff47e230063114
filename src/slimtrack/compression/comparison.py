"""Compares a network with its pruned version over the frames of a video."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from slimtrack.arrays import Floats, Image
from slimtrack.box import Box
from slimtrack.compression.report import summed
from slimtrack.compression.view import PlacedFeature, View

__all__ = ["AFTER", "BEFORE", "Comparison", "compare"]

BEFORE, AFTER = "whole network", "pruned"


@dataclass(slots=True)
class Comparison:
    """The comparison of both networks over a video.

    Attributes:
        before: Target information ratio of the whole network in each frame.
        after: Target information ratio of the pruned network in each frame.
        rows: For the first and the last frame: name, patch, maps by network.
    """

    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    rows: list[tuple[str, Image, dict[str, Floats]]] = field(default_factory=list)


def compare(
    before: PlacedFeature, after: PlacedFeature, view: View, places: Iterable[tuple[Image, Box]]
) -> Comparison:
    """Runs both networks on the target in every frame.

    Args:
        before: Maps of the whole network.
        after: Maps of the smaller one.
        view: How the whole network sees the target.
        places: Frames with the target's box.
    """
    seen = Comparison()
    # A network without its deepest tap needs a smaller margin around the window.
    views = [View(view.window, feature.margin) for feature in (before, after)]
    for number, (image, box) in enumerate(places):
        patch, smaller = (each.patch(image, box) for each in views)
        old, new = before(patch), after(smaller)
        seen.before.append(views[0].ratio(before, old))
        seen.after.append(views[1].ratio(after, new))
        row = (f"frame {number}", patch, {BEFORE: summed(old), AFTER: summed(new)})
        seen.rows = [*seen.rows[:1], row]
    return seen
