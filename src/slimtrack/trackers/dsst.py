"""DSST and fDSST: a translation filter and a scale filter."""

from typing import Annotated

from slimtrack.arrays import Floats
from slimtrack.correlation.sizes import ScaleFilterLike
from slimtrack.correlation.tracker import CorrelationTracker
from slimtrack.features.grey import Grey
from slimtrack.features.hog import Hog
from slimtrack.features.stack import Stack
from slimtrack.filters.correlation import LinearFilter
from slimtrack.filters.scale import FastScaleFilter, ScaleFilter
from slimtrack.options import Range
from slimtrack.trackers._options import LabelWidth, Rate, Ridge, ScaleStep, SearchAreaRatio

__all__ = ["Dsst", "Fdsst"]

_Ridge = Annotated[
    Ridge,
    "Weight of the translation filter's regularisation, relative to the mean over a patch; the scale filter"
    " has its own.",
]


class Dsst(CorrelationTracker, name="dsst"):
    """Discriminative scale space tracker (Danelljan et al., BMVC 2014), HOG and grey.

    The article adds a ridge of 0.01 to sums over a patch's values, this filter to their mean over about 10^4
    values, hence 1e-6.
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
        self._features = (Stack(Hog(), Grey()),)

    def _make_filter(self, label: Floats, target: tuple[float, float]) -> LinearFilter:
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
