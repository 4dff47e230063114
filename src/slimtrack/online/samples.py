"""A memory of samples with weights, for classifiers that learn while they track (ATOM, section 3.4)."""

import numpy as np

from slimtrack.arrays import Features, Floats

__all__ = ["SampleMemory"]

_FIRST_FRAME = 0.25
"""The first frame's samples together weigh at least this: their box is known to be right."""


class SampleMemory:
    """Samples with their desired responses; older ones fade, and the faintest makes room for a new one.

    ECO's memory (`filters.eco.samples`) merges spectra; here every sample has a label of its own, so none
    can be merged.

    Args:
        samples: ``(n, ..)`` float32 of the first frame; each weighs the same, and none of them is dropped.
        labels: ``(n, ..)`` float32.
        capacity: How many samples are kept, the first frame's included; there is always room for one beside
            these.
        rate: Weight of a new sample.
    """

    def __init__(self, samples: Features, labels: Features, *, capacity: int, rate: float) -> None:
        self._first = self._count = len(samples)
        self._rate = rate
        capacity = max(capacity, self._first + 1)
        self._samples = np.zeros((capacity, *samples.shape[1:]), np.float32)
        self._labels = np.zeros((capacity, *labels.shape[1:]), np.float32)
        self._weights = np.zeros(capacity)
        self._samples[: self._count], self._labels[: self._count] = samples, labels
        self._weights[: self._count] = 1 / self._count

    @property
    def samples(self) -> Features:
        """``(n, ..)``; a view."""
        return self._samples[: self._count]

    @property
    def labels(self) -> Features:
        """Their desired responses; a view."""
        return self._labels[: self._count]

    @property
    def weights(self) -> Floats:
        """Their weights ``(n,)`` float32, summing to 1."""
        return np.asarray(self._weights[: self._count], np.float32)

    def add(self, sample: Features, label: Features, share: float = 1.0) -> None:
        """Takes in a sample at ``share`` times the usual weight; of no weight, it is left out."""
        if share <= 0:
            return
        if self._count < len(self._weights):
            at = self._count
            self._count += 1
        else:
            at = self._first + int(self._weights[self._first :].argmin())
        weight = min(self._rate * share, 1.0)
        self._weights *= 1 - weight
        self._samples[at], self._labels[at], self._weights[at] = sample, label, weight
        later = self._weights[self._first :]
        first = max(1 - later.sum(), _FIRST_FRAME)  # what was dropped goes to the first frame's
        self._weights[: self._first] = first / self._first
        later *= (1 - first) / later.sum()
