"""CACF and DCF-CA: the context-aware correlation filter on HOG."""

from slimtrack.features.hog import Hog
from slimtrack.trackers._context import ContextTracker
from slimtrack.trackers._options import Context, HogCell, LabelWidth, Rate, Ridge, SearchAreaRatio

__all__ = ["Cacf", "DcfCa"]


class Cacf(ContextTracker, name="cacf"):
    """Context-aware correlation filter on HOG (Mueller et al., CVPR 2017).

    The baseline of paper 001.
    """

    def __init__(
        self,
        *,
        search_area_ratio: SearchAreaRatio = 6.25,
        context: Context = 25.0,
        ridge: Ridge = 1e-4,
        rate: Rate = 0.015,
        label_width: LabelWidth = 0.1,
        cell: HogCell = 4,
    ) -> None:
        self._area, self._context, self._ridge, self._rate, self._label = (
            search_area_ratio,
            context,
            ridge,
            rate,
            label_width,
        )
        self._feature = Hog(cell)


class DcfCa(Cacf, name="dcf-ca"):
    """DCF with context: DCF's window and rate, CACF's filter (Mueller et al., CVPR 2017)."""

    def __init__(
        self,
        *,
        search_area_ratio: SearchAreaRatio = 6.25,
        context: Context = 25.0,
        ridge: Ridge = 1e-4,
        rate: Rate = 0.02,
        label_width: LabelWidth = 0.1,
    ) -> None:
        super().__init__(
            search_area_ratio=search_area_ratio,
            context=context,
            ridge=ridge,
            rate=rate,
            label_width=label_width,
        )
