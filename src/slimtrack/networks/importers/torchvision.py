"""Networks from state dicts named as torchvision names them; neither torchvision nor its code is needed.

Read from ``.safetensors`` and ``.npz`` without torch, from ``.pth`` with torch and ``weights_only=True``.
Only the convolutional part is kept; classifiers are left out.
"""

import io
import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from slimtrack.arrays import AnyArray
from slimtrack.errors import InputError, MissingError, UnknownNameError
from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.importers import architectures as plans
from slimtrack.networks.importers.npz import read_npz, vgg_aliases
from slimtrack.networks.network import Network
from slimtrack.networks.sources import digest, read_bytes

__all__ = ["ARCHITECTURES", "Architecture", "import_torchvision", "read_state"]

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, RGB in 0..1, as all of torchvision's classifiers were trained with."""

_PAGE = "https://download.pytorch.org/models/"


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network that torchvision publishes.

    Attributes:
        build: Builds it from a state dict, given how messages name the file.
        file: Name of the published file; the end of its stem is the start of its sha256.
    """

    build: Callable[[Mapping[str, AnyArray], str], Builder]
    file: str

    @property
    def url(self) -> str:
        """Where the file is published."""
        return _PAGE + self.file

    @property
    def sha256(self) -> str:
        """First digits of the published file's sha256."""
        return Path(self.file).stem.rpartition("-")[2]


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
    builder = ARCHITECTURES[name].build(read_state(data, Path(path)), str(path))
    red, green, blue = (255 * value for value in _MEAN)
    card = Card(
        name,
        "BSD-3-Clause",
        f"torchvision's {name}, ImageNet, {ARCHITECTURES[name].url}",
        digest(data),
        mean=(red, green, blue),
        scale=(1 / (255 * _STD[0]), 1 / (255 * _STD[1]), 1 / (255 * _STD[2])),
    )
    network = Network(builder.graph(), builder.taps, card, aliases=vgg_aliases(builder.taps))
    if name == "alexnet-groups":  # as first published: trained on Caffe's colours
        network = network.with_card(
            replace(
                card, origin="AlexNet in two groups", colors="bgr", mean=(104.0, 117.0, 123.0), scale=(1,) * 3
            )
        )
    return network


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
    if path.suffix in (".pth", ".pt", ".tar"):
        return _torch(data, str(path))
    raise InputError(f"{path} is of no known kind: a state dict is .safetensors, .npz or .pth")


_KINDS = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "U8": np.uint8,
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
            if entry["dtype"] == "BF16":
                numbers: AnyArray = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
            else:
                numbers = np.frombuffer(raw, _KINDS[entry["dtype"]])
            arrays[name] = numbers.reshape(entry["shape"])
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise InputError(f"{what} is not a .safetensors file or is damaged: take it again") from error
    return arrays


def _torch(data: bytes, what: str) -> dict[str, AnyArray]:
    try:
        import torch
    except ImportError as error:
        raise MissingError(
            f"{what} is a torch file: run `pip install torch`, or convert it to .safetensors"
        ) from error
    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        return {name: value.numpy() for name, value in state.items() if torch.is_tensor(value)}
    except Exception as error:  # torch raises many kinds for damaged and for unsafe files
        raise InputError(
            f"{what} is not a torch file of plain tensors or is damaged: take it again"
        ) from error


def _numbered(layers: Sequence[str | None], prefix: str = "features") -> dict[str, str]:
    """Names of layers -> ``features.0``, ``features.1`` ..; ``None`` for steps without weights."""
    return {layer: f"{prefix}.{index}" for index, layer in enumerate(layers) if layer}


def _store(state: Mapping[str, AnyArray], what: str, names: Mapping[str, str]) -> plans.Store:
    return plans.Store(state, what, names, (".weight", ".bias"))


def _vgg(blocks: Sequence[int]) -> Callable[[Mapping[str, AnyArray], str], Builder]:
    def build(state: Mapping[str, AnyArray], what: str) -> Builder:
        layers: list[str | None] = []
        for block, count in enumerate(blocks, 1):
            for index in range(1, count + 1):
                layers += [f"conv{block}_{index}", None]
            layers.append(None)
        return plans.vgg(_store(state, what, _numbered(layers)), blocks)

    return build


def _alexnet(groups: int) -> Callable[[Mapping[str, AnyArray], str], Builder]:
    """AlexNet as torchvision has it; with two groups, the first published one (layers ``conv1`` ..)."""

    def build(state: Mapping[str, AnyArray], what: str) -> Builder:
        steps = ("conv1", None, None, "conv2", None, None, "conv3", None, "conv4", None, "conv5")
        named = "conv1.weight" in state
        store = _store(state, what, {} if named else _numbered(steps))
        return plans.alexnet(store, groups)

    return build


def _squeezenet(pooled: Sequence[int]) -> Callable[[Mapping[str, AnyArray], str], Builder]:
    def build(state: Mapping[str, AnyArray], what: str) -> Builder:
        steps: list[str] = ["conv1", ""]  # empty: a step without weights
        for index in range(1, 10):
            steps += [f"fire{index}"] if index > 1 else []
            steps += [""] if index in pooled else []
        numbers = _numbered(steps)
        names = {"conv1": numbers.pop("conv1"), "conv10": "classifier.1"}
        for fire, place in numbers.items():
            names[f"{fire}_squeeze1x1"] = f"{place}.squeeze"
            names |= {f"{fire}_expand{k}x{k}": f"{place}.expand{k}x{k}" for k in (1, 3)}
        return plans.squeezenet(_store(state, what, names), pooled)

    return build


def _resnet(
    blocks: Sequence[int], *, bottleneck: bool = False
) -> Callable[[Mapping[str, AnyArray], str], Builder]:
    def names() -> Iterator[tuple[str, str]]:
        for layer, count in enumerate(blocks, 1):
            for block in range(count):
                for part in ("conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "downsample_0", "downsample_1"):
                    yield f"layer{layer}_{block}_{part}", f"layer{layer}.{block}.{part.replace('_', '.')}"

    def build(state: Mapping[str, AnyArray], what: str) -> Builder:
        return plans.resnet(_store(state, what, dict(names())), blocks, bottleneck=bottleneck)

    return build


def _mobilenet(state: Mapping[str, AnyArray], what: str) -> Builder:
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
    return plans.mobilenet_v2(_store(state, what, names))


ARCHITECTURES: Mapping[str, Architecture] = {
    "vgg16": Architecture(_vgg((2, 2, 3, 3, 3)), "vgg16-397923af.pth"),
    "vgg19": Architecture(_vgg((2, 2, 4, 4, 4)), "vgg19-dcbb9e9d.pth"),
    "alexnet": Architecture(_alexnet(1), "alexnet-owt-7be5be79.pth"),
    "alexnet-groups": Architecture(_alexnet(2), ""),
    "squeezenet1.0": Architecture(_squeezenet((1, 4, 8)), "squeezenet1_0-b66bff10.pth"),
    "squeezenet1.1": Architecture(_squeezenet((1, 3, 5)), "squeezenet1_1-b8a52dc0.pth"),
    "resnet18": Architecture(_resnet((2, 2, 2, 2)), "resnet18-f37072fd.pth"),
    "resnet50": Architecture(_resnet((3, 4, 6, 3), bottleneck=True), "resnet50-0676ba61.pth"),
    "mobilenet_v2": Architecture(_mobilenet, "mobilenet_v2-b0353104.pth"),
}
"""Networks by name."""
