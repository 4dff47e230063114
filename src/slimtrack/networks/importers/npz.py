"""Networks from ``.npz`` files: ``<layer>_w`` (O, I, kh, kw) and ``<layer>_b`` (O,), float16 or float32."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from slimtrack.arrays import AnyArray
from slimtrack.errors import InputError, UnknownNameError
from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.importers import architectures as plans
from slimtrack.networks.importers.store import Store
from slimtrack.networks.network import Network
from slimtrack.networks.sources import digest, read_bytes

__all__ = ["NETWORKS", "import_npz", "read_npz", "vgg_aliases"]

_IMAGENET_BGR = (103.939, 116.779, 123.68)
_CAFFE_BGR = (104.0, 117.0, 123.0)


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How a file becomes a network.

    Attributes:
        build: Builds it.
        first: Its first layer.
        card: What is known about it.
    """

    build: Callable[[Store], Builder]
    first: str
    card: Card


NETWORKS: Mapping[str, _Recipe] = {
    "cf_vggm": _Recipe(
        plans.cf_vgg,
        "conv1",
        Card(
            "cf_vggm",
            origin="CF-VGG of paper 002 (VGG-M with 1/8 of the filters, distilled), its authors' weights",
            mean=(123.66, 116.77, 103.93),
        ),
    ),
    "dcfnet": _Recipe(
        plans.dcfnet,
        "conv1",
        Card("dcfnet", origin="DCFNet, its authors' weights", mean=(123.0, 117.0, 104.0)),
    ),
    "vgg19": _Recipe(
        lambda store: plans.vgg(store, (2, 2, 4, 4, 4)),
        "conv1_1",
        Card("vgg19", "CC-BY-4.0", "VGG-19, ImageNet", colors="bgr", mean=_IMAGENET_BGR),
    ),
    "vgg16": _Recipe(
        lambda store: plans.vgg(store, (2, 2, 3, 3, 3)),
        "conv1_1",
        Card("vgg16", "CC-BY-4.0", "VGG-16, ImageNet", colors="bgr", mean=_IMAGENET_BGR),
    ),
    "squeezenet1.1": _Recipe(
        lambda store: plans.squeezenet(store, 3, (1, 3, 5)),
        "conv1",
        Card("squeezenet1.1", "BSD-2-Clause", "SqueezeNet 1.1, ImageNet", colors="bgr", mean=_CAFFE_BGR),
    ),
    "squeezenet1.0_dc": _Recipe(
        lambda store: plans.squeezenet(store, 7, (1, 4, 8)),
        "conv1",
        Card(
            "squeezenet1.0_dc",
            "BSD-2-Clause",
            "SqueezeNet 1.0 after Deep Compression (66 % zeros), ImageNet",
            colors="bgr",
            mean=_CAFFE_BGR,
        ),
    ),
    "resnet18": _Recipe(
        lambda store: plans.resnet(store, (2, 2, 2, 2)),
        "conv1",
        Card(
            "resnet18",
            "BSD-3-Clause",
            "ResNet-18 of torchvision, ImageNet, batch normalisation folded in",
            mean=(0.485 * 255, 0.456 * 255, 0.406 * 255),
            scale=(1 / (255 * 0.229), 1 / (255 * 0.224), 1 / (255 * 0.225)),
        ),
    ),
}
"""Plans of ``.npz`` files by name."""


def import_npz(path: str | Path, name: str, sha256: str | None = None) -> Network:
    """A network from an ``.npz`` file.

    Args:
        path: The file.
        name: Which plan it is for, one of `NETWORKS`.
        sha256: Its hash or the first digits, where known.

    Raises:
        UnknownNameError: No such plan.
        InputError: The file is damaged, has another hash, or is not of that network.
    """
    if name not in NETWORKS:
        raise UnknownNameError.of("plan for .npz networks", name, NETWORKS)
    data = read_bytes(path, sha256)
    arrays = read_npz(data, str(path))
    recipe = NETWORKS[name]
    mean = arrays.pop("mean_rgb", None)
    store = Store(arrays, str(path), first=recipe.first)
    builder = recipe.build(store)
    card = replace(recipe.card, sha256=digest(data), note=store.note(name))
    if mean is not None:
        red, green, blue = (float(value) for value in mean)
        card = replace(card, colors="rgb", mean=(red, green, blue))
    return Network(builder.graph(), builder.taps, card, aliases=vgg_aliases(builder.taps))


def read_npz(data: bytes, what: str) -> dict[str, AnyArray]:
    """The arrays of an ``.npz`` file, without ever unpickling.

    Raises:
        InputError: It is damaged or no such file.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # numpy and zipfile raise many kinds for damaged files
        raise InputError(
            f"{what} is not an .npz file of plain arrays or is damaged: take it again"
        ) from error


def vgg_aliases(taps: Mapping[str, str]) -> dict[str, str]:
    """The papers' short names: ``"34"`` for ``relu3_4``."""
    return {
        name.removeprefix("relu").replace("_", ""): name
        for name in taps
        if name.startswith("relu") and "_" in name
    }
