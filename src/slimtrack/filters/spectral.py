"""The interface of filters for correlation trackers, and a filter over several grids."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from slimtrack.arrays import Features, Spectrum
from slimtrack.filters.fft import irfft2, rfft2
from slimtrack.filters.response import Responses
from slimtrack.filters.spectra import resized

__all__ = ["GridFilter", "GridFilters", "SpectralFilter"]


class SpectralFilter(Protocol):
    """The filter of a correlation tracker.

    A *sample* holds a window's features in the Fourier domain, in a form that only the filter knows.
    """

    def transform(self, features: Sequence[Features]) -> Any:
        """The samples of S windows: features ``(S, C, h, w)`` of each grid, cosine windows applied."""
        ...

    def respond(self, samples: Any) -> Responses:
        """The responses to the samples of S windows."""
        ...

    def at(self, samples: Any, index: int) -> Any:
        """The sample of one of S windows."""
        ...

    def learn(self, sample: Any, shift: tuple[float, float] = (0.0, 0.0), weight: float = 1.0) -> None:
        """Trains on the sample of one window.

        Args:
            sample: A sample, as `at` returns it.
            shift: Position of the target below and to the right of the window's middle, as a fraction of the
                window's height and width. The desired response has its peak there.
            weight: Share of the full learning rate, 0 to 1.
        """
        ...


class GridFilter(Protocol):
    """A filter on the features of one grid."""

    def learn(self, x: Spectrum, shift: tuple[float, float] = (0.0, 0.0), weight: float = 1.0) -> None:
        """Trains on one patch.

        Args:
            x: Spectra of windowed features, ``(C, h, w // 2 + 1)``.
            shift: Position of the target below and to the right of the middle, in cells. The desired response
                has its peak there, so the target does not have to be cut out again if it moved a little.
            weight: Share of the full learning rate, 0 to 1.
        """
        ...

    def spectrum(self, z: Spectrum) -> Spectrum:
        """Spectra of the responses ``(S, h, w // 2 + 1)`` to ``(S, C, h, w // 2 + 1)``."""
        ...


class GridFilters:
    """One filter for each of several grids over one window; their responses are averaged on the finest grid.

    Args:
        filters: The filters.
        sizes: Height and width of each grid in cells.

    Attributes:
        filters: The filters; they may be replaced.
    """

    def __init__(self, filters: Sequence[GridFilter], sizes: Sequence[tuple[int, int]]) -> None:
        self.filters, self._sizes = list(filters), list(sizes)
        self._finest = max(self._sizes)

    def transform(self, features: Sequence[Features]) -> list[Spectrum]:
        """The spectra ``(S, C, h, w // 2 + 1)`` of each grid."""
        return [rfft2(x) for x in features]

    def respond(self, samples: Sequence[Spectrum]) -> Responses:
        """The mean of the filters' responses, ``(S, h, w)`` of the finest grid."""
        parts = [
            resized(filter_.spectrum(x), size[1], self._finest)
            for filter_, x, size in zip(self.filters, samples, self._sizes, strict=True)
        ]
        mean = parts[0] if len(parts) == 1 else sum(parts[1:], parts[0]) / np.float32(len(parts))
        return Responses(np.asarray(irfft2(mean, self._finest)), np.asarray(mean))

    def at(self, samples: Sequence[Spectrum], index: int) -> list[Spectrum]:
        """The sample of one window; a grid that was computed for one window only has this."""
        return [x[index if len(x) > 1 else 0] for x in samples]

    def learn(
        self, sample: Sequence[Spectrum], shift: tuple[float, float] = (0.0, 0.0), weight: float = 1.0
    ) -> None:
        """Trains every filter; see `SpectralFilter.learn`."""
        for filter_, x, (h, w) in zip(self.filters, sample, self._sizes, strict=True):
            filter_.learn(x, (shift[0] * h, shift[1] * w), weight)
