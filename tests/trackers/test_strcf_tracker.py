"""Trackers of several blocks: geometry, levels, and what a block adds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import small_networks
from slimtrack import Box, create
from slimtrack.correlation.grids import FeatureGrids
from slimtrack.correlation.sizes import scale_factors
from slimtrack.errors import InputError
from slimtrack.features.grey import Grey
from slimtrack.features.hog import Hog
from slimtrack.filters.fft import irfft2, rfft2
from slimtrack.filters.response import peak
from slimtrack.filters.spectral import GridFilters
from slimtrack.search import SearchWindow
from slimtrack.trackers.strcf import FdeepStrcf, Strcf


def scene(box: Box, seed: int = 0) -> np.ndarray:
    """A textured target on a texture of its own."""
    rng = np.random.default_rng(seed)
    image = np.kron(rng.integers(60, 120, (30, 40, 3)), np.ones((12, 12, 1))).astype(np.uint8)
    x, y, w, h = map(int, box)
    image[y : y + h, x : x + w] = np.kron(rng.integers(0, 255, (h // 8, w // 8, 3)), np.ones((8, 8, 1)))
    return image


@pytest.mark.parametrize("name", ["bacf", "bacf[colors=true]", "strcf"])
@pytest.mark.parametrize("shift", [(0, 0), (7, -5), (-16, 12), (3, 30)])
def test_a_known_shift_is_recovered(name: str, shift: tuple[int, int]) -> None:
    box = Box(200, 150, 48, 40)
    tracker = create(name, step=1.01)
    tracker.init(scene(box), box)
    found = tracker.update(scene(box.moved(*shift))).box
    assert found.cx - box.cx == pytest.approx(shift[0], abs=1)  # a quarter of a cell
    assert found.cy - box.cy == pytest.approx(shift[1], abs=1)
    assert found.w == pytest.approx(box.w, rel=0.025)  # flat blocks favour a smaller scale a little


def test_colour_names_stand_beside_hog_where_asked_for() -> None:
    counts = [create(name)._features[0].channels for name in ("bacf", "bacf[colors=true]")]  # type: ignore[attr-defined]
    assert counts == [31, 42]


def test_blocks_cover_the_same_area_on_grids_of_their_own() -> None:
    window = SearchWindow.around(Box(100, 100, 40, 40), area=16, square=True, stride=8)
    grids = FeatureGrids([Hog(4), Grey(8)], window)
    fine, coarse = grids.sample(scene(Box(96, 96, 48, 48)), 120, 120, [1.0, 1.1])
    assert fine.shape == (2, 31, 40, 40)
    assert coarse.shape == (2, 1, 20, 20)
    assert [block.size for block in grids.blocks] == [(40, 40), (20, 20)]


def test_scale_factors() -> None:
    assert scale_factors(3, 1.02) == pytest.approx((1 / 1.02, 1, 1.02))
    assert scale_factors(1, 1.5) == (1,)
    for count, step in ((0, 1.02), (5, 0.9), (3, 9.0)):
        with pytest.raises(InputError, match=r"option (scales|step)="):
            Strcf(scales=count, step=step)


@pytest.mark.parametrize("shift", [(0, 0), (9, -6), (-12, 15)])
def test_each_block_sees_the_target_where_it_is(
    shared: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, shift: tuple[int, int]
) -> None:
    """Geometry decides: a network's map half a cell aside would drag the sum with it."""
    monkeypatch.setenv("SLIMTRACK_NETWORKS", str(shared("weights")))
    box = Box(200, 150, 56, 56)
    tracker = create("fdeepstrcf")
    assert isinstance(tracker, FdeepStrcf)
    tracker.init(scene(box), box)
    samples = tracker.sampler.sample(scene(box.moved(*shift)), box.cx, box.cy, [1.0])
    assert isinstance(tracker.filter, GridFilters)
    for filter_, sample in zip(tracker.filter.filters, samples, strict=True):
        stride = tracker.window.patch[0] / sample.shape[-1]
        response = irfft2(filter_.spectrum(rfft2(sample)), sample.shape[-2:])[0]
        dy, dx = (at * stride * tracker.window.pixel for at in peak(response))
        np.testing.assert_allclose((dx, dy), shift, atol=0.3 * stride * tracker.window.pixel)


def test_little_motion_is_learned_from_what_was_seen() -> None:
    """The filters after a shift within the limit are nearly those of a sample cut out anew."""
    box = Box(200, 150, 48, 40)
    near = box.moved(2, -1)
    responses = []
    for shift in (0.0, 0.2):
        tracker = create("strcf")
        assert isinstance(tracker, Strcf)
        tracker._relearn_shift = shift
        tracker.init(scene(box), box)
        tracker.update(scene(near))
        samples = tracker.sampler.sample(scene(near), near.cx, near.cy, [1.0])
        responses.append(tracker.filter.respond(tracker.filter.transform(samples)).values[0])
    assert np.corrcoef(responses[0].ravel(), responses[1].ravel())[0, 1] > 0.98
    assert peak(responses[1]) == pytest.approx(peak(responses[0]), abs=0.1)


@pytest.mark.parametrize("name", ["strcf", "fdeepstrcf"])
@pytest.mark.parametrize("shift", [(5, -4), (-4, 3)])
def test_what_was_seen_is_learned_where_the_target_was_in_it(name: str, shift: tuple[int, int]) -> None:
    """Every block's response to the sample it was taught with peaks at the shift, and not opposite of it."""
    box = Box(200, 150, 56, 56)
    with small_networks.installed():
        tracker = create(name, temporal=0.0)
    assert isinstance(tracker, Strcf | FdeepStrcf)
    tracker.init(scene(box), box)
    tracker.update(scene(box.moved(*shift)))
    last = tracker._last
    assert last is not None and isinstance(tracker.filter, GridFilters)
    for filter_, x, block in zip(tracker.filter.filters, last.sample, tracker.sampler.blocks, strict=True):
        stride = tracker.window.patch[0] / block.size[1]
        response = irfft2(filter_.spectrum(x[None]), block.size)[0]
        dy, dx = (at * stride * tracker.window.pixel * tracker.scale for at in peak(response))
        np.testing.assert_allclose((dx, dy), shift, atol=0.35 * stride * tracker.window.pixel)


@pytest.mark.parametrize("count", [3, 4, 5])
def test_a_block_of_one_scale_is_computed_at_the_last_size(count: int) -> None:
    """The scale whose factor is 1, also where the number of scales is even."""
    box = Box(96, 96, 48, 48)
    window = SearchWindow.around(Box(100, 100, 40, 40), area=16, square=True, stride=8)
    factors = scale_factors(count, 1.1)
    _, one = FeatureGrids([Hog(4), Grey(8)], window, one_scale=(1,)).sample(scene(box), 120, 120, factors)
    _, every = FeatureGrids([Hog(4), Grey(8)], window).sample(scene(box), 120, 120, factors)
    np.testing.assert_array_equal(one[0], every[factors.index(1.0)])
