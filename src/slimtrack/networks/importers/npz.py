"""Networks from ``.npz`` files: ``<layer>_w`` (O, I, kh, kw) and ``<layer>_b`` (O,), float16 or float32."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from slimtrack.arrays import AnyArray
from slimtrack.errors import InputError, UnknownNameError
from slimtrack.networks.build import Builder
from slimtrack.networks.catalogue import CATALOGUE
from slimtrack.networks.importers import architectures as plans
from slimtrack.networks.importers.store import Store
from slimtrack.networks.network import Network
from slimtrack.networks.sources import digest, read_bytes

__all__ = ["NETWORKS", "import_npz", "read_npz", "vgg_aliases"]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a network is built from a file's arrays.

    Attributes:
        build: Builds it.
        first: Its first layer.
    """

    build: Callable[[Store], Builder]
    first: str = "conv1"


NETWORKS: Mapping[str, _Plan] = {
    "cf_vggm": _Plan(plans.cf_vgg),
    "dcfnet": _Plan(plans.dcfnet),
    "vgg19": _Plan(lambda store: plans.vgg(store, (2, 2, 4, 4, 4)), "conv1_1"),
    "vgg16": _Plan(lambda store: plans.vgg(store, (2, 2, 3, 3, 3)), "conv1_1"),
    "squeezenet1.1": _Plan(lambda store: plans.squeezenet(store, 3, (1, 3, 5))),
    "squeezenet1.0_dc": _Plan(lambda store: plans.squeezenet(store, 7, (1, 4, 8))),
    "resnet18": _Plan(lambda store: plans.resnet(store, (2, 2, 2, 2))),
}
"""Plans of ``.npz`` files by name; the catalogue has their cards."""


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
    plan = NETWORKS[name]
    mean = arrays.pop("mean_rgb", None)
    store = Store(arrays, str(path), first=plan.first)
    builder = plan.build(store)
    card = replace(CATALOGUE[name].card, sha256=digest(data), note=store.note(name))
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
