"""Pruned networks compute what the whole one does with the channels' effect taken out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import reference as plain
from hypothesis import given, settings
from hypothesis import strategies as st

from slimtrack.errors import InputError, UnknownNameError
from slimtrack.networks.importers.onnx_file import import_onnx
from slimtrack.networks.network import Network

Known = Callable[[str], Network]


def silenced(network: Network, layers: dict[str, list[int]]) -> Network:
    """The network with all filters and biases but these zero."""
    for name, kept in layers.items():
        weight, bias = (array.copy() for array in network.weights(name))
        gone = np.setdiff1d(np.arange(len(weight)), kept)
        weight[gone], bias[gone] = 0, 0
        network = network.replace(name, weight, bias)
    return network


@settings(max_examples=25, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("layer", ["conv1", "left", "right", "trunk", "branch"])
def test_selecting_is_as_good_as_zero(layer: str, data: st.DataObject) -> None:
    network = plain.small_network()
    count = network.layer(layer).out_channels
    kept = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1)))
    if layer in ("trunk", "branch"):  # two groups read them: equally many of each
        kept = sorted({i % 6 for i in kept} | {i % 6 + 6 for i in kept})
    pruned = network.select_channels(layer, kept)
    coupled = [name for name in network.coupled(layer) if name != "depth"]
    assert [pruned.layer(name).out_channels for name in coupled] == [len(kept)] * len(coupled)
    assert pruned.layer("depth").groups == pruned.layer("depth").out_channels
    batch = np.random.default_rng(0).normal(size=(1, 3, 45, 45)).astype(np.float32)
    whole = silenced(network, dict.fromkeys(coupled, kept))
    if layer in ("left", "right"):  # what follows per channel has a bias: silence it there as well
        gone = np.setdiff1d(np.arange(count), kept) + (4 if layer == "right" else 0)
        trunk = whole.weights("trunk")[0].copy()
        trunk[:, gone] = 0
        whole = whole.replace("trunk", trunk)
    assert plain.close(pruned.run(batch, "relu4")["relu4"], whole.run(batch, "relu4")["relu4"], 1e-5)
    first = coupled[0]
    assert plain.close(pruned.run(batch, first)[first], whole.run(batch, first)[first][:, kept], 1e-5)


@pytest.mark.parametrize(
    ("name", "layer", "tap"),
    [
        ("cf_vggm", "conv1", "relu5"),
        ("cf_vggm", "conv2", "relu3"),
        ("vgg19", "conv2_1", "relu3_1"),
        ("dcfnet", "conv1", "norm1"),
        ("squeezenet1.1", "fire2_expand3x3", "fire5"),
        ("squeezenet1.1", "fire3_squeeze1x1", "fire4"),
        ("resnet18", "layer1_0_conv1", "layer2"),
        ("resnet18", "layer2_0_conv2", "layer3"),
    ],
)
def test_known_networks(known: Known, name: str, layer: str, tap: str) -> None:
    network = known(name).truncate(tap, layer)
    kept = list(range(0, network.layer(layer).out_channels, 3))
    pruned = network.select_channels(layer, kept)
    whole = silenced(network, dict.fromkeys(network.coupled(layer), kept))
    batch = np.random.default_rng(0).normal(0, 40, (1, 3, 67, 67)).astype(np.float32)
    proper, theirs = pruned.run(batch), whole.run(batch, tap)[tap]
    ties = theirs.shape[1] != proper[tap].shape[1]  # the tap's own channels went too
    assert plain.close(proper[tap], theirs[:, kept] if ties else theirs, 1e-5)
    assert pruned.parameters < network.parameters
    assert pruned.flops(67) < network.flops(67)
    for declared in pruned.taps.values():
        assert proper[declared.name].shape[1] == declared.channels


def test_a_residual_sum_ties_layers(known: Known) -> None:
    network = known("resnet18")
    assert network.coupled("layer1_0_conv1") == ("layer1_0_conv1",)
    assert network.coupled("layer1_0_conv2") == ("conv1", "layer1_0_conv2", "layer1_1_conv2")
    pruned = network.select_channels("layer1", range(40))
    assert pruned.layer("conv1").out_channels == pruned.layer("layer2_0_downsample_0").in_channels == 40


def test_readers_name_the_inputs(small: Network, known: Known) -> None:
    assert [r.layer.name for r in small.readers("left")] == ["depth", "trunk"]  # one hands on to the other
    for reader in small.readers("right"):
        assert reader.positions.tolist() == [4, 5, 6, 7, 8, 9]
        assert reader.channels.tolist() == [0, 1, 2, 3, 4, 5]
    assert [r.layer.name for r in small.readers("depth")] == ["trunk"]
    assert [r.layer.name for r in small.readers("trunk")] == ["branch", "grouped"]
    network = known("squeezenet1.1")
    (reader,) = network.readers("fire2_expand3x3")
    assert reader.layer.name == "fire3_squeeze1x1"
    assert reader.positions.tolist() == list(range(64, 128))


def test_choosing_twice_is_choosing_once(small: Network, batch: np.ndarray) -> None:
    once = small.select_channels("conv1", [1, 6])
    twice = small.select_channels("conv1", [1, 4, 6, 7]).select_channels("conv1", [0, 2])
    np.testing.assert_array_equal(once.run(batch, "relu4")["relu4"], twice.run(batch, "relu4")["relu4"])
    assert small.layer("conv1").out_channels == 8  # and the network itself stays as it was


@pytest.mark.parametrize(
    ("indices", "words"),
    [([], "at least one"), ([3, 1], "ascending"), ([2, 2], "each once"), ([0, 8], "0..7"), ([-1, 2], "0..7")],
)
def test_bad_indices_are_refused(small: Network, indices: list[int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        small.select_channels("conv1", indices)


def test_what_cannot_be_taken_out_is_refused(small: Network) -> None:
    with pytest.raises(InputError, match="have unequal sizes"):
        small.select_channels("trunk", [0, 1, 2, 6])
    with pytest.raises(InputError, match="nothing would be left of left"):
        small.select_channels("both", [4, 5])
    with pytest.raises(UnknownNameError, match="did you mean"):
        small.select_channels("conv11", [0])


def test_before_a_gate_that_cannot_be_followed_it_is_refused(shared: Callable[[str], Path]) -> None:
    network = import_onnx(shared("weights/nanotrackv3/backbone.onnx"))
    batch = np.random.default_rng(0).normal(0, 50, (1, 3, 95, 95)).astype(np.float32)
    tap, done = list(network.taps)[-1], 0
    for layer in network.layers:
        kept = range(0, layer.out_channels, 2)
        try:
            pruned = network.select_channels(layer.name, kept)
        except InputError as error:
            assert "cannot be removed before" in str(error)
            continue
        done += 1
        assert pruned.run(batch, tap)[tap].shape[1] == pruned.tap(tap).channels
        assert all(reader.layer.name != layer.name for reader in network.readers(layer.name))
    assert 0 < done < len(network.layers)


def test_weights_can_be_replaced(small: Network, batch: np.ndarray) -> None:
    weight, bias = small.weights("right")
    assert not bias.any()
    with pytest.raises(ValueError, match="read-only"):
        weight[0] = 0
    changed = small.replace("right", weight * 2, bias + 1)
    np.testing.assert_allclose(
        changed.run(batch, "right")["right"], 2 * small.run(batch, "right")["right"] + 1, rtol=1e-4, atol=1e-5
    )
    with pytest.raises(InputError, match="do not fit"):
        small.replace("right", weight[:2])


def test_batch_norm_folds(small: Network, batch: np.ndarray) -> None:
    cut = small.truncate("relu4", "both")
    folded = cut.fold_batch_norm()
    assert "BatchNormalization" not in {node.op for node in folded.graph.nodes}
    assert plain.close(folded.run(batch, "relu4")["relu4"], small.run(batch, "relu4")["relu4"], 1e-5)
    assert folded.parameters < cut.parameters
    kept = small.fold_batch_norm()  # the convolution before it is a tap there
    assert plain.close(kept.run(batch, "depth")["depth"], small.run(batch, "depth")["depth"], 1e-5)
