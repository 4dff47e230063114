"""The correlation tracking loss: a network is judged by the filter that its own features give (paper 002).

A correlation filter is solved in closed form on the features of a template patch and applied to those of a
search patch; the loss is how far the response is from a Gaussian on the target. All of it is differentiable,
through the solution as well.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["correlation_filter", "gaussian_label", "response", "tracking_loss"]


def correlation_filter(
    template: Tensor, label: Tensor, ridge: float, context: Sequence[Tensor] = (), suppression: float = 0.0
) -> Tensor:
    """The spectrum of the filter that answers a template with the label (paper 002, equations 2 and 9).

    Per frequency, channel d: ``conj(y) x_d / (sum_k |x_k|^2 + ridge + suppression sum_i sum_k |c_ik|^2)``.

    Args:
        template: ``(N, C, h, w)`` features of the target's patch.
        label: ``(h, w)`` response to answer with; its peak is at (0, 0) for a target in the middle.
        ridge: Weight of the filter's own energy.
        context: Features of patches beside the target, shaped as the template, to be answered with zero.
        suppression: Weight of the context.

    Returns:
        ``(N, C, h, w // 2 + 1)`` complex.
    """
    spectrum = torch.fft.rfft2(template)
    energy = _energy(spectrum) + ridge
    for patch in context:
        energy = energy + suppression * _energy(torch.fft.rfft2(patch))
    return torch.fft.rfft2(label).conj() * spectrum / energy


def response(weights: Tensor, search: Tensor) -> Tensor:
    """What a filter answers to search features ``(N, C, h, w)``: ``(N, h, w)`` (paper 002, equation 6)."""
    answered = (weights.conj() * torch.fft.rfft2(search)).sum(1)
    return torch.fft.irfft2(answered, s=search.shape[-2:])


def tracking_loss(
    template: Tensor,
    search: Tensor,
    shift: Tensor,
    *,
    width: float = 0.1,
    ridge: float = 1e-4,
    context: Sequence[Tensor] = (),
    suppression: float = 0.0,
    present: Tensor | None = None,
) -> Tensor:
    """How far the response is from a Gaussian on the target (paper 002, equations 6 and 10).

    Squared differences are summed over cells and averaged over samples.

    Args:
        template: ``(N, C, h, w)`` features around the target, which is in the middle.
        search: ``(N, C, h, w)`` features of the later patch.
        shift: ``(N, 2)`` cells (x, y) by which the target is off the middle of the search patch.
        width: Standard deviation of the Gaussian over the map's mean side.
        ridge: Weight of the filter's own energy.
        context: Features of patches beside the target, to be answered with zero.
        suppression: Weight of the context.
        present: ``(N,)`` bool: searches that do not show the target are to be answered with zero.
    """
    height, wide = template.shape[-2:]
    sigma = width * (height * wide) ** 0.5
    label = gaussian_label(template.new_zeros(1, 2), height, wide, sigma)[0]
    weights = correlation_filter(template, label, ridge, context, suppression)
    goal = gaussian_label(shift, height, wide, sigma)
    if present is not None:
        goal = goal * present[:, None, None]
    return (response(weights, search) - goal).square().sum((1, 2)).mean()


def gaussian_label(shift: Tensor, height: int, width: int, sigma: float) -> Tensor:
    """Gaussians around shifts ``(N, 2)`` (x, y) on a map that wraps around: ``(N, height, width)``."""
    across = _wrapped(shift[:, 0], width)
    down = _wrapped(shift[:, 1], height)
    return torch.exp(-(across[:, None, :].square() + down[:, :, None].square()) / (2 * sigma**2))


def _wrapped(shift: Tensor, cells: int) -> Tensor:
    """Distance of every cell from the shift, the shorter way round: ``(N, cells)``."""
    line = torch.arange(cells, device=shift.device, dtype=shift.dtype) - shift[:, None]
    return torch.remainder(line + cells / 2, cells) - cells / 2


def _energy(spectrum: Tensor) -> Tensor:
    return spectrum.abs().square().sum(1, keepdim=True)
