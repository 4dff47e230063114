"""Channel distillation: which channels of a feature are good for following this target (paper 001).

Takes arrays and returns indices, independently of trackers. `select` does everything for a correlation
filter; a tracker with another filter (ECO) uses `friendliness`, `initial_set` and `swap_search`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from slimtrack.arrays import Features, Floats, Spectrum
from slimtrack.errors import InputError
from slimtrack.filters.fft import rfft2

__all__ = [
    "Amount", "Indices", "Level", "Reading", "Selection", "common_energy", "friendliness", "half_weights",
    "initial_set", "joint_filters", "select", "swap_search",
]  # fmt: skip

Indices: TypeAlias = npt.NDArray[np.intp]

Reading: TypeAlias = Literal["similarity", "formula", "normalised"]
"""How friendliness is computed, see `friendliness`."""

Amount: TypeAlias = Literal["energy", "ratio", "count"]
"""Unit of the number of channels to keep."""

_TINY = 1e-12

_LEVEL = 0.1
"""Deviation that `Level` gives channels: about HOG's, for which filters' settings are published."""

_SILENT = 0.02
"""Share of its group's deviation below which a channel is not amplified."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen channels.

    Attributes:
        channels: Their indices, ascending.
        priority: Friendliness of every channel, ``(d,)``.
        losses: Equation 3 after each half step of the alternation (filters, channels, filters, ..); it never
            increases.
    """

    channels: Indices
    priority: Floats
    losses: tuple[float, ...]


def friendliness(
    frames: Sequence[Features], *, reading: Reading = "similarity", groups: Sequence[slice] | None = None
) -> Floats:
    """Friendliness of each channel (section III-B, steps 2 and 3), averaged over pairs of frames.

    With ``s(l) = ||f_i(l)|| / m`` and ``t(l) = -||f_i(l) - f_i+1(l)||^2`` the paper's formula is
    ``r = (s - 1) t``. Its words ask for channels with large s *and* large t ("salient and stable", Fig. 2).
    The formula does the opposite: where ``s < 1`` it is ``(1 - s) ||difference||^2``, so the most *unstable*
    channel is first; where ``s > 1`` salient channels become negative.

    Args:
        frames: At least two times ``(d, h, w)``: the target's features in consecutive frames.
        reading: ``"formula"`` takes it as printed, ``"normalised"`` with s divided by its mean over channels.
            ``"similarity"`` (default) keeps the words: ``r = s (1 + t)``, t divided by
            ``||f_i||^2 + ||f_i+1||^2`` so that it lies in [-1, 0] for channels without sign;
            ``1 + t`` is then ``2 <f_i, f_i+1> / (||f_i||^2 + ||f_i+1||^2)``.
        groups: Channels whose s are normalised apart, such as layers of different level; ``None``: all
            together. Not for ``"formula"``, whose s are as they are.

    Returns:
        ``(d,)`` float64.

    Raises:
        InputError: Fewer than two frames, or an unknown reading.
    """
    if len(frames) < 2:
        raise InputError(f"friendliness needs features of two frames, got {len(frames)}")
    if reading not in ("similarity", "formula", "normalised"):
        raise InputError(f"reading={reading!r} is not 'similarity', 'formula' or 'normalised'")
    flat = np.stack([frame.reshape(len(frame), -1) for frame in frames]).astype(float)
    energies = (flat**2).sum(axis=2)
    salience = np.sqrt(energies[:-1]) / flat.shape[2]
    change = -((flat[:-1] - flat[1:]) ** 2).sum(axis=2)
    if reading != "formula":
        for group in groups or [slice(None)]:
            salience[:, group] /= np.maximum(salience[:, group].mean(axis=1, keepdims=True), _TINY)
    if reading == "similarity":
        stability = 1 + change / np.maximum(energies[:-1] + energies[1:], _TINY)
        return np.asarray((salience * stability).mean(axis=0))
    return np.asarray(((salience - 1) * change).mean(axis=0))


def common_energy(frames: Sequence[Features]) -> Floats:
    """The energy ``(d,)`` that a channel has in each of several frames ``(d, h, w)``.

    A channel that is silent in the first frame and active in the second has little common energy; by the sum
    of its energies it would use up the whole budget.
    """
    return np.asarray(np.min([np.square(frame, dtype=float).sum(axis=(1, 2)) for frame in frames], axis=0))


class Level:
    """Centres channels and scales them towards one standard deviation, measured in the first frame.

    Channels of rectified layers consist mostly of their mean, and differ in magnitude by factors of a
    hundred. After scaling, the choice of channels and their weight in a filter no longer depend on that. Not
    in the paper.

    Args:
        features: ``(C, h, w)`` of the first frame.
        groups: Channels that are compared with each other, such as layers; ``None``: all.
        share: How far channels are scaled: 1 to equal deviations, 0 not at all, 0.5 to the square root of
            their deviations. The root mean square over channels is the same for every share.
    """

    def __init__(
        self, features: Features, groups: Sequence[slice] | None = None, *, share: float = 1.0
    ) -> None:
        self._mean = features.mean((1, 2), keepdims=True)
        deviation = features.std((1, 2), keepdims=True)
        for group in groups or [slice(None)]:
            least = _SILENT * float(np.sqrt(np.mean(deviation[group] ** 2)))
            deviation[group] = np.maximum(deviation[group], max(least, 1e-6))
        rest = np.sqrt(np.mean(deviation ** (2 - 2 * share)))
        self._gain = np.asarray(_LEVEL / (deviation**share * rest), np.float32)

    def __call__(self, features: Features, window: Floats) -> Features:
        """``(..., C, h, w)`` after scaling, times a window ``(h, w)``."""
        return np.asarray((features - self._mean) * (self._gain * window))


def initial_set(
    priority: Floats, energy: Floats, keep: float, by: Amount = "energy", *, least: int = 1
) -> Indices:
    """The initial set of channels, most friendly first (III-C, step 1.1); its size is final.

    Args:
        priority: Friendliness ``(d,)``.
        energy: Energy of each channel ``(d,)``; for ``by="energy"`` only.
        keep: Share of the energy, share of the channels, or number of channels to keep.
        by: Which of the three ``keep`` is.
        least: Smallest number of channels.

    Raises:
        InputError: ``keep`` does not fit ``by``.
    """
    d = len(priority)
    ranked = np.argsort(-np.asarray(priority, float), kind="stable")
    if by == "count":
        if keep < 1 or keep != int(keep):
            raise InputError(f"keep={keep!r} channels: a whole number of at least 1 is needed")
        count = int(keep)
    elif not 0 < keep <= 1:
        raise InputError(f"keep={keep!r} by {by} must be greater than 0 and at most 1")
    elif by == "ratio":
        count = round(keep * d)
    else:
        kept = np.cumsum(np.asarray(energy, float)[ranked])
        count = int(np.searchsorted(kept, keep * kept[-1] * (1 - _TINY))) + 1
    return ranked[: min(max(count, least), d)]


def swap_search(
    contributions: Any, wish: Any, penalties: Floats, ranked: Indices
) -> tuple[Indices, list[float]]:
    """Exchanges channels as long as equation 4 decreases (III-C, step 1.3).

    Each chosen channel, from the least to the most friendly, is exchanged for that other channel which
    minimises ``E(a) = || sum_l a_l A_l - B ||^2 + sum_l a_l g_l``, if that decreases E. The inner products of
    the residual with all contributions are stored, and updated after an exchange by the difference of two
    columns of the Gram matrix, so the sum over channels is computed only once.

    Args:
        contributions: ``(d, M)`` A, real or complex; real and imaginary parts count as separate values.
        wish: ``(M,)`` B.
        penalties: ``(d,)``: lambda / c times gamma of the paper.
        ranked: The initial channels, most friendly first.

    Returns:
        The chosen channels, each at the position of the one that it replaced; and E before, and after each
        position.
    """
    a, b = _real(contributions), _real(wish[None])[0]
    gram = a @ a.T
    square = np.diagonal(gram).astype(float)
    chosen = ranked.copy()
    outside = np.setdiff1d(np.arange(len(a)), chosen)
    residual = a[chosen].sum(axis=0, dtype=float) - b
    products = (a @ residual.astype(a.dtype)).astype(float)
    loss = float(residual @ residual + penalties[chosen].sum())
    losses = [loss]
    for place in range(len(chosen) - 1, -1, -1):
        out = chosen[place]
        # || R - a_out + a_in ||^2 - || R ||^2 plus the change of the penalty, for every channel outside.
        change = square[outside] + square[out] - 2 * gram[outside, out]
        change += 2 * (products[outside] - products[out]) + penalties[outside] - penalties[out]
        best = int(change.argmin()) if len(outside) else -1
        if best >= 0 and change[best] < 0:
            new = outside[best]
            # The predicted gain may be a rounding error, so it is checked first.
            trial = residual + a[new] - a[out]
            found = float(trial @ trial + penalties[chosen].sum() + penalties[new] - penalties[out])
            if found < loss - _TINY * max(losses[0], _TINY):
                products += gram[:, new] - gram[:, out]
                residual, loss = trial, found
                chosen[place], outside[best] = new, out
        losses.append(loss)
    return chosen, losses


def joint_filters(
    spectra: Spectrum, wishes: Spectrum, ridge: float, chosen: Indices | None = None
) -> Spectrum:
    """The filters that fit several examples at once (equations 5-7), separately for every frequency.

    (7) is a system of c unknowns a frequency. With F the ``n x c`` matrix of the examples at a frequency, it
    equals ``F^H (F F^H + ridge I)^-1 y``, a system of n unknowns, and for n = 1 the closed form of the DCF.

    Args:
        spectra: ``(n, d, h, w)`` complex: n examples.
        wishes: ``(n, h, w)``, or ``(h, w)`` for all.
        ridge: lambda / c.
        chosen: The channels C with which the filters are fitted; ``None``: all. The other channels get the
            filter of the same dual solution, ``conj(f_l) . dual``. It is the direction in which they would
            reduce the remaining error, by which `swap_search` compares them.

    Returns:
        ``(d, h, w)`` conjugate filters ``h*``, of the spectra's dtype: the response to z is the inverse of
        ``sum_l z_l . h*_l``.
    """
    n = len(spectra)
    fitted = np.moveaxis(spectra if chosen is None else spectra[:, chosen], (0, 1), (-2, -1))
    fitted = fitted.astype(np.complex128)  # (h, w, n, c)
    gram = fitted @ fitted.conj().swapaxes(-1, -2) + ridge * np.eye(n)
    y = np.broadcast_to(wishes, (n, *spectra.shape[2:]))
    dual = np.linalg.solve(gram, np.moveaxis(y, 0, -1)[..., None])[..., 0]
    # In the spectra's own precision and without a copy, as there may be thousands of channels.
    dual = np.moveaxis(dual.conj().astype(spectra.dtype), -1, 0)
    return np.asarray(np.einsum("ndhw,nhw->dhw", spectra, dual).conj())


def half_weights(h: int, w: int) -> Floats:
    """Factors ``(w // 2 + 1,)`` for half spectra that make sums of squares those of the ``(h, w)`` arrays."""
    twice = np.full(w // 2 + 1, 2.0)
    twice[0] = 1
    if w % 2 == 0:
        twice[-1] = 1
    return np.sqrt(twice / (h * w))


def select(
    frames: Sequence[Features],
    label: Floats,
    *,
    priority: Floats | None = None,
    context: Features | None = None,
    keep: float = 0.98,
    by: Amount = "energy",
    ridge: float = 1e-4,
    rounds: int = 2,
) -> Selection:
    """Chooses channels for a correlation filter by alternating between channels and filters (equations 2-7).

    Args:
        frames: Windowed features ``(d, h, w)``, the target in the middle of each; two in the paper.
        label: The desired response ``(h, w)``.
        priority: Friendliness of every channel ``(d,)``; ``None``: `friendliness` of the frames.
        context: Further examples with a desired response of 0, ``(k, d, h, w)`` times the root of their
            weight: the context of a context-aware filter.
        keep: How much to keep, see `initial_set`.
        by: Unit of ``keep``.
        ridge: lambda of (2) over ``d^2 h w``: with all channels, what `LinearFilter` calls its ridge.
        rounds: Largest number of rounds of step 1 (channels) and step 2 (filters); fewer if the loss no
            longer decreases.

    Raises:
        InputError: An argument cannot be used.
    """
    priority = friendliness(frames) if priority is None else priority
    chosen = initial_set(priority, common_energy(frames), keep, by)
    d, h, w = frames[0].shape
    examples = np.stack(frames) if context is None else np.concatenate([np.stack(frames), context])
    spectra = rfft2(examples)
    halves = half_weights(h, w).astype(spectra.real.dtype)
    wishes = np.zeros((len(examples), h, w // 2 + 1), np.complex128)
    wishes[: len(frames)] = rfft2(label)
    target = (wishes * halves).ravel()
    penalty = ridge * d * d * h * w / len(chosen)
    losses: list[float] = []
    for _ in range(rounds):
        filters = joint_filters(spectra, wishes, penalty, chosen)
        parts = (spectra * (filters * halves)).swapaxes(0, 1).reshape(d, -1)
        weights = penalty * (np.abs(filters * halves) ** 2).sum(axis=(1, 2))
        found, steps = swap_search(parts, target, weights, chosen)
        losses += [steps[0], steps[-1]]
        if steps[-1] >= steps[0]:
            break
        chosen = found
    return Selection(np.sort(chosen), priority, tuple(losses))


def _real(values: Any) -> Floats:
    """``(n, M)`` complex as ``(n, 2 M)`` real, of the same precision, float32 at least."""
    flat = np.ascontiguousarray(values, np.result_type(values, np.float32))
    return np.asarray(flat.view(flat.real.dtype).reshape(len(flat), -1))
