"""CACF and DCF-CA: the context-aware correlation filter on HOG."""

from slimtrack.features.hog import Hog
from slimtrack.trackers._context import ContextTracker
from slimtrack.trackers._correlation import checked, within

__all__ = ["Cacf", "DcfCa"]


class Cacf(ContextTracker, name="cacf"):
    """Context-aware correlation filter on HOG (Mueller et al., CVPR 2017).

    The baseline of paper 001.

    Args:
        area: Area of the search window over the target's.
        context: Weight of the wish for a zero response on the four context patches.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
        label: Width of the wished response, as a share of the target's mean side.
        cell: Side of a HOG cell in patch pixels.
    """

    def __init__(
        self,
        *,
        area: float = 6.25,
        context: float = 25.0,
        ridge: float = 1e-4,
        rate: float = 0.015,
        label: float = 0.1,
        cell: int = 4,
    ) -> None:
        checked(area=area, ridge=ridge, rate=rate, label=label)
        within(0, 1e6, context=context)
        within(1, 32, cell=cell)
        self._area, self._context, self._ridge, self._rate, self._label = area, context, ridge, rate, label
        self._feature = Hog(cell)


class DcfCa(Cacf, name="dcf-ca"):
    """DCF with context: DCF's window and rate, CACF's filter (Mueller et al., CVPR 2017).

    Args:
        area: Area of the search window over the target's.
        context: Weight of the wish for a zero response on the four context patches.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
        label: Width of the wished response, as a share of the target's mean side.
    """

    def __init__(
        self,
        *,
        area: float = 6.25,
        context: float = 25.0,
        ridge: float = 1e-4,
        rate: float = 0.02,
        label: float = 0.1,
    ) -> None:
        super().__init__(area=area, context=context, ridge=ridge, rate=rate, label=label)
