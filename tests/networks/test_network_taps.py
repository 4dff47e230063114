"""Taps: what is declared is what comes out, and lies where it is said to lie."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimtrack.errors import InputError
from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.network import Network

NAMES = ["cf_vggm", "vgg19", "dcfnet", "udt", "squeezenet1.1", "squeezenet1.0_dc", "resnet18"]


def spread(network: Network, tap: str) -> Network:
    """The network with filters all equal and positive, biases 0: a pixel's effect spreads evenly."""
    network = network.truncate(tap)
    for layer in network.layers:
        weight, bias = network.weights(layer.name)
        network = network.replace(layer.name, np.full_like(weight, 1 / weight[0].size), np.zeros_like(bias))
    return network


def seen_by(network: Network, tap: str, cell: int, side: int) -> tuple[float, float]:
    """First edge and last edge of the input pixels, on the diagonal, that change a cell."""
    network = spread(network, tap)
    dark = network.run(np.zeros((1, 3, side, side), np.float32), tap)[tap]
    reach = []
    for pixels in (range(side), reversed(range(side))):
        for pixel in pixels:
            image = np.zeros((1, 3, side, side), np.float32)
            image[..., pixel, pixel] = 1.0
            if (network.run(image, tap)[tap] != dark)[0, :, cell, cell].any():
                reach.append(pixel)
                break
    return reach[0], reach[1] + 1.0


@pytest.mark.parametrize("name", NAMES)
def test_declared_taps_are_the_actual_ones(known: Callable[[str], Network], name: str) -> None:
    network = known(name)
    batch = np.random.default_rng(0).normal(0, 50, (1, 3, 96, 128)).astype(np.float32)
    results, sizes = network.run(batch), network.sizes((96, 128))
    for tap in network.taps.values():
        assert results[tap.name].shape == (1, tap.channels, *sizes[tap.name]), tap
        assert results[tap.name].flags.c_contiguous


@pytest.mark.parametrize(
    ("name", "tap", "stride", "offset"),
    [
        ("cf_vggm", "conv1", 2, 3.5),
        ("cf_vggm", "norm1", 2, 3.5),
        ("cf_vggm", "relu2", 8, 9.5),
        ("cf_vggm", "relu3", 16, 17.5),
        ("cf_vggm", "relu5", 16, 17.5),
        ("vgg19", "11", 1, 0.5),
        ("vgg19", "21", 2, 1.0),
        ("vgg19", "34", 4, 2.0),
        ("dcfnet", "norm1", 1, 0.5),
        ("squeezenet1.1", "fire5", 8, 7.5),
        ("resnet18", "layer3", 16, 0.5),
    ],
)
def test_strides_and_offsets(
    known: Callable[[str], Network], name: str, tap: str, stride: int, offset: float
) -> None:
    found = known(name).tap(tap)
    assert (found.stride, found.offset) == (stride, offset)


@pytest.mark.parametrize(
    ("name", "tap", "cell", "side"),
    [
        ("cf_vggm", "relu3", 3, 119),
        ("vgg19", "34", 8, 70),
        ("squeezenet1.1", "fire4", 5, 95),
        ("dcfnet", "norm1", 5, 12),
    ],
)
def test_a_cell_lies_in_the_middle_of_the_pixels_that_it_sees(
    known: Callable[[str], Network], name: str, tap: str, cell: int, side: int
) -> None:
    network = known(name)
    found = network.tap(tap)
    low, high = seen_by(network, found.name, cell, side)
    assert (low + high) / 2 == found.offset + cell * found.stride


def test_a_cell_lies_there_also_after_pruning_and_with_same_padding(small: Network) -> None:
    pruned = small.select_channels("conv1", [0, 3, 6]).select_channels("both", [1, 4, 5, 9])
    for network in (small, pruned):
        for name, side in (("norm1", 30), ("relu3", 64), ("relu4", 64)):
            tap = network.tap(name, side)
            cell = network.sizes(side)[name][0] // 2
            low, high = seen_by(network, name, cell, side)
            assert (low + high) / 2 == tap.offset + cell * tap.stride, name


def test_the_offset_of_same_padding_depends_on_the_size() -> None:
    b = Builder()
    b.conv("conv", np.ones((2, 3, 3, 3), np.float32), stride=2, pads="SAME")
    network = Network(b.graph(), b.taps, Card("same"))
    assert network.tap("conv").offset == network.tap("conv", 8).offset == 1.5
    assert network.tap("conv", 9).offset == 0.5
    batch = np.zeros((1, 3, 9, 9), np.float32)
    batch[..., 0, 0] = 1
    assert network.run(batch)["conv"][0, 0].nonzero()[0].tolist() == [0]
    assert network.run(batch)["conv"].shape[2:] == (5, 5)


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["conv", "pool", "ceil", "same", "dilated"]),
            st.integers(1, 5),
            st.integers(1, 3),
            st.tuples(*[st.integers(0, 2)] * 2),
        ),
        min_size=1,
        max_size=4,
    ),
    side=st.integers(20, 60),
)
def test_sizes_and_places_of_any_chain(steps: list[tuple[str, int, int, tuple[int, int]]], side: int) -> None:
    b = Builder(1)
    for index, (kind, kernel, stride, (before, after)) in enumerate(steps):
        name = f"step{index}"
        before, after = min(before, kernel - 1), min(after, kernel - 1)
        pads = (before, before, after, after)
        weight = np.ones((1, 1, kernel, kernel), np.float32) / kernel**2
        if kind in ("pool", "ceil"):
            b.pool(name, kernel, stride, pads, ceil=kind == "ceil", average=False)
        elif kind == "same":
            b.conv(name, weight, stride=stride, pads="SAME")
        else:
            b.conv(name, weight, stride=stride, pads=pads, dilation=2 if kind == "dilated" else 1)
    network = Network(b.graph(), b.taps, Card("chain"))
    last = f"step{len(steps) - 1}"
    try:
        cells = network.sizes(side)[last][0]
    except InputError:
        return
    ramp = np.broadcast_to(np.arange(side) + 0.5, (1, 1, side, side)).astype(np.float32)
    result = network.run(np.ascontiguousarray(ramp), last)[last]
    assert result.shape == (1, 1, cells, cells)
    # On a ramp an inner cell of means is worth the place of its centre.
    if all(kind in ("conv", "same", "dilated") for kind, *_ in steps):
        tap = network.tap(last, side)
        reach = 1 + sum(2 * k * network.taps[f"step{i}"].stride for i, (_, k, _, _) in enumerate(steps))
        places = tap.offset + tap.stride * np.arange(cells)
        inner = (places > reach) & (places < side - reach)
        np.testing.assert_allclose(result[0, 0, cells // 2][inner], places[inner], rtol=1e-4)


def test_input_size_is_the_smallest(small: Network, known: Callable[[str], Network]) -> None:
    for network, tap in ((small, "relu3"), (known("cf_vggm"), "relu3"), (known("squeezenet1.1"), "fire5")):
        for cells in (1, 7, 14):
            side = network.input_size(cells, tap)
            assert network.truncate(tap).sizes(side)[tap] == (cells, cells)
            try:
                assert network.truncate(tap).sizes(side - 1)[tap][0] < cells
            except InputError:
                assert cells == 1
    with pytest.raises(InputError, match="gives 0 cells"):
        small.input_size(0, "relu3")


def test_a_tap_of_no_place_is_refused(small: Network) -> None:
    with pytest.raises(InputError, match="on the image are not known"):
        small.tapped({"new": "nothing"})
    assert small.tapped({"new": "left"}).tap("new").channels == 4
