"""A tiny training set on disk and tiny networks: nothing here needs `../shared`."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

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


@pytest.fixture(scope="session")
def training_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_training_set(tmp_path_factory.mktemp("train"))
