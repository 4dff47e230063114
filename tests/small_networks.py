"""Networks of the published plans with a few generated filters: what the suites over all trackers run on.

They are as deep as the real ones and have their layers' names, so that every tracker's code runs, in a
fraction of the time, and also where the real ones are not at hand.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import overlap_networks
from slimtrack.networks.card import Card
from slimtrack.networks.catalogue import CATALOGUE
from slimtrack.networks.importers.npz import NETWORKS, vgg_aliases
from slimtrack.networks.importers.store import Store
from slimtrack.networks.network import Network

__all__ = ["installed", "write"]

Shapes = dict[str, tuple[int, int, int]]
"""Layer -> filters, inputs, side of the kernel."""


@contextmanager
def installed() -> Iterator[None]:
    """Puts the small networks before all others; those of peers, from ``shared``, after."""
    shared = Path(os.environ.get("SLIMTRACK_SHARED", Path(__file__).parents[2] / "shared")) / "weights"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIMTRACK_NETWORKS", os.pathsep.join(map(str, (_folder(), shared))))
        yield


@cache
def _folder() -> Path:
    """Where they lie while this process lives."""
    folder = Path(tempfile.mkdtemp(prefix="slimtrack-networks-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write(folder)
    return folder


def write(folder: Path) -> None:
    """Writes what trackers take by default and does not come along: ``NAME.onnx``, or a folder ``NAME``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("atom", "drnet"):
        overlap_networks.write(folder / name, gives_boxes=name.endswith("drnet"))
    for name, shapes in _shapes().items():
        rng = np.random.default_rng(len(name))
        arrays = {}
        for layer, (filters, inputs, side) in shapes.items():
            deviation = np.sqrt(2 / (inputs * side**2))
            weight = rng.normal(0, deviation, (filters, inputs, side, side))
            # Without its mean a filter of the first layer answers to edges and colours, not to brightness.
            arrays[f"{layer}_w"] = (weight - weight.mean(axis=(2, 3), keepdims=True)).astype(np.float32)
            if side == 1:
                arrays[f"{layer}_w"] = weight.astype(np.float32)
            arrays[f"{layer}_b"] = np.zeros(filters, np.float32)
        builder = NETWORKS[name].build(Store(arrays, name))
        card = Card(name, colors=CATALOGUE[name].card.colors, mean=CATALOGUE[name].card.mean)
        Network(builder.graph(), builder.taps, card, aliases=vgg_aliases(builder.taps)).save(
            folder / f"{name}.onnx"
        )


def _shapes() -> dict[str, Shapes]:
    return {
        "cf_vggm": {f"conv{i}": shape for i, shape in enumerate(
            [(12, 3, 7), (16, 12, 5), (24, 16, 3), (24, 24, 3), (24, 24, 3)], 1)},
        "dcfnet": {"conv1": (8, 3, 3), "conv2": (8, 8, 3)},
        "vgg19": _vgg((8, 16, 64), (2, 2, 4)),
        "squeezenet1.1": _squeezenet(8),
        "resnet18": _resnet((8, 8, 16, 64)),
    }  # fmt: skip


def _vgg(widths: Sequence[int], counts: Sequence[int]) -> Shapes:
    shapes: Shapes = {}
    inputs = 3
    for block, (width, count) in enumerate(zip(widths, counts, strict=True), 1):
        for index in range(1, count + 1):
            shapes[f"conv{block}_{index}"] = (width, inputs, 3)
            inputs = width
    return shapes


def _squeezenet(width: int) -> Shapes:
    shapes: Shapes = {"conv1": (width, 3, 3)}
    inputs = width
    for index in range(2, 10):
        shapes[f"fire{index}_squeeze1x1"] = (width // 2, inputs, 1)
        shapes[f"fire{index}_expand1x1"] = (width, width // 2, 1)
        shapes[f"fire{index}_expand3x3"] = (width, width // 2, 3)
        inputs = 2 * width
    return shapes | {"conv10": (2 * width, inputs, 1)}


def _resnet(widths: Sequence[int]) -> Shapes:
    shapes: Shapes = {"conv1": (widths[0], 3, 7)}
    inputs = widths[0]
    for layer, width in enumerate(widths[1:], 1):
        for block in range(2):
            shapes[f"layer{layer}_{block}_conv1"] = (width, inputs, 3)
            shapes[f"layer{layer}_{block}_conv2"] = (width, width, 3)
            if block == 0 and layer > 1:
                shapes[f"layer{layer}_0_downsample_0"] = (width, inputs, 1)
            inputs = width
    return shapes
