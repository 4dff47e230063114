"""BACF: a background-aware filter on HOG, with colour names where asked for."""

from slimtrack.arrays import Floats
from slimtrack.features.color_names import ColorNames
from slimtrack.features.hog import Hog
from slimtrack.features.stack import Stack
from slimtrack.filters.bacf import BacfFilter
from slimtrack.filters.regularisation import box_weight
from slimtrack.trackers._blocks import BlockTracker, checked_search, scale_factors
from slimtrack.trackers._correlation import within

__all__ = ["Bacf"]


class Bacf(BlockTracker, name="bacf"):
    """Background-aware correlation filter (Galoogahi et al., ICCV 2017): trained on real negatives, HOG.

    Args:
        side: Side of the square search window over the root of the target's area.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
        label: Width of the wished response, as a share of the target's mean side.
        iterations: Iterations of ADMM a frame.
        scales: Number of scales.
        step: Ratio of neighbouring scales.
        colors: Colour names beside HOG. The article has HOG alone; the widely used public port has both.
    """

    _still = 0.0  # its model is a mean of samples, which those moved afterwards would blur

    def __init__(
        self,
        *,
        side: float = 5.0,
        ridge: float = 0.01,
        rate: float = 0.013,
        label: float = 1 / 16,
        iterations: int = 2,
        scales: int = 5,
        step: float = 1.01,
        colors: bool = False,
    ) -> None:
        checked_search(side=side, label=label, iterations=iterations)
        within(1e-12, 1e6, ridge=ridge)
        within(0, 1, rate=rate)
        self._side, self._ridge, self._rate, self._label = side, ridge, rate, label
        self._iterations = iterations
        self._scales = scale_factors(scales, step)
        self._features = (Stack(Hog(), ColorNames()) if colors else Hog(),)

    def _make_filter(self, block: int, label: Floats, target: tuple[float, float]) -> BacfFilter:
        inside = (
            self._ridge / label.size
        ) ** 0.5  # the article's ridge is for a summed error, ours for the mean
        weight = box_weight(label.shape, target, inside=inside, outside=float("inf"))
        return BacfFilter(label, weight, rate=self._rate, iterations=self._iterations)
