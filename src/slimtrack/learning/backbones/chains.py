"""Backbones that are a chain of layers, as torchvision names them (``features.0.weight`` ..)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from slimtrack.learning.backbones.backbone import Backbone
from slimtrack.networks.importers.torchvision import ARCHITECTURES, Architecture

__all__ = ["VGG16", "VGG19", "Chain", "alexnet", "squeezenet", "vgg"]

VGG16 = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
VGG19 = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4)
"""Channels of each convolution, block by block (Simonyan and Zisserman, ICLR 2015)."""


class Chain(Backbone):
    """Layers one after the other, some of which are taps.

    Args:
        architecture: The plan that builds it in ONNX.
        layers: Pairs of a tap's name (empty if the layer is not a tap) and the layer.
    """

    def __init__(self, architecture: Architecture, layers: Sequence[tuple[str, nn.Module]]) -> None:
        super().__init__(architecture, tuple(name for name, _ in layers if name))
        self._names = [name for name, _ in layers]
        self.features = nn.Sequential(*(layer for _, layer in layers))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Features of prepared ``(N, 3, H, W)`` by tap."""
        found = {}
        x = image
        for name, layer in zip(self._names, self.features, strict=True):
            x = layer(x)
            if name:
                found[name] = x
        return found


def vgg(name: str, blocks: Sequence[Sequence[int]]) -> Chain:
    """VGG or its first blocks, of the given width; taps ``relu1_1`` .. and ``pool1`` ...

    Args:
        name: ``"vgg16"`` or ``"vgg19"``.
        blocks: Channels of each convolution, block by block.
    """
    layers: list[tuple[str, nn.Module]] = []
    channels = 3
    for block, widths in enumerate(blocks, 1):
        for index, width in enumerate(widths, 1):
            layers.append(("", nn.Conv2d(channels, width, 3, padding=1)))
            layers.append((f"relu{block}_{index}", nn.ReLU()))
            channels = width
        if block in (*range(1, len(blocks)), len(VGG16)):  # a cut network ends with its last convolution
            layers.append((f"pool{block}", nn.MaxPool2d(2)))
    return Chain(ARCHITECTURES[name], layers)


def alexnet(widths: Sequence[int] = (64, 192, 384, 256, 256)) -> Chain:
    """AlexNet as torchvision has it (Krizhevsky, 2014); taps ``relu1`` .. ``relu5`` and the pools."""
    layers: list[tuple[str, nn.Module]] = []
    channels = 3
    for index, (width, kernel) in enumerate(zip(widths, (11, 5, 3, 3, 3), strict=True), 1):
        stride, pad = (4, 2) if index == 1 else (1, kernel // 2)
        layers.append(("", nn.Conv2d(channels, width, kernel, stride, pad)))
        layers.append((f"relu{index}", nn.ReLU()))
        layers += [(f"pool{index}", nn.MaxPool2d(3, 2))] if index in (1, 2, 5) else []
        channels = width
    return Chain(ARCHITECTURES["alexnet"], layers)


class _Fire(nn.Module):
    """Squeezes to few channels, then expands by 1x1 and 3x3 convolutions side by side."""

    def __init__(self, channels: int, squeezed: int, out: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, out // 2, 1)
        self.expand3x3 = nn.Conv2d(squeezed, out // 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, channels, h, w)`` to ``(N, out, h, w)``."""
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)


def squeezenet() -> Chain:
    """SqueezeNet 1.1's convolutions (Iandola et al., 2016); taps ``relu1``, ``fire2`` .., the pools."""
    layers: list[tuple[str, nn.Module]] = [("", nn.Conv2d(3, 64, 3, 2)), ("relu1", nn.ReLU())]
    channels = 64
    plan = ((16, 128), (16, 128), (32, 256), (32, 256), (48, 384), (48, 384), (64, 512), (64, 512))
    for index, (squeezed, out) in enumerate(plan, 2):
        if index - 1 in (1, 3, 5):
            layers.append((f"pool{index - 1}", nn.MaxPool2d(3, 2, ceil_mode=True)))
        layers.append((f"fire{index}", _Fire(channels, squeezed, out)))
        channels = out
    return Chain(ARCHITECTURES["squeezenet1.1"], layers)
