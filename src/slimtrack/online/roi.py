"""Precise RoI pooling: the exact mean of a bilinear surface over every bin of a box.

The surface between the cells of a feature map is a sum of hat functions, one a cell, and a hat function is a
product of one along x and one along y. Its integral over a rectangle is therefore a product of two
one-dimensional integrals that have a closed form, and pooling is two matrix products. The same lines serve
numpy arrays and torch tensors; with torch, gradients flow to the features and to the boxes.
"""

from typing import Any

import numpy as np

__all__ = ["precise_roi_pool"]

_LEAST = 1e-6
"""Bins are at least this wide, in cells, so that an empty box has a finite mean."""


def precise_roi_pool(features: Any, boxes: Any, size: int) -> Any:
    """Pools boxes into ``size`` by ``size`` bins (Jiang et al., ECCV 2018, equation 4; paper 003, 3.6).

    Outside the map the surface falls to zero within one cell, as in the paper.

    Args:
        features: ``(N, C, H, W)`` numpy array or torch tensor.
        boxes: ``(N, K, 4)``: left, top, right, bottom of K boxes in each map, in cells; the centre of the
            first cell is (0, 0).
        size: Bins along each side.

    Returns:
        ``(N, K, C, size, size)``: the mean of the surface over each bin, of the type of `features`.
    """
    n, channels, height, width = features.shape
    count = boxes.shape[1]
    across = _weights(boxes[..., 0], boxes[..., 2], width, size).reshape(n, count * size, width)
    down = _weights(boxes[..., 1], boxes[..., 3], height, size)
    rows = features.reshape(n, channels * height, width) @ across.swapaxes(1, 2)
    rows = rows.reshape(n, channels, height, count, size).swapaxes(1, 3)
    pooled = down @ rows.reshape(n, count, height, channels * size)
    return pooled.reshape(n, count, size, channels, size).swapaxes(2, 3)


def _weights(start: Any, end: Any, cells: int, size: int) -> Any:
    """``(N, K, size, cells)``: the share of every cell in the mean over each bin between start and end."""
    width = ((end - start) / size).clip(min=_LEAST)
    edges = start[..., None] + width[..., None] * _count(start, size + 1)
    areas = _hat_integral(edges[..., None] - _count(start, cells))
    return (areas[..., 1:, :] - areas[..., :-1, :]) / width[..., None, None]


def _hat_integral(x: Any) -> Any:
    """Integral of the hat function max(0, 1 - abs(t)) from minus infinity to x."""
    x = x.clip(min=-1, max=1)
    return 0.5 + x - x * abs(x) / 2


def _count(like: Any, n: int) -> Any:
    """0, 1, .. n - 1 in the number type, and on the device, of an array."""
    return np.arange(n, dtype=like.dtype) if isinstance(like, np.ndarray) else like.new_tensor(range(n))
