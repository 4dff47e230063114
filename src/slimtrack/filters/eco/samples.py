"""A compact generative model of the training samples (ECO, section 3.2)."""

import numpy as np

from slimtrack.arrays import Floats, Spectrum
from slimtrack.filters.eco.continuous import Layout

__all__ = ["SampleSpace"]


class SampleSpace:
    """A mixture of at most ``capacity`` components, each the weighted mean of samples that resemble it.

    A new sample becomes a component. When there is no room, a component whose weight has faded is dropped; if
    there is none, the nearest two of the components and the new sample are merged.

    Args:
        layout: Layout of the samples.
        capacity: Maximum number of components.
        rate: Weight of a new sample.
        least: Weight below which a component may be dropped.
    """

    def __init__(self, layout: Layout, *, capacity: int, rate: float, least: float = 0.0036) -> None:
        self._capacity, self._rate, self._least = capacity, rate, least
        self._twice = layout.twice
        self._samples = np.zeros((capacity, layout.length), np.complex64)
        self._weights = np.zeros(capacity)
        self._products = np.zeros((capacity, capacity))
        self._count = 0

    @property
    def samples(self) -> Spectrum:
        """The components' means ``(n, length)``; a view."""
        return self._samples[: self._count]

    @property
    def weights(self) -> Floats:
        """The components' weights ``(n,)`` float32, summing to 1."""
        used = self._weights[: self._count]
        return np.asarray(used / used.sum(), np.float32)

    def restore(self, samples: Spectrum, weights: Floats) -> None:
        """Restores these components ``(n, length)`` and their weights ``(n,)``."""
        self._count = len(samples)
        self._samples[: self._count], self._weights[: self._count] = samples, weights
        rows = samples.view(np.float32)
        self._products[: self._count, : self._count] = (rows * self._twice) @ rows.T

    def add(self, sample: Spectrum, share: float = 1.0) -> None:
        """Adds a sample ``(length,)`` at ``share`` times the usual weight."""
        weighted = sample.view(np.float32) * self._twice
        products = (self.samples.view(np.float32) @ weighted).astype(float)
        own = float(sample.view(np.float32) @ weighted)
        weight = self._rate * share if self._count else 1.0
        self._weights *= 1 - weight
        if self._count < self._capacity:
            self._count += 1
            self._put(self._count - 1, sample, weight, products, own)
        elif self._weights.min() < self._least:
            self._put(int(self._weights.argmin()), sample, weight, products, own)
        else:
            self._merge(sample, weight, products, own)

    def _merge(self, sample: Spectrum, weight: float, products: Floats, own: float) -> None:
        """Merges the nearest two of the components and the new sample (ECO, equation 12)."""
        squares = np.diag(self._products)
        to_new = squares + own - 2 * products
        among = squares[:, None] + squares - 2 * self._products
        np.fill_diagonal(among, np.inf)
        nearest = int(to_new.argmin())
        i, j = divmod(int(among.argmin()), len(among))
        if to_new[nearest] <= among[i, j]:
            self._blend(nearest, sample, weight, products, own)
            return
        self._blend(i, self._samples[j], self._weights[j], self._products[j].copy(), squares[j])
        # The new sample's product with the merged component follows from those with its parts.
        share = self._weights[j] / self._weights[i]
        products[i] += share * (products[j] - products[i])
        self._put(j, sample, weight, products, own)

    def _blend(self, at: int, other: Spectrum, weight: float, products: Floats, own: float) -> None:
        """Replaces a component by the weighted mean of itself and another, given its products with all."""
        total = self._weights[at] + weight
        share = weight / total
        self._samples[at] += np.float32(share) * (other - self._samples[at])
        kept = 1 - share
        square = kept**2 * self._products[at, at] + 2 * share * kept * products[at] + share**2 * own
        row = self._products[at] + share * (products - self._products[at])
        self._weights[at] = total
        self._products[at] = self._products[:, at] = row
        self._products[at, at] = square

    def _put(self, at: int, sample: Spectrum, weight: float, products: Floats, own: float) -> None:
        self._samples[at] = sample
        self._weights[at] = weight
        self._products[at, : len(products)] = self._products[: len(products), at] = products
        self._products[at, at] = own
