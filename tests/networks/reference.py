"""Plain numpy operators, float64, written for the eye: what networks are compared with."""

import numpy as np
import numpy.typing as npt

from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.network import Network

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


def weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Filters that keep the size of what goes through them."""
    fan = int(np.prod(shape[1:])) if len(shape) > 1 else 4
    return (rng.normal(size=shape) / np.sqrt(fan)).astype(np.float32)


def small_network() -> Network:
    """All there is in one small network: stride, pools, LRN, branches, a sum, depthwise, BN, groups."""
    rng = np.random.default_rng(3)
    b = Builder()
    b.conv("conv1", weights(rng, 8, 3, 5, 5), weights(rng, 8), stride=2, pads=0)
    b.relu("relu1")
    b.lrn("norm1", 5, 1.5, 0.3, 0.75)
    b.pool("pool1", 3, 2, (0, 0, 1, 1))
    entry = b.last
    left = b.conv("left", weights(rng, 4, 8, 1, 1), weights(rng, 4))
    b.last = entry
    right = b.conv("right", weights(rng, 6, 8, 3, 3), pads=1)
    b.concat("both", [left, right])
    b.conv("depth", weights(rng, 10, 1, 3, 3), weights(rng, 10), pads=1, groups=10)
    b.batch_norm("bn", *(1 + 0.1 * rng.normal(size=(4, 10)) ** 2).astype(np.float32))
    b.relu6("six")
    trunk = b.conv("trunk", weights(rng, 12, 10, 1, 1), weights(rng, 12))
    b.relu("relu2")
    b.conv("branch", weights(rng, 12, 12, 3, 3), weights(rng, 12), pads=1)
    b.add("sum", b.last, trunk)
    b.relu("relu3")
    b.conv("grouped", weights(rng, 8, 6, 3, 3), weights(rng, 8), stride=2, pads="SAME", groups=2)
    b.relu("relu4")
    return Network(b.graph(), b.taps, Card("small", mean=(10.0, 20.0, 30.0)))
