"""Plain numpy operators, float64, written for the eye: what networks are compared with."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def conv(
    x: Array,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    stride: int = 1,
    pads: tuple[int, int, int, int] | int = 0,
    groups: int = 1,
) -> Array:
    """``(C, H, W)`` with filters ``(O, C / groups, kh, kw)``; pads top, left, bottom, right."""
    w = np.asarray(weight, np.float64)
    windows = _windows(_padded(x, pads, 0.0), w.shape[2:], stride)
    parts = [
        np.einsum("chwkl,ockl->ohw", channels, filters)
        for channels, filters in zip(np.split(windows, groups), np.split(w, groups), strict=True)
    ]
    out = np.concatenate(parts)
    return out if bias is None else out + np.asarray(bias, np.float64)[:, None, None]


def max_pool(
    x: Array, kernel: int, stride: int, pads: tuple[int, int, int, int] | int = 0, ceil: bool = False
) -> Array:
    if ceil:
        missing = [-(n - kernel) % stride for n in x.shape[1:]]
        pads = (0, 0, missing[0], missing[1])
    return np.asarray(_windows(_padded(x, pads, -np.inf), (kernel, kernel), stride).max((-2, -1)))


def lrn(x: Array, size: int, bias: float, alpha: float, beta: float) -> Array:
    """``alpha`` multiplies the plain sum of squares."""
    low, high = (size - 1) // 2, size // 2
    sums = np.stack([(x[max(c - low, 0) : c + high + 1] ** 2).sum(0) for c in range(len(x))])
    return np.asarray(x / (bias + alpha * sums) ** beta)


def batch_norm(x: Array, scale: Array, shift: Array, mean: Array, variance: Array) -> Array:
    factor = scale / np.sqrt(variance + 1e-5)
    return np.asarray((x - mean[:, None, None]) * factor[:, None, None] + shift[:, None, None])


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def _padded(x: Array, pads: tuple[int, int, int, int] | int, value: float) -> Array:
    top, left, bottom, right = (pads,) * 4 if isinstance(pads, int) else pads
    return np.pad(x, ((0, 0), (top, bottom), (left, right)), constant_values=value)


def _windows(x: Array, kernel: tuple[int, ...], stride: int) -> Array:
    views = np.lib.stride_tricks.sliding_window_view(x, kernel, (1, 2))
    return np.asarray(views[:, ::stride, ::stride])


def close(ours: npt.ArrayLike, theirs: npt.ArrayLike, tolerance: float) -> bool:
    """Whether the largest difference is below ``tolerance`` times the largest value."""
    a, b = np.asarray(ours), np.asarray(theirs)
    return a.shape == b.shape and float(abs(a - b).max()) <= tolerance * max(float(abs(b).max()), 1e-12)
