"""Channel distillation: which channels of a feature are good for following this target (paper 001).

Arrays in, indices out: nothing here knows a tracker. `select` is the whole of it for a correlation filter;
a tracker with a filter of its own (ECO) takes `friendliness`, `initial_set` and `swap_search`.
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
"""How friendliness is read, see `friendliness`."""

Amount: TypeAlias = Literal["energy", "ratio", "count"]
"""What the number that says how many channels are kept means."""

_TINY = 1e-12

_LEVEL = 0.1
"""Deviation that `Level` gives channels: about HOG's, for which filters' settings are published."""

_SILENT = 0.02
"""Share of its group's deviation below which a channel is not raised to the level of the others."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Good channels.

    Attributes:
        channels: Their indices, rising.
        priority: Friendliness of every channel, ``(d,)``.
        losses: Equation 3 after each half step of the alternation: filters, channels, filters, ..; never
            rising.
    """

    channels: Indices
    priority: Floats
    losses: tuple[float, ...]


def friendliness(
    frames: Sequence[Features], *, reading: Reading = "similarity", groups: Sequence[slice] | None = None
) -> Floats:
    """How much each channel promises for tracking (section III-B, steps 2 and 3), mean over frame pairs.

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

    A channel that sleeps in the first and wakes up in the second has little: with its sum it would take the
    whole of a budget of energy.
    """
    return np.asarray(np.min([np.square(frame, dtype=float).sum(axis=(1, 2)) for frame in frames], axis=0))


class Level:
    """Brings channels to mean 0 and nearer to one deviation, as they are in the first frame.

    Channels of rectified layers are mostly mean, and differ in level by factors of a hundred. Brought to one
    level they are chosen, and weigh in a filter, by what they show. Not in the paper.

    Args:
        features: ``(C, h, w)`` of the first frame.
        groups: Channels that are compared with each other, such as layers; ``None``: all.
        share: How far they are brought there: 1 wholly, 0 not at all, 0.5 to the root of their deviations.
            What is left of the differences has the root mean square that one level would have.
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
        """``(..., C, h, w)`` at that level, times a window ``(h, w)``."""
        return np.asarray((features - self._mean) * (self._gain * window))


def initial_set(
    priority: Floats, energy: Floats, keep: float, by: Amount = "energy", *, least: int = 1
) -> Indices:
    """The first guess of the good channels, most friendly first (III-C, step 1.1); its size stays.

    Args:
        priority: Friendliness ``(d,)``.
        energy: Energy of each channel ``(d,)``; for ``by="energy"`` only.
        keep: The share of the energy that the kept channels have, or of the channels, or their number.
        by: Which of the three it is.
        least: Fewest channels.

    Raises:
        InputError: ``keep`` is not of its kind.
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
    """Exchanges channels as long as equation 4 falls (III-C, step 1.3).

    From the least friendly of the chosen to the most, each is exchanged for the channel outside that makes
    ``E(a) = || sum_l a_l A_l - B ||^2 + sum_l a_l g_l`` smallest, if that is less than now. The inner
    products of the residual with all contributions are kept and follow an exchange by the difference of two
    columns of the Gram matrix: the sum over channels is formed once.

    Args:
        contributions: ``(d, M)`` A, real, or complex: real and imaginary parts count as values of their own.
        wish: ``(M,)`` B.
        penalties: ``(d,)``: lambda / c times gamma of the paper.
        ranked: The channels to begin with, most friendly first.

    Returns:
        The chosen, each in the place of the one it has replaced; and E before, and after each element.
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
        # || R - a_out + a_in ||^2 - || R ||^2 and what the penalty changes, for every channel outside.
        change = square[outside] + square[out] - 2 * gram[outside, out]
        change += 2 * (products[outside] - products[out]) + penalties[outside] - penalties[out]
        best = int(change.argmin()) if len(outside) else -1
        if best >= 0 and change[best] < 0:
            new = outside[best]
            # What is promised may be rounding: it is looked at before it is taken.
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
    """The filters that fit several examples at once (equations 5-7), for every frequency by itself.

    (7) is a system of c unknowns a frequency. With F the ``n x c`` matrix of the examples at a frequency, it
    equals ``F^H (F F^H + ridge I)^-1 y``, a system of n unknowns, and for n = 1 the closed form of the DCF.

    Args:
        spectra: ``(n, d, h, w)`` complex: n examples.
        wishes: ``(n, h, w)``, or ``(h, w)`` for all.
        ridge: lambda / c.
        chosen: The channels C that the filters are fitted with; ``None``: all. The others get the filter
            that the same dual solution gives them, ``conj(f_l) . dual``: the direction in which they would
            reduce the error that is left, which is what `swap_search` compares them by.

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
    # For all channels only in the spectra's own precision, and without a copy of them: they may be thousands.
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
    context: Features | None = None,
    keep: float = 0.98,
    by: Amount = "energy",
    ridge: float = 1e-4,
    reading: Reading = "similarity",
    groups: Sequence[slice] | None = None,
    rounds: int = 2,
) -> Selection:
    """Good channels of a correlation filter by alternation of channels and filters (equations 2-7).

    Args:
        frames: Windowed features ``(d, h, w)``, the target in the middle of each; two in the paper.
        label: The wished response ``(h, w)``.
        context: More examples, ``(k, d, h, w)`` times the root of their weight, that must not respond: those
            of a context-aware filter.
        keep: How much is kept, see `initial_set`.
        by: What ``keep`` counts.
        ridge: lambda of (2) over ``d^2 h w``: with all channels, what `LinearFilter` calls its ridge.
        reading: How friendliness is read.
        groups: Channels whose level is not comparable with that of the others, such as layers.
        rounds: Most rounds of step 1 (channels) and step 2 (filters); fewer when the loss stays.

    Raises:
        InputError: An argument is not of its kind.
    """
    priority = friendliness(frames, reading=reading, groups=groups)
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
