"""Success, precision and normalised precision, equal to those of the public toolkits."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slimtrack.box import overlap
from slimtrack.errors import InputError
from slimtrack.evaluation.protocols import OTB, Protocol

__all__ = ["Curves", "Interval", "bootstrap_difference", "center_errors", "measure", "overlaps", "repaired"]

_Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curves:
    """The curves of one result on one sequence; tables hold their means over sequences.

    Attributes:
        success: ``(21,)`` share of frames with IoU greater than each threshold.
        precision: ``(51,)`` share of frames with a centre error of at most 0 .. 50 pixels.
        normalized: ``(51,)`` the same for the error divided by the true size, 0 .. 0.5.
    """

    success: _Array
    precision: _Array
    normalized: _Array

    @property
    def auc(self) -> float:
        """Area under the success curve: the mean over its thresholds."""
        return float(self.success.mean())

    @property
    def precision20(self) -> float:
        """Share of frames with a centre error of at most 20 pixels."""
        return float(self.precision[20])

    @property
    def normalized_precision(self) -> float:
        """Area under the normalised precision curve: the mean over its thresholds."""
        return float(self.normalized.mean())


def measure(
    boxes: npt.ArrayLike, truth: npt.ArrayLike, protocol: Protocol = OTB, *, may_end_early: bool = False
) -> Curves:
    """Scores the boxes of one sequence.

    Args:
        boxes: ``(N, 4)`` x, y, w, h, 0-based outer edges.
        truth: ``(N, 4)`` the same; ``nan`` if the target is absent.
        protocol: The rules.
        may_end_early: Accept fewer boxes than frames, as in some published results; frames without a box are
            misses in every curve. Otherwise this is an error.

    Raises:
        InputError: The arrays do not have the same shape (N, 4), or no frame of the truth counts.
    """
    true = np.asarray(truth, dtype=float)
    found = _padded(np.asarray(boxes, dtype=float), len(true)) if may_end_early else boxes
    found, true = _checked(found, true)
    missing = np.arange(len(true)) >= (len(np.asarray(boxes)) if may_end_early else len(true))
    found = repaired(found, true, protocol)
    if protocol.absent == "left out":
        present = ~np.isnan(true).any(axis=1)
        found, true, missing = found[present], true[present], missing[present]
    if not len(true):
        raise InputError("truth has no frame with a box, so nothing can be measured")
    ious: _Array = np.asarray(np.where(_counts(true, protocol.overlap_validity), overlap(found, true), -1.0))
    counts = _counts(true, protocol.error_validity)
    errors = np.asarray(np.where(counts, center_errors(found, true), -1.0))
    relative = np.asarray(np.where(counts, center_errors(found, true, normalized=True), -1.0))
    for figures in (ious, errors, relative):
        np.putmask(figures, missing, np.nan)
    return Curves(  # a comparison with nan is False: a miss, as in the toolkits
        success=np.array([(ious > t).mean() for t in protocol.overlap_thresholds]),
        precision=np.array([(errors <= t).mean() for t in protocol.error_thresholds]),
        normalized=np.array([(relative <= t).mean() for t in protocol.normalized_thresholds]),
    )


def overlaps(boxes: npt.ArrayLike, truth: npt.ArrayLike) -> _Array:
    """IoU of each frame, ``(N,)``; ``nan`` if the target is absent.

    Raises:
        InputError: The arrays do not have the same shape (N, 4).
    """
    found, true = _checked(boxes, truth)
    return overlap(found, true)


def center_errors(boxes: npt.ArrayLike, truth: npt.ArrayLike, *, normalized: bool = False) -> _Array:
    """Distance between the centres in each frame.

    Args:
        boxes: ``(N, 4)`` x, y, w, h.
        truth: ``(N, 4)`` the same.
        normalized: Divide by the true width and height first (Mueller et al., TrackingNet, ECCV 2018).

    Returns:
        ``(N,)`` in pixels, or relative to the target's size; ``nan`` if a box has a ``nan``, ``inf`` if a
        true side is 0.

    Raises:
        InputError: The arrays do not have the same shape (N, 4).
    """
    found, true = _checked(boxes, truth)
    # The toolkits' (w - 1) / 2 of inclusive pixels cancels in the difference.
    apart = (found[:, :2] + found[:, 2:] / 2) - (true[:, :2] + true[:, 2:] / 2)
    if normalized:
        apart = np.divide(apart, true[:, 2:], out=np.full_like(apart, np.inf), where=true[:, 2:] != 0)
    return np.asarray(np.sqrt((apart**2).sum(axis=1)))


def repaired(boxes: npt.ArrayLike, truth: npt.ArrayLike, protocol: Protocol = OTB) -> _Array:
    """A copy of the boxes, with those rows replaced that the protocol replaces.

    Raises:
        InputError: The arrays do not have the same shape (N, 4).
    """
    found, true = _checked(boxes, truth)
    found = found.copy()
    if protocol.first_is_truth and len(found):
        found[0] = true[0]
    if protocol.repair and len(found):
        bad = np.asarray(np.isnan(found).all(axis=1) | (found[:, 2:] <= 0).any(axis=1))
        bad[0] = False
        last_good = np.maximum.accumulate(np.where(bad, 0, np.arange(len(found))))
        found = found[last_good]
    return found


@dataclass(frozen=True, slots=True)
class Interval:
    """The difference between A and B, with its confidence interval.

    Attributes:
        difference: Mean of A minus mean of B over the sequences.
        low: Lower end of the interval.
        high: Upper end.
        level: Share of the resamplings inside the interval.
    """

    difference: float
    low: float
    high: float
    level: float

    @property
    def says_better(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.low > 0


def bootstrap_difference(
    a: Mapping[str, float],
    b: Mapping[str, float],
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Paired bootstrap over sequences (percentile interval) of mean(A) - mean(B).

    Args:
        a: Figure of A per sequence, such as its AUC (mean over runs).
        b: Figure of B for the same sequences.
        level: Share of the resamplings inside the interval.
        resamples: Number of resamplings.
        seed: Seed of the resampling, so that the same input gives the same interval.

    Raises:
        InputError: The sequences of A and B differ, or there are fewer than two.
    """
    if set(a) != set(b):
        raise InputError(
            f"A and B were measured on different sequences: {', '.join(sorted(set(a) ^ set(b)))}"
        )
    if len(a) < 2:
        raise InputError(f"{len(a)} sequences: an interval needs at least two")
    apart = np.array([a[name] - b[name] for name in sorted(a)])
    from scipy.stats import bootstrap  # here: it takes half a second to import

    found = bootstrap(
        (apart,), np.mean, n_resamples=resamples, confidence_level=level, method="percentile",
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    low, high = found.confidence_interval
    return Interval(float(apart.mean()), float(low), float(high), level)


def _checked(boxes: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[_Array, _Array]:
    found, true = np.asarray(boxes, dtype=float), np.asarray(truth, dtype=float)
    if found.ndim != 2 or found.shape[1] != 4 or found.shape != true.shape:
        raise InputError(f"boxes are {found.shape} and truth is {true.shape}: expected (N, 4) for both")
    return found, true


def _padded(boxes: _Array, length: int) -> _Array:
    """The boxes, extended to a length by rows of ``nan``."""
    short = max(length - len(boxes), 0)
    return np.concatenate([boxes, np.full((short, *boxes.shape[1:]), np.nan)])


def _counts(truth: _Array, validity: str) -> npt.NDArray[np.bool_]:
    """``(N,)`` which truth rows are valid, by the toolkits' 1-based numbers."""
    if validity == "none":
        return np.ones(len(truth), dtype=bool)
    if validity == "centre":
        return np.asarray((truth[:, :2] + 1 + (truth[:, 2:] - 1) / 2 > 0).all(axis=1))
    return np.asarray((truth[:, :2] + 1 > 0).all(axis=1) & (truth[:, 2:] > 0).all(axis=1))
