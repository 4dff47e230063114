"""Exports a network of the ATOM family to files that run without torch: three ONNX files and an ``.npz``."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from slimtrack.arrays import AnyArray
from slimtrack.files import atomic_write
from slimtrack.learning.backbones.starts import IMAGENET_MEAN, IMAGENET_STD
from slimtrack.learning.export import write_onnx
from slimtrack.learning.overlap.geometry import EXTENT, SIDE
from slimtrack.learning.overlap.network import STRIDES, OverlapNetwork

__all__ = ["export"]


_LAYERS = ("reference3", "modulation3", "modulation4", "overlap3", "overlap4")
_MODULES = {"reference3": "pooled3"}
"""Layers whose names differ in the predictor, whose `reference3` is the convolution before it."""
_BLOCKS = ["block3", "block4"]


class _Backbone(nn.Module):
    """The backbone with RGB in 0..255 as its input."""

    def __init__(self, network: OverlapNetwork) -> None:
        super().__init__()
        self.blocks = network.backbone
        self.register_buffer("mean", 255 * torch.tensor(IMAGENET_MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("scale", 1 / (255 * torch.tensor(IMAGENET_STD).reshape(1, 3, 1, 1)))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        third, fourth = self.blocks((image - self.mean) * self.scale)[2:]
        return third, fourth


class _Both(nn.Module):
    """One module for each of two blocks."""

    def __init__(self, third: nn.Module, fourth: nn.Module) -> None:
        super().__init__()
        self.third, self.fourth = third, fourth

    def forward(self, third: Tensor, fourth: Tensor) -> tuple[Tensor, Tensor]:
        return self.third(third), self.fourth(fourth)


def export(network: OverlapNetwork, folder: Path, *, name: str, licence: str = "", origin: str = "") -> None:
    """Writes `backbone.onnx`, `search.onnx`, `reference.onnx`, `head.npz` and `card.json`.

    ``backbone``: ``image`` ``(n, 3, H, W)`` RGB in 0..255 to ``block3`` (stride 8) and ``block4`` (16).
    ``search`` and ``reference``: these two to ``overlap3``, ``overlap4`` and ``reference3``, ``reference4``,
    before pooling. ``head``: what comes behind, ``NAME_w`` ``(out, in)`` and ``NAME_b``, batch norms folded.
    Weights are stored as float16 and computed in float32.

    Args:
        network: Trained.
        folder: Is made if it is not there.
        name: For the card, as the next two.
        licence: SPDX name.
        origin: Who trained it on what.
    """
    network, predictor = network.cpu().eval(), network.predictor
    image = torch.zeros(1, 3, 64, 64)
    whole = {0: "n", 2: "height", 3: "width"}
    free = {each: {0: "n", 2: f"rows{each[-1]}", 3: f"columns{each[-1]}"} for each in _BLOCKS}
    write_onnx(
        _Backbone(network), (image,), ["image"], _BLOCKS, folder / "backbone.onnx", {"image": whole} | free
    )
    with torch.no_grad():
        maps = tuple(network.backbone(image)[2:])
    for file, modules, outputs in (
        ("search.onnx", (predictor.search3, predictor.search4), ["overlap3", "overlap4"]),
        ("reference.onnx", (predictor.reference3, predictor.reference4), ["reference3", "reference4"]),
    ):
        given = {new: free[block] for new, block in zip(outputs, _BLOCKS, strict=True)}
        write_onnx(_Both(*modules), maps, _BLOCKS, outputs, folder / file, free | given)
    with atomic_write(folder / "head.npz", "wb") as file_:
        np.savez(file_, allow_pickle=False, **_head(network))
    card = {
        "kind": network.kind, "side": SIDE, "extent": EXTENT, "strides": list(STRIDES),
        "channels": list(network.backbone.channels[2:]), "head": network.head,
        "name": name, "licence": licence, "origin": origin,
    }  # fmt: skip
    with atomic_write(folder / "card.json") as text:
        text.write(json.dumps(card, indent=1) + "\n")


def _head(network: OverlapNetwork) -> dict[str, AnyArray]:
    """The fully connected layers as arrays."""
    found: dict[str, AnyArray] = {}
    for layer in _LAYERS:
        weight, bias = _folded(getattr(network.predictor, _MODULES.get(layer, layer)))
        found |= {f"{layer}_w": _array(weight), f"{layer}_b": _array(bias)}
    last, name = network.predictor.last, "iou" if network.kind == "atom" else "box"
    return found | {f"{name}_w": _array(last.weight), f"{name}_b": _array(last.bias)}


def _folded(layer: nn.Sequential) -> tuple[Tensor, Tensor]:
    """Weight and bias of a fully connected layer and the batch norm behind it."""
    linear, norm = layer[0], layer[1]
    gain = norm.weight / (norm.running_var + norm.eps).sqrt()
    return linear.weight * gain[:, None], norm.bias - norm.running_mean * gain


def _array(value: Tensor) -> AnyArray:
    return value.detach().half().numpy()
