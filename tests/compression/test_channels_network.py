"""Networks of distilled trackers: what is left of them computes what the whole one did."""

from collections.abc import Callable

import numpy as np
import pytest

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.compression import inner
from slimtrack.compression.distilled import keep_channels
from slimtrack.compression.inner import _refitted, prune_inner
from slimtrack.compression.stack import ChosenStack, pruned
from slimtrack.errors import InputError
from slimtrack.features.taps import NetworkStack
from slimtrack.networks.layers import Layer
from slimtrack.networks.network import Network

TAPS = ("relu1_1", "relu1_2", "relu2_1")
CHOSEN = {"relu1_1": np.array([1, 5]), "relu1_2": np.array([0, 2, 7]), "relu2_1": np.array([3, 4, 11, 15])}

Vgg = Callable[[int], Network]
Scene = tuple[Image, Box]


def test_chosen_channels_are_those_of_the_whole_network(vgg: Vgg, scene: Scene) -> None:
    network, (patch, _) = vgg(8), scene
    whole, small = NetworkStack(network, TAPS), ChosenStack(network, CHOSEN)
    of_all = np.concatenate([CHOSEN["relu1_1"], 8 + CHOSEN["relu1_2"], 16 + CHOSEN["relu2_1"]])
    np.testing.assert_allclose(small(patch), whole(patch)[of_all], atol=1e-5)
    assert small.channels == 9
    assert [part.stop - part.start for part in small.slices] == [2, 3, 4]
    assert (small.margin, small.stride, small.offset) == (whole.margin, whole.stride, whole.offset)


def test_only_what_is_needed_is_computed(vgg: Vgg) -> None:
    network = vgg(8)
    counts = {layer.name: layer.out_channels for layer in pruned(network, CHOSEN).layers}
    assert counts == {"conv1_1": 8, "conv1_2": 8, "conv2_1": 4}
    shallow = pruned(network, CHOSEN | {"relu2_1": np.array([], int)})
    assert {layer.name: layer.out_channels for layer in shallow.layers} == {"conv1_1": 8, "conv1_2": 3}


def test_nothing_chosen_is_refused(vgg: Vgg) -> None:
    with pytest.raises(InputError, match="no channel is chosen"):
        pruned(vgg(8), {"relu1_1": np.array([], int)})


def test_without_loss_the_network_stays(vgg: Vgg, scene: Scene) -> None:
    network = vgg(8).truncate(*TAPS)
    same, places = prune_inner(network, CHOSEN, network.prepare(scene[0]), 0.0)
    assert same is network and places == CHOSEN
    with pytest.raises(InputError, match="loss="):
        prune_inner(network, CHOSEN, network.prepare(scene[0]), 1.5)


def test_a_constant_inner_channel_goes_without_a_trace(vgg: Vgg, scene: Scene) -> None:
    """Channel 4 of conv1_1 is made constant: only the border, where padding ends it, can change."""
    network = vgg(8).truncate(*TAPS)
    weights, bias = (np.array(array) for array in network.weights("conv1_1"))
    weights[4], bias[4] = 0, 2.0
    network = network.replace("conv1_1", weights, bias)
    batch = network.prepare(scene[0])
    chosen = {"relu1_1": np.array([1, 5]), "relu2_1": np.arange(16)}
    small, places = prune_inner(network, chosen, batch, 1e-9)
    assert small.layer("conv1_1").out_channels == 7
    assert places["relu1_1"].tolist() == [1, 4]
    before, after = network.run(batch, *TAPS), small.run(batch, *TAPS)
    np.testing.assert_array_equal(after["relu1_1"], before["relu1_1"][:, [0, 1, 2, 3, 5, 6, 7]])
    inside = (..., slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(after["relu2_1"][inside], before["relu2_1"][inside], atol=1e-4)


def test_chosen_channels_outlive_any_loss(vgg: Vgg, scene: Scene) -> None:
    network = vgg(8).truncate(*TAPS)
    small, places = prune_inner(network, CHOSEN, network.prepare(scene[0]), 1.0)
    assert small.layer("conv1_1").out_channels == 2
    assert small.layer("conv1_2").out_channels == 3
    assert places["relu1_1"].tolist() == [0, 1] and places["relu1_2"].tolist() == [0, 1, 2]
    np.testing.assert_array_equal(places["relu2_1"], CHOSEN["relu2_1"])


def columns(maps: np.ndarray, layer: Layer) -> np.ndarray:
    """What the kernel sees, ``(cells, c, k)``, at the cells that see no padding."""
    (kh, kw), (sy, sx), (dy, dx) = layer.kernel, layer.stride, layer.dilation
    top, left = layer.pads[:2]
    h, w = maps.shape[2:]
    found = []
    for x in maps:
        for y0 in range(-top, h, sy):
            for x0 in range(-left, w, sx):
                rows, cols = y0 + dy * np.arange(kh), x0 + dx * np.arange(kw)
                if min(rows[0], cols[0]) >= 0 and rows[-1] < h and cols[-1] < w:
                    found.append(x[:, rows][:, :, cols].reshape(len(x), -1))
    return np.array(found)


@pytest.mark.parametrize(
    ("size", "dilation"), [((9, 8), (1, 1)), ((12, 11), (2, 1)), ((5, 4), (1, 1))]
)  # the last has fewer cells than unknowns
def test_the_filters_that_stay_make_up_for_the_others_as_dense_least_squares_do(
    size: tuple[int, int], dilation: tuple[int, int]
) -> None:
    rng = np.random.default_rng(3)
    layer = Layer("c", "x", "y", 5, 4, (3, 2), (2, 1), (1, 0, 1, 1), dilation, 1)
    weights = rng.normal(size=(4, 5, 3, 2)).astype(np.float32)
    maps = rng.random((2, 5, *size)).astype(np.float32)
    maps[:, 4] += maps[:, 0]  # so that there is something to make up with
    lost = np.array([False, False, True, False, True])
    new, constant = _refitted(layer, weights, maps, lost)

    seen = columns(maps, layer).astype(float)
    stay, gone = (seen[:, at].reshape(len(seen), -1) for at in (~lost, lost))
    aim = gone @ weights[:, lost].reshape(4, -1).T
    # The intercept is free, the change of the filters has a price.
    ridge = 1e-2 * ((stay - stay.mean(0)) ** 2).sum() / stay.shape[1]
    rows = np.vstack([stay, np.sqrt(ridge) * np.eye(stay.shape[1])])
    ones = np.append(np.ones(len(stay)), np.zeros(stay.shape[1]))[:, None]
    wish = np.vstack([aim, np.zeros((stay.shape[1], 4))])
    dense = np.linalg.lstsq(np.hstack([rows, ones]), wish, rcond=None)[0].T
    np.testing.assert_allclose((new - weights)[:, ~lost].reshape(4, -1), dense[:, :-1], atol=1e-4)
    np.testing.assert_allclose(constant, dense[:, -1], atol=1e-3)
    np.testing.assert_array_equal(new[:, lost], weights[:, lost])


def test_a_thinned_network_is_nearer_than_one_with_means_alone(
    vgg: Vgg, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = vgg(8).truncate(*TAPS)
    batch = network.prepare(scene[0])
    chosen = {"relu2_1": np.arange(16)}

    def apart() -> float:
        small, _ = prune_inner(network, chosen, batch, 0.5)
        assert small.layer("conv1_2").out_channels < 8
        before, after = (x.run(batch, "relu2_1")["relu2_1"] for x in (network, small))
        return float(((before - after) ** 2).mean())

    fitted = apart()
    monkeypatch.setattr(inner, "_least_squares", lambda x, y: np.zeros((len(y), len(x))))
    assert fitted < 0.7 * apart()


def test_what_is_left_of_a_stack_stands_in_for_it_whichever_taps_are_left(vgg: Vgg, scene: Scene) -> None:
    network, (patch, _) = vgg(8), scene
    taps = ("relu1_1", "relu2_1", "relu3_1")
    whole = NetworkStack(network, taps, cell=4)
    for kept in taps:
        chosen = {tap: np.array([1, 4] if tap == kept else [], int) for tap in taps}
        small = keep_channels(network, chosen, patch)
        part = whole.slices[taps.index(kept)]
        assert small.margin == whole.margin
        np.testing.assert_allclose(small(patch), whole(patch)[part][[1, 4]], atol=1e-5)


def test_a_channel_that_nothing_reads_goes_before_a_quiet_one_that_is_read(vgg: Vgg, scene: Scene) -> None:
    """What counts is what a channel brings about, its variation times the weights that read it."""
    network = vgg(8).truncate("relu2_1")
    weights = np.array(network.weights("conv2_1")[0])
    weights[:, [2, 5]] *= 1e-4
    network = network.replace("conv2_1", weights)
    small, _ = prune_inner(network, {"relu2_1": np.arange(16)}, network.prepare(scene[0]), 1e-3)
    kept = small.weights("conv1_2")[0]
    whole = network.weights("conv1_2")[0]
    gone = [i for i in range(8) if not any(np.allclose(whole[i, : kept.shape[1]], k) for k in kept)]
    assert small.layer("conv1_2").out_channels == 6
    assert set(gone) >= {2, 5}
