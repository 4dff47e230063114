"""Several blocks of features, each with its own grid, on one search window."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from slimtrack.arrays import Features, Floats, Image, Spectrum
from slimtrack.box import Box
from slimtrack.features.stack import Feature
from slimtrack.filters.fft import irfft2, rfft2
from slimtrack.filters.newton import newton_peak
from slimtrack.filters.response import evidence, gaussian_label
from slimtrack.filters.spectra import resized
from slimtrack.search import SearchWindow, cosine_window
from slimtrack.tracker import Estimate, State, Track, Tracker
from slimtrack.trackers._correlation import SCALE_RANGE, best_scale
from slimtrack.trackers._scale import scale_search

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
        self._features, self._window = list(features), window
        w, h = window.patch
        self.strides = [feature.stride for feature in features]
        self.sizes = [(h // stride, w // stride) for stride in self.strides]
        self._cosines = [cosine_window(*size) for size in self.sizes]

    def exchange(self, block: int, feature: Feature) -> None:
        """Goes on with another feature of the same geometry in a block's place."""
        self._features[block] = feature

    def sample(
        self,
        image: Image,
        cx: float,
        cy: float,
        scales: Sequence[float] | Floats,
        one_scale: Sequence[int] = (),
    ) -> list[Features]:
        """The blocks ``(S, C, h, w)`` of several scales at one centre of the frame, cosine windows applied.

        Of blocks named in ``one_scale`` only the middle scale is computed, ``(1, C, h, w)``.

        All blocks share one patch a scale, as large as the largest margin asks for, and cut their part out of
        it at whole pixels. A block may so lie up to half a pixel aside, the same in every frame: as learning
        and looking agree, no response moves.
        """
        start = min(feature.margin[0] for feature in self._features)
        end = max(sum(feature.margin) for feature in self._features)
        patches = self._window.pyramid(image, cx, cy, scales, (start, math.ceil(end - start)))
        middle = (len(scales) - 1) // 2  # where `scale_factors` has its 1
        blocks = []
        for block, (feature, cosine) in enumerate(zip(self._features, self._cosines, strict=True)):
            first = round(feature.margin[0] - start)
            h, w = (side + feature.margin[1] for side in self._window.patch[::-1])
            chosen = slice(middle, middle + 1) if block in one_scale else slice(None)
            part = np.ascontiguousarray(patches[chosen, first : first + h, first : first + w])
            blocks.append(np.asarray(feature(part) * cosine))
        return blocks


def scale_factors(count: int, step: float) -> tuple[float, ...]:
    """``count`` factors around 1, neighbours ``step`` apart."""
    return tuple(step ** (i - (count - 1) // 2) for i in range(count))


class SpectralFilter(Protocol):
    """A filter on spectra of windowed features, whose responses add up over blocks."""

    def learn(self, x: Spectrum, shift: tuple[float, float], weight: float = 1.0) -> None:
        """Trains on ``(C, h, w // 2 + 1)``, the target ``shift`` rows and columns of cells off the middle.

        ``weight`` is the share of the usual learning rate, 0 to 1.
        """
        ...

    def spectrum(self, z: Spectrum) -> Spectrum:
        """Spectra of the responses ``(S, h, w // 2 + 1)`` to ``(S, C, h, w // 2 + 1)``."""
        ...


@dataclass(frozen=True, slots=True)
class _Seen:
    """The features behind an estimate, to learn from where the target hardly moved.

    Attributes:
        box: The estimate.
        shift: How far it lies off the middle of the window, rows and columns in patch pixels.
        spectra: For each block ``(C, h, w // 2 + 1)``.
    """

    box: Box
    shift: tuple[float, float]
    spectra: Sequence[Spectrum]


class BlockTracker(Tracker):
    """A square search window, blocks of features on grids of their own, a filter each.

    The size comes from several scales or from a scale filter.

    The responses are added in the Fourier domain on the finest grid. A subclass sets what follows in its
    constructor, and says in `_make_filter` how a block's filter is made.

    Where the target moved little, the features in which it was found are learned from, with the response
    wished for where it is: cutting them out anew would give nearly the same.
    """

    _features: Sequence[Feature]
    _side: float
    """Side of the window over the root of the target's area."""
    _pixels: tuple[float, float] = (150.0**2, 200.0**2)
    """Fewest and most pixels of the window."""
    _scales: Sequence[float] = (1.0,)
    _scale_rate: float = 0.0
    """Rate of a scale filter; 0 for none."""
    _label: float = 1 / 16
    _one_scale: Sequence[int] = ()
    """Blocks that are computed at the last size only, and help to find the place but not the size."""
    _still: float = 0.2
    """Shift, as a share of the target's mean side, up to which nothing is cut out anew for learning."""

    @abstractmethod
    def _make_filter(self, block: int, label: Floats, target: tuple[float, float]) -> SpectralFilter:
        """The filter of a block with this label; ``target`` is the target's height and width in its cells."""

    def _start(self, image: Image, box: Box) -> None:
        self._first = box
        self._seen: _Seen | None = None
        stride = math.lcm(*(feature.stride for feature in self._features))
        least, most = self._pixels
        self._window = SearchWindow.around(
            box, area=self._side**2, square=True, stride=stride, pixels=most, least=least
        )
        self._blocks = Blocks(self._features, self._window)
        self._fine = self._blocks.strides.index(min(self._blocks.strides))
        w, h = self._window.target
        self._mean_side = math.sqrt(w * h)
        self._filters = [self._begun(block) for block in range(len(self._features))]
        self._scaling = scale_search(image, box, self._scale_rate)
        self._learn(image, box, Track(box, 1.0, State.TRACKED))

    def _wish(self, block: int) -> Floats:
        """The response wished for in a block, ``(h, w)``."""
        width = self._label * self._mean_side / self._blocks.strides[block]
        return gaussian_label(*self._blocks.sizes[block], width)

    def _begun(self, block: int) -> SpectralFilter:
        """A block's filter before it has learned."""
        (w, h), stride = self._window.target, self._blocks.strides[block]
        return self._make_filter(block, self._wish(block), (h / stride, w / stride))

    def _locate(self, image: Image) -> Estimate:
        scales = self.scale * np.asarray(self._scales)
        samples = self._blocks.sample(image, self._place.cx, self._place.cy, scales, self._one_scale)
        spectra: list[Spectrum] = [rfft2(sample) for sample in samples]
        summed = self._summed(spectra)
        responses = np.asarray(irfft2(summed, self._blocks.sizes[self._fine]))
        best, scale = best_scale(responses, scales)
        stride = self._blocks.strides[self._fine]
        dy, dx = (shift * stride for shift in newton_peak(responses[best], summed[best]))
        box = self._resized(self._window.moved(self._place, dx, dy, scale=scales[best]), scale)
        if self._scaling is not None:
            box = self._resized(box, scale * self._scaling.factor(image, box))
        near = math.hypot(dy, dx) <= self._still * self._mean_side
        found = [x[best if len(x) > 1 else 0] for x in spectra]
        self._seen = _Seen(box, (dy, dx), found) if near else None
        return Estimate(box, evidence(responses[best]))

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        seen = self._seen
        if seen is None or seen.box != box:
            samples = self._blocks.sample(image, box.cx, box.cy, [box.w / self._first.w])
            seen = _Seen(box, (0.0, 0.0), [rfft2(sample[0]) for sample in samples])
        for filter_, x, stride in zip(self._filters, seen.spectra, self._blocks.strides, strict=True):
            filter_.learn(x, (seen.shift[0] / stride, seen.shift[1] / stride), track.score)
        if self._scaling is not None:
            self._scaling.learn(image, box, track.score)

    @property
    def scale(self) -> float:
        """Size over the first where the target is looked for."""
        return self._place.w / self._first.w

    def _summed(self, spectra: Sequence[Spectrum]) -> Spectrum:
        """Mean over the blocks of the responses' spectra at every scale, on the finest grid."""
        sizes = self._blocks.sizes
        parts = [
            resized(filter_.spectrum(x), size[1], sizes[self._fine])
            for filter_, x, size in zip(self._filters, spectra, sizes, strict=True)
        ]
        return np.asarray(sum(parts[1:], parts[0]) / np.float32(len(parts)))

    def _resized(self, box: Box, scale: float) -> Box:
        scale = min(max(scale, SCALE_RANGE[0]), SCALE_RANGE[1])
        return Box.from_center(box.cx, box.cy, self._first.w * scale, self._first.h * scale)
