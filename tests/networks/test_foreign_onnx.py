"""ONNX files of other programs: brought to the one form that runs here, or refused with a reason."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto as Kind
from onnx import helper, numpy_helper

from slimtrack.errors import InputError
from slimtrack.networks.importers import import_file
from slimtrack.networks.network import Network
from slimtrack.networks.onnx_forms import freed

WEIGHT = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float16)  # the same in every float type
X = np.random.default_rng(1).normal(size=(2, 3, 20, 24)).astype(np.float32)
node = helper.make_node


def model(
    nodes: list[Any], shape: list[Any], kind: int = Kind.FLOAT, out: str = "y", **weights: Any
) -> onnx.ModelProto:
    made = [
        value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(value, name)
        for name, value in weights.items()
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(out, kind, None)],
        made,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def imported(content: onnx.ModelProto, folder: Path, *taps: str) -> Network:
    onnx.save(content, folder / "net.onnx")
    return import_file(folder / "net.onnx", taps=taps)


def convolved(x: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), (3, 3), (2, 3))
    return np.asarray(np.einsum("nchwkl,ockl->nohw", windows, WEIGHT.astype(np.float64)))


def typed(kind: int) -> Any:
    return helper.make_tensor("w", kind, WEIGHT.shape, WEIGHT.astype(np.float32).ravel().tolist())


@pytest.mark.parametrize("kind", [Kind.FLOAT, Kind.FLOAT16, Kind.BFLOAT16, Kind.DOUBLE])
@pytest.mark.parametrize("ends", [True, False])
def test_every_float_type_is_computed_in_float32(kind: int, ends: bool, tmp_path: Path) -> None:
    """Throughout, and inside between two casts with float32 at the ends."""
    weight = typed(kind)
    weight16 = (
        WEIGHT.astype(np.float32)
        if kind != Kind.BFLOAT16
        else numpy_helper.to_array(weight).astype(np.float32)
    )
    if ends:
        content = model([node("Conv", ["x", "w"], ["y"])], [1, 3, 20, 24], kind, w=weight)
    else:
        nodes = [
            node("Cast", ["x"], ["a"], to=kind),
            node("Conv", ["a", "w"], ["c"]),
            node("Cast", ["c"], ["y"], to=1),
        ]
        content = model(nodes, [1, 3, 20, 24], w=weight)
    network = imported(content, tmp_path)
    tap = next(iter(network.taps))
    windows = np.lib.stride_tricks.sliding_window_view(X, (3, 3), (2, 3))
    wanted = np.einsum("nchwkl,ockl->nohw", windows, weight16)
    np.testing.assert_allclose(network.run(X, tap)[tap], wanted, atol=1e-4)
    network.save(tmp_path / "saved.onnx")
    np.testing.assert_array_equal(
        Network.load(tmp_path / "saved.onnx").run(X, tap)[tap], network.run(X, tap)[tap]
    )


def test_images_of_bytes_and_constants_inside_nodes(tmp_path: Path) -> None:
    half = node("Constant", [], ["half"], value=numpy_helper.from_array(np.array(0.5, np.float16)))
    nodes = [half, node("Cast", ["x"], ["a"], to=Kind.FLOAT16), node("Conv", ["a", "w"], ["c"]),
             node("Mul", ["c", "half"], ["y"])]  # fmt: skip
    network = imported(model(nodes, [1, 3, 20, 24], Kind.UINT8, w=WEIGHT), tmp_path)
    tap = next(iter(network.taps))
    np.testing.assert_allclose(network.run(X, tap)[tap], convolved(X), atol=1e-4)


@pytest.mark.parametrize("channels", [1, 4, 6])
def test_images_of_other_than_three_channels_are_refused(channels: int, tmp_path: Path) -> None:
    weight = np.ones((4, channels, 3, 3), np.float32)
    with pytest.raises(
        InputError, match=rf"input 'x' is \(N, {channels}, H, W\), and an image here is \(N, 3"
    ):
        imported(model([node("Conv", ["x", "w"], ["y"])], [1, channels, 20, 24], w=weight), tmp_path)


@pytest.mark.parametrize("shape", [[1, 20, 24, 3], ["N", "H", "W", 3]])
def test_channels_last_that_are_transposed_at_once(shape: list[Any], tmp_path: Path) -> None:
    nodes = [node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]), node("Conv", ["t", "w"], ["y"])]
    network = imported(model(nodes, shape, w=WEIGHT.astype(np.float32)), tmp_path)
    tap = next(iter(network.taps))
    np.testing.assert_allclose(network.run(X, tap)[tap], convolved(X), atol=1e-4)


def test_channels_last_that_are_computed_with_are_refused(tmp_path: Path) -> None:
    nodes = [node("Sub", ["x", "mean"], ["a"]), node("Transpose", ["a"], ["t"], perm=[0, 3, 1, 2]),
             node("Conv", ["t", "w"], ["y"])]  # fmt: skip
    content = model(nodes, [1, 20, 24, 3], w=WEIGHT.astype(np.float32), mean=np.ones(3, np.float32))
    with pytest.raises(InputError, match=r"channels last .* export it with channels first"):
        imported(content, tmp_path)


def test_what_cannot_be_run_is_refused_and_its_first_taps_can_be_had(tmp_path: Path) -> None:
    """Weights behind a flattened map belong to one size of the image."""
    flat = np.ones((4 * 18 * 22, 4), np.float32)
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("Flatten", ["c"], ["f"]),
        node("MatMul", ["f", "m"], ["g"]),
        node("Reshape", ["g", "back"], ["r"]),
        node("Mul", ["c", "r"], ["s"]),
        node("Relu", ["s"], ["y"]),
    ]
    content = model(nodes, [1, 3, 20, 24], w=WEIGHT.astype(np.float32), m=flat, back=np.array([1, 4, 1, 1]))
    with pytest.raises(InputError, match=r"was read, but cannot be run .*--tap NAME"):
        imported(content, tmp_path)
    network = imported(content, tmp_path, "c")
    np.testing.assert_allclose(network.run(X, "c")["c"], convolved(X), atol=1e-4)


# Sizes.


def gate() -> onnx.ModelProto:
    """A gate as exporters write it for one size: reshapes to constants, one of them over the whole map."""
    nodes = [
        node("Conv", ["x", "w"], ["c"], name="conv"),
        node("Reshape", ["c", "rows"], ["rows_out"]),
        node("Softmax", ["rows_out"], ["soft"], axis=2),
        node("ReduceSum", ["soft", "last"], ["sums"], keepdims=0),
        node("Gemm", ["sums", "m"], ["gated"]),
        node("Reshape", ["gated", "back"], ["g"]),
        node("Mul", ["c", "g"], ["y"], name="gate"),
    ]
    identity = np.eye(4, dtype=np.float32)
    constants = {"rows": np.array([1, 4, 18 * 22]), "back": np.array([1, 4, 1, 1]), "last": np.array([2])}
    return model(nodes, [1, 3, 20, 24], w=WEIGHT.astype(np.float32), m=identity, **constants)


def test_shapes_of_one_size_become_free() -> None:
    """The softmax of each map sums to one, so that the gate passes everything, at any size and number."""
    content = gate()
    content.graph.value_info.append(helper.make_tensor_value_info("c", Kind.FLOAT, [1, 4, 18, 22]))
    session = onnxruntime.InferenceSession(
        freed(content).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for shape in ((1, 3, 20, 24), (3, 3, 31, 17)):
        x = np.random.default_rng(2).normal(size=shape).astype(np.float32)
        np.testing.assert_allclose(session.run(None, {"x": x})[0], convolved(x), atol=1e-4)
    assert len(content.graph.value_info) == 1  # the model given is left as it was


@pytest.mark.parametrize("name", ["nanotrackv1", "nanotrackv2", "nanotrackv3"])
def test_a_nanotrack_of_one_size_is_the_one_of_any_size(name: str, shared: Callable[[str], Path]) -> None:
    """As published: an input of 255 pixels, and every tensor's shape written down."""
    path = shared(f"weights/{name}/backbone.onnx")
    fixed = onnx.load(path)
    for dim, size in zip(fixed.graph.input[0].type.tensor_type.shape.dim, (1, 3, 255, 255), strict=True):
        dim.dim_value = size
    for value in fixed.graph.output:
        value.type.tensor_type.ClearField("shape")
    fixed = onnx.shape_inference.infer_shapes(fixed)
    assert fixed.graph.value_info
    sessions = [
        onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        for data in (freed(fixed).SerializeToString(), path.read_bytes())
    ]
    for side in (127, 255):
        x = np.random.default_rng(side).uniform(0, 255, (1, 3, side, side)).astype(np.float32)
        ours, theirs = (session.run(None, {"input": x})[0] for session in sessions)
        assert abs(ours - theirs).max() <= 1e-5 * abs(theirs).max()
