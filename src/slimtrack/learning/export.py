"""Writes a trained tracker network as two ONNX files: one for the template, one for each frame."""

import io
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from slimtrack.files import atomic_write
from slimtrack.learning.backbones.starts import IMAGENET_MEAN, IMAGENET_STD
from slimtrack.learning.siamese import STRIDE, Siamese, Target
from slimtrack.networks.onnx_io import halved

__all__ = ["export", "write_onnx"]


class _Part(nn.Module):
    """A network whose input is RGB in 0..255: it subtracts the mean; the scale is in the stem's weights."""

    def __init__(self, network: Siamese) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", 255 * torch.tensor(IMAGENET_MEAN).reshape(1, 3, 1, 1))


class _Template(_Part):
    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        cells, kernel = self.network.target(image - self.mean, mask)
        return cells, kernel


class _Search(_Part):
    def forward(self, image: Tensor, cells: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        predicted = self.network(image - self.mean, Target(cells, kernel))
        return torch.sigmoid(predicted.score), predicted.sides, predicted.features


def export(network: Siamese, folder: Path) -> None:
    """Writes `template.onnx` and `search.onnx`; their weights are stored as float16 and computed in float32.

    ``template``: ``image`` ``(1, 3, T, T)`` RGB in 0..255, ``mask`` ``(1, 1, T / 16, T / 16)`` the share of
    each cell that the box covers, to ``cells`` and ``kernel``. ``search``: ``image`` ``(1, 3, S, S)`` with
    these two, to ``score`` ``(1, n, n)`` in 0..1, ``sides`` ``(1, 4, n, n)``: left, top, right, bottom in
    search pixels from the centre of each cell of 16 pixels, and ``features`` ``(1, width, n, n)``, which
    depend on the image alone.
    """
    network = _for_pixels(network)
    side, cells = network.design.template, network.design.template // STRIDE
    image, mask = torch.zeros(1, 3, side, side), torch.ones(1, 1, cells, cells)
    with torch.no_grad():
        target = network.target(image, mask)
    write_onnx(
        _Template(network), (image, mask), ["image", "mask"], ["cells", "kernel"], folder / "template.onnx"
    )
    search = torch.zeros(1, 3, network.design.search, network.design.search)
    names = ["image", "cells", "kernel"]
    write_onnx(
        _Search(network), (search, *target), names, ["score", "sides", "features"], folder / "search.onnx"
    )


@torch.no_grad()
def _for_pixels(network: Siamese) -> Siamese:
    copy = Siamese(network.design).eval()
    copy.load_state_dict(network.state_dict())
    copy.backbone.features[0][0].weight /= 255 * torch.tensor(IMAGENET_STD).reshape(1, 3, 1, 1)
    return copy


def write_onnx(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    names: list[str],
    outputs: list[str],
    path: Path,
    free: dict[str, dict[int, str]] | None = None,
) -> None:
    """Writes a module's ONNX file, its weights as float16.

    Args:
        module: What is computed.
        inputs: An example of each input, for tracing.
        names: Names of the inputs.
        outputs: Names of the outputs.
        path: The file.
        free: Axes of free length: name of the input or output -> axis -> what it is called.
    """
    import onnx

    buffer = io.BytesIO()
    with warnings.catch_warnings():  # the newer exporter needs one more package
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            inputs,
            buffer,
            input_names=names,
            output_names=outputs,
            dynamic_axes=free,
            opset_version=17,
            dynamo=False,
        )
    model = halved(onnx.load_from_string(buffer.getvalue()))
    with atomic_write(path, "wb") as file:
        file.write(model.SerializeToString())
