"""Annotated pictures in memory, and the pairs that a tracker network learns from.

Pictures are decoded once and stay as uint8 on the device that trains; a pair is a handful of indices. Nothing
here loops over samples.
"""

import csv
import math
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from slimtrack._cv2 import cv2
from slimtrack.errors import InputError, SourceError

__all__ = [
    "BESIDE", "Corner", "Entry", "Objects", "PairSampler", "Pairs", "Pictures", "Split", "TrainingSet",
    "is_whole", "memory_for", "read_training_set",
]  # fmt: skip

Split = Literal["train", "val"]

BESIDE = 0.5
"""How often a secondary box of a crop is drawn, relative to the crop's main box."""
_LEAST_SIDE = 24.0
"""Shorter side in pixels below which a secondary box does not count as an object."""
_GIB = 2**30


class Pictures(NamedTuple):
    """Decoded pictures, each in the upper left corner of a square of one size.

    Attributes:
        pixels: ``(N, 3, S, S)`` uint8, RGB.
        sizes: ``(N, 2)`` float32: width, height.
        means: ``(N, 3)`` float32: mean colour, 0..255.
    """

    pixels: Tensor
    sizes: Tensor
    means: Tensor

    def to(self, device: torch.device) -> "Pictures":
        """A copy on another device."""
        return Pictures(*(value.to(device) for value in self))


Corner = tuple[float, float, float, float]
"""x, y, w, h."""


class Entry(NamedTuple):
    """A box from which `Objects` are made; `track` is the same for one object in several frames."""

    picture: int
    box: Corner
    category: str
    track: Hashable | None
    weight: float


class Objects(NamedTuple):
    """Boxes in pictures.

    Attributes:
        picture: ``(M,)`` int64: which picture.
        box: ``(M, 4)`` float32: x, y, w, h in the picture's pixels.
        category: ``(M,)`` int64.
        track: ``(M,)`` int64: boxes of one object in several frames share it; -1 for a still.
        weight: ``(M,)`` float32: how often to draw it, relative to others.
    """

    picture: Tensor
    box: Tensor
    category: Tensor
    track: Tensor
    weight: Tensor

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "Objects":
        """One box per entry; names of categories and tracks become numbers."""
        tracks: dict[Hashable, int] = {}
        categories: dict[str, int] = {}
        table = []
        for picture, box, name, key, weight in entries:
            category = categories.setdefault(name.strip().lower(), len(categories))
            track = -1 if key is None else tracks.setdefault(key, len(tracks))
            table.append((picture, *box, category, track, weight))
        values = torch.tensor(table, dtype=torch.float64)
        whole = values.long()
        return cls(whole[:, 0], values[:, 1:5].float(), whole[:, 5], whole[:, 6], values[:, 7].float())

    def to(self, device: torch.device) -> "Objects":
        """A copy on another device."""
        return Objects(*(value.to(device) for value in self))


class TrainingSet(NamedTuple):
    """Pictures and the objects of one split of them."""

    pictures: Pictures
    objects: Objects

    def to(self, device: torch.device) -> "TrainingSet":
        """A copy on another device."""
        return TrainingSet(self.pictures.to(device), self.objects.to(device))


Row = dict[str, str]


def read_training_set(
    folder: Path,
    split: Split,
    *,
    without: Collection[str] = (),
    rare: Collection[str] = (),
    limit: int | None = None,
    memory: float = math.inf,
) -> TrainingSet:
    """Reads crops (`index.csv`, `others.csv`, `crops*.bin`) into memory.

    Rows of shards that are not in the folder are left out: a part of the set can be carried elsewhere.

    Args:
        folder: Where the files are.
        split: ``"train"`` or ``"val"``.
        without: Sources to leave out.
        rare: Sources whose tracks are drawn a twentieth as often.
        limit: Maximum number of crops, evenly spread.
        memory: Most memory for the pictures, in GiB.

    Raises:
        SourceError: A file is missing or damaged.
        InputError: The pictures would take more memory.
    """
    rows = [
        row for row in _rows(folder / "index.csv") if row["split"] == split and row["source"] not in without
    ]
    shards = _shards(folder, {row["shard"] for row in rows})
    rows = [row for row in rows if row["shard"] in shards]
    if not rows:
        raise SourceError(f"{folder} holds no crops of the split {split!r}")
    if limit is not None:
        rows = rows[:: max(len(rows) // limit, 1)][:limit]
    pictures = _decoded(rows, shards, folder, memory)
    return TrainingSet(pictures, Objects.of(_entries(rows, _others(folder, rows), rare)))


def _rows(path: Path) -> list[Row]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise SourceError(f"training set: {path} cannot be read ({error.strerror})") from error


def _shards(folder: Path, names: Collection[str]) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in sorted(names) if (folder / name).is_file()}


def _decoded(rows: list[Row], shards: dict[str, bytes], folder: Path, memory: float) -> Pictures:
    """All crops, decoded on as many threads as there are cores (OpenCV releases the interpreter lock)."""
    sizes = np.array([(float(row["cw"]), float(row["ch"])) for row in rows], np.float32)
    side = int(sizes.max())
    pixels = memory_for(len(rows), side, memory, folder)
    means = np.zeros((len(rows), 3), np.float32)

    def decode(index: int) -> None:
        row = rows[index]
        start = int(row["offset"])
        data = shards[row["shard"]][start : start + int(row["length"])]
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if image is None or image.shape[:2] != (int(sizes[index, 1]), int(sizes[index, 0])):
            raise SourceError(f"{folder / row['shard']}: crop {row['id']} is damaged or of another size")
        image = image[:, :, ::-1]
        height, width = image.shape[:2]
        pixels[index, :, :height, :width] = image.transpose(2, 0, 1)
        means[index] = image.reshape(-1, 3).mean(0)

    with ThreadPoolExecutor() as pool:
        list(pool.map(decode, range(len(rows))))
    return Pictures(torch.from_numpy(pixels), torch.from_numpy(sizes), torch.from_numpy(means))


def memory_for(count: int, side: int, memory: float, folder: Path) -> npt.NDArray[np.uint8]:
    """An array of zeros for pictures, ``(count, 3, side, side)`` uint8.

    Args:
        count: How many.
        side: In pixels.
        memory: Most memory that it may take, in GiB.
        folder: Folder of the pictures, for the error.

    Raises:
        InputError: It would take more.
    """
    needed = count * 3 * side**2 / _GIB
    if needed > memory:
        raise InputError(
            f"{folder}: {count} pictures would take {needed:.1f} GiB of memory, but {memory:g} are allowed: "
            f"take fewer, --limit {int(count * memory / needed)}, or allow more, --memory {math.ceil(needed)}"
        )
    return np.zeros((count, 3, side, side), np.uint8)


def _others(folder: Path, rows: list[Row]) -> dict[str, list[Row]]:
    """The secondary boxes, by the crop's id."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in _rows(folder / "others.csv"):
        found[row["id"]].append(row)
    return {row["id"]: found[row["id"]] for row in rows if row["kind"] == "still"}


def _entries(rows: list[Row], others: dict[str, list[Row]], rare: Collection[str]) -> Iterator[Entry]:
    """The main box of each crop, and the secondary ones that count as objects."""
    for index, row in enumerate(rows):
        track = (row["sequence"], row["object"]) if row["kind"] == "clip" else None
        yield Entry(index, _box(row), row["category"], track, 0.05 if row["source"] in rare else 1.0)
        for other in others.get(row["id"], ()):
            if is_whole(_box(other), float(row["cw"]), float(row["ch"])):
                yield Entry(index, _box(other), other["category"], None, BESIDE)


def _box(row: Row) -> Corner:
    return float(row["x"]), float(row["y"]), float(row["w"]), float(row["h"])


def is_whole(box: Corner, width: float, height: float) -> bool:
    """Whether a secondary box is large enough and not cut off by the crop's border."""
    x, y, w, h = box
    return x > 2 and y > 2 and x + w < width - 2 and y + h < height - 2 and min(w, h) >= _LEAST_SIDE


class Pairs(NamedTuple):
    """Indices into `Objects`, ``(N,)`` each; `present`: whether the search shows the template's object."""

    template: Tensor
    search: Tensor
    present: Tensor
    backdrop: Tensor
    patch: Tensor


class PairSampler:
    """Draws pairs: two frames of a track, one still twice, or (absent) two different objects.

    Args:
        objects: What to draw from.
        clips: Share of pairs from tracks, as far as there are tracks of two frames or more.
        absent: Share of pairs whose search shows another object; half of them one of the same category.
        alike: Share of backdrops and patches that show an object of the template's category.
    """

    def __init__(
        self, objects: Objects, *, clips: float = 0.45, absent: float = 0.1, alike: float = 0.4
    ) -> None:
        self.objects = objects
        self.absent, self.alike = absent, alike
        self._in_category = _Groups(objects.category)
        order = torch.nonzero(objects.track >= 0).flatten()
        self._tracks = _Groups(objects.track[order], order)
        weights = objects.weight[self._tracks.members[self._tracks.starts]] * (self._tracks.counts > 1)
        self.clips = clips if bool(weights.sum() > 0) else 0.0
        self._track_weights = weights if self.clips else torch.ones_like(weights)
        stills = objects.weight * (objects.track < 0)
        self._still_weights = stills if bool(stills.sum() > 0) else objects.weight

    def draw(self, count: int, generator: torch.Generator) -> Pairs:
        """So many pairs in random order."""
        device = self.objects.picture.device

        def uniform() -> Tensor:
            return torch.rand(count, device=device, generator=generator)

        still = torch.multinomial(self._still_weights, count, replacement=True, generator=generator)
        template, search = still, still
        if self.clips:
            track = torch.multinomial(self._track_weights, count, replacement=True, generator=generator)
            first, second = self._tracks.two(track, uniform(), uniform())
            moving = uniform() < self.clips
            template, search = torch.where(moving, first, still), torch.where(moving, second, still)
        other = self._other(template, uniform() < 0.5, uniform(), uniform())
        same = self.objects.picture[other] == self.objects.picture[template]
        gone = (uniform() < self.absent) & ~same & ~self._same_track(other, template)
        backdrop = self._other(template, uniform() < self.alike, uniform(), uniform())
        patch = self._other(template, uniform() < self.alike, uniform(), uniform())
        return Pairs(template, torch.where(gone, other, search), ~gone, backdrop, patch)

    def _other(self, of: Tensor, alike: Tensor, where: Tensor, which: Tensor) -> Tensor:
        """Any object, or one of the same category where ``alike``."""
        anywhere = (where * len(self.objects.picture)).long()
        near = self._in_category.one(self.objects.category[of], which)
        return torch.where(alike, near, anywhere)

    def _same_track(self, a: Tensor, b: Tensor) -> Tensor:
        track = self.objects.track
        return (track[a] == track[b]) & (track[a] >= 0)


class _Groups:
    """Indices grouped by a label, one random member of a group at a time."""

    def __init__(self, labels: Tensor, members: Tensor | None = None) -> None:
        order = torch.argsort(labels, stable=True)
        self.members = order if members is None else members[order]
        counts = torch.bincount(labels) if len(labels) else labels
        self.counts = counts
        self.starts = (counts.cumsum(0) - counts).clamp(max=max(len(labels) - 1, 0))

    def one(self, group: Tensor, uniform: Tensor) -> Tensor:
        """One member of each group."""
        return self.members[self.starts[group] + (uniform * self.counts[group]).long()]

    def two(self, group: Tensor, uniform: Tensor, again: Tensor) -> tuple[Tensor, Tensor]:
        """Two different members of each group of two or more."""
        start, count = self.starts[group], self.counts[group]
        first = (uniform * count).long()
        step = 1 + (again * (count - 1)).long()
        return self.members[start + first], self.members[start + (first + step) % count]
