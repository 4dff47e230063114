"""Size of a network of the ATOM family, and operations per frame (paper 003, tables 4.1, 4.3, 4.5)."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from slimtrack.learning.overlap.geometry import EXTENT, SIDE
from slimtrack.learning.overlap.network import STRIDES, OverlapNetwork

__all__ = ["Cost", "cost", "multiply_adds", "numbers"]

_PROPOSALS = 10


class Cost(NamedTuple):
    """Size and operations of a network, for a crop of 288 pixels; a multiply-add counts once.

    Attributes:
        backbone: Parameters of the backbone, to block 4.
        predictor: Parameters of the predictor.
        features: Multiply-adds of the backbone.
        by_input: The same, with the size of each layer's input (equation 4.5).
        reference: Of the predictor's reference branch, once a target.
        search: Of its search branch and ten boxes, once a frame where nothing is refined.
    """

    backbone: int
    predictor: int
    features: int
    by_input: int
    reference: int
    search: int


def cost(network: OverlapNetwork) -> Cost:
    """Counts parameters and operations of a network."""
    network, predictor = network.eval(), network.predictor
    image = torch.zeros(1, 3, SIDE, SIDE)
    maps = [
        torch.zeros(1, channels, SIDE // stride, SIDE // stride)
        for channels, stride in zip(network.backbone.channels[2:], STRIDES, strict=True)
    ]
    middle, half = SIDE / 2, SIDE / EXTENT / 2
    box = torch.tensor([[middle - half, middle - half, middle + half, middle + half]])
    with torch.no_grad():
        modulation = predictor.modulation(maps[0], maps[1], box)

    def frame() -> Tensor:
        searched = predictor.search(maps[0], maps[1])
        return predictor.answer(searched, modulation, box.expand(1, _PROPOSALS, 4))

    return Cost(
        numbers(network.backbone),
        numbers(predictor),
        multiply_adds(network.backbone, lambda: network.backbone(image)),
        multiply_adds(network.backbone, lambda: network.backbone(image), by_input=True),
        multiply_adds(predictor, lambda: predictor.modulation(maps[0], maps[1], box)),
        multiply_adds(predictor, frame),
    )


def numbers(module: nn.Module) -> int:
    """Number of parameters."""
    return sum(each.numel() for each in module.parameters())


@torch.no_grad()
def multiply_adds(module: nn.Module, run: Callable[[], object], *, by_input: bool = False) -> int:
    """Multiply-adds of all convolutions and fully connected layers that run.

    Args:
        module: The module whose layers are counted.
        run: Runs the module once, on one picture.
        by_input: Convolutions at every place of their input instead of their output, with a bias at every
            place of the output (equation 4.5): what strides cost less is not seen.
    """
    found: list[int] = []

    def convolution(layer: nn.Conv2d, given: tuple[Tensor, ...], gives: Tensor) -> None:
        places = (given[0] if by_input else gives)[0, 0].numel()
        found.append(layer.weight.numel() * places + by_input * gives[0].numel())

    def dense(layer: nn.Linear, given: tuple[Tensor, ...], gives: Tensor) -> None:
        found.append(layer.weight.numel() * (gives.numel() // layer.out_features))

    hooks = [
        layer.register_forward_hook(convolution if isinstance(layer, nn.Conv2d) else dense)
        for layer in module.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return sum(found)
