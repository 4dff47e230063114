"""Scenes, and views of them.

A *scene* is an endless plane around a picture: beyond the picture's border it shows another picture (a
backdrop), and over it may lie a piece of a third (a patch: an occlusion or a distractor). Coordinates of a
scene are its picture's pixels, up to a warp that bends the picture alone. A *window* cuts a view out of a
scene; a negative width mirrors it. Any number of views of any size can be taken of one scene, so that
several networks, or a student and its teacher, see the same.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from slimtrack.learning.data import Pictures
from slimtrack.learning.warp import Warp, seen

__all__ = ["BLUR", "Scene", "render"]

BLUR = 15
"""Side of a blur's kernel in pixels."""


class Scene(NamedTuple):
    """A batch of scenes (see above).

    Attributes:
        picture, backdrop, patch: ``(N,)`` indices of pictures.
        plain: ``(N,)`` bool: mean colour instead of the backdrop.
        to_backdrop, to_patch: ``(N, 4)``: scale and offset in x, then in y, from the scene to the picture.
        patch_area: ``(N, 4)``: where the patch lies: left, top, right, bottom in the scene; empty for none.
        roundness: ``(N,)``: exponent of the patch's border; 2 is an ellipse, a large one nearly a rectangle.
        colours: ``(N, 3, 4)``: matrix and offset that change RGB in 0..255.
        kernels: ``(B, 15, 15)``: blur of the first B of the batch.
        noise: ``(N,)``: standard deviation.
        warp: How the picture is bent; backdrop and patch are not.
    """

    picture: Tensor
    backdrop: Tensor
    patch: Tensor
    plain: Tensor
    to_backdrop: Tensor
    to_patch: Tensor
    patch_area: Tensor
    roundness: Tensor
    colours: Tensor
    kernels: Tensor
    noise: Tensor
    warp: Warp


def render(pictures: Pictures, scene: Scene, window: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """A view of each scene: ``(N, 3, side, side)`` float32, RGB, 0..255."""
    x, y = _grid(window, side)
    sizes = pictures.sizes[scene.picture]
    px, py = seen(scene.warp, x, y)
    front = _sampled(pictures, scene.picture, px, py)
    bx, by = _mapped(scene.to_backdrop, x, y)
    behind = _sampled(pictures, scene.backdrop, *_folded(bx, by, pictures.sizes[scene.backdrop]))
    mean = pictures.means[scene.picture][:, :, None, None]
    behind = torch.where(scene.plain[:, None, None, None], mean, behind)
    view = torch.where(_within(px, py, sizes)[:, None], front, behind)
    over = _sampled(pictures, scene.patch, *_mapped(scene.to_patch, x, y))
    view = torch.where(_under(x, y, scene.patch_area, scene.roundness)[:, None], over, view)
    return _finished(view, scene, generator)


def _grid(window: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Places of a view's pixels in the scene: x and y, each ``(N, side, side)``."""
    steps = (torch.arange(side, device=window.device) + 0.5) / side
    x = window[:, :1] + window[:, 2:3] * steps
    y = window[:, 1:2] + window[:, 3:] * steps
    shape = len(window), side, side
    return x[:, None, :].expand(shape), y[:, :, None].expand(shape)


def _finished(view: Tensor, scene: Scene, generator: torch.Generator) -> Tensor:
    """The views after the change of colours, blur and noise."""
    n, _, side, _ = view.shape
    view = torch.baddbmm(scene.colours[:, :, 3:], scene.colours[:, :, :3], view.flatten(2))
    view = view.reshape(n, 3, side, side)
    count = len(scene.kernels)
    if count:
        view = torch.cat([_blurred(view[:count], scene.kernels), view[count:]])
    grain = torch.randn(view.shape, device=view.device, generator=generator)
    return (view + grain * scene.noise[:, None, None, None]).clamp(0, 255)


def _blurred(view: Tensor, kernels: Tensor) -> Tensor:
    """Each image correlated with its kernel, 0 outside; by Fourier transforms, as wide kernels are slow."""
    side = view.shape[-1]
    wide = (side + BLUR - 1,) * 2
    spectra = torch.fft.rfft2(kernels.flip(1, 2), s=wide)[:, None] * torch.fft.rfft2(view, s=wide)
    edge = BLUR // 2
    return torch.fft.irfft2(spectra, s=wide)[..., edge : edge + side, edge : edge + side]


def _mapped(to: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    a, b, c, d = (value[:, None, None] for value in to.unbind(1))
    return a * x + b, c * y + d


def _folded(x: Tensor, y: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates mirrored at a picture's borders, as often as it takes."""
    folded = []
    for values, size in zip((x, y), sizes[:, :, None, None].unbind(1), strict=True):
        remainder = torch.remainder(values, 2 * size)
        folded.append(torch.minimum(remainder, 2 * size - remainder))
    return folded[0], folded[1]


def _within(x: Tensor, y: Tensor, sizes: Tensor) -> Tensor:
    """Whether places lie in pictures of these sizes."""
    width, height = sizes[:, :, None, None].unbind(1)
    return (x >= 0) & (x < width) & (y >= 0) & (y < height)


def _under(x: Tensor, y: Tensor, area: Tensor, roundness: Tensor) -> Tensor:
    """Whether places lie under a patch with rounded corners."""
    left, top, right, bottom = area[:, :, None, None].unbind(1)
    across = (2 * x - left - right).abs() / (right - left).clamp(min=1e-3)
    down = (2 * y - top - bottom).abs() / (bottom - top).clamp(min=1e-3)
    power = roundness[:, None, None]
    return (across.clamp(max=2) ** power + down.clamp(max=2) ** power < 1) & (right > left)


def _sampled(pictures: Pictures, index: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Bilinear samples at places ``(N, side, side)`` of pictures; clamped to their borders."""
    width, height = pictures.sizes[index][:, :, None, None].unbind(1)
    x = torch.minimum(x.clamp(min=0.5), width - 0.5)
    y = torch.minimum(y.clamp(min=0.5), height - 0.5)
    grid = torch.stack([x, y], 3) * (2 / pictures.pixels.shape[-1]) - 1
    return functional.grid_sample(pictures.pixels[index].float(), grid, align_corners=False)
