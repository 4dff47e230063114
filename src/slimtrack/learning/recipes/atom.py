"""`atom`, `drnet`: the predictor of a network of the ATOM family learns on a frozen backbone."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from slimtrack.learning.losses import giou, iou
from slimtrack.learning.overlap.blocks import blocks
from slimtrack.learning.overlap.distilling import BOX_BEND, smooth
from slimtrack.learning.overlap.geometry import Geometry
from slimtrack.learning.overlap.network import Kind, OverlapNetwork, moved
from slimtrack.learning.overlap.proposals import candidates
from slimtrack.learning.overlap.recipe import OverlapRecipe, halves, ours
from slimtrack.learning.overlap.sight import answer, average, difference
from slimtrack.learning.recipe import Group
from slimtrack.learning.schedule import PRESETS, Schedule
from slimtrack.learning.views import Views
from slimtrack.networks.zoo import KNOWN, locate
from slimtrack.options import Range

__all__ = ["Atom", "DrNet"]


class Atom(OverlapRecipe):
    """Overlaps of 16 boxes near the target, L2 (paper 003, section 3.1; Danelljan et al., CVPR 2019).

    Departs from the published training in learning on fixed views of the pairs, whose features are computed
    once and kept as bfloat16: at sides of 160 and 192 pixels 12 MB a batch of 32 pairs with ResNet-18.
    """

    kind: ClassVar[Kind] = "atom"
    presets: ClassVar[Mapping[str, Schedule]] = {
        "paper": replace(PRESETS["paper"], steps=40 * 1000, pairs=64, rate=1e-3, decay=0.0),
        "cpu": replace(
            PRESETS["cpu"], minutes=60.0, pairs=32, rate=1e-3, decay=0.0, average=0.98, judged=192
        ),
        "gpu": replace(PRESETS["gpu"], pairs=128, rate=1e-3, decay=0.0),
        "smoke": replace(PRESETS["smoke"], steps=8, pairs=4, judged=8),
    }

    def __init__(
        self,
        *,
        backbone: Annotated[
            str, "Backbone: resnet18, resnet50, resnet18-m, -s, -t or mobilenetv2."
        ] = "resnet18",
        head: Annotated[int, Range(8), "Channels of the predictor."] = 256,
        template: Annotated[int, Range(64, 288), "Side of the template, in pixels."] = 160,
        search: Annotated[int, Range(64, 288), "Side of the search, in pixels."] = 192,
        boxes: Annotated[int, Range(1), "Boxes per pair."] = 16,
        kept: Annotated[
            int, Range(0), "Number of batches whose features are stored and reused; 0: none."
        ] = 256,
    ) -> None:
        self.network = OverlapNetwork(blocks(backbone), head, self.kind)
        self.network.backbone.requires_grad_(False)
        self.geometry, self.name = Geometry(template, search), self.kind
        self._boxes, self.kept = boxes, kept

    def start(self, path: Path) -> None:
        """Takes the backbone's ImageNet weights: a file, or a network's name such as ``resnet18``."""
        self.network.backbone.start(locate(str(path))[1] if str(path) in KNOWN else path)

    @property
    def needs_start(self) -> bool:
        """The backbone does not learn."""
        return True

    def groups(self) -> list[Group]:
        """The predictor alone."""
        return [Group(1.0, list(self.network.predictor.parameters()))]

    def maps(self, network: OverlapNetwork, views: Views) -> list[list[Tensor]]:
        """Features of the frozen backbone, computed once."""

        def make() -> list[Tensor]:
            backbone = network.backbone.eval()
            pairs = [backbone(picture)[2:] for picture in self.geometry.pictures(views)]
            return halves([each for pair in pairs for each in pair])

        maps = views.once("features", make)
        if not torch.is_autocast_enabled(maps[0].device.type):  # else layers take them as they are
            maps = [each.float() for each in maps]
        return [maps[:2], maps[2:]]

    def losses(self, network: nn.Module, views: Views) -> dict[str, Tensor]:
        """`overlap`: mean square difference of predicted and true overlaps."""
        sight = self.sight(ours(network), views)
        boxes = candidates(sight.target, self._boxes, views.generator)
        off = answer(ours(network), sight, boxes)[..., 0] - iou(boxes, sight.target[:, None])
        return {"overlap": average(off.square(), sight.present)}


class DrNet(Atom):
    """Predicts the box directly, from a box near the target (paper 003, section 4.4)."""

    kind: ClassVar[Kind] = "drnet"

    def losses(self, network: nn.Module, views: Views) -> dict[str, Tensor]:
        """`place`: smooth L1 of shifts and logarithms of sizes; `overlap`: GIoU of the box."""
        sight = self.sight(ours(network), views)
        boxes, target = candidates(sight.target, self._boxes, views.generator), sight.target[:, None]
        said = answer(ours(network), sight, boxes)
        return {
            "place": average(smooth(said, difference(boxes, target), BOX_BEND), sight.present),
            "overlap": average(1 - giou(moved(boxes, said), target), sight.present),
        }
