"""Objects cut out of annotated pictures, with their surroundings; each picture is opened once."""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from slimtrack._cv2 import cv2
from slimtrack.arrays import Image
from slimtrack.errors import SourceError
from slimtrack.learning.data import (
    BESIDE,
    Corner,
    Entry,
    Objects,
    Pictures,
    TrainingSet,
    is_whole,
    memory_for,
)
from slimtrack.learning.sources.shot import Labelled, Shot, spread

__all__ = ["SIDE", "cut_out"]

_REACH = 5.2
"""Side of a crop, as a multiple of the square root of the object's area."""
_OBJECT = 64.0
"""Square root of an object's area in its crop; objects are shrunk to this but never enlarged."""
SIDE = math.ceil(_REACH * _OBJECT) + 1
"""Longest side of a crop."""
_LEAST = 12.0
"""Objects whose shorter side has fewer pixels are left out."""
_MOST = 3
"""Objects of a still, the largest ones: more make one picture weigh too much."""


class _Crop(NamedTuple):
    """A piece of a picture: its pixels (BGR), the object's box in it, and those beside."""

    pixels: Image
    main: Labelled
    beside: list[Labelled]


def cut_out(shots: list[Shot], folder: Path, limit: int | None, memory: float) -> TrainingSet:
    """Cuts out every object.

    Args:
        shots: The pictures.
        folder: Where they are from, for errors.
        limit: Maximum number of objects, evenly spread.
        memory: Most memory that they may take, in GiB.

    Raises:
        SourceError: A picture cannot be read, or there is no object of 12 pixels or more.
        InputError: They would take more memory.
    """
    wanted = [(shot, item) for shot in shots for item in _main(shot)]
    wanted = wanted if limit is None else spread(wanted, limit)
    by_picture: dict[Path, _Work] = {}
    for index, (shot, item) in enumerate(wanted):
        by_picture.setdefault(shot.picture, _Work(shot, [])).wanted.append((index, item))
    room = _Room(len(wanted), memory_for(len(wanted), SIDE, memory, folder))
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # OpenCV releases the interpreter lock
        entries = [entry for found in pool.map(room.fill, by_picture.values()) for entry in found]
    if not entries:
        raise SourceError(f"{folder} holds no object of {_LEAST:g} pixels or more")
    return TrainingSet(room.pictures(), Objects.of(entries))


class _Work(NamedTuple):
    """A picture, and where the crops of its objects go."""

    shot: Shot
    wanted: list[tuple[int, Labelled]]


class _Room:
    """The memory for crops. Where an object turns out to be too small, its place stays empty and unused."""

    def __init__(self, count: int, pixels: npt.NDArray[np.uint8]) -> None:
        self._pixels = pixels
        self._sizes = np.ones((count, 2), np.float32)
        self._means = np.zeros((count, 3), np.float32)

    def fill(self, work: _Work) -> list[Entry]:
        """Cuts a picture's objects out; one box in `Objects` for each, and for those beside it."""
        image = _opened(work.shot)
        boxes = _boxes(work.shot, image)
        entries = []
        for index, item in work.wanted:
            if min(boxes[item][2:]) >= _LEAST:
                crop = _crop(image, item, boxes)
                self._put(index, crop.pixels)
                entries += _entries(index, crop)
        return entries

    def _put(self, index: int, pixels: Image) -> None:
        height, width = pixels.shape[:2]
        self._pixels[index, :, :height, :width] = pixels.transpose(2, 0, 1)[::-1]
        self._sizes[index] = width, height
        self._means[index] = pixels.reshape(-1, 3).mean(0)[::-1]

    def pictures(self) -> Pictures:
        """All crops."""
        return Pictures(*map(torch.from_numpy, (self._pixels, self._sizes, self._means)))


def _main(shot: Shot) -> list[Labelled]:
    """The objects of a picture that get a crop: all that move, and the largest that do not."""
    stills = [item for item in shot.objects if not item.track]
    stills.sort(key=lambda item: -item.box[2] * item.box[3])
    return [item for item in shot.objects if item.track] + stills[:_MOST]


def _opened(shot: Shot) -> Image:
    image = cv2.imread(str(shot.picture), cv2.IMREAD_COLOR)
    if image is None:
        reason = "cannot be read as a picture" if shot.picture.is_file() else "is not there"
        raise SourceError(f"{shot.picture} {reason}; the annotations of {shot.group} name it")
    return image


def _boxes(shot: Shot, image: Image) -> dict[Labelled, Corner]:
    """Boxes of a picture's objects in its pixels, as far as they are inside."""
    height, width = image.shape[:2]
    by = (width, height) * 2 if shot.fractions else (1, 1) * 2
    boxes = {}
    for item in shot.objects:
        x, y, w, h = (value * side for value, side in zip(item.box, by, strict=True))
        boxes[item] = _clipped((x, y, w, h), width, height)
    return boxes


def _clipped(box: Corner, width: int, height: int) -> Corner:
    x, y, w, h = box
    left, top = min(max(x, 0.0), width), min(max(y, 0.0), height)
    return left, top, min(max(x + w, left), width) - left, min(max(y + h, top), height) - top


def _crop(image: Image, main: Labelled, boxes: dict[Labelled, Corner]) -> _Crop:
    """The object and its surroundings, cut off at the picture's border."""
    x, y, w, h = boxes[main]
    side = math.sqrt(w * h)
    reach = _REACH * side / 2
    left, top = max(int(x + w / 2 - reach), 0), max(int(y + h / 2 - reach), 0)
    right, bottom = math.ceil(x + w / 2 + reach), math.ceil(y + h / 2 + reach)
    piece = image[top:bottom, left:right]
    scale = min(_OBJECT / side, 1.0, SIDE / max(piece.shape[:2]))
    size = max(round(piece.shape[1] * scale), 1), max(round(piece.shape[0] * scale), 1)
    across, down = size[0] / piece.shape[1], size[1] / piece.shape[0]
    if scale < 1:
        piece = cv2.resize(piece, size, interpolation=cv2.INTER_AREA)

    def placed(item: Labelled) -> Labelled:
        x, y, w, h = boxes[item]
        return item._replace(box=((x - left) * across, (y - top) * down, w * across, h * down))

    return _Crop(piece, placed(main), [placed(item) for item in boxes if item is not main])


def _entries(index: int, crop: _Crop) -> list[Entry]:
    height, width = crop.pixels.shape[:2]
    main = crop.main
    found = [Entry(index, main.box, main.category, main.track or None, 1.0)]
    beside = (item for item in crop.beside if is_whole(item.box, width, height))
    return found + [Entry(index, item.box, item.category, None, BESIDE) for item in beside]
