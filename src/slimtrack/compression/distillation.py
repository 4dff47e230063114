"""Channel distillation: chooses channels of a network's layers, and prunes the network (paper 001)."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from slimtrack.arrays import Floats, Image
from slimtrack.box import Box
from slimtrack.compression.channels import Amount, Indices, Level, Reading, friendliness, select
from slimtrack.compression.distilled import choices, keep_channels, write_channels
from slimtrack.compression.method import Compressed, Method, Progress, silent
from slimtrack.compression.report import draw_channels
from slimtrack.compression.stack import ChosenStack
from slimtrack.errors import InputError
from slimtrack.features.taps import NetworkStack
from slimtrack.filters.response import gaussian_label
from slimtrack.networks.network import Network
from slimtrack.options import CheckedOptions, Range
from slimtrack.search import cosine_window

__all__ = [
    "CHANNELS", "ChannelAmount", "Distillation", "DistillationOptions", "Distilled", "Inner", "Keep",
    "LevelShare", "ReadingName", "check_keep",
]  # fmt: skip

CHANNELS = "channels.png"
"""Name of the picture of all channels."""

Keep = Annotated[float, Range(1e-6, 1e6), "How many channels to keep, in the unit that the option by names."]
ChannelAmount = Annotated[
    Amount, "Unit of keep: share of the energy, share of the channels, or number of channels."
]
Inner = Annotated[
    float,
    Range(0, 1),
    "Share of the variation of the network's inner channels that pruning may lose; 0 prunes without any "
    "loss.",
]
LevelShare = Annotated[
    float, Range(0, 1), "How far channels are scaled to equal strength: 1 fully, 0 not at all."
]
ReadingName = Annotated[
    Reading, "How friendliness is computed: from stability and salience, or by the printed formula."
]


def check_keep(keep: float, by: Amount) -> None:
    """Raises an error if more channels are to be kept than there are.

    Raises:
        InputError: ``keep`` is a share, and above 1.
    """
    if by != "count" and keep > 1:
        raise InputError(f"option keep={keep!r} must be between 1e-06 and 1 with by={by}")


@dataclass(frozen=True, slots=True)
class Distilled(Compressed):
    """The result of channel distillation.

    Attributes:
        feature: The chosen channels, tap by tap.
        kept: Tap -> its chosen channels. A tap that other layers read may still have the others.
    """

    feature: ChosenStack

    def lines(self, whole: Network) -> list[tuple[str, int, int]]:
        """The layers, and the number of chosen channels of each tap; taps that others read stay whole."""
        chosen = [(f"chosen of {tap}", whole.tap(tap).channels, len(at)) for tap, at in self.kept.items()]
        total = ("chosen in all", sum(line[1] for line in chosen), sum(line[2] for line in chosen))
        # explicit, because super() does not work in a dataclass with slots
        return [*Compressed.lines(self, whole), *chosen, total]


class DistillationOptions(metaclass=CheckedOptions):
    """Options of channel distillation that the command and the tracker share.

    Attributes:
        by: Unit of ``keep``.
        reading: How friendliness is computed.
        loss: Share of the variation of inner channels that pruning may lose.
        level: How far channels are scaled to equal strength.
    """

    def __init__(
        self,
        *,
        by: ChannelAmount = "energy",
        reading: ReadingName = "similarity",
        loss: Inner = 0.0,
        level: LevelShare = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.by, self.reading, self.loss, self.level = by, reading, loss, level


class Distillation(DistillationOptions, Method[NetworkStack]):
    """Prune a network to the channels that are good for a target, from two frames (paper 001).

    Attributes:
        keep: How many channels to keep.
    """

    name = "cd"
    frames = 2  # section IV

    def __init__(
        self,
        *,
        taps: Annotated[
            str | None,
            "Layers to choose channels of: relu1_1+relu1_2. Default: the deepest.",
        ] = None,
        ratio: Annotated[float | None, "Share of the channels to drop, instead of keep."] = None,
        keep: Annotated[
            float | None,
            Range(1e-6, 1e6),
            "How many channels to keep, in the unit that the option by names. Default: 0.5.",
        ] = None,
        cell: Annotated[
            int, Range(1, 32), "Side in patch pixels of the cells that all layers are resampled to."
        ] = 4,
        ridge: Annotated[float, Range(1e-12, 1e6), "Weight of the regularisation."] = 1e-4,
        label_width: Annotated[
            float, Range(1e-3, 10), "Width of the desired response, as a share of the target's mean side."
        ] = 0.1,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._taps = taps
        self.keep, self.by = _amount(ratio, keep, self.by)
        self._cell, self._ridge, self._label_width = cell, ridge, label_width

    def features(self, network: Network) -> NetworkStack:
        """The layers on one grid, in the order in which they are computed."""
        named = re.split(r"[+,\s]+", self._taps.strip()) if self._taps else [list(network.taps)[-1]]
        cut = network.truncate(*dict.fromkeys(named))
        return NetworkStack(cut, list(cut.taps), cell=self._cell)

    def compress(
        self, whole: NetworkStack, patches: Sequence[Image], target: Box, progress: Progress = silent
    ) -> Distilled:
        """Chooses channels that are salient and stable in the patches, and prunes the network to them."""
        progress("good channels", 0, 2)
        maps = [whole(patch) for patch in patches]
        h, w = maps[0].shape[1:]
        level, window = Level(maps[0], whole.slices, share=self.level), cosine_window(h, w)
        levelled = [level(each, window) for each in maps]
        priority = friendliness(levelled, reading=self.reading, groups=whole.slices)
        label = self._label(h, w, whole, target)
        chosen = select(
            levelled, label, priority=priority, keep=self.keep, by=self.by, ridge=self._ridge
        ).channels
        progress("network", 1, 2)
        kept = _by_tap(whole, chosen)
        feature = keep_channels(whole.network, kept, patches[0], self.loss, cell=self._cell)
        progress("done", 2, 2)
        return Distilled(feature.network, feature, kept)

    def record(
        self, found: Compressed, whole: NetworkStack, patches: Sequence[Image], out: Path
    ) -> list[Path]:
        """Writes the chosen channels as JSON, because taps that other layers read stay whole."""
        assert isinstance(found, Distilled)
        write_channels(out.with_suffix(".json"), whole.network, found.kept, found.feature)
        return [out.with_suffix(".json")]

    def draw(
        self, found: Compressed, whole: NetworkStack, patches: Sequence[Image], folder: Path
    ) -> list[Path]:
        """Draws all channels in each frame, kept and dropped ones."""
        named = {f"patch {number}": patch for number, patch in enumerate(patches, start=1)}
        draw_channels(folder / CHANNELS, named, choices(whole, patches, found.kept))
        return [folder / CHANNELS]

    def _label(self, h: int, w: int, whole: NetworkStack, target: Box) -> Floats:
        """The desired response: its width is a share of the target's mean side, in cells."""
        return gaussian_label(h, w, self._label_width * math.sqrt(target.w * target.h) / whole.stride)


def _by_tap(whole: NetworkStack, chosen: Indices) -> Mapping[str, Indices]:
    """Indices into all channels, as indices into each tap."""
    return {
        tap.name: chosen[(chosen >= part.start) & (chosen < part.stop)] - part.start
        for tap, part in zip(whole.taps, whole.slices, strict=True)
    }


def _amount(ratio: float | None, keep: float | None, by: Amount) -> tuple[float, Amount]:
    """``keep`` and ``by`` for the selector."""
    if ratio is None:
        keep = 0.5 if keep is None else keep
        check_keep(keep, by)
        return keep, by
    if keep is not None:
        raise InputError("give option ratio or keep, not both: each sets how many channels are kept")
    if not 0 <= ratio < 1:
        raise InputError(f"option ratio={ratio:g}: the share of channels to drop must be from 0 to below 1")
    return 1 - ratio, "ratio"
