"""DSST and fDSST: a translation filter and a scale filter."""

import numpy as np

from slimtrack.arrays import Floats, Image
from slimtrack.box import Box
from slimtrack.features.grey import Grey
from slimtrack.features.hog import Hog
from slimtrack.features.stack import Stack
from slimtrack.filters.correlation import LinearFilter
from slimtrack.filters.response import gaussian_label
from slimtrack.filters.scale import FastScaleFilter, ScaleFilter
from slimtrack.search import SearchWindow, extract
from slimtrack.tracker import Estimate
from slimtrack.trackers._correlation import CorrelationTracker, positive

__all__ = ["Dsst", "Fdsst", "ScaledTracker"]

_MODEL_AREA = 512.0
"""Most pixels of a scale sample's patch (Danelljan et al., BMVC 2014)."""


class ScaledTracker(CorrelationTracker):
    """A correlation tracker whose size follows a scale filter."""

    _scale_filter: ScaleFilter | FastScaleFilter

    def _make_scale_filter(self) -> ScaleFilter | FastScaleFilter:
        raise TypeError(f"{type(self).__name__} must say how its scale filter is made")

    def _start(self, image: Image, box: Box) -> None:
        shrink = min(1.0, (_MODEL_AREA / box.area) ** 0.5)
        self._sample_size = (max(round(box.w * shrink / 4), 2) * 4, max(round(box.h * shrink / 4), 2) * 4)
        self._scale_hog = Hog(4)
        self._scale_filter = self._make_scale_filter()
        super()._start(image, box)

    def _locate(self, image: Image) -> Estimate:
        found = super()._locate(image)
        assert found.box is not None
        factor = self._scale_filter.best(self._scale_samples(image, found.box))
        return Estimate(self._resized(found.box, self.scale * factor), found.evidence)

    def _learn(self, image: Image, box: Box) -> None:
        super()._learn(image, box)
        self._scale_filter.learn(self._scale_samples(image, box))

    def _scale_samples(self, image: Image, box: Box) -> Floats:
        """HOG of the target at every factor of the scale filter, ``(d, count)``."""
        w, h = self._sample_size
        patches = np.empty((len(self._scale_filter.factors), h, w, 3), np.uint8)
        for patch, factor in zip(patches, self._scale_filter.factors, strict=True):
            patch[:] = extract(image, box.cx, box.cy, box.w * factor, box.h * factor, (w, h))
        return np.ascontiguousarray(self._scale_hog(patches).reshape(len(patches), -1).T)


class Dsst(ScaledTracker, name="dsst"):
    """Discriminative scale space tracker (Danelljan et al., BMVC 2014), HOG and grey.

    Args:
        area: Area of the search window over the target's.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
        label: Width of the wished response, as a share of the target's mean side.
        scales: Number of scales.
        step: Ratio of neighbouring scales.
    """

    def __init__(
        self,
        *,
        area: float = 4.0,
        ridge: float = 0.01,
        rate: float = 0.025,
        label: float = 1 / 16,
        scales: int = 33,
        step: float = 1.02,
    ) -> None:
        positive(area=area, ridge=ridge, rate=rate, label=label, scales=scales, step=step - 1)
        self._area, self._ridge, self._rate, self._label = area, ridge, rate, label
        self._scale_count, self._step = scales, step
        self._feature = Stack(Hog(), Grey())

    def _make_filter(self, window: SearchWindow) -> LinearFilter:
        w, h = (side // self._feature.stride for side in window.patch)
        label = gaussian_label(h, w, self._label_sigma(window, self._label))
        return LinearFilter(label, ridge=self._ridge * 1e-4, rate=self._rate)

    def _make_scale_filter(self) -> ScaleFilter:
        return ScaleFilter(count=self._scale_count, step=self._step, rate=self._rate)


class Fdsst(Dsst, name="fdsst"):
    """Fast discriminative scale space tracker (Danelljan et al., TPAMI 2017): 17 scales, read at 33.

    Args:
        area: Area of the search window over the target's.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
        label: Width of the wished response, as a share of the target's mean side.
    """

    def __init__(
        self, *, area: float = 4.0, ridge: float = 0.01, rate: float = 0.025, label: float = 1 / 16
    ) -> None:
        super().__init__(area=area, ridge=ridge, rate=rate, label=label)

    def _make_scale_filter(self) -> FastScaleFilter:  # type: ignore[override]
        return FastScaleFilter(rate=self._rate)
