"""ResNet of any width and depth (He et al., CVPR 2016), with torchvision's names and strides."""

from collections.abc import Sequence

from torch import Tensor, nn

from slimtrack.learning.backbones.backbone import Backbone
from slimtrack.networks.importers.torchvision import ARCHITECTURES

__all__ = ["ResNet", "resnet18", "resnet50"]


class _Block(nn.Module):
    """Convolutions around which the input is added, two of 3x3 or (a bottleneck) 1x1, 3x3, 1x1."""

    def __init__(self, channels: int, widths: Sequence[int], stride: int) -> None:
        super().__init__()
        kernels = (3, 3) if len(widths) == 2 else (1, 3, 1)
        self._count = len(kernels)
        before = channels
        for index, (kernel, out) in enumerate(zip(kernels, widths, strict=True), 1):
            step = stride if index == kernels.index(3) + 1 else 1
            self.add_module(f"conv{index}", nn.Conv2d(before, out, kernel, step, kernel // 2, bias=False))
            self.add_module(f"bn{index}", nn.BatchNorm2d(out))
            before = out
        self.downsample = None
        if stride > 1 or channels != before:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, before, 1, stride, bias=False), nn.BatchNorm2d(before)
            )

    def forward(self, x: Tensor) -> Tensor:
        """``(N, channels, h, w)`` to ``(N, widths[-1], h / stride, w / stride)``."""
        y = x
        for index in range(1, self._count + 1):
            y = self.get_submodule(f"bn{index}")(self.get_submodule(f"conv{index}")(y))
            y = y.relu() if index < self._count else y
        return ((x if self.downsample is None else self.downsample(x)) + y).relu()


class ResNet(Backbone):
    """ResNet without its classifier; taps ``layer1`` .. at strides 4, 8, 16, 32.

    Args:
        name: ``"resnet18"`` or ``"resnet50"``.
        blocks: Residual blocks in each layer.
        bottleneck: Blocks of three convolutions that end in four times the channels.
        width: Channels of the first layer; each further one has twice as many.
        layers: How many of the four there are.
    """

    def __init__(
        self, name: str, blocks: Sequence[int], *, bottleneck: bool = False, width: int = 64, layers: int = 4
    ) -> None:
        super().__init__(ARCHITECTURES[name], tuple(f"layer{index}" for index in range(1, layers + 1)))
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        channels = width
        for index, tap in enumerate(self.taps):
            inner = width << index
            widths = (inner, inner, 4 * inner) if bottleneck else (inner, inner)
            stages = [(channels, 1 if index == 0 else 2)] + [(widths[-1], 1)] * (blocks[index] - 1)
            self.add_module(tap, nn.Sequential(*(_Block(before, widths, step) for before, step in stages)))
            channels = widths[-1]

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Features of normalised RGB ``(N, 3, H, W)`` by tap."""
        x = nn.functional.max_pool2d(self.bn1(self.conv1(image)).relu(), 3, 2, 1)
        found = {}
        for tap in self.taps:
            x = found[tap] = self.get_submodule(tap)(x)
        return found


def resnet18(*, width: int = 64, layers: int = 4) -> ResNet:
    """ResNet-18; half, a quarter, an eighth of its ``width`` are paper 003's ResNet-18-m, -s, -t."""
    return ResNet("resnet18", (2, 2, 2, 2), width=width, layers=layers)


def resnet50(*, width: int = 64, layers: int = 4) -> ResNet:
    """ResNet-50."""
    return ResNet("resnet50", (3, 4, 6, 3), bottleneck=True, width=width, layers=layers)
