"""Backbones in four blocks at strides 2, 4, 8, 16 (paper 003, figure 3.5)."""

from pathlib import Path

from torch import Tensor, nn

from slimtrack.errors import InputError
from slimtrack.learning.backbones.inverted import MOBILENET_V2, Inverted
from slimtrack.learning.backbones.resnet import ResNet, resnet18, resnet50
from slimtrack.learning.backbones.starts import fill, mobilenet_v2
from slimtrack.learning.views import FORMAT

__all__ = ["BACKBONES", "Blocks", "MobileBlocks", "ResNetBlocks", "aligned", "blocks"]


class Blocks(nn.Module):
    """A backbone whose four outputs halve the image 1, 2, 3 and 4 times.

    Attributes:
        channels: Channels of the four outputs.
    """

    channels: tuple[int, int, int, int]

    def forward(self, image: Tensor) -> list[Tensor]:
        """Blocks 1 to 4 of normalised RGB ``(N, 3, H, W)``: ``(N, C, H / 2, W / 2)`` .. ``(.., W / 16)``."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def start(self, path: Path) -> None:
        """Takes ImageNet weights from a file (`backbones/starts.py`).

        Raises:
            SourceError: It does not fit this backbone.
        """
        raise NotImplementedError(f"{type(self).__name__} has no start")


class ResNetBlocks(Blocks):
    """ResNet to its third layer: the first convolution, and layers 1 to 3.

    Args:
        body: The network, three layers of it.
        deep: Channels of a layer's output over those inside; 4 with bottlenecks.
    """

    def __init__(self, body: ResNet, deep: int = 1) -> None:
        super().__init__()
        self.body = body
        width = body.conv1.out_channels
        self.channels = (width, deep * width, 2 * deep * width, 4 * deep * width)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Blocks 1 to 4."""
        found = [self.body.bn1(self.body.conv1(image)).relu()]
        x = nn.functional.max_pool2d(found[0], 3, 2, 1)
        for tap in self.body.taps:
            x = self.body.get_submodule(tap)(x)
            found.append(x)
        return found

    def start(self, path: Path) -> None:
        """Takes torchvision's file, or an ``.npz`` with batch norms folded."""
        fill(self.body, path)


class MobileBlocks(Blocks):
    """MobileNetV2 cut where the next layer halves the map.

    Block 1 is torchvision's ``features.0`` and ``.1`` (16 channels), block 2 ends with ``features.3`` (24),
    block 3 with ``features.6`` (32), block 4 with ``features.13`` (96). The outputs are those of linear
    bottlenecks and have no nonlinearity behind them.
    """

    _ENDS = (2, 4, 7, 14)

    def __init__(self) -> None:
        super().__init__()
        self.body = Inverted(MOBILENET_V2)
        outs = [MOBILENET_V2.blocks[end - 2].out for end in self._ENDS]
        self.channels = (outs[0], outs[1], outs[2], outs[3])

    def forward(self, image: Tensor) -> list[Tensor]:
        """Blocks 1 to 4."""
        found, x = [], image
        for index, layer in enumerate(self.body.features, 1):
            x = layer(x)
            if index in self._ENDS:
                found.append(x)
        return found

    def start(self, path: Path) -> None:
        """Takes torchvision's file."""
        self.body = mobilenet_v2(path)


BACKBONES = {
    "resnet18": lambda: ResNetBlocks(resnet18(layers=3)),
    "resnet18-m": lambda: ResNetBlocks(resnet18(width=32, layers=3)),
    "resnet18-s": lambda: ResNetBlocks(resnet18(width=16, layers=3)),
    "resnet18-t": lambda: ResNetBlocks(resnet18(width=8, layers=3)),
    "resnet50": lambda: ResNetBlocks(resnet50(layers=3), 4),
    "mobilenetv2": MobileBlocks,
}
"""Backbones by name; -m, -s, -t have a half, a quarter, an eighth of the filters (paper 003, table 4.3)."""


def blocks(name: str) -> Blocks:
    """A backbone by its name.

    Raises:
        InputError: There is none of that name.
    """
    if name not in BACKBONES:
        raise InputError(f"backbone={name} is not one of {', '.join(BACKBONES)}")
    return BACKBONES[name]()


def aligned(maps: Tensor) -> Tensor:
    """The same maps; their gradient comes in the layout of layers.

    In another one, that of a batch norm in front of them takes 5 to 30 times as long on a CPU.
    """
    if maps.requires_grad:
        maps.register_hook(lambda slope: slope.contiguous(memory_format=FORMAT))
    return maps
