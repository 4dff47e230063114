"""Networks from state dicts named as torchvision names them; neither torchvision nor its code is needed.

Read from ``.safetensors`` and ``.npz`` without torch, from ``.pth`` with torch and ``weights_only=True``.
Only the convolutional part is kept; classifiers are left out.
"""

import io
import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from slimtrack.arrays import AnyArray
from slimtrack.errors import InputError, MissingError, UnknownNameError
from slimtrack.networks.build import Builder
from slimtrack.networks.importers import architectures as plans
from slimtrack.networks.importers.npz import read_npz, vgg_aliases
from slimtrack.networks.importers.store import Store
from slimtrack.networks.network import Network
from slimtrack.networks.sources import digest, read_bytes
from slimtrack.networks.weights import WEIGHTS

__all__ = ["ARCHITECTURES", "STATES", "Architecture", "fold_all", "import_torchvision", "read_state"]


STATES = (".npz", ".safetensors", ".pth", ".pt", ".tar")
"""Suffixes of files of weights alone; the last three need torch."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """How a network is built from a state dict; the catalogue knows its file and card.

    Attributes:
        plan: Builds it.
        first: Its first layer.
        names: Layer name in the plan -> the array's name without its suffix.
    """

    plan: Callable[[Store], Builder]
    first: str
    names: Mapping[str, str] = field(default_factory=dict)

    def built(self, state: Mapping[str, AnyArray], what: str, name: str) -> tuple[Builder, str]:
        """The network of a state dict, and a note for the user.

        Args:
            state: The arrays.
            what: How messages name the file.
            name: How they name the network.

        Raises:
            InputError: Arrays are missing, left over, or of other shapes.
        """
        store = Store(state, what, self.names, (".weight", ".bias"), self.first)
        builder = self.plan(store)
        return builder, store.note(name)


def import_torchvision(path: str | Path, name: str, sha256: str | None = None) -> Network:
    """A network from a state dict.

    Args:
        path: A ``.safetensors``, ``.npz`` or ``.pth`` file of the state dict.
        name: Which network it is, one of `ARCHITECTURES`.
        sha256: The file's hash or the first digits, where known.

    Raises:
        UnknownNameError: No such network.
        InputError: The file is damaged, has another hash, or does not hold that network.
        MissingError: A ``.pth`` file needs torch.
    """
    if name not in ARCHITECTURES:
        raise UnknownNameError.of("torchvision network", name, ARCHITECTURES)
    data = read_bytes(path, sha256)
    builder, note = _built(read_state(data, Path(path)), str(path), name)
    card = replace(WEIGHTS[name].card, sha256=digest(data), note=note)
    return Network(builder.graph(), builder.taps, card, aliases=vgg_aliases(builder.taps))


def fold_all(network: Network) -> Network:
    """Folds all batch normalisation; the name of a convolution's tap then means its result after that."""
    graph = network.graph
    norms = [node for node in graph.nodes if node.op == "BatchNormalization"]
    before, after = {node.inputs[0] for node in norms}, {node.output for node in norms}
    kept = [name for name, tap in network.taps.items() if tap.tensor not in before]
    made = network.truncate(*kept).fold_batch_norm()
    names = {layer.output: layer.name for layer in made.layers if layer.output in after}
    taps = {names.get(tap.tensor, name): tap.tensor for name, tap in made.taps.items()}
    return Network(made.graph, taps, made.card, aliases=made.aliases)


def _built(state: Mapping[str, AnyArray], what: str, name: str) -> tuple[Builder, str]:
    """The network of that name; a file of another one is refused with the name that it fits."""
    try:
        return ARCHITECTURES[name].built(state, what, name)
    except InputError as error:
        fitting = [other for other in ARCHITECTURES if other != name and _fits(state, what, other)]
        if not fitting:
            raise
        raise InputError(f"{error}; it fits {' or '.join(fitting)}") from error


def _fits(state: Mapping[str, AnyArray], what: str, name: str) -> bool:
    with suppress(InputError):
        ARCHITECTURES[name].built(state, what, name)
        return True
    return False


def read_state(data: bytes, path: Path) -> dict[str, AnyArray]:
    """The arrays of a state dict; the kind of file is told by its name.

    Raises:
        InputError: The file is damaged or of another kind.
        MissingError: A ``.pth`` file needs torch.
    """
    if path.suffix == ".safetensors":
        return _safetensors(data, str(path))
    if path.suffix == ".npz":
        return read_npz(data, str(path))
    if path.suffix in STATES:
        return _torch(data, str(path))
    raise InputError(f"{path} is of an unknown kind: a state dict is {', '.join(STATES)}")


_KINDS = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


def _safetensors(data: bytes, what: str) -> dict[str, AnyArray]:
    """A length, a JSON header with shapes and places, then the numbers; bfloat16 becomes float32."""
    try:
        (length,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8 : 8 + length])
        body = memoryview(data)[8 + length :]
        arrays = {}
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            raw = body[begin:end]
            arrays[name] = _typed(raw, entry["dtype"], f"{what}: array {name!r}").reshape(entry["shape"])
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise InputError(f"{what} is not a .safetensors file or is damaged: take it again") from error
    return arrays


def _typed(raw: memoryview, kind: str, what: str) -> AnyArray:
    """Numbers of a kind of ``.safetensors``, in one dimension."""
    if kind == "BF16":
        return (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
    if kind not in _KINDS:
        raise InputError(f"{what} is of kind {kind}, which is not read: save it as F32 or F16")
    return np.frombuffer(raw, _KINDS[kind])


def _torch(data: bytes, what: str) -> dict[str, AnyArray]:
    try:
        import torch
    except ImportError as error:
        raise MissingError(
            f"{what} is a torch file: run `pip install torch`, or convert it to .safetensors"
        ) from error
    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        return {name: _array(value) for name, value in _flat(state) if torch.is_tensor(value)}
    except Exception as error:  # torch raises many kinds for damaged and for unsafe files
        raise InputError(
            f"{what} is not a torch file of plain tensors or is damaged: take it again"
        ) from error


def _flat(state: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """What checkpoints nest (``{"state_dict": {..}, "epoch": 3}``), with the way there in the name."""
    for name, value in state.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _array(tensor: Any) -> AnyArray:
    """A tensor as an array; numpy has no bfloat16."""
    return np.asarray((tensor.float() if tensor.is_floating_point() else tensor).numpy())


def _numbered(layers: Sequence[str | None], prefix: str = "features") -> dict[str, str]:
    """Names of layers -> ``features.0``, ``features.1`` ..; ``None`` for steps without weights."""
    return {layer: f"{prefix}.{index}" for index, layer in enumerate(layers) if layer}


def _vgg(blocks: Sequence[int], *, norm: bool = False) -> Architecture:
    layers: list[str | None] = []
    for block, count in enumerate(blocks, 1):
        for index in range(1, count + 1):
            layers += [f"conv{block}_{index}", *([f"bn{block}_{index}"] if norm else []), None]
        layers.append(None)
    return Architecture(lambda store: plans.vgg(store, blocks), "conv1_1", _numbered(layers))


def _alexnet() -> Architecture:
    steps = ("conv1", None, None, "conv2", None, None, "conv3", None, "conv4", None, "conv5")
    return Architecture(plans.alexnet, "conv1", _numbered(steps))


def _squeezenet(kernel: int, pooled: Sequence[int]) -> Architecture:
    steps: list[str] = ["conv1", ""]  # empty: a step without weights
    for index in range(1, 10):
        steps += [f"fire{index}"] if index > 1 else []
        steps += [""] if index in pooled else []
    numbers = _numbered(steps)
    names = {"conv1": numbers.pop("conv1"), "conv10": "classifier.1"}
    for fire, place in numbers.items():
        names[f"{fire}_squeeze1x1"] = f"{place}.squeeze"
        names |= {f"{fire}_expand{k}x{k}": f"{place}.expand{k}x{k}" for k in (1, 3)}
    return Architecture(lambda store: plans.squeezenet(store, kernel, pooled), "conv1", names)


def _resnet(blocks: Sequence[int], *, bottleneck: bool = False) -> Architecture:
    names = {}
    for layer, count in enumerate(blocks, 1):
        for block in range(count):
            for part in ("conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "downsample_0", "downsample_1"):
                names[f"layer{layer}_{block}_{part}"] = f"layer{layer}.{block}.{part.replace('_', '.')}"
    return Architecture(lambda store: plans.resnet(store, blocks, bottleneck=bottleneck), "conv1", names)


def _mobilenet() -> Architecture:
    names: dict[str, str] = {}
    for block in range(19):
        if block in (0, 18):
            names |= {f"conv{block}": f"features.{block}.0", f"bn{block}": f"features.{block}.1"}
            continue
        parts = ("expand", "depthwise", "project") if block > 1 else ("depthwise", "project")
        for index, part in enumerate(parts):
            place = f"features.{block}.conv.{index}"
            names[f"block{block}_{part}"] = place if part == "project" else f"{place}.0"
            norm = f"features.{block}.conv.{index + 1}" if part == "project" else f"{place}.1"
            names[f"block{block}_{part}_bn"] = norm
    return Architecture(plans.mobilenet_v2, "conv0", names)


_VGG11, _VGG13, _VGG16, _VGG19 = (1, 1, 2, 2, 2), (2, 2, 2, 2, 2), (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)
"""Convolutions in each block."""

ARCHITECTURES: Mapping[str, Architecture] = {
    "vgg11": _vgg(_VGG11),
    "vgg13": _vgg(_VGG13),
    "vgg16": _vgg(_VGG16),
    "vgg19": _vgg(_VGG19),
    "vgg11_bn": _vgg(_VGG11, norm=True),
    "vgg13_bn": _vgg(_VGG13, norm=True),
    "vgg16_bn": _vgg(_VGG16, norm=True),
    "vgg19_bn": _vgg(_VGG19, norm=True),
    "alexnet": _alexnet(),
    "alexnet-groups": Architecture(lambda store: plans.alexnet(store, 2), "conv1"),
    "squeezenet1.0": _squeezenet(7, (1, 4, 8)),
    "squeezenet1.1": _squeezenet(3, (1, 3, 5)),
    "resnet18": _resnet((2, 2, 2, 2)),
    "resnet34": _resnet((3, 4, 6, 3)),
    "resnet50": _resnet((3, 4, 6, 3), bottleneck=True),
    "resnet101": _resnet((3, 4, 23, 3), bottleneck=True),
    "mobilenet_v2": _mobilenet(),
}
"""Networks by name."""
