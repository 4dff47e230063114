import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimtrack.errors import InputError
from slimtrack.features.network import NetworkFeature
from slimtrack.features.taps import NetworkStack, placement
from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.network import Network


@given(
    st.integers(2, 40), st.floats(-8, 8), st.sampled_from([1, 2, 4, 8, 16]), st.sampled_from([1, 2, 4, 5, 8])
)
def test_placement_keeps_constants(count, start, stride, cell):
    cells = max(count * stride // cell, 1)
    np.testing.assert_allclose(placement(count, start, stride, cells, cell).sum(axis=1), 1, atol=1e-5)


@given(st.sampled_from([(1, 4), (2, 4), (4, 4), (8, 4), (16, 4), (2, 5)]), st.floats(-3, 3))
def test_placement_puts_a_ramp_where_it_belongs(strides, start):
    """A map that holds each sample's place must give each inner cell its own centre."""
    stride, cell = strides
    count = 200 // stride
    places = start + np.arange(count) * stride
    cells = 200 // cell
    found = placement(count, start, stride, cells, cell) @ places
    wanted = (np.arange(cells) + 0.5) * cell
    inner = (wanted > 8 + max(stride, cell)) & (wanted < 192 - 2 * max(stride, cell))
    tolerance = stride / 2 if stride < cell and cell % stride else 1e-3
    np.testing.assert_allclose(found[inner], wanted[inner], atol=tolerance)


def averaging(depth: int) -> Network:
    """A chain of 3 x 3 means of the image's planes, each of stride 2: every map is a smaller image."""
    builder = Builder()
    kernel = np.zeros((3, 3, 3, 3), np.float32)
    for plane in range(3):
        kernel[plane, plane] = 1 / 9
    for level in range(depth):
        builder.conv(f"level{level}", kernel, stride=2, pads=0)
    return Network(builder.graph(), builder.taps, Card("averaging", colors="bgr"))


@pytest.mark.parametrize("cell", [4, 6])
def test_every_tap_is_placed_where_it_belongs(cell):
    """Features of a ramp are the ramp at the cells' centres in the window, whichever tap they come from."""
    stack = NetworkStack(averaging(4), ["level0", "level2", "level3"], cell=cell)
    start, extra = stack.margin
    window = 192
    ramp = start + np.arange(window + extra) + 0.5
    patch = np.broadcast_to(ramp[None, :, None] / 2 + 20, (len(ramp), len(ramp), 3))
    # The image is uint8: round it, and allow for that.
    found = stack(np.ascontiguousarray(np.rint(patch).astype(np.uint8)))
    assert found.shape == (9, window // cell, window // cell)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    wanted = (np.arange(window // cell) + 0.5) * cell / 2 + 20
    for part in stack.slices:
        np.testing.assert_allclose(found[part][:, 8:-8, 8:-8], wanted[None, None, 8:-8].repeat(3, 0).repeat(
            found.shape[1] - 16, 1), atol=0.6)  # fmt: skip


def test_one_tap_at_its_own_stride_is_the_feature_itself():
    network = averaging(2)
    stack, single = NetworkStack(network, ["level1"], cell=4), NetworkFeature(network, "level1")
    patch = np.random.default_rng(0).integers(
        0, 256, (2, 64 + stack.margin[1], 80 + stack.margin[1], 3), np.uint8
    )
    assert stack.margin == single.margin
    np.testing.assert_allclose(stack(patch), single(patch), atol=1e-3)
    np.testing.assert_allclose(stack(patch[0]), stack(patch)[0], atol=1e-3)


def test_a_stack_of_nothing_is_refused():
    with pytest.raises(InputError, match="a stack of taps needs a tap"):
        NetworkStack(averaging(1), [])
