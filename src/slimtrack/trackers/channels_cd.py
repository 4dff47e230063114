"""Channel distillation (paper 001) in trackers that are there without it: CACF."""

import numpy as np

from slimtrack.arrays import Features, Floats, Image
from slimtrack.box import Box
from slimtrack.compression.channels import Amount, Indices, select
from slimtrack.filters.context import ContextFilter
from slimtrack.trackers._correlation import within
from slimtrack.trackers.cacf import Cacf

__all__ = ["CacfCd"]

_FRAMES = 2
"""Frames after which the good channels are chosen (section IV)."""


class CacfCd(Cacf, name="cacf-cd"):
    """CACF on the good channels of HOG (Ge et al., section IV-G).

    The context patches take part in the choice, as examples that must not respond. HOG is computed whole,
    because its channels share their work; what gets cheaper is the filter.

    Args:
        keep: How many channels are kept; what the number means says ``by``.
        by: Share of the energy, share of the channels, or their number.
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
        keep: float = 0.98,
        by: Amount = "energy",
        area: float = 6.25,
        context: float = 25.0,
        ridge: float = 1e-4,
        rate: float = 0.015,
        label: float = 0.1,
        cell: int = 4,
    ) -> None:
        super().__init__(area=area, context=context, ridge=ridge, rate=rate, label=label, cell=cell)
        within(1e-6, 1e6 if by == "count" else 1, keep=keep)
        self._keep, self._by = keep, by

    @property
    def channels(self) -> Indices | None:
        """The good channels; ``None`` until they are chosen."""
        return self._chosen

    def _prepare(self) -> None:
        self._chosen: Indices | None = None
        self._examples: list[tuple[Features, Features]] = []

    def _make_filter(self, label: Floats) -> ContextFilter:
        self._wish = label
        return super()._make_filter(label)

    def _responses(self, image: Image, scales: Floats) -> Floats:
        patches = self._window.pyramid(image, self.box.cx, self.box.cy, scales)
        return self._filter.respond(self._picked(self._feature(patches)) * self._cosine)

    def _picked(self, features: Features) -> Features:
        """The chosen ones of ``(..., C, h, w)``."""
        return features if self._chosen is None else features[..., self._chosen, :, :]

    def _learn(self, image: Image, box: Box) -> None:
        x, context = (self._picked(f) for f in (self._features_at(image, box), self._context_at(image, box)))
        self._filter.learn(x, context)
        if self._chosen is None:
            self._examples.append((x, context))
            if len(self._examples) == _FRAMES:
                self._distil()

    def _distil(self) -> None:
        """Chooses channels, and begins the filter anew on them."""
        weight = np.float32(self._context**0.5)
        self._chosen = select(
            [x for x, _ in self._examples],
            self._wish,
            context=weight * np.concatenate([context for _, context in self._examples]),
            keep=self._keep,
            by=self._by,
            ridge=self._ridge,
        ).channels
        self._filter = self._make_filter(self._wish)
        for x, context in self._examples:
            self._filter.learn(self._picked(x), self._picked(context))
        self._examples = []
