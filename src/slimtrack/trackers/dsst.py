"""DSST and fDSST: a translation filter and a scale filter."""

from abc import abstractmethod
from typing import Annotated

from slimtrack.arrays import Floats, Image
from slimtrack.box import Box
from slimtrack.features.grey import Grey
from slimtrack.features.hog import Hog
from slimtrack.features.stack import Stack
from slimtrack.filters.correlation import LinearFilter
from slimtrack.filters.scale import FastScaleFilter, ScaleFilter
from slimtrack.options import Range
from slimtrack.tracker import Estimate, Track
from slimtrack.trackers._correlation import CorrelationTracker
from slimtrack.trackers._options import LabelWidth, Rate, Ridge, ScaleStep, SearchAreaRatio
from slimtrack.trackers._scale import ScaleFilterLike, ScaleSearch

__all__ = ["Dsst", "Fdsst", "ScaledTracker"]

_Ridge = Annotated[
    Ridge,
    "Weight of the translation filter's regularisation, on means over a patch's values; the scale filter has "
    "its own, 0.01 on sums.",
]


class ScaledTracker(CorrelationTracker):
    """A correlation tracker whose size follows a scale filter."""

    @abstractmethod
    def _make_scale_filter(self) -> ScaleFilterLike:
        """A new scale filter."""

    def _start(self, image: Image, box: Box) -> None:
        self._scaling = ScaleSearch(image, box, self._make_scale_filter())
        super()._start(image, box)

    def _locate(self, image: Image) -> Estimate:
        found = super()._locate(image)
        assert found.box is not None
        factor = self._scaling.factor(image, found.box)
        return Estimate(self._resized(found.box, self.scale * factor), found.evidence)

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        super()._learn(image, box, track)
        self._scaling.learn(image, box, track.score)


class Dsst(ScaledTracker, name="dsst"):
    """Discriminative scale space tracker (Danelljan et al., BMVC 2014), HOG and grey.

    The article adds a ridge of 0.01 to sums over a patch's values, our filter to their mean over some 10^4 of
    them: hence 1e-6.
    """

    def __init__(
        self,
        *,
        search_area_ratio: SearchAreaRatio = 4.0,
        ridge: _Ridge = 1e-6,
        rate: Rate = 0.025,
        label_width: LabelWidth = 1 / 16,
        scales: Annotated[int, Range(1, 200), "Number of scales."] = 33,
        step: Annotated[ScaleStep, Range(1, 2, above=True)] = 1.02,
    ) -> None:
        self._area, self._ridge, self._rate, self._label = search_area_ratio, ridge, rate, label_width
        self._scale_count, self._step = scales, step
        self._feature = Stack(Hog(), Grey())

    def _make_filter(self, label: Floats) -> LinearFilter:
        return LinearFilter(label, ridge=self._ridge, rate=self._rate)

    def _make_scale_filter(self) -> ScaleFilterLike:
        return ScaleFilter(count=self._scale_count, step=self._step, rate=self._rate)


class Fdsst(Dsst, name="fdsst"):
    """Fast discriminative scale space tracker (Danelljan et al., TPAMI 2017): 17 scales, read at 33."""

    def __init__(
        self,
        *,
        search_area_ratio: SearchAreaRatio = 4.0,
        ridge: _Ridge = 1e-6,
        rate: Rate = 0.025,
        label_width: LabelWidth = 1 / 16,
    ) -> None:
        super().__init__(search_area_ratio=search_area_ratio, ridge=ridge, rate=rate, label_width=label_width)

    def _make_scale_filter(self) -> FastScaleFilter:
        return FastScaleFilter(rate=self._rate)
