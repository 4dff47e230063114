"""SAMF: a kernelized correlation filter on HOG, colour names and grey over seven scales; and with context."""

from typing import Any

from slimtrack.features.color_names import ColorNames, load_table
from slimtrack.features.grey import Grey
from slimtrack.features.hog import Hog
from slimtrack.features.stack import Stack
from slimtrack.trackers._options import ColorTable, Context
from slimtrack.trackers._ridge import KernelTracker
from slimtrack.trackers.cacf import ContextTracker

__all__ = ["SCALES", "Samf", "SamfCa"]

SCALES = tuple(1.01**s for s in range(-3, 4))
"""Paper 000: 1.01^s, s = -3 .. 3."""


def _features(colors: str | None) -> Stack:
    """HOG, colour names by our table or a user's, and grey."""
    return Stack(Hog(), ColorNames(table=None if colors is None else load_table(colors)), Grey())


class Samf(KernelTracker, name="samf"):
    """Scale adaptive kernelized correlation filter (Li and Zhu, ECCVW 2014).

    With the seven scales of paper 000.
    """

    _scales = SCALES
    _pixels = (32.0**2, 128.0**2)

    def __init__(self, *, colors: ColorTable = None, **options: Any) -> None:
        super().__init__(**options)
        self._features = (_features(colors),)


class SamfCa(ContextTracker, name="samf-ca"):
    """SAMF's features and scales with a context-aware linear filter (Mueller et al., CVPR 2017)."""

    _scales = SCALES
    _pixels = (32.0**2, 128.0**2)

    def __init__(self, *, context: Context = 0.4, colors: ColorTable = None, **options: Any) -> None:
        super().__init__(context=context, **options)
        self._features = (_features(colors),)
