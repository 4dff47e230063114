"""A tiny training set on disk and a recipe of a user's, for tests of training."""

import csv
from pathlib import Path

import cv2
import numpy as np

COLUMNS = ["id", "shard", "offset", "length", "split", "kind", "source", "sequence", "frame", "object"]
COLUMNS += ["category", "x", "y", "w", "h", "cw", "ch"]


def write_training_set(folder: Path, stills: int = 6, frames: int = 4, tracks: int = 2) -> Path:
    """Grey noise with one bright rectangle (the object) in each picture; half of each kind for validation."""
    rng = np.random.default_rng(0)
    data, rows = bytearray(), []
    kinds = [("still", "", str(i)) for i in range(stills)]
    kinds += [("clip", f"s{t}", "0") for t in range(tracks) for _ in range(frames)]
    for index, (kind, sequence, name) in enumerate(kinds):
        width, height = int(rng.integers(120, 200)), int(rng.integers(120, 200))
        image = rng.integers(90, 110, (height, width, 3), dtype=np.uint8)
        x, y, w, h = int(rng.integers(20, 50)), int(rng.integers(20, 50)), 50, 36
        image[y : y + h, x : x + w] = (40, 250, 180)
        encoded = cv2.imencode(".png", image)[1].tobytes()
        number = int(sequence[1:]) if sequence else index
        split = "train" if number % 2 == 0 else "val"
        row = [index, "crops00.bin", len(data), len(encoded), split, kind, "made", sequence, index, name]
        rows.append([*row, f"kind{number % 2}", x, y, w, h, width, height])
        data += encoded
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "crops00.bin").write_bytes(bytes(data))
    for file, header, lines in (
        ("index.csv", COLUMNS, rows),
        ("others.csv", ["id", "category", "x", "y", "w", "h"], []),
    ):
        with (folder / file).open("w", newline="") as stream:
            csv.writer(stream).writerows([header, *lines])
    return folder


RECIPE = '''
"""A recipe of a user's: the corners of the box from one small network that forgets a part of what it sees."""

from typing import Annotated

import torch
from torch import nn
from torch.nn import functional

from slimtrack.learning.recipe import Recipe
from slimtrack.learning.schedule import PRESETS, Schedule


class Corners(Recipe):
    presets = {**PRESETS, "often": Schedule(steps=150, pairs=4, judged=8, every=9.0, keep=0.0, told=1)}

    def __init__(self, *, width: Annotated[int, "Channels."] = 8) -> None:
        self.network = nn.Sequential(
            nn.Conv2d(3, width, 5, 4, 2), nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout(0.1),
            nn.Flatten(), nn.Linear(width * 64, 4),
        )

    def losses(self, network, views):
        return {"box": functional.l1_loss(network(views.search(32)), views.batch.box(32) / 32)}


class Sick(Corners):
    def losses(self, network, views):
        return {"box": super().losses(network, views)["box"] * torch.inf}
'''
