"""Running networks: against plain numpy, stored activations, and each other."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import reference as plain
from hypothesis import given, settings
from hypothesis import strategies as st

from slimtrack.errors import InputError, UnknownNameError
from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.importers.onnx_file import import_onnx
from slimtrack.networks.network import Network

Known = Callable[[str], Network]
Shared = Callable[[str], Path]


def test_a_small_network_gives_what_plain_numpy_gives(small: Network, batch: np.ndarray) -> None:
    x = batch[0].astype(np.float64)
    w = {layer.name: small.weights(layer.name) for layer in small.layers}
    x = plain.relu(plain.conv(x, *w["conv1"], stride=2))
    x = plain.lrn(x, 5, 1.5, 0.3, 0.75)
    assert plain.close(small.run(batch, "norm1")["norm1"][0], x, 1e-5)
    x = plain.max_pool(x, 3, 2, (0, 0, 1, 1))
    x = np.concatenate([plain.conv(x, *w["left"]), plain.conv(x, *w["right"], pads=1)])
    assert plain.close(small.run(batch, "both")["both"][0], x, 1e-5)
    x = plain.conv(x, *w["depth"], pads=1, groups=10)
    norm = [small.graph.weights[f"bn_{part}"] for part in ("scale", "bias", "mean", "variance")]
    x = np.clip(plain.batch_norm(x, *norm), 0, 6)
    trunk = plain.conv(x, *w["trunk"])
    x = plain.relu(plain.conv(plain.relu(trunk), *w["branch"], pads=1) + trunk)
    # TensorFlow's SAME of a 3x3 window at stride 2: 14 cells need 1 padded cell, and it is the last.
    assert x.shape == (12, 14, 14)
    x = plain.relu(plain.conv(x, *w["grouped"], stride=2, pads=(0, 0, 1, 1), groups=2))
    assert plain.close(small.run(batch, "relu4")["relu4"][0], x, 1e-5)


@pytest.mark.parametrize(
    ("tap", "stored", "step"), [("norm1", "norm1_every_8th", 8), ("relu3", "relu3", 1), ("relu5", "relu5", 1)]
)
def test_cf_vgg_gives_its_stored_activations(
    known: Known, shared: Shared, tap: str, stored: str, step: int
) -> None:
    oracle = np.load(shared("oracles/networks/cf_vggm.npz"))
    network = known("cf_vggm")
    ours = network.run(network.prepare(oracle["image_bgr"]), tap)[tap][0]
    assert plain.close(ours[:, ::step, ::step], oracle[stored], 1e-5)


@pytest.mark.parametrize(
    ("tap", "stored", "step"),
    [("12", "conv1_2_every_8th", 8), ("21", "conv2_1_every_8th", 8), ("34", "conv3_4_every_4th", 4)],
)
def test_vgg19_gives_its_stored_activations(
    known: Known, shared: Shared, tap: str, stored: str, step: int
) -> None:
    oracle = np.load(shared("oracles/networks/vgg19_conv1-3.npz"))
    network = known("vgg19")
    ours = network.run(network.prepare(oracle["image_bgr"]), tap)[tap][0]
    assert plain.close(ours[:, ::step, ::step], oracle[stored], 1e-3)


def test_dcfnet_gives_the_activations_stored_with_its_weights(known: Known, shared: Shared) -> None:
    from scipy.io import loadmat

    stored = loadmat(str(shared("weights/dcfnet/net_param.mat")), squeeze_me=True)["res"]
    planes = [np.ascontiguousarray(each.transpose(2, 0, 1), np.float32) for each in stored]
    results = known("dcfnet").run(planes[0][None])
    assert list(results) == ["conv1", "relu1", "conv2", "norm1"]
    for ours, theirs in zip(results.values(), planes[1:], strict=True):
        assert plain.close(ours[0], theirs, 1e-5)


@pytest.mark.parametrize("name", ["cf_vggm", "dcfnet", "squeezenet1.1", "squeezenet1.0_dc", "resnet18"])
def test_runtimes_agree(known: Known, name: str) -> None:
    pytest.importorskip("openvino")
    network = known(name)
    tap = list(network.taps)[-1]
    image = np.random.default_rng(1).integers(0, 256, (2, 95, 95, 3), np.uint8)
    batch = network.prepare(image)
    theirs = network.on("openvino").run(batch, tap)[tap]
    assert plain.close(theirs, network.run(batch, tap)[tap], 1e-3)
    assert plain.close(network.on("onnxruntime", 2).run(batch, tap)[tap], network.run(batch, tap)[tap], 1e-5)


def test_the_mat_file_and_the_npz_file_are_one_network(known: Known, shared: Shared) -> None:
    from slimtrack.networks.importers.matconvnet import import_matconvnet

    first, second = known("cf_vggm"), import_matconvnet(shared("weights/cf_vggm/CF_VGGM.mat"))
    assert [layer.name for layer in second.layers] == [layer.name for layer in first.layers]
    assert np.allclose(first.card.mean, second.card.mean, atol=1e-2)
    batch = np.random.default_rng(1).normal(0, 60, (1, 3, 111, 111)).astype(np.float32)
    assert plain.close(second.run(batch, "relu5")["relu5"], first.run(batch, "relu5")["relu5"], 1e-5)


@settings(max_examples=20, deadline=None)
@given(
    channels=st.integers(1, 20),
    size=st.integers(1, 7),
    bias=st.floats(0.5, 3),
    alpha=st.floats(1e-4, 1),
    beta=st.sampled_from([0.5, 0.75, 1.0]),
)
def test_normalisation_is_that_of_the_lrn_operator(
    tmp_path_factory: pytest.TempPathFactory, channels: int, size: int, bias: float, alpha: float, beta: float
) -> None:
    from onnx import TensorProto, helper

    x = np.random.default_rng(channels).normal(size=(1, channels, 4, 5)).astype(np.float32)
    b = Builder(channels)
    b.lrn("norm", size, bias, alpha, beta)
    fast = Network(b.graph(), b.taps, Card("n")).run(x)["norm"]
    assert plain.close(fast[0], plain.lrn(x[0].astype(np.float64), size, bias, alpha, beta), 1e-5)
    if size % 2:  # the operator's own definition for even sizes differs between runtimes
        value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", channels, "H", "W"]) for n in "xy"]
        node = helper.make_node(
            "LRN", ["x"], ["y"], "lrn", size=size, bias=bias, alpha=alpha * size, beta=beta
        )
        graph = helper.make_graph([node], "g", value[:1], value[1:])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        import onnxruntime

        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        theirs = session.run(None, {"x": x})[0]
        assert plain.close(fast, theirs, 1e-5)
        path = tmp_path_factory.mktemp("lrn") / "lrn.onnx"
        path.write_bytes(model.SerializeToString())
        imported = import_onnx(path)
        assert "LRN" not in {node.op for node in imported.graph.nodes}
        assert plain.close(imported.run(x)["lrn"], theirs, 1e-5)


@pytest.mark.parametrize("colors", ["bgr", "rgb"])
def test_images_are_prepared_as_the_card_says(small: Network, colors: str) -> None:
    card = Card("c", colors=colors, mean=(10.0, 20.0, 30.0), scale=(1.0, 0.5, 2.0))  # type: ignore[arg-type]
    network = small.with_card(card)
    images = np.random.default_rng(0).integers(0, 256, (2, 7, 9, 3), np.uint8)
    order = images[..., ::-1] if colors == "rgb" else images
    wanted = ((order - np.array(card.mean)) * np.array(card.scale)).transpose(0, 3, 1, 2)
    batch = network.prepare(images)
    assert batch.dtype == np.float32
    assert batch.flags.c_contiguous
    np.testing.assert_allclose(batch, wanted, rtol=1e-6, atol=1e-5)
    np.testing.assert_array_equal(network.prepare(images[1]), batch[1:])
    np.testing.assert_array_equal(network.prepare(images[:, ::2, 1:8]), batch[:, :, ::2, 1:8])  # a view


def test_only_what_a_tap_needs_is_run(small: Network, batch: np.ndarray) -> None:
    cut = small.truncate("relu1")
    assert [layer.name for layer in cut.layers] == ["conv1"]
    assert list(cut.taps) == ["relu1"]
    np.testing.assert_allclose(
        cut.run(batch)["relu1"], small.run(batch, "relu1")["relu1"], rtol=1e-5, atol=1e-6
    )
    # Too small for the deep taps, large enough for the first: nothing behind it is computed.
    assert small.run(batch[..., :5, :5], "relu1")["relu1"].shape == (2, 8, 1, 1)


def test_images_of_a_batch_do_not_mix(small: Network, batch: np.ndarray) -> None:
    together = small.run(batch, "relu4")["relu4"]
    for image, result in zip(batch, together, strict=True):
        assert plain.close(small.run(image[None], "relu4")["relu4"][0], result, 1e-6)


def test_calls_from_several_threads_and_networks_do_not_mix(small: Network) -> None:
    from concurrent.futures import ThreadPoolExecutor

    batches = [np.full((1, 3, 41 + 4 * i, 41), i, np.float32) for i in range(6)]
    alone = [small.run(each, "relu4")["relu4"] for each in batches]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            together = list(pool.map(lambda each: small.run(each, "relu4")["relu4"], batches))
            for a, b in zip(alone, together, strict=True):
                np.testing.assert_array_equal(a, b)


def test_bad_input_is_one_sentence(small: Network, batch: np.ndarray) -> None:
    with pytest.raises(UnknownNameError, match="did you mean relu"):
        small.run(batch, "relu9")
    with pytest.raises(InputError, match="float32"):
        small.run(batch.astype(np.float64))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="float32"):
        small.run(batch[:, :2])
    with pytest.raises(InputError, match="too small for conv1"):
        small.run(batch[..., :4, :4])
    with pytest.raises(InputError, match="uint8"):
        small.prepare(np.zeros((4, 4), np.uint8))
    with pytest.raises(InputError, match="threads=0"):
        small.on("onnxruntime", 0)
    with pytest.raises(InputError, match="runtime 'tensorrt'"):
        small.on("tensorrt")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least one tap"):
        small.truncate()
