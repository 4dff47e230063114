"""The tracker network: one backbone for template and search, correlation, a score head and a box head."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from slimtrack.errors import UnknownNameError
from slimtrack.learning.backbones.inverted import EFFICIENTNET_LITE0, MOBILENET_V2, Block, Inverted, Plan

__all__ = ["DESIGNS", "STRIDE", "Answer", "Design", "Siamese", "Target", "cell_centres"]

STRIDE = 16
"""Pixels of the search image per cell of the answer, in each direction."""


class Design(NamedTuple):
    """The sizes of a tracker network.

    Attributes:
        full: The backbone whose ImageNet weights it starts from.
        plan: The backbone it has.
        width: Channels of the heads.
        search: Side of the search image in pixels; it covers four times the target's side.
        template: Side of the template image in pixels; it covers twice the target's side.
        depth: Layers of each head.
    """

    full: Plan
    plan: Plan
    width: int
    search: int
    template: int
    depth: int = 3


def _plan(like: Plan, stem: int, rows: list[tuple[int, int]]) -> Plan:
    """A plan with the strides and kernels of another: rows of (hidden, out)."""
    blocks = zip(like.blocks, rows, strict=True)
    return Plan(stem, tuple(Block(*row, old.stride, old.kernel) for old, row in blocks), like.epsilon)


_LITE = [(16, 16), (48, 16), (64, 16), (64, 32), (112, 32), (144, 64), (320, 64), (320, 64)]
_LITE += [(320, 96), (480, 96), (480, 96)]
_MOBILE = [(16, 16), (48, 16), (48, 16), (64, 32), (96, 32), (96, 32), (160, 64), (256, 64), (256, 64)]
_MOBILE += [(256, 64), (256, 96), (384, 96), (384, 96)]
_LARGE = [(32, 16), (80, 24), (96, 24), (128, 40), (192, 40), (192, 80), (480, 80), (480, 80)]
_LARGE += [(480, 112), (672, 112), (672, 112)]

DESIGNS = {
    "slim-lite": Design(EFFICIENTNET_LITE0, _plan(EFFICIENTNET_LITE0, 16, _LITE), 96, 224, 112),
    "slim": Design(MOBILENET_V2, _plan(MOBILENET_V2, 16, _MOBILE), 96, 224, 112),
    "slim-large": Design(EFFICIENTNET_LITE0, _plan(EFFICIENTNET_LITE0, 32, _LARGE), 128, 256, 128),
}
"""By name. Channels are multiples of 16 where that makes ONNX Runtime's convolutions fast."""


def design(name: str) -> Design:
    """The design of that name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in DESIGNS:
        raise UnknownNameError.of("network design", name, DESIGNS)
    return DESIGNS[name]


class Target(NamedTuple):
    """The features of the template that are kept.

    Attributes:
        cells: ``(N, T, width)``: a unit vector for each of its T cells.
        kernel: ``(N, width, 1, 1)``: their mean inside the box.
    """

    cells: Tensor
    kernel: Tensor


class Answer(NamedTuple):
    """The network's output for a search image of ``n`` by ``n`` cells.

    Attributes:
        score: ``(N, n, n)`` logits of the overlap of this cell's box with the target.
        sides: ``(N, 4, n, n)``: left, top, right, bottom of the box from the cell's centre, in search pixels.
        imitation: ``(N, n, n)`` logits of the teacher's score; used in training only.
        features: ``(N, width, n, n)``: what a classifier can learn the target from while tracking.
    """

    score: Tensor
    sides: Tensor
    imitation: Tensor
    features: Tensor


class Siamese(nn.Module):
    """A siamese tracker network.

    The template's cells are correlated with every search cell; the map of correlations, the search features
    and their product with the target's mean feature feed two towers of depthwise and pointwise layers.

    Args:
        design: Its sizes.
    """

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.design = design
        width, cells = design.width, (design.template // STRIDE) ** 2
        self.backbone = Inverted(design.plan)
        self.embed = nn.Sequential(
            nn.Conv2d(design.plan.channels, width, 1, bias=False), nn.BatchNorm2d(width)
        )
        self.inside = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.gain = nn.Parameter(torch.tensor(4.0))
        self.join = nn.Sequential(
            nn.Conv2d(2 * width + cells, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.score_tower = _tower(width, design.depth, 2)
        self.box_tower = _tower(width, design.depth, 4)
        nn.init.constant_(self.score_tower[-1].bias, -4.0)

    def target(self, image: Tensor, mask: Tensor) -> Target:
        """The features of the target.

        Args:
            image: ``(N, 3, template, template)`` normalised RGB.
            mask: ``(N, 1, template / 16, template / 16)``: share of each cell that the box covers.
        """
        features = self.embed(self.backbone(image))
        cells = _unit(features + mask * self.inside)
        kernel = (features * mask).sum((2, 3), keepdim=True) / mask.sum((2, 3), keepdim=True)
        return Target(cells.flatten(2).transpose(1, 2), _unit(kernel) * self.gain)

    def forward(self, image: Tensor, target: Target) -> Answer:
        """Looks for the target in ``(N, 3, search, search)`` normalised RGB."""
        features = self.embed(self.backbone(image))
        n, _, height, width = features.shape
        unit = _unit(features)
        correlation = target.cells @ unit.flatten(2) * self.gain
        joined = (features, correlation.reshape(n, -1, height, width), features * target.kernel)
        x = self.join(torch.cat(joined, 1))
        scores = self.score_tower(x)
        sides = 2 * STRIDE * torch.exp(self.box_tower(x).float())
        return Answer(scores[:, 0].float(), sides, scores[:, 1].float(), features)


def _tower(width: int, depth: int, out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [
            nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False),
            nn.Conv2d(width, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
    last = nn.Conv2d(width, out, 1)
    nn.init.normal_(last.weight, std=0.01)
    return nn.Sequential(*layers, last)


def _unit(features: Tensor) -> Tensor:
    """Each cell's vector divided by its length."""
    return features / (features.pow(2).sum(1, keepdim=True) + 1e-4).sqrt()


def cell_centres(cells: int, device: torch.device | None = None) -> Tensor:
    """Centres (x, y) of the cells in search pixels: ``(2, cells, cells)``."""
    line = (torch.arange(cells, device=device, dtype=torch.float32) + 0.5) * STRIDE
    return torch.stack(torch.meshgrid(line, line, indexing="xy"))
