"""Networks of the ATOM family with a few generated filters: the contract of their files, in small."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["head", "write"]

BLOCKS = {"block3": 32, "block4": 128}
"""Channels of the backbone's two outputs."""


def head(
    *, channels: int = 8, hidden: int = 8, gives_boxes: bool = False, still: bool = False, seed: int = 0
) -> dict[str, np.ndarray]:
    """The arrays of ``head.npz``: reference and search branch have ``channels`` channels in both blocks.

    A still one holds all boxes alike (or right as they are), so that they stay where they are proposed.
    """
    rng = np.random.default_rng(seed)
    last, outputs = ("box", 4) if gives_boxes else ("iou", 1)
    shapes = {
        "reference3": (hidden, 9 * channels), "modulation3": (channels, hidden + channels),
        "modulation4": (channels, hidden + channels), "overlap3": (hidden, 25 * channels),
        "overlap4": (hidden, 9 * channels), last: (outputs, 2 * hidden),
    }  # fmt: skip
    arrays = {f"{name}_w": rng.normal(0, shape[1] ** -0.5, shape) for name, shape in shapes.items()}
    arrays |= {f"{name}_b": rng.normal(0, 0.3, shape[0]) for name, shape in shapes.items()}
    if still:
        arrays |= {name: 0 * arrays[name] for name in (f"{last}_w", f"{last}_b")}
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def write(folder: Path, *, gives_boxes: bool = False, still: bool = True) -> Path:
    """Writes the files of a network, and returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_backbone(), folder / "backbone.onnx")
    for name, prefix in (("search", "overlap"), ("reference", "reference")):
        layers = []
        for n in (3, 4):
            layers += [
                (f"block{n}", f"mid{n}", _filters(8, BLOCKS[f"block{n}"], 3, seed=n), 1),
                (f"mid{n}", f"{prefix}{n}", _filters(8, 8, 3, seed=n), 1),
            ]
        onnx.save(_model(layers, BLOCKS, (f"{prefix}3", f"{prefix}4")), folder / f"{name}.onnx")
    np.savez(folder / "head.npz", **head(gives_boxes=gives_boxes, still=still))
    return folder


def _backbone() -> onnx.ModelProto:
    """Strides 2, 4, 8 and 16; without their mean, filters of the first layer answer to edges and colours."""
    first = _filters(24, 3, 7, seed=0)
    first = (first - first.mean(axis=(2, 3), keepdims=True)) / np.float32(64)
    mix = np.tile(np.eye(24, dtype=np.float32)[:, :, None, None] / 9, (1, 1, 3, 3))
    layers = [
        ("image", "edges", first, 2), ("edges", "means", mix, 2),
        ("means", "block3", _filters(BLOCKS["block3"], 24, 3, seed=1), 2),
        ("block3", "block4", _filters(BLOCKS["block4"], BLOCKS["block3"], 3, seed=2), 2),
    ]  # fmt: skip
    return _model(layers, {"image": 3}, tuple(BLOCKS))


def _filters(outputs: int, inputs: int, side: int, seed: int) -> np.ndarray:
    deviation = np.sqrt(2 / (inputs * side**2))
    shape = outputs, inputs, side, side
    return np.random.default_rng(seed).normal(0, deviation, shape).astype(np.float32)


def _model(
    layers: Sequence[tuple[str, str, np.ndarray, int]], inputs: dict[str, int], outputs: Sequence[str]
) -> onnx.ModelProto:
    """Convolutions with ReLU, from one tensor to another with a stride."""
    nodes, weights = [], []
    for source, to, array, stride in layers:
        weights.append(numpy_helper.from_array(array, f"{to}_w"))
        pad = array.shape[-1] // 2
        nodes += [
            helper.make_node(
                "Conv", [source, f"{to}_w"], [f"{to}_raw"], strides=[stride] * 2, pads=[pad] * 4
            ),
            helper.make_node("Relu", [f"{to}_raw"], [to]),
        ]
    graph = helper.make_graph(
        nodes, "small", [_tensor(name, channels) for name, channels in inputs.items()],
        [_tensor(name, None) for name in outputs], weights,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def _tensor(name: str, channels: int | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        name, TensorProto.FLOAT, ["n", channels or f"c_{name}", f"h_{name}", f"w_{name}"]
    )
