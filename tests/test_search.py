"""The search window: known shifts come back, nothing is half a pixel off or folds, memory is bounded."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from slimtrack import Box
from slimtrack._halves import Halves, halved_once
from slimtrack.errors import InputError
from slimtrack.search import SearchWindow, Zoom, cosine_window, extract

Floats = npt.NDArray[np.float64]
Field = Callable[[Floats, Floats], Floats]

STEPS = (0.25, 0.37, 0.5, 0.8, 1.0, 1.3, 1.5, 1.9, 2.0, 2.5, 2.7, 3.6, 4.4, 5.9, 8.0)
"""Frame pixels per patch pixel: enlarged, as it is, shrunk without and with averaging."""


def smooth_field(finest: float, seed: int = 0) -> Field:
    """A continuous picture in 0..255 whose waves are ``finest`` pixels long or longer."""
    rng = np.random.default_rng(seed)
    waves = 2 * np.pi / rng.uniform(finest, 5 * finest, 12)
    angles, phases = rng.uniform(0, np.pi, 12), rng.uniform(0, 2 * np.pi, 12)

    def at(x: Floats, y: Floats) -> Floats:
        parts = zip(waves, angles, phases, strict=True)
        return np.asarray(128 + 9 * sum(np.sin(k * (np.cos(t) * x + np.sin(t) * y) + p) for k, t, p in parts))

    return at


def sampled(
    field: Field, cx: float, cy: float, step: float, size: tuple[int, int], average: int = 1
) -> Floats:
    """The field on the grid of a patch, from its formula; each value the mean over its pixel's area."""
    w, h = size
    x = cx - w * step / 2 + (np.arange(w) + 0.5) * step
    y = cy - h * step / 2 + (np.arange(h) + 0.5) * step
    inside = ((np.arange(average) + 0.5) / average - 0.5) * step
    parts = [field(x[None] + i, y[:, None] + j) for i in inside for j in inside]
    return np.asarray(np.mean(parts, axis=0))


def rendered(field: Field, width: int, height: int) -> npt.NDArray[np.uint8]:
    grey = np.round(sampled(field, width / 2, height / 2, 1.0, (width, height))).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def small_shift(a: Floats, b: Floats) -> Floats:
    """How far the content of ``b`` lies from that of ``a``, x and y, if well under a wave's length."""
    gy, gx = np.gradient(a)
    return np.asarray(-np.linalg.lstsq(np.stack([gx.ravel(), gy.ravel()], 1), (b - a).ravel(), rcond=None)[0])


def found_shift(a: Floats, b: Floats) -> Floats:
    """The same for shifts of some pixels: moves ``a`` back and looks again (Lucas and Kanade, 1981)."""
    inner, shift = (slice(6, -6), slice(6, -6)), np.zeros(2)
    for _ in range(6):
        shift += small_shift(ndimage.shift(a, shift[::-1], order=3, mode="nearest")[inner], b[inner])
    return shift


@pytest.mark.parametrize("step", STEPS)
def test_a_patch_lies_where_it_should(step: float) -> None:
    """No half-pixel bias at any scale, and values equal to averaging the continuous picture."""
    field = smooth_field(12 * max(step, 1))
    frame = rendered(field, 700, 620)
    patch = extract(frame, 331.3, 297.8, 64 * step, 48 * step, (64, 48))[..., 0].astype(float)
    truth = sampled(field, 331.3, 297.8, step, (64, 48), average=8 if step > 1 else 1)
    # OpenCV samples on a grid of 1/32 frame pixel.
    assert np.abs(small_shift(truth, patch)).max() < max(0.03, 1 / 32 / step)
    assert np.abs(truth - patch).max() < 2.0  # of 255; rounding of frame and patch is 1 of them


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("moved", [(0.37, -0.21), (-1.8, 2.5)])
def test_a_known_shift_of_the_window_comes_back(step: float, moved: tuple[float, float]) -> None:
    field = smooth_field(10 * max(step, 1), seed=3)
    frame = rendered(field, 720, 720)
    patches = [
        extract(frame, 361.2 + x * step, 355.9 + y * step, 64 * step, 64 * step, (64, 64))[..., 0].astype(
            float
        )
        for x, y in ((0.0, 0.0), moved)
    ]
    np.testing.assert_allclose(found_shift(*patches), [-v for v in moved], atol=0.1)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.25, 0.5, 0.75, 0.9])
def test_a_target_moved_by_a_fraction_of_a_cell_is_found(fraction: float) -> None:
    """The picture moves by a fraction of a cell of 4 patch pixels; the window maps it back to the frame."""
    field = smooth_field(14)
    box = Box(200, 180, 60.0, 90.0)
    window = SearchWindow.around(box)
    dx, dy = fraction * 4 * window.pixel, -fraction * 2 * window.pixel

    def moved_field(x: Floats, y: Floats) -> Floats:
        return field(x - dx, y - dy)

    frames = [rendered(f, 480, 440) for f in (field, moved_field)]
    patches = [window.extract(frame, box.cx, box.cy)[..., 0].astype(float) for frame in frames]
    found = window.moved(box, *found_shift(*patches))
    np.testing.assert_allclose((found.x - box.x, found.y - box.y), (dx, dy), atol=0.1 * window.pixel)


def test_scale_of_a_window_is_the_scale_of_the_picture() -> None:
    """An enlarged picture, seen through a window enlarged as much, is the same patch."""
    field = smooth_field(20)
    box = Box(140, 120, 60, 50)
    window = SearchWindow.around(box)
    here = window.extract(rendered(field, 340, 290), box.cx, box.cy)
    for scale in (0.8, 1.1, 1.6):

        def larger(x: Floats, y: Floats, scale: float = scale) -> Floats:
            return field(box.cx + (x - box.cx) / scale, box.cy + (y - box.cy) / scale)

        there = window.extract(rendered(larger, 340, 290), box.cx, box.cy, scale)
        a, b = (patch[20:-20, 20:-20, 0].astype(float) for patch in (here, there))
        assert np.abs(a - b).max() < 6
        assert np.abs(small_shift(a, b)).max() < 0.05


def test_shrinking_does_not_fold() -> None:
    """Stripes finer than the patch can hold turn into grey, not into coarser stripes."""
    frame = np.zeros((400, 400, 3), np.uint8)
    frame[:, ::2] = 255
    for step in (2.0, 3.0, 3.7, 5.0, 6.2, 8.0, 11.7):
        patch = extract(frame, 201.3, 199.6, 32 * step, 32 * step, (32, 32))
        assert patch.astype(float).std() < 45, step  # bare bilinear sampling: about 100
    assert extract(frame, 201, 199, 128, 128, (32, 32)).astype(float).std() < 1


def test_the_whole_frame_is_itself() -> None:
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(extract(frame, 32, 24, 64, 48, (64, 48)), frame)
    shrunk = extract(np.kron(frame, np.ones((4, 4, 1), np.uint8)), 128, 96, 256, 192, (64, 48))
    np.testing.assert_array_equal(shrunk, frame)


@pytest.mark.parametrize("step", [0.5, 1.0, 3.0])
def test_borders_are_repeated(step: float) -> None:
    rng = np.random.default_rng(1)
    frame = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    margin = 100
    padded = np.pad(frame, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    for cx, cy in ((0, 0), (60, 40), (-10, 20), (30, 60)):
        a = extract(frame, cx, cy, 32 * step, 32 * step, (32, 32))
        b = extract(padded, cx + margin, cy + margin, 32 * step, 32 * step, (32, 32))
        # Averaging blocks may start elsewhere in the padded frame: noise then differs, its border does not.
        np.testing.assert_allclose(a.astype(float), b, atol=1 if step < 2 else 160)
    far = extract(frame, -500, -500, 32 * step, 32 * step, (32, 32))
    np.testing.assert_array_equal(far, np.broadcast_to(frame[0, 0], far.shape))


@pytest.mark.parametrize("size", [(1e4, 1e4), (1e6, 1e6), (1e9, 10.0), (10.0, 1e12)])
def test_memory_of_a_huge_window_is_bounded(size: tuple[float, float]) -> None:
    frame = np.zeros((240, 320, 3), np.uint8)
    extract(frame, 10, 10, 700, 700, (32, 32))
    tracemalloc.start()
    try:
        patch = extract(frame, 10, 10, *size, (64, 64))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert patch.shape == (64, 64, 3)
    assert peak < 20 * frame.nbytes


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.floats(-1e6, 1e6),
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e6),
    st.floats(1e-3, 1e6),
)
def test_any_area_of_any_frame(shape: tuple[int, int], cx: float, cy: float, w: float, h: float) -> None:
    frame = np.full((*shape, 3), 77, np.uint8)
    frame.setflags(write=False)
    patch = extract(frame, cx, cy, w, h, (12, 8))
    assert patch.shape == (8, 12, 3)
    assert patch.dtype == np.uint8
    assert patch.flags.c_contiguous
    assert (patch == 77).all()


def test_frames_wider_than_opencv_counts() -> None:
    frame = np.zeros((2, 40_000, 3), np.uint8)
    frame[:, 35_000:] = 200
    patch = extract(frame, 35_000, 1, 32, 2, (32, 2))
    assert (patch[:, :15] == 0).all()
    assert (patch[:, 17:] == 200).all()


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.lists(
        st.tuples(
            st.integers(1, 4), st.floats(-90, 120), st.floats(-90, 120), st.floats(1, 200), st.floats(1, 200)
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 9),
)
def test_halves_are_means_of_the_frame_wherever_they_are_asked_for(
    shape: tuple[int, int], asked: list[tuple[int, float, float, float, float]], seed: int
) -> None:
    """Each block is the mean of its pixels, the border repeated, whatever was asked for before.

    From level 3 on it is the mean of every eighth: the middle four in rows 1 and 5 of each 8 x 8.
    """
    read = np.zeros((8, 8))
    read[[1, 5], 2:6] = 1
    frame = np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)
    halves = Halves(frame)
    for level, x, y, w, h in asked:
        found, left, top = halves.at(level, (x, y), (w, h))
        side = 2**level
        blocks = [-(-n // side) for n in shape]
        spare = [(side, (n + 1) * side - length) for n, length in zip(blocks, shape, strict=True)]
        wide = np.pad(frame.astype(float), (*spare, (0, 0)), mode="edge")
        weights = np.ones((side, side)) if level < 3 else np.tile(read, (side // 8, side // 8))
        parts = wide.reshape(blocks[0] + 2, side, blocks[1] + 2, side, 3)
        means = np.einsum("ayxbc,yb->axc", parts, weights / weights.sum())
        rows, columns = (
            np.clip(np.arange(np.floor(at), np.ceil(at + extent / side)).astype(int), 0, n + 1)
            for at, extent, n in ((top, h, blocks[0]), (left, w, blocks[1]))
        )
        part = np.ix_(rows, columns)
        # Each halving rounds: by up to one half, and one half again.
        np.testing.assert_allclose(found[part], means[part], atol=0.5 * level + 1e-9)


def test_cuts_that_share_the_halves_of_a_frame_are_those_made_alone() -> None:
    frame = np.random.default_rng(4).integers(0, 256, (310, 270, 3), dtype=np.uint8)
    areas = [
        (130, 120, 150, 90),
        (20, 290, 400, 380),
        (135, 118, 160, 91),
        (260, 10, 900, 800),
        (5, 5, 70, 64),
    ]
    alone = [extract(frame, *area, (32, 24)) for area in areas]
    with halved_once(frame):
        together = [extract(frame, *area, (32, 24)) for area in areas]
    np.testing.assert_array_equal(together, alone)


def test_another_frame_has_other_halves() -> None:
    rng = np.random.default_rng(5)
    frames = [rng.integers(0, 256, (120, 160, 3), dtype=np.uint8) for _ in range(2)]
    with halved_once(frames[0]):
        found = [extract(frame, 80, 60, 160, 120, (40, 30)) for frame in frames]
    for frame, patch in zip(frames, found, strict=True):
        np.testing.assert_array_equal(patch, extract(frame, 80, 60, 160, 120, (40, 30)))


def test_memory_that_is_used_again_holds_nothing_of_the_last_frame() -> None:
    rng = np.random.default_rng(6)
    frames = [rng.integers(0, 256, (120, 160, 3), dtype=np.uint8) for _ in range(3)]
    for frame, area in zip(frames, [(80, 60, 160, 120), (60, 50, 90, 70), (100, 70, 150, 110)], strict=True):
        with halved_once(frame):
            found = extract(frame, *area, (20, 15))
        np.testing.assert_array_equal(found, extract(frame, *area, (20, 15)))


@pytest.mark.parametrize("size", [30.0, 100.0, 240.0])
def test_a_zoom_shows_what_cuts_of_each_size_show(size: float) -> None:
    field = smooth_field(0.4 * size)
    frame, box = rendered(field, 640, 600), Box.from_center(311.7, 302.2, size, 0.75 * size)
    factors = 1.02 ** np.arange(16, -17, -1.0)
    patches = Zoom(factors, (32, 24))(frame, box)
    assert patches.shape == (33, 24, 32, 3)
    for patch, factor in zip(patches, factors, strict=True):
        alone = extract(frame, box.cx, box.cy, box.w * factor, box.h * factor, (32, 24))
        assert np.abs(patch.astype(float) - alone).max() < 4
        assert np.abs(small_shift(alone[..., 0].astype(float), patch[..., 0].astype(float))).max() < 0.03


def test_a_zoom_of_factors_far_apart() -> None:
    field = smooth_field(60)
    frame, box = rendered(field, 640, 600), Box.from_center(311.7, 302.2, 60, 48)
    factors = 1.9 ** np.arange(2, -3, -1.0)
    for patch, factor in zip(Zoom(factors, (32, 24))(frame, box), factors, strict=True):
        alone = extract(frame, box.cx, box.cy, box.w * factor, box.h * factor, (32, 24))
        assert np.abs(patch.astype(float) - alone).max() < 5


@pytest.mark.parametrize(("h", "w"), [(1, 1), (2, 5), (7, 7), (32, 48)])
def test_cosine_window(h: int, w: int) -> None:
    window = cosine_window(h, w)
    assert window.shape == (h, w)
    assert window.dtype == np.float32
    assert 0 < window.min() <= window.max() <= 1
    np.testing.assert_allclose(window, window[::-1, ::-1], atol=1e-6)
    if h % 2 and w % 2:
        assert window[h // 2, w // 2] == pytest.approx(1)


@settings(deadline=None)
@given(
    st.builds(Box, st.floats(-50, 50), st.floats(-50, 50), st.floats(1, 3000), st.floats(1, 3000)),
    st.floats(1, 25),
    st.booleans(),
    st.sampled_from([1, 4, 8, 16]),
)
def test_planning_a_window(box: Box, area: float, square: bool, stride: int) -> None:
    window = SearchWindow.around(box, area=area, square=square, stride=stride)
    w, h = window.patch
    assert w % stride == h % stride == 0
    assert w >= 3 * stride
    assert h >= 3 * stride
    if square:
        assert w == h
    np.testing.assert_allclose([v * window.pixel for v in window.target], [box.w, box.h])
    full = (box.area * area) ** 0.5 / window.pixel
    assert 31.9 <= full <= 160.1


@settings(deadline=None)
@given(
    st.builds(Box, st.just(0), st.just(0), st.floats(1, 900), st.floats(1, 900)),
    st.floats(1, 25),
    st.sampled_from([4, 12, 16]),
)
def test_windows_have_as_many_cells_as_transform_fast(box: Box, area: float, stride: int) -> None:
    plain = (box.area * area) ** 0.5
    window = SearchWindow.around(box, area=area, stride=stride)
    for side, length in zip(window.patch, (box.w, box.h), strict=True):
        cells = side // stride
        for prime in (2, 3, 5, 7):
            while cells % prime == 0:
                cells //= prime
        assert cells == 1
        # Near what was asked for, but never less than the least window's side.
        wished = max(length * area**0.5 / window.pixel, min(32, plain))
        assert side >= 0.9 * wished - stride
        assert side <= max(1.1 * wished + stride, 32, 3 * stride)


def test_a_thin_target_has_surroundings() -> None:
    assert min(SearchWindow.around(Box(0, 0, 200, 6), area=4).patch) == 32


@pytest.mark.parametrize("options", [{"area": 0.5}, {"pixels": 100.0}])
def test_a_window_that_cannot_be(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="search window"):
        SearchWindow.around(Box(0, 0, 10, 10), **options)  # type: ignore[arg-type]


def test_pyramid_is_its_patches() -> None:
    frame = np.random.default_rng(2).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    window = SearchWindow.around(Box(100, 80, 40, 30))
    scales = [0.95, 1.0, 1.05]
    patches = window.pyramid(frame, 120, 95, scales)
    assert patches.shape == (3, window.patch[1], window.patch[0], 3)
    for patch, scale in zip(patches, scales, strict=True):
        np.testing.assert_array_equal(patch, window.extract(frame, 120, 95, scale))


def test_moved_maps_patch_pixels_to_frame_pixels() -> None:
    window = SearchWindow((64, 64), 2.5, (20.0, 20.0))
    assert window.moved(Box(10, 20, 50, 50), 2, -4, scale=1.2) == Box(16, 8, 50, 50)
