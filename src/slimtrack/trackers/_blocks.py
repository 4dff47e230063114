"""Several blocks of features, each with its own grid, on one search window."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from slimtrack.arrays import Features, Floats, Image, Spectrum
from slimtrack.box import Box
from slimtrack.features.stack import Feature
from slimtrack.filters._fft import irfft2
from slimtrack.filters.response import evidence, gaussian_label, newton_peak
from slimtrack.filters.spectra import resized
from slimtrack.search import SearchWindow, cosine_window
from slimtrack.tracker import Estimate, Tracker
from slimtrack.trackers._correlation import SCALE_RANGE, within

__all__ = ["BlockTracker", "Blocks", "SpectralFilter", "scale_factors"]


class Blocks:
    """Windowed features of several kinds that cover the same area, each on a grid of its own.

    Args:
        features: The features; the window's sides are whole multiples of every stride.
        window: The search window.

    Attributes:
        sizes: Height and width of each block's grid, in cells.
        strides: Window pixels between the cells of each block.
    """

    def __init__(self, features: Sequence[Feature], window: SearchWindow) -> None:
        self._features, self._window = tuple(features), window
        w, h = window.patch
        self.strides = [feature.stride for feature in features]
        self.sizes = [(h // stride, w // stride) for stride in self.strides]
        self._cosines = [cosine_window(*size) for size in self.sizes]

    def sample(self, image: Image, cx: float, cy: float, scales: Sequence[float] | Floats) -> list[Features]:
        """The blocks ``(S, C, h, w)`` of several scales at one centre of the frame, cosine windows applied.

        Blocks that need the same pixels share one patch a scale.
        """
        patches: dict[tuple[float, int], Image] = {}
        blocks = []
        for feature, cosine in zip(self._features, self._cosines, strict=True):
            if feature.margin not in patches:
                patches[feature.margin] = self._window.pyramid(image, cx, cy, scales, feature.margin)
            blocks.append(np.asarray(feature(patches[feature.margin]) * cosine))
        return blocks


def scale_factors(count: int, step: float) -> tuple[float, ...]:
    """``count`` factors around 1, neighbours ``step`` apart.

    Raises:
        InputError: There would be none, or they are too far apart to be of use.
    """
    within(1, 33, scales=count)
    within(1, 2, step=step)
    return tuple(step ** (i - (count - 1) // 2) for i in range(count))


class SpectralFilter(Protocol):
    """A filter that learns windowed features and answers with spectra, which add up over blocks."""

    def learn(self, x: Features) -> None:
        """Trains on windowed features ``(C, h, w)``."""
        ...

    def spectrum(self, z: Features) -> Spectrum:
        """Spectra of the responses ``(S, h, w // 2 + 1)`` to ``(S, C, h, w)``."""
        ...


class BlockTracker(Tracker):
    """A square search window, blocks of features on grids of their own, a filter each, several scales.

    The responses are added in the Fourier domain on the finest grid. A subclass sets what follows in its
    constructor, and says in `_make_filter` how a block's filter is made.
    """

    _features: Sequence[Feature]
    _side: float
    """Side of the window over the root of the target's area."""
    _pixels: tuple[float, float] = (150.0**2, 200.0**2)
    """Fewest and most pixels of the window."""
    _scales: Sequence[float] = (1.0,)
    _label: float = 1 / 16

    @abstractmethod
    def _make_filter(self, block: int, label: Floats, target: tuple[float, float]) -> SpectralFilter:
        """The filter of a block with this label; ``target`` is the target's height and width in its cells."""

    def _start(self, image: Image, box: Box) -> None:
        self._first = box
        stride = math.lcm(*(feature.stride for feature in self._features))
        least, most = self._pixels
        self._window = SearchWindow.around(
            box, area=self._side**2, square=True, stride=stride, pixels=most, least=least
        )
        self._blocks = Blocks(self._features, self._window)
        w, h = self._window.target
        self._filters = []
        for block, (size, stride) in enumerate(zip(self._blocks.sizes, self._blocks.strides, strict=True)):
            label = gaussian_label(*size, self._label * math.sqrt(w * h) / stride)
            self._filters.append(self._make_filter(block, label, (h / stride, w / stride)))
        self._learn(image, box)

    def _locate(self, image: Image) -> Estimate:
        scales = self.scale * np.asarray(self._scales)
        spectra = self._spectra(self._blocks.sample(image, self.box.cx, self.box.cy, scales))
        shape = max(self._blocks.sizes)
        responses = irfft2(spectra, shape) / len(self._filters)
        best = int(responses.max(axis=(1, 2)).argmax())
        stride = min(self._blocks.strides)
        dy, dx = (shift * stride for shift in newton_peak(responses[best], spectra[best]))
        box = self._window.moved(self.box, dx, dy, scale=scales[best])
        return Estimate(self._resized(box, scales[best]), evidence(responses[best]))

    def _learn(self, image: Image, box: Box) -> None:
        samples = self._blocks.sample(image, box.cx, box.cy, [box.w / self._first.w])
        for filter_, sample in zip(self._filters, samples, strict=True):
            filter_.learn(sample[0])

    @property
    def scale(self) -> float:
        """The last believed size over the first."""
        return self.box.w / self._first.w

    def _spectra(self, samples: Sequence[Features]) -> Spectrum:
        """Summed spectra of all blocks' responses at every scale, on the finest grid."""
        shape = max(self._blocks.sizes)
        parts = [
            resized(filter_.spectrum(sample), sample.shape[-1], shape)
            for filter_, sample in zip(self._filters, samples, strict=True)
        ]
        return np.asarray(sum(parts[1:], parts[0]))

    def _resized(self, box: Box, scale: float) -> Box:
        scale = min(max(scale, SCALE_RANGE[0]), SCALE_RANGE[1])
        return Box.from_center(box.cx, box.cy, self._first.w * scale, self._first.h * scale)
