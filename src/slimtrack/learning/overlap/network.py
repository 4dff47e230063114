"""ATOM's overlap predictor, and the box head of DRNet in its place (paper 003, sections 3.1, 3.2, 4.4)."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from slimtrack.learning.overlap.blocks import Blocks, aligned
from slimtrack.online.roi import precise_roi_pool

__all__ = ["STRIDES", "Kind", "Modulation", "OverlapNetwork", "Predictor", "moved"]

STRIDES = (8, 16)
"""Of blocks 3 and 4."""

Kind = Literal["atom", "drnet"]

_REFERENCE_BINS = (3, 1)
_SEARCH_BINS = (5, 3)


class Modulation(NamedTuple):
    """The modulation of the reference: one factor per channel for each block, ``(N, D)``."""

    third: Tensor
    fourth: Tensor


class Predictor(nn.Module):
    """Predicts overlaps or better boxes, from blocks 3 and 4 of two pictures and a box in one of them.

    The layers are those of ATOM as published (Danelljan et al., CVPR 2019), each with a batch norm and ReLU
    but the last. Boxes are left, top, right, bottom in pixels of the pictures; a map's cell 0 is at pixel 0.

    Args:
        channels: Of blocks 3 and 4.
        head: Channels of all that comes behind; 256 in ATOM, 64 in the students.
        outputs: Numbers a box: 1 overlap, or 4 (`moved`).
    """

    def __init__(self, channels: tuple[int, int], head: int = 256, outputs: int = 1) -> None:
        super().__init__()
        third, fourth = channels
        self.reference3, self.reference4 = _unit(third, head // 2), _unit(fourth, head)
        self.pooled3 = _dense(head // 2 * _REFERENCE_BINS[0] ** 2, head)
        self.modulation3, self.modulation4 = _dense(2 * head, head), _dense(2 * head, head)
        self.search3 = nn.Sequential(_unit(third, head), _unit(head, head))
        self.search4 = nn.Sequential(_unit(fourth, head), _unit(head, head))
        self.overlap3 = _dense(head * _SEARCH_BINS[0] ** 2, head)
        self.overlap4 = _dense(head * _SEARCH_BINS[1] ** 2, head)
        self.last = nn.Linear(2 * head, outputs)
        nn.init.zeros_(self.last.weight)  # at first, all predicted overlaps are a half, and no box is moved
        nn.init.constant_(self.last.bias, 0.5 if outputs == 1 else 0.0)

    def modulation(self, third: Tensor, fourth: Tensor, box: Tensor) -> Modulation:
        """The modulation by blocks 3 and 4 of the reference and the target's box there, ``(N, 4)``."""
        maps = self.reference3(third), self.reference4(fourth)
        pooled = [each[:, 0].flatten(1) for each in _pooled(maps, box[:, None], _REFERENCE_BINS)]
        both = torch.cat([self.pooled3(pooled[0]), pooled[1]], 1)
        return Modulation(self.modulation3(both), self.modulation4(both))

    def search(self, third: Tensor, fourth: Tensor) -> tuple[Tensor, Tensor]:
        """Maps of the search for pooling, ``(N, D, h, w)`` per block."""
        return self.search3(third), self.search4(fourth)

    def answer(self, maps: tuple[Tensor, Tensor], modulation: Modulation, boxes: Tensor) -> Tensor:
        """``(N, K, outputs)`` of boxes ``(N, K, 4)``."""
        parts = []
        for pooled, factor, layer in zip(
            _pooled(maps, boxes, _SEARCH_BINS), modulation, (self.overlap3, self.overlap4), strict=True
        ):
            parts.append(layer((pooled * factor[:, None, :, None, None]).flatten(2).flatten(0, 1)))
        said: Tensor = self.last(torch.cat(parts, 1))
        return said.reshape(*boxes.shape[:2], -1)


class OverlapNetwork(nn.Module):
    """Backbone and predictor.

    Args:
        backbone: Four blocks, of which the last two are used.
        head: Channels of the predictor.
        kind: ``"atom"`` predicts overlaps, ``"drnet"`` boxes.
    """

    def __init__(self, backbone: Blocks, head: int = 256, kind: Kind = "atom") -> None:
        super().__init__()
        self.backbone, self.head, self.kind = backbone, head, kind
        channels = backbone.channels[2:]
        self.predictor = Predictor((channels[0], channels[1]), head, 1 if kind == "atom" else 4)


def moved(proposals: Tensor, said: Tensor) -> Tensor:
    """The boxes that DRNet's head predicts: left, top, right, bottom ``(.., 4)``, as the proposals.

    The four numbers are shifts in sides of the proposal (x, y) and logarithms of the change of size (w, h).
    """
    size = proposals[..., 2:] - proposals[..., :2]
    centre = (proposals[..., :2] + proposals[..., 2:]) / 2 + said[..., :2] * size
    half = size * said[..., 2:].exp() / 2
    return torch.cat([centre - half, centre + half], -1)


def _pooled(maps: tuple[Tensor, Tensor], boxes: Tensor, bins: tuple[int, int]) -> list[Tensor]:
    """Precise RoI pooling of both blocks, in float32: ``(N, K, C, bins, bins)`` each."""
    with torch.autocast(boxes.device.type, enabled=False):  # boxes need more digits than layers
        return [
            precise_roi_pool(aligned(each).float(), boxes / stride, size)
            for each, stride, size in zip(maps, STRIDES, bins, strict=True)
        ]


def _unit(channels: int, out: int) -> nn.Sequential:
    """A 3x3 convolution, batch norm, ReLU."""
    return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU())


def _dense(numbers: int, out: int) -> nn.Sequential:
    """A fully connected layer, batch norm, ReLU."""
    return nn.Sequential(nn.Linear(numbers, out, bias=False), nn.BatchNorm1d(out), nn.ReLU())
