"""Students of VGG-M's shape (Chatfield et al., BMVC 2014), of any size (paper 002)."""

import math
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from slimtrack.arrays import AnyArray
from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.network import Network

__all__ = ["LAYERS", "WIDTHS", "pruned", "vgg_m"]

WIDTHS: Mapping[int, tuple[int, ...]] = MappingProxyType(
    {
        1: (96, 256, 512, 512, 512),
        16: (24, 64, 128, 128, 128),
        32: (17, 45, 91, 91, 91),
        64: (12, 32, 64, 64, 64),
        96: (10, 26, 52, 52, 52),
    }
)
"""Filters of the five convolutions by compression ratio (paper 002, table III). Each layer has fewer filters
by the root of the ratio, so that the network has about that many times fewer parameters. 64 is CF-VGG."""

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")
_PLAN = ((7, 2, 0), (5, 2, 1), (3, 1, 1), (3, 1, 1), (3, 1, 1))
"""Kernel, stride, padding."""

_MEAN = (123.68, 116.78, 103.94)
"""ImageNet's mean colour, RGB, subtracted as in VGG-M."""

_NORMALISED = (5, 2.0, 1e-4, 0.75)
"""Local response normalisation of VGG-M: channels, constant, factor, exponent."""
_GAIN = 100.0
"""About how much larger VGG-M's maps are than batch-normalised ones: the factor above is for the former."""


def vgg_m(
    widths: tuple[int, ...], *, lrn: bool = True, batch_norm: bool = True, start: Network | None = None
) -> Network:
    """A network to train: taps ``relu1`` .. ``relu5``, ``pool1``, ``pool2``; with LRN ``norm1``, ``norm2``.

    Args:
        widths: Filters of each convolution.
        lrn: Local response normalisation after the first two, as VGG-M has it; without, the names ``norm1``
            and ``norm2`` stand for ``relu1`` and ``relu2``.
        batch_norm: Batch norm before each ReLU, which VGG-M does not have: random weights learn sooner with
            it, and it is folded into the filters after training.
        start: Takes filters from its convolutions of the same name and kernel, from the first on until one
            does not fit, drawn at random (paper 002, section IV: of VGG-M). The others are random.
    """
    builder = Builder()
    filters = pruned(start, widths) if start is not None else {}
    for index, (name, width, (kernel, stride, pad)) in enumerate(zip(LAYERS, widths, _PLAN, strict=True), 1):
        weight, bias = filters.get(name) or _random(width, builder.channels, kernel)
        builder.conv(name, weight, None if batch_norm else bias, stride=stride, pads=pad)
        if batch_norm:
            ones, zeros = torch.ones(width).numpy(), torch.zeros(width).numpy()
            builder.batch_norm(f"bn{index}", ones, zeros, zeros, ones)
        builder.relu(f"relu{index}")
        if index <= 2:
            if lrn:
                size, constant, factor, exponent = _NORMALISED
                factor *= _GAIN**2 if batch_norm else 1.0
                builder.lrn(f"norm{index}", size, constant, factor, exponent)
            builder.pool(f"pool{index}", 3, 2, (0, 0, 1, 1))
    taps = {name: tensor for name, tensor in builder.taps.items() if not name.startswith(("conv", "bn"))}
    aliases = {} if lrn else {"norm1": "relu1", "norm2": "relu2"}
    return Network(builder.graph(), taps, Card("cf-vgg", mean=_MEAN), aliases=aliases)


def _random(width: int, channels: int, kernel: int) -> tuple[AnyArray, AnyArray]:
    """Random weights as He et al. initialise layers before a ReLU."""
    spread = math.sqrt(2 / (channels * kernel**2))
    return (spread * torch.randn(width, channels, kernel, kernel)).numpy(), torch.zeros(width).numpy()


def pruned(network: Network, widths: tuple[int, ...]) -> dict[str, tuple[AnyArray, AnyArray]]:
    """Filters and biases of convolutions that fit VGG-M's shape, channels drawn at random.

    They are changed to read RGB in 0..255 minus the mean.
    """
    found: dict[str, tuple[AnyArray, AnyArray]] = {}
    known = {layer.name: layer for layer in network.layers}
    read = torch.arange(3) if network.card.colors == "rgb" else torch.tensor([2, 1, 0])
    for name, width, (kernel, *_) in zip(LAYERS, widths, _PLAN, strict=True):
        layer = known.get(name)
        if layer is None or layer.kernel != (kernel, kernel) or layer.out_channels < width:
            break
        kept = torch.randperm(layer.out_channels)[:width].sort().values
        weight, bias = (torch.tensor(array) for array in network.weights(name))
        if name == LAYERS[0]:
            weight = weight * torch.tensor(network.card.scale).reshape(1, 3, 1, 1)
        found[name] = _taken(weight, bias, kept, read)
        read = kept
    return found


def _taken(weight: Tensor, bias: Tensor, kept: Tensor, read: Tensor) -> tuple[AnyArray, AnyArray]:
    return weight[kept][:, read].contiguous().numpy(), bias[kept].numpy()
