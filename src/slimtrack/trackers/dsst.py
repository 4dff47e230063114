"""DSST and fDSST: a translation filter and a scale filter."""

from typing import Annotated, Any

from slimtrack.arrays import Floats
from slimtrack.features.grey import Grey
from slimtrack.features.hog import Hog
from slimtrack.features.stack import Stack
from slimtrack.filters.correlation import LinearFilter
from slimtrack.filters.scale import FastScaleFilter, ScaleFilter
from slimtrack.options import Range
from slimtrack.trackers._options import LabelWidth, Rate, Ridge, ScaleStep, SearchAreaRatio
from slimtrack.trackers._ridge import RidgeTracker

__all__ = ["Dsst", "Fdsst"]

_Ridge = Annotated[
    Ridge,
    "Weight of the translation filter's regularisation, relative to the mean over a patch; the scale filter"
    " has its own.",
]


class _ScaleSpaceTracker(RidgeTracker):
    """A translation filter on HOG and grey.

    The articles add a ridge of 0.01 to sums over a patch's values, this filter to their mean over about 10^4
    values, hence 1e-6.
    """

    def __init__(
        self,
        *,
        search_area_ratio: SearchAreaRatio = 4.0,
        ridge: _Ridge = 1e-6,
        rate: Rate = 0.025,
        label_width: LabelWidth = 1 / 16,
    ) -> None:
        super().__init__(search_area_ratio=search_area_ratio, ridge=ridge, rate=rate, label_width=label_width)
        self._features = (Stack(Hog(), Grey()),)

    def _make_filter(self, label: Floats, target: tuple[float, float]) -> LinearFilter:
        return LinearFilter(label, ridge=self._ridge, rate=self._rate)


class Dsst(_ScaleSpaceTracker, name="dsst"):
    """Discriminative scale space tracker (Danelljan et al., BMVC 2014), HOG and grey."""

    def __init__(
        self,
        *,
        scales: Annotated[int, Range(1, 200), "Number of scales."] = 33,
        step: Annotated[ScaleStep, Range(1, 2, above=True)] = 1.02,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._scale_count, self._step = scales, step

    def _make_scale_filter(self) -> ScaleFilter:
        return ScaleFilter(count=self._scale_count, step=self._step, rate=self._rate)


class Fdsst(_ScaleSpaceTracker, name="fdsst"):
    """Fast discriminative scale space tracker (Danelljan et al., TPAMI 2017): 17 scales, read at 33."""

    def _make_scale_filter(self) -> FastScaleFilter:
        return FastScaleFilter(rate=self._rate)
