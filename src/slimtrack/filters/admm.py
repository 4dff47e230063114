"""Trains spatially regularised filters of many channels with ADMM."""

from abc import ABC, abstractmethod

import numpy as np

from slimtrack._compiled import compiled
from slimtrack.arrays import Floats, Spectrum
from slimtrack.filters.fft import irfft2, power, rfft2
from slimtrack.filters.spectra import inner, shifted

__all__ = ["Admm", "RegularisedFilter"]


class RegularisedFilter(ABC):
    """A filter that an `Admm` trains; a subclass's `learn` chooses the training data.

    Args:
        label: The desired response ``(h, w)``, 1 at (0, 0).
        solver: The solver that trains it.
    """

    def __init__(self, label: Floats, solver: "Admm") -> None:
        self._label: Spectrum = rfft2(label)
        self._shape = (label.shape[0], label.shape[1])
        self._solver = solver
        self._filter: Spectrum | None = None

    @abstractmethod
    def learn(self, x: Spectrum, shift: tuple[float, float] = (0.0, 0.0), weight: float = 1.0) -> None:
        """Trains on one frame; see `slimtrack.filters.spectral.GridFilter`."""

    def spectrum(self, z: Spectrum) -> Spectrum:
        """Spectra of the responses ``(S, h, w // 2 + 1)`` to features' spectra ``(S, C, h, w // 2 + 1)``."""
        assert self._filter is not None, "learn() comes first"
        return inner(self._filter, z)

    def _wish(self, shift: tuple[float, float]) -> Spectrum:
        return np.asarray(shifted(self._label, self._shape, shift))


class Admm:
    """Alternating direction method of multipliers for the problem that BACF and STRCF share.

    It minimises, over filters ``f_d`` of one window,

    ``|sum_d x_d corr f_d - y|^2 / (2 T) + sum_d |weight f_d|^2 / 2 + pull sum_d |f_d - anchor_d|^2 / 2``
    with ``T`` cells in the window. The data term is a mean, as in the published implementations (the articles
    have a sum), so that penalties have the same effect on every grid. An auxiliary ``g = f`` carries the
    weight (Li et al., CVPR 2018, equations 8-13; Galoogahi et al., ICCV 2017, equations 5-12):

    - ``f``: at each frequency one system of rank one plus a multiple of the identity (Sherman-Morrison);
    - ``g = (penalty f + multiplier) / (weight^2 + penalty)``, in the window;
    - ``multiplier += penalty (f - g)``.

    Args:
        weight: ``(h, w)`` spatial weights, which may be infinite.
        penalty: Initial penalty of ``f != g``.
        growth: Factor of the penalty from one iteration to the next.
        most: Upper bound of the penalty from the second iteration on.
        iterations: Number of iterations.
    """

    def __init__(
        self,
        weight: Floats,
        *,
        penalty: float = 1.0,
        growth: float = 10.0,
        most: float = 0.1,
        iterations: int = 2,
    ) -> None:
        self._shape = (weight.shape[0], weight.shape[1])
        self._penalties = [penalty]
        for _ in range(iterations - 1):
            self._penalties.append(min(self._penalties[-1] * growth, most))
        square = weight.astype(np.float64) ** 2
        self._shares = [np.asarray(1 / (square + p), np.float32) for p in self._penalties]

    def solve(self, x: Spectrum, wish: Spectrum, f: Spectrum, pull: float = 0.0) -> None:
        """Moves ``f`` from its current value, the anchor, to the solution, in place.

        Args:
            x: Spectra of the windowed features ``(C, h, w // 2 + 1)`` complex64.
            wish: Spectrum of the label ``(h, w // 2 + 1)``.
            f: Spectra of the filters; the response is ``sum_d conj(f_d) x_d``.
            pull: Weight of the distance to the anchor.
        """
        cells = self._shape[0] * self._shape[1]
        anchor = f * np.float32(pull)
        energy = power(x).sum(axis=0)
        wish = wish.conj()
        constant, multiplier = anchor, np.zeros_like(x)
        last = len(self._penalties) - 1
        for i, (penalty, share) in enumerate(zip(self._penalties, self._shares, strict=True)):
            own = np.float32(pull + penalty)
            _fit(_flat(x), energy.ravel(), wish.ravel(), _flat(constant), own, np.float32(cells), _flat(f))
            if i == last:
                return
            total = np.float32(penalty) * f + multiplier
            g = rfft2(irfft2(total, self._shape) * share)
            multiplier = total - np.float32(penalty) * g
            constant = anchor + np.float32(self._penalties[i + 1]) * g - multiplier


def _flat(spectrum: Spectrum) -> Spectrum:
    """Joins the axes of frequencies into one, without copying."""
    return spectrum.reshape(len(spectrum), -1)


@compiled(fastmath=True)
def _fit(x, energy, wish, constant, weight, cells, f):
    """Solves ``(x x^H / cells + weight) f = x conj(y) / cells + constant`` at every frequency."""
    beta = np.zeros(len(energy), np.complex64)
    for c in range(len(x)):
        for k in range(len(energy)):
            beta[k] += x[c, k].conjugate() * constant[c, k]
    inverse = np.float32(1) / weight
    for k in range(len(energy)):
        beta[k] = (wish[k] - beta[k] * inverse) / (cells * weight + energy[k])
    for c in range(len(x)):
        for k in range(len(energy)):
            f[c, k] = constant[c, k] * inverse + x[c, k] * beta[k]
