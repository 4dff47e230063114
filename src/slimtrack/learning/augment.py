"""Whole batches of training views, sampled from pictures on the device that trains.

A *scene* is an endless plane around a picture: beyond the picture's border it shows another picture (a
backdrop), and over it may lie a piece of a third (a patch: an occlusion or a distractor). Coordinates of a
scene are its picture's pixels. A *window* cuts a view out of a scene; a negative width mirrors it. Any number
of views of any size can be taken of one scene: those of several networks, and a teacher's, show the same.
"""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from slimtrack.learning.data import Objects, Pairs, Pictures

__all__ = ["CALM", "STRONG", "Batch", "Scene", "Strength", "batch", "covered", "render"]


class Strength(NamedTuple):
    """How much to change: shares of pairs, and ranges of what is drawn uniformly.

    Attributes:
        shift: Of the search window against the target, in sides of the target; half of the pairs half of it.
        scale: Natural logarithm of the search window's size.
        aspect: Natural logarithm of the change of shape.
        jitter: Shift (sides) and scale (logarithm) of the template.
        light: Of brightness and contrast (natural logarithm) and, half as much, of each colour.
        blurred: Share of views that are blurred.
        grey: Share of pairs without colours.
        patched: Share of searches over which lies a patch.
        noise: Largest standard deviation of the noise, grey levels.
        mirrored: Share of mirrored pairs.
    """

    shift: float = 1.3
    scale: float = 0.4
    aspect: float = 0.15
    jitter: float = 0.06
    light: float = 0.35
    blurred: float = 0.25
    grey: float = 0.15
    patched: float = 0.6
    noise: float = 8.0
    mirrored: float = 0.5


STRONG = Strength()
"""For training."""
CALM = Strength(0.9, 0.25, 0.08, 0.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0)
"""For validation."""

_MEAN_COLOUR = 0.2
"""Share of scenes that end in their picture's mean colour, as trackers pad at a frame's border."""
_BLUR = 9
"""Side of a blur's kernel in pixels."""


class Scene(NamedTuple):
    """A batch of planes, see the module.

    Attributes:
        picture, backdrop, patch: ``(N,)`` indices of pictures.
        plain: ``(N,)`` bool: mean colour instead of the backdrop.
        to_backdrop, to_patch: ``(N, 4)``: scale and offset in x, then in y, from the scene to the picture.
        patch_area: ``(N, 4)``: where the patch lies: left, top, right, bottom in the scene; empty for none.
        colours: ``(N, 3, 4)``: matrix and offset that change RGB in 0..255.
        kernels: ``(B, 9, 9)``: blur of the first B of the batch.
        noise: ``(N,)``: standard deviation.
    """

    picture: Tensor
    backdrop: Tensor
    patch: Tensor
    plain: Tensor
    to_backdrop: Tensor
    to_patch: Tensor
    patch_area: Tensor
    colours: Tensor
    kernels: Tensor
    noise: Tensor


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

    def box(self, side: int) -> Tensor:
        """The target's left, top, right, bottom in a search view of that side: ``(N, 4)``."""
        return _in_window(self.search_box, self.search_window) * side

    def mask(self, cells: int) -> Tensor:
        """Share of each cell of the template view that the box covers: ``(N, 1, cells, cells)``."""
        return covered(_in_window(self.template_box, self.template_window) * cells, cells)


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
    boxes = objects.box[pairs.template], objects.box[pairs.search]
    mirror = torch.where(dice.happens(strength.mirrored), -1.0, 1.0)
    colours = _colours(dice, strength, dice.happens(strength.grey))
    scenes = [
        _scene(pictures, objects, pairs, index, box, colours, strength, dice, patched=patched)
        for index, box, patched in (
            (pairs.template, boxes[0], 0.0),
            (pairs.search, boxes[1], strength.patched),
        )
    ]
    template = _window(boxes[0], 2.0, _moved(dice, strength.jitter), dice.within(strength.jitter), 0 * mirror)
    far = torch.where(dice.happens(0.5), 1.0, 0.5)[:, None] * _moved(dice, strength.shift)
    search = _window(boxes[1], 4.0, far, dice.within(strength.scale), dice.within(strength.aspect))
    windows = [_mirrored(window, mirror) for window in (template, search)]
    return Batch(scenes[0], scenes[1], windows[0], windows[1], boxes[0], boxes[1], pairs.present)


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


def _scene(
    pictures: Pictures,
    objects: Objects,
    pairs: Pairs,
    index: Tensor,
    box: Tensor,
    colours: Tensor,
    strength: Strength,
    dice: _Dice,
    *,
    patched: float,
) -> Scene:
    patch_box = objects.box[pairs.patch]
    area = _patch_area(box, patch_box, dice, patched)
    return Scene(
        objects.picture[index],
        objects.picture[pairs.backdrop],
        objects.picture[pairs.patch],
        dice.happens(_MEAN_COLOUR),
        _placed(box, objects.box[pairs.backdrop], dice.within(2.0, 2), dice.within(0.4)),
        _fitted(area, patch_box),
        area,
        _combined(_colours(dice, strength._replace(light=strength.light / 2), None), colours),
        _kernels(round(strength.blurred * dice.count), dice),
        dice.between(0, strength.noise) * dice.happens(0.5),
    )


def _placed(box: Tensor, other: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Lays another object beside the box, about as large: ``(N, 4)`` scale and offset in x, in y."""
    step = (other[:, 2:].prod(1) / box[:, 2:].prod(1)).sqrt() * scale.exp()
    side = box[:, 2:].prod(1).sqrt()
    away = shift * side[:, None] + torch.sign(shift) * side[:, None]
    offset = other[:, :2] + other[:, 2:] / 2 - step[:, None] * (box[:, :2] + box[:, 2:] / 2 + away)
    return torch.stack([step, offset[:, 0], step, offset[:, 1]], 1)


def _patch_area(box: Tensor, other: Tensor, dice: _Dice, share: float) -> Tensor:
    """Where a patch of the other object's shape lies: half of them at the target's edge, half anywhere near.

    One that would hide more than half of the target is left out.
    """
    side = box[:, 2:].prod(1).sqrt() * dice.within(0.6).exp()
    shape = (other[:, 2] / other[:, 3]).clamp(0.4, 2.5).sqrt()
    size = torch.stack([side * shape, side / shape], 1)
    away = torch.where(dice.happens(0.5)[:, None], dice.within(0.9, 2), dice.within(2.0, 2))
    centre = box[:, :2] + box[:, 2:] / 2 + away * box[:, 2:]
    low, high = centre - size / 2, centre + size / 2
    common = (torch.minimum(high, box[:, :2] + box[:, 2:]) - torch.maximum(low, box[:, :2])).clamp(min=0)
    kept = dice.happens(share) & (common.prod(1) < 0.5 * box[:, 2:].prod(1))
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
    """What each colour adds to the grey value, a row for each colour that is written."""
    return torch.tensor([0.299, 0.587, 0.114], device=device).expand(3, 3)


def _combined(first: Tensor, second: Tensor) -> Tensor:
    """The change of colours that does one, then the other."""
    matrix = second[:, :, :3] @ first[:, :, :3]
    return torch.cat([matrix, second[:, :, :3] @ first[:, :, 3:] + second[:, :, 3:]], 2)


def _kernels(count: int, dice: _Dice) -> Tensor:
    """Gaussians, long in a random direction: motion and lack of focus. ``(count, 9, 9)``."""
    line = torch.arange(_BLUR, device=dice.device) - _BLUR // 2
    y, x = torch.meshgrid(line, line, indexing="ij")
    angle, along, across = dice.between(0, torch.pi), dice.between(0.4, 3.0), dice.between(0.3, 1.2)
    angle, along, across = (value[:count, None, None] for value in (angle, along, across))
    u, v = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    kernels = torch.exp(-((u / along) ** 2 + (v / across) ** 2) / 2)
    return kernels / kernels.sum((1, 2), keepdim=True)


def render(pictures: Pictures, scene: Scene, window: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """A view of each scene: ``(N, 3, side, side)`` float32, RGB, 0..255."""
    steps = (torch.arange(side, device=window.device) + 0.5) / side
    x = window[:, :1] + window[:, 2:3] * steps
    y = window[:, 1:2] + window[:, 3:] * steps
    sizes = pictures.sizes[scene.picture]
    front = _sampled(pictures, scene.picture, x, y)
    bx, by = _mapped(scene.to_backdrop, x, y)
    behind = _sampled(pictures, scene.backdrop, *_folded(bx, by, pictures.sizes[scene.backdrop]))
    mean = pictures.means[scene.picture][:, :, None, None]
    behind = torch.where(scene.plain[:, None, None, None], mean, behind)
    inside = _between(x, y, torch.cat([torch.zeros_like(sizes), sizes], 1))
    view = torch.where(inside, front, behind)
    over = _sampled(pictures, scene.patch, *_mapped(scene.to_patch, x, y))
    view = torch.where(_between(x, y, scene.patch_area), over, view)
    return _finished(view, scene, generator)


def _finished(view: Tensor, scene: Scene, generator: torch.Generator) -> Tensor:
    """Colours, blur and noise."""
    n, _, side, _ = view.shape
    view = torch.baddbmm(scene.colours[:, :, 3:], scene.colours[:, :, :3], view.flatten(2))
    view = view.reshape(n, 3, side, side)
    count = len(scene.kernels)
    if count:
        kernels = scene.kernels.repeat_interleave(3, 0)[:, None]
        blurred = view[:count].reshape(1, 3 * count, side, side)
        blurred = functional.conv2d(blurred, kernels, padding=_BLUR // 2, groups=3 * count)
        view = torch.cat([blurred.reshape(count, 3, side, side), view[count:]])
    grain = torch.randn(view.shape, device=view.device, generator=generator)
    return (view + grain * scene.noise[:, None, None, None]).clamp(0, 255)


def _mapped(to: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return to[:, :1] * x + to[:, 1:2], to[:, 2:3] * y + to[:, 3:]


def _folded(x: Tensor, y: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates mirrored at a picture's borders, as often as it takes."""
    folded = []
    for values, size in ((x, sizes[:, :1]), (y, sizes[:, 1:])):
        remainder = torch.remainder(values, 2 * size)
        folded.append(torch.minimum(remainder, 2 * size - remainder))
    return folded[0], folded[1]


def _between(x: Tensor, y: Tensor, area: Tensor) -> Tensor:
    """Whether points lie in the areas: ``(N, 1, side, side)`` bool."""
    across = (x >= area[:, :1]) & (x < area[:, 2:3])
    down = (y >= area[:, 1:2]) & (y < area[:, 3:])
    return (down[:, :, None] & across[:, None, :])[:, None]


def _sampled(pictures: Pictures, index: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Bilinear samples at columns ``x`` and rows ``y`` (N, side) of pictures; clamped to their borders."""
    sizes = pictures.sizes[index]
    x = torch.minimum(x.clamp(min=0.5), sizes[:, :1] - 0.5)
    y = torch.minimum(y.clamp(min=0.5), sizes[:, 1:] - 0.5)
    side = pictures.pixels.shape[-1]
    shape = len(index), y.shape[1], x.shape[1]
    grid = torch.stack([x[:, None, :].expand(shape), y[:, :, None].expand(shape)], 3) * (2 / side) - 1
    return functional.grid_sample(pictures.pixels[index].float(), grid, align_corners=False)
