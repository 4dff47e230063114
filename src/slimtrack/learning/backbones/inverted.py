"""MobileNetV2 and EfficientNet-Lite0, whole or thinned, cut at stride 16.

Both are a stem and a chain of inverted residuals: widen (1x1), filter each channel (depthwise), narrow (1x1),
and add the input where shape allows. Parameters carry torchvision's names for MobileNetV2
(`features.3.conv.0.0.weight`). Departure: EfficientNet-Lite pads as TensorFlow does (one more pixel right and
below at stride 2); here all padding is symmetric, which shifts its sampling and changes nothing else.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["EFFICIENTNET_LITE0", "MOBILENET_V2", "Block", "Inverted", "Plan"]


class Block(NamedTuple):
    """One inverted residual: channels inside, channels out, stride, side of the depthwise kernel."""

    hidden: int
    out: int
    stride: int = 1
    kernel: int = 3


class Plan(NamedTuple):
    """The sizes of a backbone: channels of the stem (stride 2), its blocks, epsilon of batch norm."""

    stem: int
    blocks: tuple[Block, ...]
    epsilon: float = 1e-5

    @property
    def channels(self) -> int:
        """Channels of the features."""
        return self.blocks[-1].out


def _stages(stem: int, stages: Sequence[tuple[int, int, int, int, int]], epsilon: float) -> Plan:
    """A plan from rows of (expansion, channels, repeats, first stride, kernel)."""
    blocks, channels = [], stem
    for expansion, out, repeats, stride, kernel in stages:
        for index in range(repeats):
            blocks.append(Block(channels * expansion, out, stride if index == 0 else 1, kernel))
            channels = out
    return Plan(stem, tuple(blocks), epsilon)


MOBILENET_V2 = _stages(
    32, [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 32, 3, 2, 3), (6, 64, 4, 2, 3), (6, 96, 3, 1, 3)], 1e-5
)
"""To block 13: 96 channels at stride 16 (Sandler et al., CVPR 2018, table 2)."""

EFFICIENTNET_LITE0 = _stages(
    32, [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5)], 1e-3
)
"""To block 10: 112 channels at stride 16."""


class _Residual(nn.Module):
    """An inverted residual; where hidden equals the input's channels there is no widening layer."""

    def __init__(self, channels: int, block: Block, epsilon: float, *, widened: bool) -> None:
        super().__init__()
        self.added = block.stride == 1 and channels == block.out
        layers: list[nn.Module] = []
        if widened:
            layers.append(_unit(channels, block.hidden, 1, 1, 1, epsilon))
        layers.append(_unit(block.hidden, block.hidden, block.kernel, block.stride, block.hidden, epsilon))
        layers.append(nn.Conv2d(block.hidden, block.out, 1, bias=False))
        layers.append(nn.BatchNorm2d(block.out, eps=epsilon))
        self.conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, channels, h, w)`` to ``(N, out, h / stride, w / stride)``."""
        y: Tensor = self.conv(x)
        return x + y if self.added else y


class _Thinned(nn.Conv2d):
    """Filters each channel at stride 2; on a CPU in float32 always.

    The gradient of its input takes oneDNN 5 to 25 times as long in bfloat16, which was a third of a step.
    """

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, h, w)`` to ``(N, C, h / 2, w / 2)``, of the type that layers have where this runs."""
        if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float()).to(torch.get_autocast_dtype("cpu"))


def _unit(channels: int, out: int, kernel: int, stride: int, groups: int, epsilon: float) -> nn.Sequential:
    """Convolution, batch norm, ReLU6."""
    layer = _Thinned if groups > 1 and stride > 1 else nn.Conv2d
    return nn.Sequential(
        layer(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out, eps=epsilon),
        nn.ReLU6(),  # in place, its gradient would need a copy of the input
    )


class Inverted(nn.Module):
    """A chain of inverted residuals built from a plan.

    Args:
        plan: Channels, strides and kernels of every layer.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        layers: list[nn.Module] = [_unit(3, plan.stem, 3, 2, 1, plan.epsilon)]
        channels = plan.stem
        for index, block in enumerate(plan.blocks):
            layers.append(_Residual(channels, block, plan.epsilon, widened=index > 0))
            channels = block.out
        self.features = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """Features of normalised RGB ``(N, 3, H, W)``: ``(N, channels, H / 16, W / 16)``."""
        features: Tensor = self.features(image)
        return features
