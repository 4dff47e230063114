"""A thin backbone that starts from the strongest channels of a full one of the same depth."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from slimtrack.errors import InputError
from slimtrack.learning.backbones.inverted import Inverted, Plan

__all__ = ["thinned"]


class _Layers(NamedTuple):
    """Convolutions and norms of a block; `widen` is absent in the first."""

    widen: nn.Sequential | None
    filter: nn.Sequential
    narrow: nn.Conv2d
    norm: nn.BatchNorm2d


def _layers(block: nn.Module) -> _Layers:
    parts = list(block.conv)
    return _Layers(parts[0] if len(parts) == 4 else None, *parts[-3:])


@torch.no_grad()
def thinned(full: Inverted, plan: Plan) -> Inverted:
    """A backbone after ``plan`` holding the channels of ``full`` that carry most.

    A channel inside a block counts by its mean after the nonlinearity (from its batch norm, a normal
    distribution taken for granted) times the norm of the weights that read it; a channel between blocks by
    the sum of its batch norms' weights over the blocks that write it. Batch norms have to learn their
    statistics anew.

    Raises:
        InputError: The plan is not ``full``'s with fewer channels.
    """
    _check(full.plan, plan)
    thin = Inverted(plan)
    source, goal = list(full.features), list(thin.features)
    kept = _strongest(_mean_response(source[0][1]) * _reading(_layers(source[1]).filter[0]), plan.stem)
    _copy_unit(source[0], goal[0], kept, None)
    for stage in _stages(full.plan):
        out = _strongest(_written([source[i + 1] for i in stage]), plan.blocks[stage[0]].out)
        for index in stage:
            _copy_block(source[index + 1], goal[index + 1], kept, out)
            kept = out
    return thin


def _check(full: Plan, plan: Plan) -> None:
    pairs = list(zip(full.blocks, plan.blocks, strict=False))
    same = len(full.blocks) == len(plan.blocks) and all(a[2:] == b[2:] for a, b in pairs)
    if not same or any(b.hidden > a.hidden or b.out > a.out for a, b in pairs) or plan.stem > full.stem:
        raise InputError(
            "a thinned plan has the full one's blocks, strides and kernels, and no more channels"
        )


def _stages(plan: Plan) -> list[list[int]]:
    """Blocks that add to one stream of channels, one list a stream."""
    stages: list[list[int]] = []
    for index, block in enumerate(plan.blocks):
        joins = stages and block.stride == 1 and block.out == plan.blocks[index - 1].out
        if joins:
            stages[-1].append(index)
        else:
            stages.append([index])
    return stages


def _mean_response(norm: nn.BatchNorm2d) -> Tensor:
    """Mean of ``relu(normal(bias, weight))`` a channel."""
    spread = norm.weight.abs() + 1e-6
    z = norm.bias / spread
    density = torch.exp(-(z**2) / 2) / (2 * torch.pi) ** 0.5
    return spread * density + norm.bias * torch.special.ndtr(z)


def _reading(layer: nn.Conv2d) -> Tensor:
    """Norm of the weights that read each channel of the layer's input."""
    weight = layer.weight
    return (
        weight.flatten(1).norm(dim=1) if layer.groups > 1 else weight.transpose(0, 1).flatten(1).norm(dim=1)
    )


def _written(blocks: list[nn.Module]) -> Tensor:
    return torch.stack([_layers(block).norm.weight.abs() for block in blocks]).sum(0)


def _strongest(weights: Tensor, count: int) -> Tensor:
    """Indices of the ``count`` largest, ascending."""
    return weights.topk(count).indices.sort().values


def _copy_block(source: nn.Module, goal: nn.Module, read: Tensor, written: Tensor) -> None:
    full, thin = _layers(source), _layers(goal)
    if full.widen is None or thin.widen is None:
        inside = read
    else:
        strength = _mean_response(full.filter[1]) * _reading(full.narrow)
        inside = _strongest(strength, thin.narrow.in_channels)
        _copy_unit(full.widen, thin.widen, inside, read)
    _copy_unit(full.filter, thin.filter, inside, None)
    thin.narrow.weight.copy_(full.narrow.weight[written][:, inside])
    _copy_norm(full.norm, thin.norm, written)


def _copy_unit(source: nn.Sequential, goal: nn.Sequential, written: Tensor, read: Tensor | None) -> None:
    weight = source[0].weight[written]
    goal[0].weight.copy_(weight if read is None else weight[:, read])
    _copy_norm(source[1], goal[1], written)


def _copy_norm(source: nn.BatchNorm2d, goal: nn.BatchNorm2d, kept: Tensor) -> None:
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(goal, name).copy_(getattr(source, name)[kept])
