"""DeepCD: chooses channels of a network's layers in the first two frames, with one filter on them."""

from collections.abc import Mapping
from typing import Any

from slimtrack.arrays import Floats, Image
from slimtrack.box import Box
from slimtrack.compression.channels import Indices
from slimtrack.compression.distillation import Distillation, DistillationOptions
from slimtrack.compression.view import View
from slimtrack.correlation.grids import FeatureGrids, Windowing
from slimtrack.correlation.levels import EvenLevel
from slimtrack.filters.correlation import LinearFilter
from slimtrack.filters.spectral import GridFilter
from slimtrack.tracker import Track
from slimtrack.trackers._options import Inner, Keep, Rate
from slimtrack.trackers.hcf import LayeredTracker

__all__ = ["DeepCd"]


class DeepCd(DistillationOptions, LayeredTracker, name="deepcd"):
    """Channel distillation of a network's layers (DeepCD, Ge et al.).

    After two frames, the channels that are salient and stable on this target are chosen. The other channels
    are no longer filtered, and no longer computed unless another layer needs them. Unlike in the paper,
    channels are centred and scaled to one standard deviation, both from the first frame, so that the choice
    does not depend on their magnitude. Inner channels of the network that vary little on this target are
    pruned too, which the paper names as future work; ``loss=0`` is the paper's method.
    """

    _sampler: FeatureGrids

    def __init__(self, *, keep: Keep = 0.5, loss: Inner = 0.2, rate: Rate = 0.02, **options: Any) -> None:
        super().__init__(loss=loss, rate=rate, **options)
        self._method = Distillation(
            keep=keep, by=self.by, reading=self.reading, loss=loss, level=self.level, cell=self._cell,
            ridge=self._ridge, label_width=self._label,
        )  # fmt: skip
        self._whole = self._features[0]

    @property
    def channels(self) -> Mapping[str, Indices]:
        """The chosen channels of each layer; empty until they are chosen."""
        return self._chosen

    def _start(self, image: Image, box: Box) -> None:
        self._features = (self._whole,)
        self._examples: list[Image] = []
        self._chosen: Mapping[str, Indices] = {}
        super()._start(image, box)

    def _make_windowing(self) -> Windowing:
        return EvenLevel(self._features[0].slices, share=self.level)

    def _make_filter(self, label: Floats, target: tuple[float, float]) -> GridFilter:
        return LinearFilter(label, ridge=self._ridge, rate=self._rate)

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        if self._chosen:
            super()._learn(image, box, track)
            return
        patch = self._window.extract(image, box.cx, box.cy, self._sizes.scale(box), self._whole.margin)
        self._examples.append(patch)
        self._learn_patch(patch, track.score)
        if len(self._examples) == self._method.frames:
            self._distil()

    def _learn_patch(self, patch: Image, weight: float = 1.0) -> None:
        samples = self._filter.transform(self._sampler.describe(patch[None]))
        self._filter.learn(self._filter.at(samples, 0), weight=weight)

    def _distil(self) -> None:
        """Chooses channels, prunes the network to them, and restarts the filter on them."""
        view = View(self._window, self._whole.margin)
        found = self._method.compress(self._whole, self._examples, view.target)
        self._features, self._chosen = (found.feature,), found.kept
        self._sampler = FeatureGrids(self._features, self._window, windowing=self._make_windowing())
        self._filter = self._make_filters()
        for patch in self._examples:
            self._learn_patch(patch)
        self._examples = []
