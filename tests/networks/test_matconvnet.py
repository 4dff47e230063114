"""MatConvNet files, written by scipy as MATLAB would: every field and the graph count, or are refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference as plain
from scipy.io import savemat

from slimtrack.errors import InputError
from slimtrack.networks.importers import import_file
from slimtrack.networks.network import Network

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(1, 1, 3, 4)).astype(np.float32)  # kh, kw, in, out
X = np.random.default_rng(1).normal(size=(1, 3, 8, 8)).astype(np.float32)
Y = np.einsum("nihw,io->nohw", X, WEIGHT[0, 0])


def cell(items: list[Any]) -> np.ndarray:
    out = np.empty((1, len(items)), object)
    out[0] = items
    return out


def conv(**more: Any) -> dict[str, Any]:
    arrays = cell([WEIGHT, np.zeros((4, 1), np.float32)])
    return {"type": "conv", "name": "conv1", "weights": arrays, "pad": 0.0, "stride": 1.0, **more}


def simple(folder: Path, *layers: dict[str, Any]) -> Network:
    savemat(folder / "net.mat", {"layers": cell(list(layers))})
    return import_file(folder / "net.mat")


@pytest.mark.parametrize("leak", [0.1, 0.0, None])
def test_a_leak_is_computed(leak: float | None, tmp_path: Path) -> None:
    relu = {"type": "relu", "name": "relu1"} | ({} if leak is None else {"leak": leak})
    network = simple(tmp_path, conv(), relu)
    wanted = np.where(Y > 0, Y, (leak or 0) * Y)
    np.testing.assert_allclose(network.run(X, "relu1")["relu1"], wanted, atol=1e-6)


def bnorm(*arrays: np.ndarray, **more: Any) -> dict[str, Any]:
    return {"type": "bnorm", "name": "bn1", "weights": cell(list(arrays)), **more}


def test_moments_of_a_batch_normalisation_beside_its_weights(tmp_path: Path) -> None:
    scale, shift = np.full((4, 1), 2.0), np.full((4, 1), 0.5)
    moments = np.array([[0.1, 2], [0.2, 3], [0.3, 4], [0.4, 5]])
    wanted = (Y - moments[:, :1, None]) / moments[:, 1:, None] * 2 + 0.5
    for layer in (bnorm(scale, shift, moments), bnorm(scale, shift, moments=moments)):
        got = simple(tmp_path, conv(), layer).run(X, "bn1")["bn1"]
        np.testing.assert_allclose(got, wanted, atol=1e-5)
    with pytest.raises(InputError, match=r"layer 'bn1': .* scale, shift and moments, here are 2 arrays"):
        simple(tmp_path, conv(), bnorm(scale, shift))


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        (conv(upsample=2.0), "its field 'upsample' is not known"),
        (conv(pad=[1.0, 1.0]), "field 'pad' has 2 numbers, 4 or 1 are needed"),
        (conv(dilate=[1.0, 2.0]), "dilated 1 down and 2 across"),
        (conv(weights=np.empty((0, 0), object)), "filters and biases, here are 0 arrays"),
        ({"type": "pool", "name": "p", "pool": 2.0, "method": "median"}, "pools by 'median'"),
        ({"type": "pool", "name": "p", "pool": 2.0, "dilate": 2.0}, "pools dilated windows"),
        ({"type": "lrn", "name": "n", "param": [5.0, 1.0]}, "field 'param' has 2 numbers"),
    ],
)
def test_what_would_be_computed_otherwise_is_refused(
    layer: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=rf"layer '{layer['name']}': .*{sentence}"):
        simple(tmp_path, layer)


def test_fields_for_learning_and_empty_ones_do_no_harm(tmp_path: Path) -> None:
    more = {
        "learningRate": [1.0, 2.0],
        "filtersWeightDecay": 1.0,
        "opts": cell([]),
        "mystery": np.zeros((0, 0)),
    }
    assert len(simple(tmp_path, conv(**more)).layers) == 1


def test_nothing_comes_after_a_loss(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"layer 'relu1': it comes after 'prob'"):
        simple(tmp_path, conv(), {"type": "softmax", "name": "prob"}, {"type": "relu", "name": "relu1"})


def matlab(weight: np.ndarray) -> np.ndarray:
    return weight.transpose(2, 3, 1, 0)


def weights(*shape: int) -> np.ndarray:
    rng = np.random.default_rng(sum(shape))
    return (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


@pytest.mark.parametrize("old", [False, True])
def test_a_simple_network_like_vgg_m(tmp_path: Path, old: bool) -> None:
    """VGG-M's plan with few filters: LRN, pads that differ by side, 'filters' in old files, a classifier."""
    w1, b1, w2, b2 = weights(8, 3, 7, 7), weights(8), weights(6, 4, 5, 5), weights(6)
    w3, b3 = weights(1, 6, 3, 3), weights(1)  # MATLAB drops the last axis

    def conv(name: str, w: np.ndarray, b: np.ndarray, **more: Any) -> dict[str, Any]:
        w = matlab(w)[..., 0] if len(b) == 1 else matlab(w)
        arrays = {"filters": w, "biases": b[None]} if old else {"weights": cell([w, b[:, None]])}
        return {"type": "conv", "name": name, **arrays, **more}

    layers = [
        conv("conv1", w1, b1, stride=2.0, pad=0.0),
        {"type": "relu", "name": "relu1"},
        {"type": "normalize" if old else "lrn", "name": "norm1", "param": np.array([5, 2, 1e-1, 0.75])},
        {
            "type": "pool",
            "name": "pool1",
            "method": "max",
            "pool": [3.0, 3.0],
            "stride": 2.0,
            "pad": [0.0, 1, 0, 1],
        },
        conv("conv2", w2, b2, stride=[2.0, 2.0], pad=[1.0, 0, 1, 2]),
        {"type": "relu", "name": "relu2"},
        {
            "type": "pool",
            "name": "pool2",
            "method": "avg",
            "pool": 2.0,
            "stride": [1.0, 1],
            "pad": [1.0, 0, 1, 0],
        },
        conv("conv3", w3, b3, stride=1.0, pad=1.0),
        {"type": "dropout", "name": "drop", "rate": 0.5},
        {"type": "softmax", "name": "prob"},
    ]
    normalization = {"averageImage": np.broadcast_to(np.float32([100, 110, 120]), (9, 9, 3))}
    content: dict[str, Any] = {"layers": cell(layers)}
    content |= {"normalization": normalization} if old else {"meta": {"normalization": normalization}}
    savemat(tmp_path / "net.mat", content if old else {"net": content})
    network = import_file(tmp_path / "net.mat")
    assert network.card.mean == (100, 110, 120)
    assert network.card.colors == "rgb"
    assert network.layer("conv2").groups == 2
    batch = np.random.default_rng(0).normal(size=(1, 3, 50, 50)).astype(np.float32)
    x = plain.relu(plain.conv(batch[0].astype(np.float64), w1, b1, stride=2))
    x = plain.max_pool(plain.lrn(x, 5, 2.0, 0.1, 0.75), 3, 2, (0, 0, 1, 1))
    # MatConvNet's pads are top, bottom, left, right.
    x = plain.relu(plain.conv(x, w2, b2, stride=2, pads=(1, 1, 0, 2), groups=2))
    ones = plain.conv(np.ones((1, *x.shape[1:])), np.ones((1, 1, 2, 2)), pads=(1, 1, 0, 0))
    sums = plain.conv(x, np.ones((6, 1, 2, 2)), pads=(1, 1, 0, 0), groups=6)
    assert plain.close(network.run(batch, "conv3")["conv3"][0], plain.conv(sums / ones, w3, b3, pads=1), 1e-5)


def test_unknown_layers_are_refused(tmp_path: Path) -> None:
    savemat(tmp_path / "n.mat", {"net": {"layers": cell([{"type": "custom", "name": "mine"}])}})
    with pytest.raises(InputError, match="layer 'mine': it is of type 'custom'"):
        import_file(tmp_path / "n.mat")
    savemat(tmp_path / "n.mat", {"a": np.zeros(3)})
    with pytest.raises(InputError, match="no field 'layers'"):
        import_file(tmp_path / "n.mat")


# DagNN.


def layer(
    kind: str, name: str, reads: list[str], params: tuple[str, ...] = (), **block: Any
) -> dict[str, Any]:
    return {
        "type": f"dagnn.{kind}",
        "name": name,
        "inputs": cell(list(reads)),
        "outputs": cell([name]),
        "params": cell(list(params)) if params else np.empty((0, 0), object),
        "block": {"opts": np.empty((0, 0)), **block},
    }


W2 = RNG.normal(size=(3, 3, 4, 4)).astype(np.float32)
SAME = {"stride": [1.0, 1.0], "pad": [1.0, 1, 1, 1]}
LAYERS = [
    layer("Conv", "conv1", ["data"], ("w1",), stride=[1.0, 1.0], pad=[0.0, 0, 0, 0]),
    layer("ReLU", "relu1", ["conv1"], leak=0.2),
    layer("Conv", "conv2", ["relu1"], ("w2",), **SAME),
    layer("Sum", "sum", ["conv2", "relu1", "conv1"]),
    layer("Loss", "loss", ["sum", "label"]),
]


def dag(folder: Path, layers: list[dict[str, Any]]) -> Network:
    params = [{"name": "w1", "value": WEIGHT}, {"name": "w2", "value": W2}]
    savemat(folder / "dag.mat", {"net": {"layers": cell(layers), "params": cell(params)}})
    return import_file(folder / "dag.mat")


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 0, 4, 3, 1)])
def test_layers_run_in_the_order_of_the_graph_not_of_the_list(order: tuple[int, ...], tmp_path: Path) -> None:
    network = dag(tmp_path, [LAYERS[at] for at in order])
    x = np.where(Y > 0, Y, 0.2 * Y)[0].astype(np.float64)
    wanted = plain.conv(x, W2.transpose(3, 2, 0, 1), pads=1) + x + Y[0]
    np.testing.assert_allclose(network.run(X, "sum")["sum"][0], wanted, atol=1e-4)


def test_graphs_that_cannot_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"2 inputs \(data, other\): a feature network has one"):
        dag(tmp_path, [*LAYERS[:1], layer("ReLU", "relu1", ["other"])])
    with pytest.raises(InputError, match="layers relu1, relu2 need each other"):
        dag(tmp_path, [LAYERS[0], layer("ReLU", "relu1", ["relu2"]), layer("ReLU", "relu2", ["relu1"])])
    with pytest.raises(InputError, match="need each other's results, or that of a loss"):
        dag(tmp_path, [LAYERS[0], layer("Loss", "loss", ["conv1"]), layer("ReLU", "relu1", ["loss"])])
    with pytest.raises(InputError, match=r"layer 'conv1' has fields that cannot be read \(KeyError: 'w3'\)"):
        dag(tmp_path, [layer("Conv", "conv1", ["data"], ("w3",), **SAME)])
    with pytest.raises(InputError, match="layer 'both': it does not join channels"):
        dag(tmp_path, [LAYERS[0], layer("Concat", "both", ["conv1", "conv1"], dim=1.0)])


def test_a_dag_network(tmp_path: Path) -> None:
    w1, w2, w3 = weights(4, 3, 3, 3), weights(4, 4, 3, 3), weights(2, 8, 1, 1)
    b1, scale, shift = weights(4), 1 + weights(4), weights(4) + 0.5
    moments = np.abs(np.random.default_rng(0).normal(size=(4, 2))) + 0.2

    conv = {"stride": [1.0, 1.0], "pad": [1.0, 1, 1, 1], "hasBias": True}
    layers = [
        layer("Conv", "conv1", ["data"], ("w1", "b1"), **conv),
        layer("BatchNorm", "bn1", ["conv1"], ("scale", "shift", "moments"), epsilon=1e-4),
        layer("ReLU", "relu1", ["bn1"], leak=0.0),
        layer("Conv", "conv2", ["relu1"], ("w2",), **conv),
        layer("Sum", "sum", ["conv2", "relu1"]),
        layer("Concat", "both", ["sum", "relu1"], dim=3.0),
        layer("DropOut", "drop", ["both"], rate=0.5),
        layer("Conv", "conv3", ["drop"], ("w3",), stride=[2.0, 2.0], pad=[0.0, 0, 0, 0], hasBias=False),
        layer("Loss", "loss", ["conv3", "label"]),
    ]
    values = {"w1": matlab(w1), "b1": b1[:, None], "w2": matlab(w2), "w3": matlab(w3)}
    values |= {"scale": scale[:, None], "shift": shift[:, None], "moments": moments}
    params = [{"name": name, "value": value} for name, value in values.items()]
    savemat(tmp_path / "dag.mat", {"net": {"layers": cell(layers), "params": cell(params)}})
    network = import_file(tmp_path / "dag.mat")
    batch = np.random.default_rng(0).normal(size=(1, 3, 12, 12)).astype(np.float32)
    x = plain.conv(batch[0].astype(np.float64), w1, b1, pads=1)
    x = (x - moments[:, 0, None, None]) * (scale / moments[:, 1])[:, None, None] + shift[:, None, None]
    x = plain.relu(x)
    x = np.concatenate([plain.conv(x, w2, pads=1) + x, x])
    assert plain.close(network.run(batch, "conv3")["conv3"][0], plain.conv(x, w3, stride=2), 1e-5)


def test_udt_is_dcfnets_plan(known: Callable[[str], Network]) -> None:
    network = known("udt")
    batch = np.random.default_rng(0).normal(0, 50, (1, 3, 20, 20)).astype(np.float32)
    first, second = (network.weights(layer.name) for layer in network.layers)
    x = plain.relu(plain.conv(batch[0].astype(np.float64), *first, pads=1))
    x = plain.lrn(plain.conv(x, *second, pads=1), 5, 1.0, 2e-5, 0.75)
    assert plain.close(network.run(batch, "norm_x1")["norm_x1"][0], x, 1e-5)
