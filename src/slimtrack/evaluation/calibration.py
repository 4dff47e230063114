"""Measures how well scores are calibrated, and fits the functions that turn evidence into scores."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slimtrack.confidence import Calibration
from slimtrack.errors import InputError

__all__ = [
    "Reliability",
    "auroc",
    "expected_calibration_error",
    "fit_logistic",
    "held_out_scores",
    "reliability",
]

_BINS = 15
"""Equal-width bins of the expected calibration error (Guo et al., ICML 2017)."""

_STEPS = 100
"""Largest number of Newton steps; five to ten are usual."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """The mean score and the share of right boxes, in equal-width bins of the score.

    Attributes:
        promised: ``(bins,)`` mean score; ``nan`` in an empty bin.
        came: ``(bins,)`` share of frames in which the box was right; ``nan`` in an empty bin.
        counts: ``(bins,)`` number of frames.
    """

    promised: npt.NDArray[np.float64]
    came: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]


def auroc(scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Probability that a frame with label 1 scores higher than one with label 0; ties count one half.

    Args:
        scores: ``(N,)`` finite.
        labels: ``(N,)`` true where the box was right (IoU > 0.5).

    Returns:
        In [0, 1]; ``nan`` if all labels are the same.

    Raises:
        InputError: The lengths differ, or a score is not finite.
    """
    s, y = _checked(scores, labels)
    positive, negative = int(y.sum()), int((~y).sum())
    if not positive or not negative:
        return math.nan
    _, inverse, counts = np.unique(s, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]  # ties share their mean rank
    return float((ranks[y].sum() - positive * (positive + 1) / 2) / (positive * negative))


def reliability(scores: npt.ArrayLike, labels: npt.ArrayLike, bins: int = _BINS) -> Reliability:
    """The numbers of the reliability diagram.

    Args:
        scores: ``(N,)`` in [0, 1].
        labels: ``(N,)`` true where the box was right.
        bins: Equal-width bins of [0, 1]; the last one holds 1.

    Raises:
        InputError: The lengths differ, or a score is not in [0, 1].
    """
    s, y = _checked(scores, labels)
    if len(s) and not (s.min() >= 0 and s.max() <= 1):
        raise InputError(f"scores lie in {s.min():g} .. {s.max():g}, expected 0 .. 1")
    place = np.minimum((s * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    promised, came = (
        np.divide(
            np.bincount(place, weights=w, minlength=bins), counts, out=np.full(bins, np.nan), where=counts > 0
        )
        for w in (s, y.astype(float))
    )
    return Reliability(promised, came, counts)


def expected_calibration_error(scores: npt.ArrayLike, labels: npt.ArrayLike, bins: int = _BINS) -> float:
    """Mean distance between score and actual share, weighted by frames; ``nan`` without frames.

    Args:
        scores: ``(N,)`` in [0, 1].
        labels: ``(N,)`` true where the box was right.
        bins: Equal-width bins.

    Raises:
        InputError: The lengths differ, or a score is not in [0, 1].
    """
    table = reliability(scores, labels, bins)
    used = table.counts > 0
    if not used.any():
        return math.nan
    gaps = np.abs(table.promised - table.came)[used]
    return float(np.average(gaps, weights=table.counts[used]))


def fit_logistic(
    evidence: npt.ArrayLike,
    labels: npt.ArrayLike,
    names: Sequence[str],
    *,
    l2: float = 1e-3,
    groups: Sequence[str] | npt.NDArray[np.str_] | None = None,
) -> Calibration:
    """Fits P(label) = sigmoid(bias + weights . evidence) by Newton's method.

    The evidence is standardised for the fit (weighted mean 0, deviation 1), so that ``l2`` has the same
    effect on every column. The returned weights are for the original evidence. A constant column gets weight
    0.

    Args:
        evidence: ``(N, K)`` finite.
        labels: ``(N,)`` true where the box was right.
        names: K names.
        l2: Weight of half the sum of squared standardised weights, added to the *mean* log-loss. The bias is
            not penalised.
        groups: ``(N,)`` name of each row's sequence. Every group has the same weight, whatever its length.

    Raises:
        InputError: Shapes do not fit, a number is not finite, or all labels are the same.
    """
    x, y, weights = _checked_fit(evidence, labels, names, l2, groups)
    mean = weights @ x
    deviation = np.sqrt(weights @ (x - mean) ** 2)
    varies = deviation > 1e-12 * np.maximum(1.0, np.abs(mean))
    scale = np.where(varies, deviation, 1.0)
    design = np.column_stack([np.ones(len(x)), np.where(varies, (x - mean) / scale, 0.0)])
    fitted = _newton(design, y, weights, l2)
    plain = np.where(varies, fitted[1:] / scale, 0.0)
    bias = float(fitted[0] - plain @ mean)
    return Calibration(dict(zip(names, map(float, plain), strict=True)), bias)


def held_out_scores(
    evidence: npt.ArrayLike,
    labels: npt.ArrayLike,
    names: Sequence[str],
    groups: Sequence[str] | npt.NDArray[np.str_],
    *,
    l2: float = 1e-3,
    fitted: npt.ArrayLike = True,
) -> npt.NDArray[np.float64]:
    """Cross-validated scores: each group is scored by a fit on all other groups.

    Args:
        evidence: ``(N, K)`` finite.
        labels: ``(N,)`` true where the box was right.
        names: K names.
        groups: ``(N,)`` name of each row's sequence.
        l2: As in `fit_logistic`.
        fitted: ``(N,)`` which rows take part in the fits; the others are only scored.

    Returns:
        ``(N,)`` in (0, 1).

    Raises:
        InputError: As in `fit_logistic`, or all rows are of one group.
    """
    x, y, belongs = np.asarray(evidence, dtype=float), np.asarray(labels, dtype=bool), np.asarray(groups)
    if len(np.unique(belongs)) < 2:
        raise InputError("groups hold a single name: there is no other group to fit on")
    scores = np.empty(len(y))
    for group in np.unique(belongs):
        out = belongs == group
        others = ~out & np.asarray(fitted, dtype=bool)
        model = fit_logistic(x[others], y[others], names, l2=l2, groups=belongs[others])
        logits = x[out] @ np.array([model.weights[name] for name in names]) + model.bias
        scores[out] = _sigmoid(logits)
    return scores


def _newton(
    design: npt.NDArray[np.float64], y: npt.NDArray[np.bool_], weights: npt.NDArray[np.float64], l2: float
) -> npt.NDArray[np.float64]:
    """Minimises mean log-loss + l2/2 |w|^2 by damped Newton steps (IRLS)."""
    penalty = np.full(design.shape[1], l2)
    penalty[0] = 0.0

    def loss(at: npt.NDArray[np.float64]) -> float:
        logits = design @ at
        return float(weights @ (np.logaddexp(0, logits) - y * logits) + penalty @ at**2 / 2)

    at = np.zeros(design.shape[1])
    now = loss(at)
    for _ in range(_STEPS):
        p = _sigmoid(design @ at)
        gradient = design.T @ (weights * (p - y)) + penalty * at
        hessian = (design.T * (weights * p * (1 - p))) @ design + np.diag(penalty + 1e-12)
        step = np.linalg.solve(hessian, gradient)
        rate = 1.0
        while (then := loss(at - rate * step)) > now and rate > 1e-8:
            rate /= 2
        at, before, now = at - rate * step, now, min(then, now)
        if before - now < 1e-13:
            break
    return at


def _sigmoid(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))))


def _checked(
    scores: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    s, y = np.asarray(scores, dtype=float), np.asarray(labels, dtype=bool)
    if s.shape != y.shape or s.ndim != 1:
        raise InputError(f"scores are {s.shape} and labels are {y.shape}: expected (N,) for both")
    if not np.isfinite(s).all():
        raise InputError("scores hold numbers that are not finite")
    return s, y


def _checked_fit(
    evidence: npt.ArrayLike,
    labels: npt.ArrayLike,
    names: Sequence[str],
    l2: float,
    groups: Sequence[str] | npt.NDArray[np.str_] | None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """The arguments as arrays, and the weight of each row (they sum to 1)."""
    x, y = np.asarray(evidence, dtype=float), np.asarray(labels, dtype=bool)
    if x.ndim != 2 or x.shape[1] != len(names) or y.shape != x.shape[:1]:
        raise InputError(
            f"evidence is {x.shape}, labels {y.shape}, names {len(names)}: expected (N, K), (N,), K"
        )
    if not np.isfinite(x).all():
        raise InputError("evidence holds numbers that are not finite")
    if y.all() or not y.any():
        raise InputError("labels are all the same: a score cannot be fitted")
    if l2 < 0:
        raise InputError(f"l2 is {l2}: expected 0 or more")
    if groups is None:
        return x, y, np.full(len(y), 1 / len(y))
    belongs = np.asarray(groups)
    if belongs.shape != y.shape:
        raise InputError(f"groups are {belongs.shape}, expected {y.shape}")
    _, inverse, counts = np.unique(belongs, return_inverse=True, return_counts=True)
    return x, y, 1 / (counts[inverse] * len(counts))
