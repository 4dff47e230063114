"""BACF: a background-aware filter on HOG, with colour names where asked for."""

from typing import Annotated

from slimtrack.arrays import Floats
from slimtrack.correlation.sizes import scale_factors
from slimtrack.correlation.tracker import CorrelationTracker
from slimtrack.features.color_names import ColorNames
from slimtrack.features.hog import Hog
from slimtrack.features.stack import Stack
from slimtrack.filters.bacf import BacfFilter
from slimtrack.filters.regularisation import box_weight
from slimtrack.trackers._options import (
    Iterations,
    LabelWidth,
    Rate,
    Ridge,
    ScaleCount,
    ScaleStep,
    SearchScale,
)

__all__ = ["Bacf"]


class Bacf(CorrelationTracker, name="bacf"):
    """Background-aware correlation filter (Galoogahi et al., ICCV 2017): trained on real negatives, HOG."""

    # Every window is cut anew: the model is a mean of samples, which those moved afterwards would blur.
    _square = True
    _pixels = (150.0**2, 200.0**2)
    _exact_peak = True

    def __init__(
        self,
        *,
        search_scale: SearchScale = 5.0,
        ridge: Ridge = 0.01,
        rate: Rate = 0.013,
        label_width: LabelWidth = 1 / 16,
        iterations: Iterations = 2,
        scales: ScaleCount = 5,
        step: ScaleStep = 1.01,
        colors: Annotated[
            bool,
            "Use colour names beside HOG. The paper has HOG alone; the widely used public port has both.",
        ] = False,
    ) -> None:
        self._area, self._ridge, self._rate, self._label = search_scale**2, ridge, rate, label_width
        self._iterations = iterations
        self._scales = scale_factors(scales, step)
        self._features = (Stack(Hog(), ColorNames()) if colors else Hog(),)

    def _make_filter(self, label: Floats, target: tuple[float, float]) -> BacfFilter:
        inside = (
            self._ridge / label.size
        ) ** 0.5  # the article's ridge is for a summed error, ours for the mean
        weight = box_weight(label.shape, target, inside=inside, outside=float("inf"))
        return BacfFilter(label, weight, rate=self._rate, iterations=self._iterations)
