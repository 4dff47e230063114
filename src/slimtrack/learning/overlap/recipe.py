"""The base of the recipes that train networks of the ATOM family."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from slimtrack.learning.augment import Strength
from slimtrack.learning.overlap.export import export
from slimtrack.learning.overlap.geometry import Geometry
from slimtrack.learning.overlap.network import OverlapNetwork
from slimtrack.learning.overlap.sight import Sight, figures
from slimtrack.learning.recipe import Recipe
from slimtrack.learning.views import FORMAT, Views
from slimtrack.learning.warp import Bend

__all__ = ["OverlapRecipe", "halves", "ours"]

_NEAR = Strength(
    shift=0.3, scale=0.3, aspect=0.1, jitter=0.0, light=0.25, blurred=0.2, grey=0.1, patched=0.3, noise=5.0,
    hidden=0.0, bend=Bend(share=0.4),
)  # fmt: skip
"""Strength of the augmentation; the position of the search window does not matter here."""


class OverlapRecipe(Recipe):
    """Validates by the box that the network predicts from one near the target.

    Attributes:
        geometry: Sides of the views.
        name: Name of the published network.
    """

    network: OverlapNetwork
    strength: ClassVar[Strength] = _NEAR
    geometry: Geometry
    name: str

    def maps(self, network: OverlapNetwork, views: Views) -> list[list[Tensor]]:
        """Blocks 3 and 4 of the templates, and of the searches."""
        raise NotImplementedError(f"{type(self).__name__} has no maps")

    def sight(self, network: OverlapNetwork, views: Views) -> Sight:
        """The batch as the network's backbone sees it."""
        template, search = self.maps(network, views)
        return self.seen(template, search, views)

    def seen(self, template: list[Tensor], search: list[Tensor], views: Views) -> Sight:
        """A sight of blocks 3 and 4."""
        places = self.geometry.reference(views), self.geometry.target(views)
        return Sight(template, search, *places, views.batch.present)

    def figures(self, network: nn.Module, views: Views) -> dict[str, Tensor]:
        """The figures of `sight.py`."""
        return figures(ours(network), self.sight(ours(network), views), views.generator)

    def grade(self, figures: Mapping[str, float]) -> float:
        """DRNet by its box's overlap, ATOM by the error of the overlaps that it predicts.

        Boxes refined by bad predictions overlap more or less by chance.
        """
        return -figures["error"] if "error" in figures else figures["overlap"]

    def tracker(self, network: nn.Module, folder: Path) -> str:
        """The tracker of the network's name takes it from a folder of that name."""
        self.publish(network, folder / self.name)
        return self.name

    def publish(self, network: nn.Module, folder: Path) -> None:
        """The files of `overlap/export.py`."""
        text = f"trained by slimtrack's recipe {type(self).__name__.lower()} from ImageNet weights"
        export(ours(network), folder, name=self.name, origin=text)


def halves(maps: list[Tensor]) -> list[Tensor]:
    """Maps in bfloat16, for storing."""
    return [each.to(torch.bfloat16, memory_format=FORMAT) for each in maps]


def ours(network: nn.Module) -> OverlapNetwork:
    """The network, with its type checked."""
    assert isinstance(network, OverlapNetwork)
    return network
