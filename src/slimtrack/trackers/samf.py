"""SAMF: a kernelized correlation filter on HOG, colour names and grey over seven scales; and with context."""

from slimtrack.arrays import Floats
from slimtrack.features.color_names import ColorNames, load_table
from slimtrack.features.grey import Grey
from slimtrack.features.hog import Hog
from slimtrack.features.stack import Stack
from slimtrack.filters.correlation import Kernel, KernelFilter
from slimtrack.trackers._context import ContextTracker
from slimtrack.trackers._correlation import CorrelationTracker, checked, within

__all__ = ["SCALES", "Samf", "SamfCa"]

SCALES = tuple(1.01**s for s in range(-3, 4))
"""Paper 000: 1.01^s, s = -3 .. 3."""


def _features(colors: str | None) -> Stack:
    """HOG, colour names by our table or a user's, and grey."""
    return Stack(Hog(), ColorNames(table=None if colors is None else load_table(colors)), Grey())


class Samf(CorrelationTracker, name="samf"):
    """Scale adaptive kernelized correlation filter (Li and Zhu, ECCVW 2014).

    With the seven scales of paper 000.

    Args:
        area: Area of the search window over the target's.
        kernel: The kernel.
        sigma: Bandwidth of the Gaussian kernel.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
        label: Width of the wished response, as a share of the target's mean side.
        colors: File of a table of colour names (w2c: 32768 colours with their terms' weights) to use instead
            of ours.
    """

    _scales = SCALES
    _pixels = 128.0**2

    def __init__(
        self,
        *,
        area: float = 6.25,
        kernel: Kernel = "gaussian",
        sigma: float = 0.5,
        ridge: float = 1e-4,
        rate: float = 0.01,
        label: float = 0.1,
        colors: None | str = None,  # noqa: RUF036  (the text "None" is to be read as None)
    ) -> None:
        checked(area=area, ridge=ridge, rate=rate, label=label)
        within(1e-3, 1e3, sigma=sigma)
        self._area, self._kernel, self._sigma, self._ridge = area, kernel, sigma, ridge
        self._rate, self._label = rate, label
        self._feature = _features(colors)

    def _make_filter(self, label: Floats) -> KernelFilter:
        return KernelFilter(label, kernel=self._kernel, sigma=self._sigma, ridge=self._ridge, rate=self._rate)


class SamfCa(ContextTracker, name="samf-ca"):
    """SAMF's features and scales with a context-aware linear filter (Mueller et al., CVPR 2017).

    Args:
        area: Area of the search window over the target's.
        context: Weight of the wish for a zero response on the context patches.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
        label: Width of the wished response, as a share of the target's mean side.
        colors: File of a table of colour names (w2c: 32768 colours with their terms' weights) to use instead
            of ours.
    """

    _scales = SCALES
    _pixels = 128.0**2

    def __init__(
        self,
        *,
        area: float = 6.25,
        context: float = 0.4,
        ridge: float = 1e-4,
        rate: float = 0.01,
        label: float = 0.1,
        colors: None | str = None,  # noqa: RUF036  (the text "None" is to be read as None)
    ) -> None:
        checked(area=area, ridge=ridge, rate=rate, label=label)
        within(0, 1e6, context=context)
        self._area, self._context, self._ridge, self._rate, self._label = area, context, ridge, rate, label
        self._feature = _features(colors)
