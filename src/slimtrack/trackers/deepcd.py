"""DeepCD: the good channels of a network's layers, found in the first two frames, and one filter on them."""

from collections.abc import Mapping
from typing import Any

from slimtrack.arrays import Features, Floats, Image
from slimtrack.box import Box
from slimtrack.compression.channels import Amount, Indices, Level, Reading, select
from slimtrack.compression.distilled import only
from slimtrack.features.taps import NetworkStack
from slimtrack.filters.fft import rfft2
from slimtrack.filters.spectral import SpectralLinearFilter
from slimtrack.tracker import Track
from slimtrack.trackers._correlation import within
from slimtrack.trackers._network import network_of
from slimtrack.trackers.hcf import LayeredTracker, named

__all__ = ["DeepCd", "member"]

_FRAMES = 2
"""Frames after which the good channels are chosen (section IV)."""


class DeepCd(LayeredTracker):
    """Channel distillation of a network's layers (DeepCD, Ge et al.).

    After two frames the channels that are salient and stable on this target are chosen; the rest is neither
    computed, where nothing else needs it, nor filtered. Unlike the paper's, channels come to the filter
    without their mean of the first frame and with equal deviation: strong and weak channels are so chosen by
    what they show, and not by their level. And inner channels of the network that say little about this
    target go too (the joined method that the paper names as future work); ``loss=0`` computes what the paper
    does.

    Args:
        keep: How many channels are kept; what the number means says ``by``.
        by: Share of the energy, share of the channels, or their number.
        level: How far channels are brought to one level: 1 wholly, 0 not at all.
        reading: How friendliness is read: stable and salient, or the printed formula.
        loss: Share of the variation of the network's inner channels that may be lost; 0: the network is
            pruned exactly.
        area: Area of the search window over the target's.
        ridge: Weight of the regularisation.
        rate: Share of the newest frame in the model.
        label: Width of the wished response, as a share of the target's mean side.
        still: Shift, as a share of the target's mean side, up to which the network runs once a frame; 0: it
            always runs twice.
        side: Square root of the search window's most pixels.
        coarse: Square root of the cells of the coarsest layer to which a smaller search window is enlarged,
            as far as ``side`` allows.
        cell: Side of the common grid's cells in patch pixels.
    """

    def __init__(
        self,
        *,
        keep: float = 0.5,
        by: Amount = "energy",
        level: float = 1.0,
        reading: Reading = "similarity",
        loss: float = 0.2,
        area: float = 7.84,
        ridge: float = 1e-4,
        rate: float = 0.02,
        label: float = 0.1,
        still: float = 0.2,
        side: float = 160.0,
        coarse: float = 12.0,
        cell: int = 4,
    ) -> None:
        super().__init__(
            area=area, ridge=ridge, rate=rate, label=label, still=still, side=side, coarse=coarse, cell=cell
        )
        within(1e-6, 1e6 if by == "count" else 1, keep=keep)
        within(0, 1, loss=loss, level=level)
        self._keep, self._by, self._reading, self._loss, self._cell = keep, by, reading, loss, cell
        self._share = level
        self._whole = self._feature

    @property
    def channels(self) -> Mapping[str, Indices]:
        """The good channels of each layer; empty until they are chosen."""
        return self._chosen

    def _prepare(self) -> None:
        super()._prepare()
        self._feature: NetworkStack = self._whole
        self._examples: list[Image] = []
        self._chosen: dict[str, Indices] = {}
        self._level: Level | None = None

    def _make_filter(self, label: Floats) -> SpectralLinearFilter:  # type: ignore[override]  # of spectra
        self._wish = label
        return SpectralLinearFilter(label, ridge=self._ridge, rate=self._rate)

    def _described(self, patches: Image) -> Features:
        features = self._feature(patches)
        if self._level is None:
            self._level = Level(features, self._feature.slices, share=self._share)
        return self._level(features, self._cosine)

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        if self._chosen:
            super()._learn(image, box, track)
            return
        patch = self._window.extract(image, box.cx, box.cy, box.w / self._first.w, self._feature.margin)
        self._examples.append(patch)
        self._filter.learn(rfft2(self._described(patch)), weight=track.score)
        if len(self._examples) == _FRAMES:
            self._distil()

    def _distil(self) -> None:
        """Chooses channels, prunes the network to them, and begins the filter anew on them."""
        found = select(
            [self._described(patch) for patch in self._examples],
            self._wish,
            keep=self._keep,
            by=self._by,
            ridge=self._ridge,
            reading=self._reading,
            groups=self._whole.slices,
        ).channels
        parts = zip(self.layers, self._whole.slices, strict=True)
        self._chosen = {
            tap: found[(found >= part.start) & (found < part.stop)] - part.start for tap, part in parts
        }
        network = network_of(self.network)
        self._feature = only(network, self._chosen, self._examples[0], self._loss, cell=self._cell)
        self._filter, self._level = self._make_filter(self._wish), None
        for patch in self._examples:
            self._filter.learn(rfft2(self._described(patch)))
        self._examples = []


class DeepCdAll(DeepCd):
    """Channel distillation of all layers of a small network (DeepCD-S-All, Ge et al., section IV-F).

    Layers as different as the first and the last are brought half the way to one level: at one level the many
    channels of deep layers, coarse in place, outweigh the others, and as they are a few loud ones do. Level,
    ``loss`` and ``side`` were chosen on the development sequences. Choosing among SqueezeNet's 2,624 channels
    takes seconds, once, in the second frame.

    Args:
        keep: How many channels are kept; what the number means says ``by``.
        by: Share of the energy, share of the channels, or their number.
        level: How far channels are brought to one level: 1 wholly, 0 not at all.
        loss: Share of the variation of the network's inner channels that may be lost; 0: the network is
            pruned exactly.
        side: Square root of the search window's most pixels.
        **options: Those of DeepCD.
    """

    def __init__(
        self,
        *,
        keep: float = 123,
        by: Amount = "count",
        level: float = 0.5,
        loss: float = 0.05,
        side: float = 200.0,
        **options: Any,
    ) -> None:
        super().__init__(keep=keep, by=by, level=level, loss=loss, side=side, **options)


def member(name: str) -> type[DeepCd]:
    """The tracker behind a name such as ``deepcd-v-11+12+21`` (VGG-19) or ``deepcd-s-all`` (SqueezeNet 1.1).

    Raises:
        UnknownNameError: The name has another form or another network.
    """
    base = DeepCdAll if name.endswith("-all") else DeepCd
    return named(base, name, ["deepcd-v-11+12+21", "deepcd-v-11", "deepcd-s-all"])
