"""STRCF: spatial-temporal regularised filters on hand-crafted features."""

from slimtrack.arrays import Floats
from slimtrack.features.color_names import ColorNames
from slimtrack.features.grey import Grey
from slimtrack.features.hog import Hog
from slimtrack.features.stack import Stack
from slimtrack.filters.regularisation import box_weight
from slimtrack.filters.strcf import StrcfFilter
from slimtrack.trackers._blocks import BlockTracker, scale_factors
from slimtrack.trackers._correlation import within

__all__ = ["Strcf"]


class Strcf(BlockTracker, name="strcf"):
    """Spatial-temporal regularised correlation filter (Li et al., CVPR 2018): HOG, colour names, grey.

    Args:
        side: Side of the square search window over the root of the target's area.
        temporal: Weight of staying with the last frame's filter.
        label: Width of the wished response, as a share of the target's mean side.
        iterations: Iterations of ADMM a frame.
        scales: Number of scales.
        step: Ratio of neighbouring scales.
    """

    def __init__(
        self,
        *,
        side: float = 5.0,
        temporal: float = 16.0,
        label: float = 1 / 16,
        iterations: int = 2,
        scales: int = 5,
        step: float = 1.01,
    ) -> None:
        within(1, 10, side=side)
        within(0, 1e6, temporal=temporal)
        within(1e-3, 10, label=label)
        within(1, 100, iterations=iterations)
        self._side, self._temporal, self._label = side, temporal, label
        self._iterations = iterations
        self._scales = scale_factors(scales, step)
        self._features = (Stack(Hog(), ColorNames(), Grey()),)

    def _make_filter(self, block: int, label: Floats, target: tuple[float, float]) -> StrcfFilter:
        weight = box_weight(label.shape, target)
        return StrcfFilter(label, weight, temporal=self._temporal, iterations=self._iterations)
