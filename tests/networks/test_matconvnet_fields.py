"""MatConvNet files: every field and the graph count, or the file is refused with a reason."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference import conv as plain_conv
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


# DagNN.


def layer(
    kind: str, name: str, reads: list[str], params: tuple[str, ...] = (), **block: Any
) -> dict[str, Any]:
    return {
        "type": f"dagnn.{kind}",
        "name": name,
        "inputs": cell(list(reads)),
        "outputs": cell([f"x_{name}"]),
        "params": cell(list(params)) if params else np.empty((0, 0), object),
        "block": {"opts": np.empty((0, 0)), **block},
    }


W2 = RNG.normal(size=(3, 3, 4, 4)).astype(np.float32)
SAME = {"stride": [1.0, 1.0], "pad": [1.0, 1, 1, 1]}
LAYERS = [
    layer("Conv", "conv1", ["data"], ("w1",), stride=[1.0, 1.0], pad=[0.0, 0, 0, 0]),
    layer("ReLU", "relu1", ["x_conv1"], leak=0.2),
    layer("Conv", "conv2", ["x_relu1"], ("w2",), **SAME),
    layer("Sum", "sum", ["x_conv2", "x_relu1", "x_conv1"]),
    layer("Loss", "loss", ["x_sum", "label"]),
]


def dag(folder: Path, layers: list[dict[str, Any]]) -> Network:
    params = [{"name": "w1", "value": WEIGHT}, {"name": "w2", "value": W2}]
    savemat(folder / "dag.mat", {"net": {"layers": cell(layers), "params": cell(params)}})
    return import_file(folder / "dag.mat")


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 0, 4, 3, 1)])
def test_layers_run_in_the_order_of_the_graph_not_of_the_list(order: tuple[int, ...], tmp_path: Path) -> None:
    network = dag(tmp_path, [LAYERS[at] for at in order])
    x = np.where(Y > 0, Y, 0.2 * Y)[0].astype(np.float64)
    wanted = plain_conv(x, W2.transpose(3, 2, 0, 1), pads=1) + x + Y[0]
    np.testing.assert_allclose(network.run(X, "sum")["sum"][0], wanted, atol=1e-4)


def test_graphs_that_cannot_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"2 inputs \(data, other\): a feature network has one"):
        dag(tmp_path, [*LAYERS[:1], layer("ReLU", "relu1", ["other"])])
    with pytest.raises(InputError, match="layers relu1, relu2 wait for each other"):
        dag(tmp_path, [LAYERS[0], layer("ReLU", "relu1", ["x_relu2"]), layer("ReLU", "relu2", ["x_relu1"])])
    with pytest.raises(InputError, match="wait for each other, or for the result of a loss"):
        dag(tmp_path, [LAYERS[0], layer("Loss", "loss", ["x_conv1"]), layer("ReLU", "relu1", ["x_loss"])])
    with pytest.raises(InputError, match=r"layer 'conv1' has fields that cannot be read \(KeyError: 'w3'\)"):
        dag(tmp_path, [layer("Conv", "conv1", ["data"], ("w3",), **SAME)])
    with pytest.raises(InputError, match="layer 'both': it does not join channels"):
        dag(tmp_path, [LAYERS[0], layer("Concat", "both", ["x_conv1", "x_conv1"], dim=1.0)])
