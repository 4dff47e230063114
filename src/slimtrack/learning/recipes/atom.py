"""`atom`, `drnet`: the predictor of a network of the ATOM family learns on a frozen backbone."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from slimtrack.learning.augment import Strength
from slimtrack.learning.losses import giou, iou
from slimtrack.learning.overlap.blocks import blocks
from slimtrack.learning.overlap.export import export
from slimtrack.learning.overlap.geometry import Geometry
from slimtrack.learning.overlap.network import Kind, OverlapNetwork, moved
from slimtrack.learning.overlap.proposals import candidates
from slimtrack.learning.overlap.refine import refined
from slimtrack.learning.recipe import Group, Recipe
from slimtrack.learning.schedule import PRESETS, Schedule
from slimtrack.learning.views import FORMAT, Views
from slimtrack.learning.warp import Bend
from slimtrack.options import Range

__all__ = ["NEAR", "Atom", "DrNet", "Seen", "average", "difference", "overlap_after"]

NEAR = Strength(
    shift=0.3, scale=0.3, aspect=0.1, jitter=0.0, light=0.25, blurred=0.2, grey=0.1, patched=0.3, noise=5.0,
    hidden=0.0, bend=Bend(share=0.4),
)  # fmt: skip
"""Where the search window lies does not matter: only what is around the target is looked at."""

_PROPOSALS = 10
"""Boxes that a refinement begins with, the best three of which are averaged (paper 003, section 3.1)."""
_BEST = 3


class Seen(NamedTuple):
    """What the predictor takes in: blocks 3 and 4 of both views."""

    template3: Tensor
    template4: Tensor
    search3: Tensor
    search4: Tensor


class Atom(Recipe):
    """Overlaps of 16 boxes near the target, L2 (paper 003, section 3.1; Danelljan et al., CVPR 2019).

    Departs from the published training in learning on fixed views of the pairs, whose features are computed
    once and kept as bfloat16: at the sides of 160 and 192 pixels 12 MB a batch of 32 pairs with ResNet-18.
    """

    network: OverlapNetwork
    strength: ClassVar[Strength] = NEAR
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
            str, "resnet18 or resnet50; also resnet18-m, -s, -t and mobilenetv2."
        ] = "resnet18",
        head: Annotated[int, Range(8), "Channels of the predictor."] = 256,
        template: Annotated[int, Range(64, 288), "Pixels of the template, 57.6 a side of the target."] = 160,
        search: Annotated[int, Range(64, 288), "Pixels of the search, 57.6 a side of the target."] = 192,
        boxes: Annotated[int, Range(1), "Boxes a pair."] = 16,
        kept: Annotated[
            int, Range(0), "Batches whose features are kept and learned from again; 0: none."
        ] = 256,
    ) -> None:
        self.network = OverlapNetwork(blocks(backbone), head, self.kind)
        self.network.backbone.requires_grad_(False)
        self._geometry = Geometry(template, search)
        self._backbone, self._boxes, self.kept = backbone, boxes, kept

    def start(self, path: Path) -> None:
        """Takes the backbone's ImageNet weights."""
        self.network.backbone.start(path)

    def groups(self) -> list[Group]:
        """The predictor alone."""
        return [Group(1.0, list(self.network.predictor.parameters()))]

    def losses(self, network: nn.Module, views: Views) -> dict[str, Tensor]:
        """`overlap`: mean square difference of predicted and true overlaps."""
        network, target = _ours(network), self._geometry.target(views)
        boxes = candidates(target, self._boxes, views.generator)
        said = self._answer(network, views, boxes)[..., 0]
        return {"overlap": average((said - iou(boxes, target[:, None])).square(), views)}

    def figures(self, network: nn.Module, views: Views) -> dict[str, Tensor]:
        """`error` of an overlap; `overlap` of a box after refinement, `before` of those it began with."""
        network, target = _ours(network), self._geometry.target(views)
        boxes = candidates(target, _PROPOSALS, views.generator)
        goal = iou(boxes, target[:, None])
        error = (self._answer(network, views, boxes)[..., 0] - goal).abs().mean(1)
        seen = self.seen(network, views)
        after = overlap_after(network, seen, self._geometry.reference(views), boxes, target)
        found = {"error": error, "overlap": after, "before": goal.mean(1)}
        return {name: _present(values, views) for name, values in found.items()}

    def grade(self, figures: Mapping[str, float]) -> float:
        """The overlap after refinement."""
        return figures["overlap"]

    def seen(self, network: OverlapNetwork, views: Views) -> Seen:
        """Features of the frozen backbone, computed once."""

        def make() -> list[Tensor]:
            backbone = network.backbone.eval()
            maps = [backbone(picture)[2:] for picture in self._geometry.pictures(views)]
            return [each.to(torch.bfloat16, memory_format=FORMAT) for pair in maps for each in pair]

        maps = views.once("features", make)
        halves = torch.is_autocast_enabled(maps[0].device.type)  # then layers take them as they are
        return Seen(*(each if halves else each.float() for each in maps))

    def _answer(self, network: OverlapNetwork, views: Views, boxes: Tensor) -> Tensor:
        """What the predictor says about boxes in the searches: ``(N, K, outputs)``."""
        seen, predictor = self.seen(network, views), network.predictor
        modulation = predictor.modulation(seen.template3, seen.template4, self._geometry.reference(views))
        return predictor.answer(predictor.search(seen.search3, seen.search4), modulation, boxes)

    def publish(self, network: nn.Module, folder: Path) -> None:
        """The files of `overlap/export.py`."""
        text = f"predictor trained by slimtrack's recipe {self.kind} on a frozen {self._backbone} (ImageNet)"
        export(_ours(network), folder, name=self.kind, origin=text)


class DrNet(Atom):
    """The box at once, from a box near the target (paper 003, section 4.4)."""

    kind: ClassVar[Kind] = "drnet"

    def losses(self, network: nn.Module, views: Views) -> dict[str, Tensor]:
        """`place`: smooth L1 of shifts and logarithms of sizes; `overlap`: GIoU of the box."""
        network, target = _ours(network), self._geometry.target(views)[:, None]
        boxes = candidates(target[:, 0], self._boxes, views.generator)
        said = self._answer(network, views, boxes)
        place = functional.smooth_l1_loss(said, difference(boxes, target), reduction="none", beta=0.1)
        return {
            "place": average(place.sum(-1), views),
            "overlap": average(1 - giou(moved(boxes, said), target), views),
        }

    def figures(self, network: nn.Module, views: Views) -> dict[str, Tensor]:
        """`overlap` of the box said, `before` of the one it began with."""
        network, target = _ours(network), self._geometry.target(views)[:, None]
        boxes = candidates(target[:, 0], _PROPOSALS, views.generator)
        said = moved(boxes, self._answer(network, views, boxes))
        found = {"overlap": iou(said, target).mean(1), "before": iou(boxes, target).mean(1)}
        return {name: _present(values, views) for name, values in found.items()}


def difference(boxes: Tensor, target: Tensor) -> Tensor:
    """What DRNet's head should say of boxes ``(.., 4)``: the inverse of `moved`."""
    size, goal = boxes[..., 2:] - boxes[..., :2], target[..., 2:] - target[..., :2]
    shift = (target[..., :2] + target[..., 2:] - boxes[..., :2] - boxes[..., 2:]) / 2
    return torch.cat([shift / size, (goal / size).log()], -1)


def average(values: Tensor, views: Views) -> Tensor:
    """Mean of ``(N, K)`` over the pairs whose search shows the target."""
    present = views.batch.present.to(values.dtype)
    return (values.mean(1) * present).sum() / present.sum().clamp(min=1)


def overlap_after(
    network: OverlapNetwork, seen: Seen, reference: Tensor, boxes: Tensor, target: Tensor
) -> Tensor:
    """Overlap with the target of the mean of the three refined boxes that promise most: ``(N,)``."""
    predictor = network.predictor
    modulation = predictor.modulation(seen.template3, seen.template4, reference)
    maps = predictor.search(seen.search3, seen.search4)

    def answer(places: Tensor) -> Tensor:
        return predictor.answer(maps, modulation, places)[..., 0]

    after = refined(answer, boxes)
    best = answer(after).topk(_BEST, dim=1).indices
    chosen = after.gather(1, best[..., None].expand(-1, -1, 4)).mean(1)
    return iou(chosen, target)


def _present(values: Tensor, views: Views) -> Tensor:
    return torch.where(views.batch.present, values, torch.nan)


def _ours(network: nn.Module) -> OverlapNetwork:
    assert isinstance(network, OverlapNetwork)
    return network
