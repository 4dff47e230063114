"""Channel distillation (paper 001) in trackers that are there without it: CACF, ECO, DeepSTRCF."""

from typing import Annotated, Any

import numpy as np

from slimtrack.arrays import Features, Floats, Image
from slimtrack.box import Box
from slimtrack.compression.channels import (
    Indices,
    common_energy,
    friendliness,
    initial_set,
    select,
    swap_search,
)
from slimtrack.compression.inner import prune_inner
from slimtrack.compression.stack import pruned
from slimtrack.correlation.grids import FeatureGrids, Windowing
from slimtrack.correlation.levels import EvenLevel
from slimtrack.features.network import NetworkFeature, NetworkFeatures
from slimtrack.filters.eco.continuous import samples
from slimtrack.filters.fft import rfft2
from slimtrack.filters.spectral import GridFilters
from slimtrack.tracker import Track, Tracker
from slimtrack.trackers._options import (
    ChannelAmount,
    Inner,
    Keep,
    Rate,
    check_keep,
)
from slimtrack.trackers.cacf import Cacf
from slimtrack.trackers.eco import Eco, Feco
from slimtrack.trackers.strcf import FdeepStrcf

__all__ = ["CacfCd", "EcoCd", "FdeepStrcfCd", "FecoCd"]

_FRAMES = 2
"""Frames after which the good channels are chosen (section IV)."""

_LAYER = 1
"""The block of fDeepSTRCF that has the network's layer."""


class _Keeping(Tracker):
    """The options that say how many channels of a feature are kept."""

    def __init__(self, *, keep: Keep = 0.6, by: ChannelAmount = "ratio", **options: Any) -> None:
        super().__init__(**options)
        check_keep(keep, by)
        self._keep, self._by = keep, by


class _OneFeature(_Keeping):
    """Chooses channels of one feature, from examples in the first frames."""

    @property
    def channels(self) -> Indices | None:
        """The good channels; ``None`` until they are chosen."""
        return self._chosen

    def _start(self, image: Image, box: Box) -> None:
        self._chosen: Indices | None = None
        self._examples: list[Features] = []
        super()._start(image, box)  # type: ignore[safe-super]  # what is composed with this


class CacfCd(_OneFeature, Cacf, name="cacf-cd"):
    """CACF on the good channels of HOG (Ge et al., section IV-G).

    The context patches take part in the choice, as examples that must not respond. As in `DeepCd`, channels
    come to the filter without their mean of the first frame and with equal deviation: they are so chosen by
    what they show, and not by their level. HOG is computed whole, because its channels share their work; what
    gets cheaper is the filter. The default rate was chosen on the development sequences.
    """

    def __init__(
        self, *, keep: Keep = 0.8, by: ChannelAmount = "energy", rate: Rate = 0.035, **options: Any
    ) -> None:
        super().__init__(keep=keep, by=by, rate=rate, **options)

    def _start(self, image: Image, box: Box) -> None:
        self._level = EvenLevel()
        super()._start(image, box)

    def _make_windowing(self) -> Windowing:
        return self._chosen_ones

    def _chosen_ones(self, features: Features, cosine: Floats) -> Features:
        """The good channels, all as long as none are chosen, at one level."""
        levelled = self._level(features, cosine)
        return levelled if self._chosen is None else levelled[:, self._chosen]

    def _with_context(self, image: Image, box: Box) -> Features:
        seen = super()._with_context(image, box)
        if self._chosen is None:
            self._examples.append(seen)
        return seen

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        super()._learn(image, box, track)
        if len(self._examples) == _FRAMES:
            self._distil()

    def _distil(self) -> None:
        """Chooses channels, and begins the filter anew on them."""
        weight = np.float32(self._context**0.5)
        self._chosen = select(
            [example[0] for example in self._examples],
            self._desired(self._sampler.blocks[0].size),
            context=weight * np.concatenate([example[1:] for example in self._examples]),
            keep=self._keep,
            by=self._by,
            ridge=self._ridge,
        ).channels
        self._filter = self._make_filters()
        for seen in self._examples:
            self._filter.learn(self._filter.transform([seen[:, self._chosen]]))
        self._examples = []


class EcoCd(_Keeping, Eco, name="eco-cd"):
    """ECO on the good ones of its projected channels (Ge et al., equations 11-12).

    After two frames the channels of each feature, HOG's too, are chosen by what they add to the responses of
    the filter that was learned with the projections; filter and samples go on with these. A projection mixes
    all channels of a layer, so the network gets smaller by its inner channels only.
    """

    def __init__(
        self,
        *,
        loss: Annotated[
            Inner,
            "Share of the variation of the network's inner channels that pruning may lose; 0 leaves the "
            "network whole.",
        ] = 0.1,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._loss, self._whole = loss, self._network

    @property
    def channels(self) -> list[Indices] | None:
        """The good ones of the projected channels, an array each feature; ``None`` until they are chosen."""
        return self._chosen

    def _start(self, image: Image, box: Box) -> None:
        self._chosen: list[Indices] | None = None
        self._network = self._whole
        super()._start(image, box)

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        super()._learn(image, box, track)
        if self._chosen is None and len(self._filter.samples) >= _FRAMES:
            self._chosen = self._good()
            self._filter.keep(self._chosen)
            if self._loss:
                self._thin(image, box)

    def _thin(self, image: Image, box: Box) -> None:
        """Goes on with the network without inner channels that say little about this target."""
        network, taps = self._network.network, self._network.taps
        patch = self._window.extract(image, box.cx, box.cy, self.scale, self._network.margin)
        every = {tap.name: np.arange(tap.channels) for tap in taps}
        small, _ = prune_inner(network, every, network.prepare(patch), self._loss)
        self._network = NetworkFeatures(small, [tap.name for tap in taps])
        self._sampler = self._make_sampler()

    def _good(self) -> list[Indices]:
        """The good channels of each block, rising (equation 12 with the filter as it is)."""
        blocks = range(len(self._filter.layout.blocks))
        ranked = [self._ranked(block) for block in blocks]
        price = sum(b.channels for b in self._filter.layout.blocks) / sum(map(len, ranked))
        return [
            np.sort(swap_search(*self._filter.contributions(block, price), ranked[block])[0])
            for block in blocks
        ]

    def _ranked(self, block: int) -> Indices:
        """The channels of a block to begin with, the friendliest first."""
        functions = samples(self._filter.layout.views(self._filter.samples)[block])
        frames = list(functions[:_FRAMES])
        return initial_set(friendliness(frames), common_energy(frames), self._keep, self._by)


class FecoCd(EcoCd, Feco, name="feco-cd"):
    """fECO on the good ones of its projected channels: papers 001 and 002 joined."""


class FdeepStrcfCd(_OneFeature, FdeepStrcf, name="fdeepstrcf-cd"):
    """fDeepSTRCF on the good channels of its network's layer; the others are not computed."""

    _sampler: FeatureGrids
    _filter: GridFilters

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        super()._learn(image, box, track)
        if self._chosen is None:
            self._examples.append(self.features_at(image, box)[_LAYER][0])
            if len(self._examples) == _FRAMES:
                self._distil()

    def _distil(self) -> None:
        """Chooses channels, prunes the network to them, and begins the layer's filter anew on them."""
        size = self._sampler.blocks[_LAYER].size
        self._chosen = select(self._examples, self._desired(size), keep=self._keep, by=self._by).channels
        whole = self._features[_LAYER]
        assert isinstance(whole, NetworkFeature)
        small = pruned(whole.network, {whole.tap.name: self._chosen})
        left = small.tap(whole.tap.name).channels
        picks = self._chosen.tolist() if left > len(self._chosen) else None
        self._sampler.features[_LAYER] = NetworkFeature(small, whole.tap.name, channels=picks, stretched=True)
        self._filter.filters[_LAYER] = self._new_filter(size)
        for example in self._examples:
            self._filter.filters[_LAYER].learn(rfft2(example[self._chosen]))
        self._examples, self._last = [], None
