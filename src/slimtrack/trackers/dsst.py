"""DSST and fDSST: a translation filter and a scale filter."""

from abc import abstractmethod

from slimtrack.arrays import Floats, Image
from slimtrack.box import Box
from slimtrack.errors import InputError
from slimtrack.features.grey import Grey
from slimtrack.features.hog import Hog
from slimtrack.features.stack import Stack
from slimtrack.filters.correlation import LinearFilter
from slimtrack.filters.scale import FastScaleFilter, ScaleFilter
from slimtrack.tracker import Estimate, Track
from slimtrack.trackers._correlation import CorrelationTracker, checked, within
from slimtrack.trackers._scale import ScaleFilterLike, ScaleSearch

__all__ = ["Dsst", "Fdsst", "ScaledTracker"]


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

    Args:
        area: Area of the search window over the target's.
        ridge: Weight of the translation filter's regularisation, on means over a patch's values; the scale
            filter has its own, 0.01 on sums.
        rate: Share of the newest frame in the model.
        label: Width of the wished response, as a share of the target's mean side.
        scales: Number of scales.
        step: Ratio of neighbouring scales.
    """

    def __init__(
        self,
        *,
        area: float = 4.0,
        ridge: float = 1e-6,
        rate: float = 0.025,
        label: float = 1 / 16,
        scales: int = 33,
        step: float = 1.02,
    ) -> None:
        checked(area=area, ridge=ridge, rate=rate, label=label)
        within(1, 200, scales=scales)
        if not 1 < step <= 2:
            raise InputError(f"option step={step!r} must be greater than 1, and at most 2")
        self._area, self._ridge, self._rate, self._label = area, ridge, rate, label
        self._scale_count, self._step = scales, step
        self._feature = Stack(Hog(), Grey())

    def _make_filter(self, label: Floats) -> LinearFilter:
        return LinearFilter(label, ridge=self._ridge, rate=self._rate)

    def _make_scale_filter(self) -> ScaleFilterLike:
        return ScaleFilter(count=self._scale_count, step=self._step, rate=self._rate)


class Fdsst(Dsst, name="fdsst"):
    """Fast discriminative scale space tracker (Danelljan et al., TPAMI 2017): 17 scales, read at 33.

    Args:
        area: Area of the search window over the target's.
        ridge: Weight of the translation filter's regularisation, on means over a patch's values; the scale
            filter has its own, 0.01 on sums.
        rate: Share of the newest frame in the model.
        label: Width of the wished response, as a share of the target's mean side.
    """

    def __init__(
        self, *, area: float = 4.0, ridge: float = 1e-6, rate: float = 0.025, label: float = 1 / 16
    ) -> None:
        super().__init__(area=area, ridge=ridge, rate=rate, label=label)

    def _make_scale_filter(self) -> FastScaleFilter:
        return FastScaleFilter(rate=self._rate)
