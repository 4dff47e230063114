"""MOSSE: one filter on grey levels."""

from typing import Annotated

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.arrays import Floats, Image
from slimtrack.box import Box
from slimtrack.filters.mosse import MosseFilter, normalised
from slimtrack.filters.response import evidence, gaussian_label, peak
from slimtrack.options import Range
from slimtrack.search import SearchWindow, cosine_window
from slimtrack.tracker import Estimate, Track, Tracker
from slimtrack.trackers._options import Rate, Ridge, SearchAreaRatio

__all__ = ["Mosse"]


class Mosse(Tracker, name="mosse"):
    """Minimum output sum of squared error filter on grey levels (Bolme et al., CVPR 2010)."""

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
            "Slightly rotated and scaled copies of the first patch that the filter is trained on.",
        ] = 8,
    ) -> None:
        self._area, self._rate, self._ridge, self._sigma, self._warps = (
            search_area_ratio,
            rate,
            ridge,
            sigma,
            warps,
        )

    def _start(self, image: Image, box: Box) -> None:
        self._window = SearchWindow.around(box, area=self._area, stride=2, pixels=64.0**2)
        w, h = self._window.patch
        self._cosine = cosine_window(h, w)
        label = gaussian_label(h, w, self._sigma)
        self._filter = MosseFilter(label, rate=self._rate, ridge=self._ridge)
        grey = cv2.cvtColor(self._window.extract(image, box.cx, box.cy), cv2.COLOR_BGR2GRAY)
        copies = [grey, *(self._warped(grey, turn) for turn in np.linspace(-1, 1, self._warps))]
        self._filter.learn(np.stack([normalised(copy) * self._cosine for copy in copies]))

    def _locate(self, image: Image) -> Estimate:
        response = self._filter.respond(self._seen(image, self._place))
        dy, dx = peak(response)
        return Estimate(self._window.moved(self._place, dx, dy), evidence(response))

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        self._filter.learn(self._seen(image, box), track.score)

    def _seen(self, image: Image, box: Box) -> Floats:
        patch = self._window.extract(image, box.cx, box.cy)
        return normalised(cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY)) * self._cosine

    def _warped(self, grey: Floats, turn: float) -> Floats:
        """The patch rotated by up to 10 degrees and scaled by up to 5 per cent about its centre."""
        h, w = grey.shape
        matrix = cv2.getRotationMatrix2D((w / 2 - 0.5, h / 2 - 0.5), 10 * turn, 1 + 0.05 * np.cos(7 * turn))
        return np.asarray(cv2.warpAffine(grey, matrix, (w, h), borderMode=cv2.BORDER_REPLICATE))
