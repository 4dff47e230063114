"""A network of the ATOM family: a folder with a backbone, what is read off it, and the predictor's head."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from slimtrack.arrays import Features, Floats, Image
from slimtrack.errors import InputError, MissingError, SlimtrackError
from slimtrack.networks.entry import OVERLAP_FILES
from slimtrack.networks.find import find_network, is_there
from slimtrack.online.overlap import STRIDES, Head, SearchMaps
from slimtrack.trackers._model import Model
from slimtrack.trackers._onnx import planes

__all__ = ["OverlapNetwork", "files_in"]

_REACH = 3
"""Cells around a box that its pooled values depend on: two convolutions of 3 x 3, and one for the surface."""
_TRIED = 64
"""Pixels of the image that a network is tried on."""


def files_in(name: str) -> list[Path]:
    """The files of a network, which is a folder: of that path, or of that name in a folder of networks.

    All are of one folder, the first that holds a backbone.

    Raises:
        MissingError: One was not found.
    """
    folder = Path(name).expanduser()
    if not is_there(folder / OVERLAP_FILES[0]):
        if len(folder.parts) > 1 and is_there(folder):  # a path, not a name
            raise MissingError(f"{folder} holds no {OVERLAP_FILES[0]}: it is no network of the ATOM family")
        folder = find_network(f"{name}/{OVERLAP_FILES[0]}").parent
    files = [folder / each for each in OVERLAP_FILES]
    for file in files:
        if not is_there(file):
            raise MissingError(
                f"{folder} holds a part of a network, but no {file.name}: copy or export it again, whole"
            )
    return files


class OverlapNetwork(NamedTuple):
    """The parts of a network (docs/paper-003.md says what is in each file).

    Attributes:
        backbone: Image -> blocks 3 and 4.
        search: Blocks 3 and 4 of the searched image -> what boxes are pooled from.
        reference: Blocks 3 and 4 of the first frame -> what the target's box is pooled from.
        head: What is behind the pooling.
    """

    backbone: Model
    search: Model
    reference: Model
    head: Head

    @classmethod
    def read(cls, name: str, threads: int, *, gives_boxes: bool) -> "OverlapNetwork":
        """Reads a network, and tries whether its parts fit together.

        Args:
            name: Its name or its folder.
            threads: Threads of ONNX Runtime.
            gives_boxes: Whether its head has to say boxes (DRNet), or overlaps (ATOM).

        Raises:
            MissingError: A file was not found.
            InputError: A file cannot be read, the parts do not fit, or the head is of the other kind.
        """
        *parts, head = files_in(name)
        backbone, search, reference = (Model.of(path, threads) for path in parts)
        made = cls(backbone, search, reference, Head.read(head))
        if made.head.gives_boxes != gives_boxes:
            what, other = ("boxes", "drnet") if made.head.gives_boxes else ("overlaps", "atom")
            raise InputError(f"the network in {head.parent} gives {what}: track it with {other} or m{other}")
        try:
            made._try()
        except SlimtrackError:
            raise
        except Exception as error:
            raise InputError(
                f"the parts of the network in {head.parent} do not fit together ({type(error).__name__}: "
                f"{str(error).splitlines()[0] if str(error) else ''}): export it again"
            ) from error
        return made

    def _try(self) -> None:
        """Runs all parts on a small image; parts that do not fit raise errors of many kinds."""
        blocks = self.blocks(np.zeros((_TRIED, _TRIED, 3), np.uint8))
        for each, stride in zip(blocks, STRIDES, strict=True):
            if each.shape[1:] != (_TRIED // stride,) * 2:
                raise ValueError(
                    f"a block of stride {stride} gives {each.shape[1:]} cells of {_TRIED} pixels"
                )
        middle = np.array([[16, 16, 48, 48]], np.float32)
        predictor = self.head.modulated(self.to_reference(blocks), middle[0])
        predictor.look(partial(self.searched, blocks))
        predictor.values(middle)

    def blocks(self, patch: Image) -> list[Features]:
        """Blocks 3 and 4 ``(C, h, w)`` of a patch ``(H, W, 3)`` uint8 BGR."""
        return [each[0] for each in self.backbone.run({"image": planes(patch, rgb=True)})]

    def searched(self, blocks: Sequence[Features], area: Floats) -> SearchMaps:
        """What boxes in an area of the searched image are pooled from: only the cells that they need.

        Args:
            blocks: Of the image.
            area: Left, top, right, bottom in pixels.
        """
        parts, corners, limits = [], [], np.array([-np.inf, -np.inf, np.inf, np.inf])
        for block, stride in zip(blocks, STRIDES, strict=True):
            sides = np.array(block.shape[:0:-1])
            low = (np.floor(area[:2] / stride).astype(int) - _REACH).clip(0, sides - 1)
            high = (np.ceil(area[2:] / stride).astype(int) + _REACH + 1).clip(low + 1, sides)
            parts.append(np.ascontiguousarray(block[:, low[1] : high[1], low[0] : high[0]]))
            corners.append((int(low[0]), int(low[1])))
            inner = np.where(low > 0, (low + _REACH) * stride, -np.inf)
            outer = np.where(high < sides, (high - 1 - _REACH) * stride, np.inf)
            limits = np.concatenate([np.maximum(limits[:2], inner), np.minimum(limits[2:], outer)])
        return SearchMaps(_run(self.search, parts), corners, limits)

    def to_reference(self, blocks: Sequence[Features]) -> list[Features]:
        """What the box of the first frame is pooled from."""
        return _run(self.reference, blocks)


def _run(model: Model, blocks: Sequence[Features]) -> list[Features]:
    found = model.run({name: each[None] for name, each in zip(("block3", "block4"), blocks, strict=True)})
    return [each[0] for each in found]
