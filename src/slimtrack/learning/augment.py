"""Draws the scenes and windows of whole batches of training pairs (`scenes.py` renders them)."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from slimtrack.learning import warp as warping
from slimtrack.learning.data import Objects, Pairs, Pictures
from slimtrack.learning.scenes import BLUR, Scene
from slimtrack.learning.warp import Bend, Warp

__all__ = ["CALM", "SEARCH", "STRONG", "TEMPLATE", "Batch", "Strength", "batch", "covered"]


class Strength(NamedTuple):
    """How much to change: shares of pairs, and ranges of what is drawn uniformly.

    Attributes:
        shift: Largest shift of the search window, in sides of the target; half of that for half of the pairs.
        scale: Natural logarithm of the search window's size.
        aspect: Natural logarithm of the change of shape.
        jitter: Shift (sides) and scale (logarithm) of the template.
        light: Change of brightness and contrast (natural logarithm); half as much for each colour.
        blurred: Share of views that are blurred.
        grey: Share of pairs without colours.
        patched: Share of searches with a patch over them.
        noise: Largest standard deviation of the noise, grey levels.
        mirrored: Share of mirrored pairs.
        hidden: Share of searches in which a patch lies over the whole target: it is absent.
        bend: How objects turn and bend between template and search.
    """

    shift: float = 1.3
    scale: float = 0.4
    aspect: float = 0.15
    jitter: float = 0.06
    light: float = 0.35
    blurred: float = 0.35
    grey: float = 0.15
    patched: float = 0.7
    noise: float = 8.0
    mirrored: float = 0.5
    hidden: float = 0.04
    bend: Bend = Bend()


STRONG = Strength()
"""For training."""
CALM = Strength(0.9, 0.25, 0.08, 0.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, Bend(share=0.0))
"""For validation."""

TEMPLATE, SEARCH = 2.0, 4.0
"""Sides of the windows of a batch in sides of the target."""

_MEAN_COLOUR = 0.2
"""Share of scenes that end in their picture's mean colour, as trackers pad at a frame's border."""
_HIDING = 1.35
"""Sides of a patch over a hidden target, in sides of the target: large enough for its rounded corners."""


class Batch(NamedTuple):
    """Pairs ready to be rendered.

    Attributes:
        template, search: The scenes.
        template_window, search_window: ``(N, 4)``: x, y, w, h in the scenes; w < 0 mirrors.
        template_box, search_box: ``(N, 4)``: the object's x, y, w, h in the scenes' pixels.
        present: ``(N,)`` bool: the search shows the template's object.
    """

    template: Scene
    search: Scene
    template_window: Tensor
    search_window: Tensor
    template_box: Tensor
    search_box: Tensor
    present: Tensor

    def box(self, side: int, extent: float = SEARCH) -> Tensor:
        """The target's left, top, right, bottom in a search view of that side and extent: ``(N, 4)``."""
        return _wider(_in_window(self.search_box, self.search_window), extent / SEARCH) * side

    def template_corners(self, side: int, extent: float = TEMPLATE) -> Tensor:
        """The target's left, top, right, bottom in a template view of that side and extent: ``(N, 4)``."""
        return _wider(_in_window(self.template_box, self.template_window), extent / TEMPLATE) * side

    def mask(self, cells: int) -> Tensor:
        """Share of each cell of the template view that the box covers: ``(N, 1, cells, cells)``."""
        return covered(self.template_corners(cells), cells)


def _wider(corners: Tensor, factor: float) -> Tensor:
    """Corners as fractions of a window with the same centre that is ``factor`` times as large."""
    return 0.5 + (corners - 0.5) / factor


def covered(corners: Tensor, cells: int) -> Tensor:
    """Share of each unit cell of a square grid that a box covers: ``(N, 4)`` to ``(N, 1, cells, cells)``."""
    edges = torch.arange(cells, device=corners.device, dtype=corners.dtype)
    left, top, right, bottom = corners[:, :, None].unbind(1)
    across = (torch.minimum(right, edges + 1) - torch.maximum(left, edges)).clamp(min=0)
    down = (torch.minimum(bottom, edges + 1) - torch.maximum(top, edges)).clamp(min=0)
    return (down[:, :, None] * across[:, None, :])[:, None]


def _in_window(box: Tensor, window: Tensor) -> Tensor:
    """Left, top, right, bottom of boxes in fractions of their windows."""
    x, y, w, h = window.unbind(1)
    ends = (box[:, 0] - x) / w, (box[:, 0] + box[:, 2] - x) / w
    top, bottom = (box[:, 1] - y) / h, (box[:, 1] + box[:, 3] - y) / h
    return torch.stack([torch.minimum(*ends), top, torch.maximum(*ends), bottom], 1)


class _Dice:
    """Uniform random numbers on a device, for ``count`` samples at a time."""

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self.count, self.generator, self.device = count, generator, generator.device

    def between(self, low: float, high: float, *shape: int) -> Tensor:
        """``(count, *shape)`` numbers."""
        draw = torch.rand(self.count, *shape, device=self.device, generator=self.generator)
        return low + (high - low) * draw

    def within(self, reach: float, *shape: int) -> Tensor:
        """``(count, *shape)`` numbers between ``-reach`` and ``reach``."""
        return self.between(-reach, reach, *shape)

    def happens(self, share: float) -> Tensor:
        """``(count,)`` bool, true for that share."""
        return self.between(0, 1) < share


def batch(
    pictures: Pictures, objects: Objects, pairs: Pairs, strength: Strength, generator: torch.Generator
) -> Batch:
    """Draws scenes and windows for pairs."""
    dice = _Dice(len(pairs.template), generator)
    first, second = objects.box[pairs.template], objects.box[pairs.search]
    bent = warping.drawn(second, strength.bend, generator)
    second = warping.outline(bent, second)
    mirror = torch.where(dice.happens(strength.mirrored), -1.0, 1.0)
    colours = _colours(dice, strength, dice.happens(strength.grey))
    hidden = dice.happens(strength.hidden)
    calm = strength._replace(patched=0.0)
    still = warping.straight(first)
    draw = _Draw(pictures, objects, pairs, colours, dice)
    template = draw.scene(pairs.template, first, still, calm, torch.zeros_like(hidden))
    search = draw.scene(pairs.search, second, bent, strength, hidden)
    near = _window(first, TEMPLATE, _moved(dice, strength.jitter), dice.within(strength.jitter), 0 * mirror)
    far = torch.where(dice.happens(0.5), 1.0, 0.5)[:, None] * _moved(dice, strength.shift)
    wide = _window(second, SEARCH, far, dice.within(strength.scale), dice.within(strength.aspect))
    windows = [_mirrored(window, mirror) for window in (near, wide)]
    return Batch(template, search, windows[0], windows[1], first, second, pairs.present & ~hidden)


def _moved(dice: _Dice, reach: float) -> Tensor:
    return dice.within(reach, 2)


def _window(box: Tensor, factor: float, shift: Tensor, scale: Tensor, aspect: Tensor) -> Tensor:
    """A window of ``factor`` times the target's side, moved by ``shift`` of its own scale's sides."""
    side = (box[:, 2] * box[:, 3]).sqrt() * scale.exp()
    extent = torch.stack([side * aspect.exp(), side / aspect.exp()], 1)
    centre = box[:, :2] + box[:, 2:] / 2 + shift * extent
    return torch.cat([centre - factor * extent / 2, factor * extent], 1)


def _mirrored(window: Tensor, mirror: Tensor) -> Tensor:
    x, y, w, h = window.unbind(1)
    return torch.stack([torch.where(mirror < 0, x + w, x), y, w * mirror, h], 1)


class _Draw(NamedTuple):
    """What the scenes of a batch are drawn from."""

    pictures: Pictures
    objects: Objects
    pairs: Pairs
    colours: Tensor
    dice: _Dice

    def scene(self, index: Tensor, box: Tensor, warp: Warp, strength: Strength, hidden: Tensor) -> Scene:
        """Scenes of objects that have these boxes after the warp."""
        objects, pairs, dice = self.objects, self.pairs, self.dice
        patch_box = objects.box[pairs.patch]
        area = _patch_area(box, patch_box, dice, strength.patched, hidden)
        softer = _colours(dice, strength._replace(light=strength.light / 2), None)
        return Scene(
            objects.picture[index],
            objects.picture[pairs.backdrop],
            objects.picture[pairs.patch],
            dice.happens(_MEAN_COLOUR),
            _placed(box, objects.box[pairs.backdrop], dice.within(2.0, 2), dice.within(0.4)),
            _fitted(area, patch_box),
            area,
            torch.where(dice.happens(0.5), 2.5, 12.0),
            _combined(softer, self.colours),
            _kernels(round(strength.blurred * dice.count), dice),
            dice.between(0, strength.noise) * dice.happens(0.5),
            warp,
        )


def _placed(box: Tensor, other: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Lays another object beside the box, about as large: ``(N, 4)`` scale and offset in x, in y."""
    step = (other[:, 2:].prod(1) / box[:, 2:].prod(1)).sqrt() * scale.exp()
    side = box[:, 2:].prod(1).sqrt()
    away = shift * side[:, None] + torch.sign(shift) * side[:, None]
    offset = other[:, :2] + other[:, 2:] / 2 - step[:, None] * (box[:, :2] + box[:, 2:] / 2 + away)
    return torch.stack([step, offset[:, 0], step, offset[:, 1]], 1)


def _patch_area(box: Tensor, other: Tensor, dice: _Dice, share: float, hidden: Tensor) -> Tensor:
    """Where a patch of the other object's shape lies: half of them at the target's edge, half anywhere near.

    One that would hide more than half of the target is left out; those of ``hidden`` targets lie over it.
    """
    side = box[:, 2:].prod(1).sqrt() * dice.within(0.6).exp()
    shape = (other[:, 2] / other[:, 3]).clamp(0.4, 2.5).sqrt()
    size = torch.stack([side * shape, side / shape], 1)
    away = torch.where(dice.happens(0.5)[:, None], dice.within(0.9, 2), dice.within(2.0, 2))
    size = torch.where(hidden[:, None], _HIDING * box[:, 2:], size)
    centre = box[:, :2] + box[:, 2:] / 2 + away * box[:, 2:] * ~hidden[:, None]
    low, high = centre - size / 2, centre + size / 2
    common = (torch.minimum(high, box[:, :2] + box[:, 2:]) - torch.maximum(low, box[:, :2])).clamp(min=0)
    kept = dice.happens(share) & (common.prod(1) < 0.5 * box[:, 2:].prod(1)) | hidden
    return torch.cat([low, torch.where(kept[:, None], high, low)], 1)


def _fitted(area: Tensor, box: Tensor) -> Tensor:
    """Maps an area of the scene onto the box: ``(N, 4)`` scale and offset in x, in y."""
    step = box[:, 2:] / (area[:, 2:] - area[:, :2]).clamp(min=1.0)
    offset = box[:, :2] - step * area[:, :2]
    return torch.stack([step[:, 0], offset[:, 0], step[:, 1], offset[:, 1]], 1)


def _colours(dice: _Dice, strength: Strength, grey: Tensor | None) -> Tensor:
    """Random matrices and offsets for RGB, ``(N, 3, 4)``."""
    gain = (dice.within(strength.light, 1) + dice.within(strength.light / 2, 3)).exp()
    saturation = dice.within(2 * strength.light).exp().clamp(max=1.6)
    if grey is not None:
        saturation = torch.where(grey, 0.0, saturation)
    luma = _luma(dice.device)
    mixed = luma + saturation[:, None, None] * (torch.eye(3, device=dice.device) - luma)
    contrast = dice.within(strength.light).exp()
    matrix = mixed * (gain * contrast[:, None])[:, :, None]
    offset = 120 * (1 - contrast)[:, None].expand(-1, 3)
    return torch.cat([matrix, offset[:, :, None]], 2)


@cache
def _luma(device: torch.device) -> Tensor:
    """Weights of the colours in the grey value, repeated in three rows: ``(3, 3)``."""
    return torch.tensor([0.299, 0.587, 0.114], device=device).expand(3, 3)


def _combined(first: Tensor, second: Tensor) -> Tensor:
    """The change of colours that applies ``first`` and then ``second``."""
    matrix = second[:, :, :3] @ first[:, :, :3]
    return torch.cat([matrix, second[:, :, :3] @ first[:, :, 3:] + second[:, :, 3:]], 2)


def _kernels(count: int, dice: _Dice) -> Tensor:
    """Gaussians stretched in a random direction, for motion blur and lack of focus: ``(count, 15, 15)``."""
    line = torch.arange(BLUR, device=dice.device) - BLUR // 2
    y, x = torch.meshgrid(line, line, indexing="ij")
    angle, along, across = dice.between(0, torch.pi), dice.between(0.4, 4.5), dice.between(0.3, 1.2)
    angle, along, across = (value[:count, None, None] for value in (angle, along, across))
    u, v = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    kernels = torch.exp(-((u / along) ** 2 + (v / across) ** 2) / 2)
    return kernels / kernels.sum((1, 2), keepdim=True)
