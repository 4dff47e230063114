"""Figure 4.1 of paper 003: where a network's block 4 finds the target, with and without distractors around.

Command: ``python benchmarks/paper_003_figure.py SEQUENCES --search Football1:30 --search Crossing:40
--network teacher=ATOM/best.pt --network student=OUT/cfkd/best.pt --out figure_4_1.png``

The target of the first frame, cut out of block 4 by precise RoI pooling, is correlated with block 4 of the
search window around the true place in a later frame. A network whose second peak is low tells the target from
what looks like it.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.evaluation import Dataset
from slimtrack.learning.backbones.starts import IMAGENET_MEAN, IMAGENET_STD
from slimtrack.learning.checkpoint import Checkpoint
from slimtrack.learning.overlap.distilling import BINS, STRIDES, correlated
from slimtrack.learning.overlap.geometry import EXTENT, SIDE
from slimtrack.learning.overlap.network import OverlapNetwork
from slimtrack.online.roi import precise_roi_pool
from slimtrack.search import extract

_BLOCK = 3
"""Block 4, counted from 0."""
_TARGET = SIDE / EXTENT / STRIDES[_BLOCK]
"""Side of the target in cells."""


class Pair(NamedTuple):
    """A first frame and a later one, each cut out around the target; boxes in pixels of the crop."""

    label: str
    template: Image
    search: Image
    box: tuple[float, float, float, float]


def pair(dataset: Dataset, wanted: str) -> Pair:
    """The pair of ``NAME:FRAME``."""
    name, _, frame = wanted.rpartition(":")
    known = {each.name: each for each in dataset.sequences}
    if name not in known:
        raise SystemExit(f"--search {wanted}: expected NAME:FRAME with a name of {', '.join(known)}")
    sequence = known[name]
    first, later = (Box(*map(float, sequence.truth[index])) for index in (0, int(frame)))
    half = np.array([first.w, first.h]) * SIDE / (EXTENT * math.sqrt(first.area)) / 2
    box = (*(SIDE / 2 - half), *(SIDE / 2 + half))
    return Pair(wanted, _crop(sequence.frames[0], first), _crop(sequence.frames[int(frame)], later), box)


def _crop(file: Path, box: Box) -> Image:
    image = cv2.imread(str(file))
    side = EXTENT * math.sqrt(box.area)
    return extract(image, box.cx, box.cy, side, side, (SIDE, SIDE))


@torch.no_grad()
def response(network: OverlapNetwork, pair: Pair) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The correlation of the target's block 4 with the search's, largest value 1."""
    template, search = (network.backbone(_input(each))[_BLOCK] for each in (pair.template, pair.search))
    box = torch.tensor(pair.box, dtype=torch.float32)[None, None] / STRIDES[_BLOCK]
    found = correlated(search, precise_roi_pool(template, box, BINS[_BLOCK])[:, 0])[0].numpy()
    return np.asarray(found / found.max(), np.float32)


def _input(image: Image) -> Tensor:
    rgb = torch.from_numpy(np.ascontiguousarray(image[..., ::-1])).permute(2, 0, 1)[None].float() / 255
    mean, std = (torch.tensor(each).reshape(1, 3, 1, 1) for each in (IMAGENET_MEAN, IMAGENET_STD))
    return (rgb - mean) / std


def second_peak(values: np.ndarray[Any, np.dtype[np.float32]]) -> float:
    """The largest value further than a side of the target from the middle, over the largest value near it."""
    cells = np.arange(len(values)) - (SIDE / 2 / STRIDES[_BLOCK])
    far = np.maximum(abs(cells[:, None]), abs(cells[None])) > _TARGET
    return float(values[far].max() / values[~far].max())


def draw(pairs: Sequence[Pair], networks: dict[str, OverlapNetwork], out: Path) -> None:
    """One row a pair: the search, then each network's correlation; prints the second peaks."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = len(networks) + 1
    figure, axes = pyplot.subplots(
        len(pairs), columns, figsize=(2.4 * columns, 2.5 * len(pairs)), squeeze=False
    )
    print("| search | " + " | ".join(networks) + " |\n" + "|---" * columns + "|")
    for row, each in zip(axes, pairs, strict=True):
        row[0].imshow(each.search[..., ::-1])
        row[0].set_title(each.label, fontsize=9)
        seconds = []
        for axis, (label, network) in zip(row[1:], networks.items(), strict=True):
            values = response(network, each)
            seconds.append(f"{second_peak(values):.2f}")
            axis.imshow(values, vmin=0, vmax=1, cmap="viridis")
            axis.set_title(f"{label}: second peak {seconds[-1]}", fontsize=9)
        print(f"| {each.label} | " + " | ".join(seconds) + " |")
    for axis in axes.flat:
        axis.set_axis_off()
    figure.tight_layout()
    figure.savefig(out, dpi=90)


def main() -> None:
    """Reads pairs and networks, draws the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sequences", type=Path)
    parser.add_argument("--search", action="append", required=True, metavar="NAME:FRAME")
    parser.add_argument("--network", action="append", required=True, metavar="LABEL=CHECKPOINT")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    networks = {}
    for each in given.network:
        label, _, path = each.partition("=")
        networks[label] = Checkpoint.read(Path(path)).restored().recipe.network.eval()
    dataset = Dataset.read(given.sequences)
    draw([pair(dataset, each) for each in given.search], networks, given.out)


if __name__ == "__main__":
    main()
