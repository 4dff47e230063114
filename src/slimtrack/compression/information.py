"""Information of the last layer's channels, and their reduction to fewer dimensions (paper 000, III-B)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from slimtrack.arrays import AnyArray, Features, Floats
from slimtrack.box import Box
from slimtrack.errors import InputError
from slimtrack.filters.fft import irfft2, rfft2
from slimtrack.filters.response import gaussian_label

__all__ = [
    "METRICS", "Mask", "Metric", "Reduction", "information", "pca", "reduction", "target_cells",
    "target_information_ratio", "tracking_error",
]  # fmt: skip

Metric: TypeAlias = Literal["l2", "l1", "l0"]
METRICS: tuple[Metric, ...] = ("l2", "l1", "l0")

Mask: TypeAlias = npt.NDArray[np.bool_]
"""``(h, w)``: which cells lie on the target."""

_LEVEL = 0.1
"""Root mean square to which maps are scaled before equation 5, for which the ridge is chosen."""

_LABEL = 0.1
"""Width of the desired response of equation 5, as a share of the target's mean side; as in the trackers."""


@dataclass(frozen=True, slots=True)
class Reduction:
    """The reduction of the last layer to fewer dimensions.

    Attributes:
        channels: The kept channels, ascending, ``(d',)``.
        components: ``(d', d)`` float32, orthonormal: the projection ``D`` of equation 6; ``None`` if the
            kept channels are used directly.
        losses: Value of equation 6 for each candidate of ``d'``.
    """

    channels: npt.NDArray[np.intp]
    components: Floats | None
    losses: dict[int, float]

    @property
    def dimensions(self) -> int:
        """Number of channels after the reduction."""
        return len(self.channels) if self.components is None else self.components.shape[1]


def target_cells(shape: tuple[int, int], stride: float, offset: float, target: Box) -> Mask:
    """The cells whose centres lie on the target; the nearest cell if there is none.

    Args:
        shape: Cells down and across.
        stride: Patch pixels between neighbouring cells.
        offset: Patch pixel of the centre of cell 0.
        target: The target in the patch's pixels.
    """
    rows, columns = (
        _inside(offset + stride * np.arange(count), start, start + extent)
        for count, start, extent in ((shape[0], target.y, target.h), (shape[1], target.x, target.w))
    )
    return np.asarray(np.logical_and.outer(rows, columns))


def _inside(centres: Floats, low: float, high: float) -> npt.NDArray[np.bool_]:
    inside = (centres >= low) & (centres < high)
    if not inside.any():
        inside[np.abs(centres - (low + high) / 2).argmin()] = True
    return np.asarray(inside)


def target_information_ratio(maps: Features, mask: Mask) -> float:
    """Energy of the features on the target over that of the whole patch (paper 000, Fig. 6).

    Args:
        maps: ``(C, h, w)``.
        mask: ``(h, w)``.
    """
    energy = np.square(maps, dtype=np.float64).sum(axis=0)
    whole = float(energy.sum())
    return float(energy[mask].sum()) / whole if whole > 0 else 0.0


def information(maps: Features, metric: Metric = "l2") -> Floats:
    """Information of each channel (paper 000, equation 4): ``(C,)`` float64 of maps ``(C, h, w)``.

    Args:
        maps: The features.
        metric: ``l2``: the sum of squares, as in equation 4; ``l1``: of magnitudes; ``l0``: how many values
            are not zero.

    Raises:
        InputError: The metric is unknown.
    """
    if metric == "l2":
        return np.asarray(np.square(maps, dtype=np.float64).sum(axis=(1, 2)))
    if metric == "l1":
        return np.asarray(np.abs(maps).sum(axis=(1, 2), dtype=np.float64))
    if metric == "l0":
        return np.asarray(np.count_nonzero(maps, axis=(1, 2)), np.float64)
    raise InputError(f"metric {metric!r} is not one of {', '.join(METRICS)}")


def tracking_error(maps: Features, mask: Mask, ridge: float = 1e-4) -> Floats:
    """Response of a filter of the target in the background, per channel (paper 000, equation 5).

    For each channel, a ridge filter is trained on the target's part (all else zero) and applied to the rest.
    All maps together are scaled to one magnitude first, for which the ridge is chosen.

    Args:
        maps: ``(C, h, w)``.
        mask: ``(h, w)``.
        ridge: The equation's lambda.

    Returns:
        ``(C,)`` float64, the squared norm of each response.
    """
    # imported here, so that `slimtrack --help` does not wait for the compiler
    from slimtrack.filters.correlation import kernel_correlation

    h, w = mask.shape
    gain = np.float32(_LEVEL / max(float(np.sqrt(np.mean(np.square(maps)))), 1e-6))
    label = gaussian_label(h, w, max(_LABEL * float(np.sqrt(mask.sum())), 0.5))
    target, rest = (rfft2(maps[:, None] * (part * gain)) for part in (mask, ~mask))
    trained = rfft2(label) / (kernel_correlation(target, target, w, "linear") + np.float32(ridge))
    responses = irfft2(kernel_correlation(target, rest, w, "linear") * trained, (h, w))
    return np.asarray(np.square(responses, dtype=np.float64).sum(axis=(1, 2)))


def pca(maps: Features, dimensions: int) -> tuple[Floats, float]:
    """The projection that keeps most of the maps' energy (paper 000, ``L_PCA`` of equation 6).

    As in the equation, means are not subtracted, so the projection is a 1x1 convolution without bias.

    Args:
        maps: ``(C, h, w)``.
        dimensions: Columns of the projection, at most C.

    Returns:
        ``(C, dimensions)`` float32, orthonormal, strongest first; and the energy lost.
    """
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    values, vectors = np.linalg.eigh(flat @ flat.T)
    components = vectors[:, ::-1][:, :dimensions]
    # The sign of a vector is arbitrary; it is fixed so that results are the same everywhere.
    strongest = np.abs(components).argmax(axis=0)
    components = components * np.sign(components[strongest, np.arange(components.shape[1])])
    lost = float(np.maximum(values[: len(maps) - dimensions], 0).sum())
    return components.astype(np.float32), lost


def reduction(
    maps: Features,
    mask: Mask,
    dimensions: int,
    *,
    d_prime: int | Sequence[int] | None = None,
    metric: Metric = "l2",
    with_error: bool = True,
    ridge: float = 1e-4,
) -> Reduction:
    """Dimension reduction of the last layer in two steps (paper 000, equation 6).

    Dropping a channel adds its information to the loss and removes its tracking error, so channels are ranked
    by the difference. The three terms of the equation have different units, so each is divided by its value
    for all channels together (the PCA loss by the maps' energy) before they are added.

    Args:
        maps: ``(C, h, w)``.
        mask: ``(h, w)``.
        dimensions: Largest number of dimensions after the reduction (``d``).
        d_prime: Number of channels selected before PCA; of several numbers, the one with the least loss is
            used. ``None``: the candidates are ``d``, ``2 d``, ``4 d`` .. and C.
        metric: How information is measured.
        with_error: Whether the tracking error counts. Without it, the loss is always least with all channels,
            so ``d_prime=None`` then means ``d``: the channels with the most information, as in the last row
            of Table I.
        ridge: The lambda of equation 5.

    Raises:
        InputError: ``dimensions`` is below 1, or ``d_prime`` is outside 1..C.
    """
    total = len(maps)
    if d_prime is None and not with_error:
        d_prime = min(max(dimensions, 1), total)
    candidates = _candidates(total, dimensions, d_prime)
    told = _share(information(maps, metric))
    error = _share(tracking_error(maps, mask, ridge)) if with_error else np.zeros(total)
    order = np.argsort(error - told, kind="stable")
    energy = max(float(np.square(maps, dtype=np.float64).sum()), 1e-12)
    tried: dict[int, Reduction] = {}
    losses: dict[int, float] = {}
    for count in candidates:
        kept, dropped = np.sort(order[:count]), order[count:]
        components, lost = pca(maps[kept], dimensions) if count > dimensions else (None, 0.0)
        losses[count] = lost / energy + float(told[dropped].sum() + error[kept].sum())
        tried[count] = Reduction(kept, components, losses)
    return tried[min(losses, key=lambda count: losses[count])]


def _candidates(total: int, dimensions: int, d_prime: int | Sequence[int] | None) -> list[int]:
    if dimensions < 1:
        raise InputError(f"d={dimensions} dimensions: at least 1 is needed")
    if d_prime is None:
        doubled = [dimensions * 2**power for power in range(total.bit_length())]
        return sorted({*(count for count in doubled if count < total), total})
    given = [d_prime] if isinstance(d_prime, int) else list(d_prime)
    if not given or min(given) < 1 or max(given) > total:
        raise InputError(f"d_prime={d_prime} must lie in 1..{total}, the channels of the last layer")
    return given


def _share(values: AnyArray) -> Floats:
    return np.asarray(values / max(float(values.sum()), 1e-12), np.float64)
