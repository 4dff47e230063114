"""SAMF: a kernelized correlation filter on HOG, colour names and grey over seven scales; and with context."""

from slimtrack.arrays import Floats
from slimtrack.correlation.tracker import CorrelationTracker
from slimtrack.features.color_names import ColorNames, load_table
from slimtrack.features.grey import Grey
from slimtrack.features.hog import Hog
from slimtrack.features.stack import Stack
from slimtrack.filters.correlation import KernelFilter
from slimtrack.trackers._options import (
    Bandwidth,
    ColorTable,
    Context,
    KernelName,
    LabelWidth,
    Rate,
    Ridge,
    SearchAreaRatio,
)
from slimtrack.trackers.cacf import Cacf

__all__ = ["SCALES", "Samf", "SamfCa"]

SCALES = tuple(1.01**s for s in range(-3, 4))
"""Paper 000: 1.01^s, s = -3 .. 3."""


def _features(colors: str | None) -> Stack:
    """HOG, colour names by our table or a user's, and grey."""
    return Stack(Hog(), ColorNames(table=None if colors is None else load_table(colors)), Grey())


class Samf(CorrelationTracker, name="samf"):
    """Scale adaptive kernelized correlation filter (Li and Zhu, ECCVW 2014).

    With the seven scales of paper 000.
    """

    _scales = SCALES
    _pixels = (32.0**2, 128.0**2)

    def __init__(
        self,
        *,
        search_area_ratio: SearchAreaRatio = 6.25,
        kernel: KernelName = "gaussian",
        sigma: Bandwidth = 0.5,
        ridge: Ridge = 1e-4,
        rate: Rate = 0.01,
        label_width: LabelWidth = 0.1,
        colors: ColorTable = None,
    ) -> None:
        self._area, self._kernel, self._sigma, self._ridge = search_area_ratio, kernel, sigma, ridge
        self._rate, self._label = rate, label_width
        self._features = (_features(colors),)

    def _make_filter(self, label: Floats, target: tuple[float, float]) -> KernelFilter:
        return KernelFilter(label, kernel=self._kernel, sigma=self._sigma, ridge=self._ridge, rate=self._rate)


class SamfCa(Cacf, name="samf-ca"):
    """SAMF's features and scales with a context-aware linear filter (Mueller et al., CVPR 2017)."""

    _scales = SCALES
    _pixels = (32.0**2, 128.0**2)

    def __init__(
        self,
        *,
        search_area_ratio: SearchAreaRatio = 6.25,
        context: Context = 0.4,
        ridge: Ridge = 1e-4,
        rate: Rate = 0.01,
        label_width: LabelWidth = 0.1,
        colors: ColorTable = None,
    ) -> None:
        super().__init__(
            search_area_ratio=search_area_ratio,
            context=context,
            ridge=ridge,
            rate=rate,
            label_width=label_width,
        )
        self._features = (_features(colors),)
