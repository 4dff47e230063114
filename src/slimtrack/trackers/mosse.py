"""MOSSE: one filter on grey levels."""

from typing import Annotated

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Floats, Image
from slimtrack.box import Box
from slimtrack.confidence import PATIENT
from slimtrack.correlation.grids import FeatureGrids
from slimtrack.correlation.tracker import CorrelationTracker
from slimtrack.features.grey import LogGrey
from slimtrack.filters.mosse import MosseFilter
from slimtrack.filters.response import gaussian_label
from slimtrack.options import Range
from slimtrack.trackers._options import Rate, Ridge, SearchAreaRatio

__all__ = ["Mosse"]


class Mosse(CorrelationTracker, name="mosse"):
    """Minimum output sum of squared error filter on grey levels (Bolme et al., CVPR 2010)."""

    thresholds = PATIENT
    _pixels = (32.0**2, 64.0**2)
    _stride = 2
    _features = (LogGrey(),)
    _sampler: FeatureGrids

    def __init__(
        self,
        *,
        search_area_ratio: SearchAreaRatio = 4.0,
        rate: Rate = 0.125,
        ridge: Annotated[Ridge, "Weight of the regularisation, as a share of the patch's energy."] = 0.01,
        sigma: Annotated[float, Range(0.01, 1e3), "Width of the desired response in patch pixels."] = 2.0,
        warps: Annotated[
            int,
            Range(0, 1000),
            "Number of slightly rotated and scaled copies of the first patch to train on.",
        ] = 8,
    ) -> None:
        self._area, self._rate, self._ridge, self._sigma, self._warps = (
            search_area_ratio,
            rate,
            ridge,
            sigma,
            warps,
        )

    def _make_filter(self, label: Floats, target: tuple[float, float]) -> MosseFilter:
        return MosseFilter(label, rate=self._rate, ridge=self._ridge)

    def _desired(self, size: tuple[int, int]) -> Floats:
        return gaussian_label(*size, self._sigma)

    def _begin(self, image: Image, box: Box) -> None:
        grey = cv2.cvtColor(self._window.extract(image, box.cx, box.cy), cv2.COLOR_BGR2GRAY)
        copies = [grey, *(self._warped(grey, turn) for turn in np.linspace(-1, 1, self._warps))]
        patches = np.stack([cv2.cvtColor(copy, cv2.COLOR_GRAY2BGR) for copy in copies])
        self._filter.learn(self._filter.transform(self._sampler.describe(patches)))

    def _warped(self, grey: Floats, turn: float) -> Floats:
        """The patch rotated by up to 10 degrees and scaled by up to 5 per cent about its centre."""
        h, w = grey.shape
        matrix = cv2.getRotationMatrix2D((w / 2 - 0.5, h / 2 - 0.5), 10 * turn, 1 + 0.05 * np.cos(7 * turn))
        return np.asarray(cv2.warpAffine(grey, matrix, (w, h), borderMode=cv2.BORDER_REPLICATE))
