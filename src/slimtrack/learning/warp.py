"""Smooth warps that turn, shear and bend objects, and the box around a warped object.

A warp maps each point of a plane to the point of the picture that is seen there. First waves displace the
point, then a matrix turns, shears and stretches about the object's centre, with a tilt as in perspective.
"""

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Bend", "Warp", "outline", "seen", "straight"]


class Bend(NamedTuple):
    """How much objects are warped.

    Attributes:
        share: Share of pairs whose object is warped between template and search.
        turn: Radians.
        shear: Of a side, along the other.
        stretch: Natural logarithm of the change of shape.
        tilt: Change of scale from the object's centre to half a side from it.
        waves: Steepest slope of a wave, in pixels per pixel.
    """

    share: float = 0.6
    turn: float = 0.6
    shear: float = 0.2
    stretch: float = 0.25
    tilt: float = 0.12
    waves: float = 0.22


class Warp(NamedTuple):
    """From a plane to a picture.

    Attributes:
        centre: ``(N, 2)``: of the object, the same place in both up to the waves.
        matrix: ``(N, 2, 2)``.
        tilt: ``(N, 2)``: relative change of scale per pixel, in x and y.
        waves: ``(N, K, 5)``: frequency in x and y, phase, height in x and y.
    """

    centre: Tensor
    matrix: Tensor
    tilt: Tensor
    waves: Tensor


_WAVES = 3
_ROUNDS = 6
"""Steps of the inversion of the waves, each of which lessens the error to 2/3 at most."""
_POINTS = 48
_ROUNDNESS = 3.0
"""An object is taken to fill its box up to a curve between an ellipse (2) and the box itself."""


def drawn(box: Tensor, bend: Bend, generator: torch.Generator) -> Warp:
    """Random warps of objects in boxes x, y, w, h ``(N, 4)``."""
    count, device = len(box), box.device

    def within(*shape: int) -> Tensor:
        return 2 * torch.rand(count, *shape, device=device, generator=generator) - 1

    changed = (within() < 2 * bend.share - 1).float()[:, None]
    side = box[:, 2:].prod(1, keepdim=True).sqrt()
    turn, shear, stretch = (changed * within(3) * _numbers((bend.turn, bend.shear, bend.stretch), device)).T
    matrix = _matrix(turn, shear, stretch)
    length = side * (1.8 * within(_WAVES)).exp().clamp(1.2, 4.0)
    direction = math.pi * within(_WAVES)
    frequency = 2 * math.pi / length
    height = changed * within(_WAVES) * bend.waves / frequency
    push = math.pi * within(_WAVES)
    waves = torch.stack(
        [
            frequency * direction.cos(),
            frequency * direction.sin(),
            math.pi * within(_WAVES),
            height * push.cos(),
            height * push.sin(),
        ],
        2,
    )
    tilt = changed * within(2) * bend.tilt * 2 / side
    return Warp(box[:, :2] + box[:, 2:] / 2, matrix, tilt, waves)


def straight(box: Tensor) -> Warp:
    """Warps that change nothing."""
    still = Bend(*([0.0] * len(Bend._fields)))
    return drawn(box, still, torch.Generator(box.device))


@cache
def _numbers(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Cached, because a copy to a GPU makes it wait."""
    return torch.tensor(values, device=device)


def _matrix(turn: Tensor, shear: Tensor, stretch: Tensor) -> Tensor:
    """The matrix that stretches, then shears, then turns: ``(N, 2, 2)``."""
    cos, sin, wide, narrow = turn.cos(), turn.sin(), stretch.exp(), (-stretch).exp()
    rows = [cos * wide, (cos * shear - sin) * narrow, sin * wide, (sin * shear + cos) * narrow]
    return torch.stack(rows, 1).reshape(-1, 2, 2)


def seen(warp: Warp, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Places of the picture seen at places of the plane, each ``(N, ...)``."""
    shape = len(x), *([1] * (x.ndim - 1))
    cx, cy = (value.reshape(shape) for value in warp.centre.unbind(1))
    u, v = _pushed(warp, x - cx, y - cy)
    tx, ty = (value.reshape(shape) for value in warp.tilt.unbind(1))
    depth = (1 + tx * u + ty * v).clamp(min=0.4)
    a, b, c, d = (value.reshape(shape) for value in warp.matrix.flatten(1).unbind(1))
    return (a * u + b * v) / depth + cx, (c * u + d * v) / depth + cy


def _pushed(warp: Warp, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    shape = len(u), *([1] * (u.ndim - 1))
    x, y = u, v
    for wave in warp.waves.unbind(1):
        fx, fy, phase, hx, hy = (value.reshape(shape) for value in wave.unbind(1))
        rise = torch.sin(fx * u + fy * v + phase)
        x, y = x + hx * rise, y + hy * rise
    return x, y


def outline(warp: Warp, box: Tensor) -> Tensor:
    """The box x, y, w, h in the plane around an object that has this box in the picture: ``(N, 4)``."""
    curve = _curve(box.device)
    points = (curve * box[:, None, 2:] / 2).transpose(1, 2)
    points = points + (box[:, :2] + box[:, 2:] / 2 - warp.centre)[:, :, None]
    flat = _inverted(warp.matrix) @ points
    flat = flat / (1 - (warp.tilt[:, None] @ flat)).clamp(min=0.4)
    u, v = flat.unbind(1)
    goal_u, goal_v = u, v
    for _ in range(_ROUNDS):
        x, y = _pushed(warp, u, v)
        u, v = u + goal_u - x, v + goal_v - y
    low = torch.stack([u.amin(1), v.amin(1)], 1)
    high = torch.stack([u.amax(1), v.amax(1)], 1)
    return torch.cat([low + warp.centre, high - low], 1)


def _inverted(matrix: Tensor) -> Tensor:
    a, b, c, d = matrix.flatten(1).unbind(1)
    return torch.stack([d, -b, -c, a], 1).reshape(-1, 2, 2) / (a * d - b * c)[:, None, None]


@cache
def _curve(device: torch.device) -> Tensor:
    """Places on the rounded border of a box from -1 to 1: ``(P, 2)``."""
    angle = torch.arange(_POINTS, device=device) * (2 * math.pi / _POINTS)
    way = torch.stack([angle.cos(), angle.sin()], 1)
    return way / way.abs().pow(_ROUNDNESS).sum(1, keepdim=True).pow(1 / _ROUNDNESS)
