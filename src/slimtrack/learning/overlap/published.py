"""ATOM's weights as its authors' framework stores them (pytracking's ``atom_default.pth``), read by name."""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from slimtrack.errors import SourceError
from slimtrack.learning.backbones.resnet import resnet18
from slimtrack.learning.overlap.blocks import ResNetBlocks
from slimtrack.learning.overlap.export import export
from slimtrack.learning.overlap.network import OverlapNetwork

__all__ = ["convert", "fill"]

_LAYERS = {
    "conv3_1r": "reference3", "conv4_1r": "reference4", "fc3_1r": "pooled3", "fc34_3r": "modulation3",
    "fc34_4r": "modulation4", "conv3_1t": "search3.0", "conv3_2t": "search3.1", "conv4_1t": "search4.0",
    "conv4_2t": "search4.1", "fc3_rt": "overlap3", "fc4_rt": "overlap4",
}  # fmt: skip
"""Their layers by ours: a convolution or matrix with a bias, and the batch norm behind it."""
_NORM = ("weight", "bias", "running_mean", "running_var")


def convert(path: Path, folder: Path, *, name: str = "atom", licence: str = "", origin: str = "") -> None:
    """Writes the files that the tracker takes (`export.py`) from a file of weights.

    Args:
        path: A file as for `fill`.
        folder: Is made if it is not there.
        name: For the card, as the next two.
        licence: SPDX name.
        origin: Whose weights they are.

    Raises:
        SourceError: The file cannot be read or is not of this network.
    """
    network = OverlapNetwork(ResNetBlocks(resnet18(layers=3)))
    fill(network, path)
    export(network, folder, name=name, licence=licence, origin=origin)


@torch.no_grad()
def fill(network: OverlapNetwork, path: Path) -> None:
    """Gives a network the published weights; overlaps said from -1 to 1 become those from 0 to 1.

    Args:
        network: Of the kind ``"atom"``, on ResNet-18.
        path: A torch file of their state dict, or of a dict that has it as ``net``. Read without executing
            anything: a checkpoint that holds objects beside is refused.

    Raises:
        SourceError: It cannot be read, or lacks a layer.
    """
    state = _state(path)
    try:
        own = _renamed(state, network.state_dict())
        network.load_state_dict(own)
    except (KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"{path} holds no weights of ATOM as published ({reason})") from error


def _state(path: Path) -> Mapping[str, Tensor]:
    try:
        if not _by_torch(path):
            raise SourceError(f"{path} is no file of torch, or is damaged: download it again")
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SourceError(
            f"{path} holds more than weights, which is not run here: where you trust it, keep its weights "
            f"alone, torch.save(torch.load('{path.name}', weights_only=False)['net'], 'atom.pt')"
        ) from error
    except (OSError, RuntimeError, EOFError) as error:
        raise SourceError(f"{path} cannot be read ({' '.join(str(error).split())[:200]})") from error
    state = found.get("net", found) if isinstance(found, Mapping) else None
    if not isinstance(state, Mapping):
        raise SourceError(f"{path} holds no weights of ATOM as published (it is no table of them)")
    return state


def _by_torch(path: Path) -> bool:
    """Whether it begins as one: an archive, or, before torch 1.6, a pickle."""
    with path.open("rb") as file:
        return file.read(1) == b"\x80" or zipfile.is_zipfile(file)


def _renamed(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our state dict from theirs."""
    found = dict(wanted)
    for key in wanted:
        if key.startswith("backbone.body."):
            theirs = key.replace("backbone.body.", "feature_extractor.")
            found[key] = state.get(theirs, wanted[key]) if key.endswith("tracked") else state[theirs]
    for name, ours in _LAYERS.items():
        found |= _layer(state, f"bb_regressor.{name}", f"predictor.{ours}", wanted)
    found["predictor.last.weight"] = state["bb_regressor.iou_predictor.weight"] / 2
    found["predictor.last.bias"] = state["bb_regressor.iou_predictor.bias"] / 2 + 0.5
    return found


def _layer(
    state: Mapping[str, Tensor], theirs: str, ours: str, wanted: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Weight and batch norm of a layer; the bias before the norm goes into its mean."""
    linear, norm = ("linear", "bn") if f"{theirs}.linear.weight" in state else ("0", "1")
    weight = state[f"{theirs}.{linear}.weight"]
    found = {f"{ours}.0.weight": weight.reshape(wanted[f"{ours}.0.weight"].shape)}
    found |= {f"{ours}.1.{name}": state[f"{theirs}.{norm}.{name}"] for name in _NORM}
    bias = state.get(f"{theirs}.{linear}.bias")
    if bias is not None:
        found[f"{ours}.1.running_mean"] = found[f"{ours}.1.running_mean"] - bias
    return found
