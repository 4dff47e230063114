"""ECO's trackers: geometry of their blocks, what a frame costs, what the memory sees."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from slimtrack import Box, create
from slimtrack.arrays import Spectrum
from slimtrack.correlation.tap_grids import TapGrids
from slimtrack.errors import InputError, MissingError
from slimtrack.features.hog import Hog
from slimtrack.features.network import NetworkFeatures
from slimtrack.networks import zoo
from slimtrack.search import SearchWindow
from slimtrack.trackers.eco import EcoHc
from slimtrack.video.synthetic import CLIPS


def network(shared: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> NetworkFeatures:
    monkeypatch.setenv("SLIMTRACK_NETWORKS", str(shared("weights")))
    return NetworkFeatures(zoo.find("cf_vggm"), ("norm1", "relu5"))


def spot(cx: float, cy: float) -> np.ndarray:
    """A picture with one bright spot, its centre given in pixels."""
    y, x = np.mgrid[:400, :400] + 0.5
    value = 40 + 200 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 12.0**2))
    return np.repeat(value.astype(np.uint8)[..., None], 3, axis=2)


def test_taps_of_one_run_lie_where_the_window_has_them(
    shared: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a spot changes lies around the spot's place, in the fine, the coarse and HOG's block."""
    window = SearchWindow((224, 224), 1.0, (50.0, 50.0))
    sampler = TapGrids(network(shared, monkeypatch), (2, 1), (Hog(4),), window, windowing=np.multiply)
    assert [block.size for block in sampler.blocks] == [(56, 56), (14, 14), (56, 56)]
    blank = sampler.sample(spot(-900, -900), 200, 200, [1.0])
    for dx, dy in ((0.0, 0.0), (16.0, -32.0)):
        seen = sampler.sample(spot(200 + dx, 200 + dy), 200, 200, [1.0])
        for index, block in enumerate(sampler.blocks):
            energy = (((seen[index] - blank[index]) / sampler._cosines[index]) ** 2).sum(axis=(0, 1))
            centres = (np.arange(block.size[0]) + block.offset) / block.size[0] * 224 - 112
            found = [float(energy.sum(axis=axis) @ centres / energy.sum()) for axis in (0, 1)]
            np.testing.assert_allclose(found, (dx, dy), atol=224 / block.size[0] / 2)


def test_hog_lies_in_the_window_where_a_networks_patch_begins_inside_it(
    shared: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIMTRACK_NETWORKS", str(shared("weights")))
    taps = NetworkFeatures(zoo.find("resnet18"), ("relu1", "layer3"))
    assert taps.margin.start > 0
    window = SearchWindow((224, 224), 1.0, (50.0, 50.0))
    alone, beside = (
        TapGrids(taps, (2, 1), others, window, windowing=np.multiply) for others in ((), (Hog(4),))
    )
    image = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    *layers, hog = beside.sample(image, 200, 200, [1.0])
    for one, other in zip(layers, alone.sample(image, 200, 200, [1.0]), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-2 * np.abs(other).max())
    # The block's offset says by which part of a pixel its cells lie inside the window.
    inside = beside.blocks[-1].offset * 4 - 2
    assert 0 <= inside < 1
    wanted = Hog(4)(window.extract(image, 200 + inside, 200 + inside)) * beside._cosines[-1]
    np.testing.assert_allclose(hog[0], wanted, atol=1e-2)
    assert np.abs(hog[0] - Hog(4)(window.extract(image, 201 + inside, 200)) * beside._cosines[-1]).max() > 0.1


def test_blocks_of_features_tile_the_window() -> None:
    tracker = create("eco-hc")
    assert isinstance(tracker, EcoHc)
    tracker._window = SearchWindow((204, 204), 1.0, (50.0, 50.0))
    sampler = tracker._make_sampler()
    assert [(b.channels, b.size, b.offset) for b in sampler.blocks] == [
        (31, (34, 34), 0.5),
        (11, (51, 51), 0.5),
    ]


def test_what_is_learned_has_the_target_in_its_centre() -> None:
    """A moved target's sample, shifted in the Fourier domain, is nearly the sample cut around it."""
    frames = list(CLIPS["plain"].with_options(length=12).frames())
    tracker = create("eco-hc")
    assert isinstance(tracker, EcoHc)
    tracker.init(frames[0][0], frames[0][1])  # type: ignore[arg-type]
    learned: list[Spectrum] = []
    seen: list[Spectrum] = []
    alike = []
    learn = tracker.filter.learn

    def noting(sample: Spectrum, shift: tuple[float, float], weight: float) -> None:
        learned.append(tracker.filter.layout.shift(sample, -shift[0], -shift[1]))
        seen.append(sample)
        learn(sample, shift, weight)

    tracker.filter.learn = noting  # type: ignore[method-assign]
    for image, _ in frames[1:]:
        tracker.update(image)
        filter_, box = tracker.filter, tracker.box
        cut = filter_.at(filter_.transform(tracker.sampler.sample(image, box.cx, box.cy, [tracker.scale])), 0)
        alike.append([likeness(sample, cut) for sample in (learned[-1], seen[-1])])
    shifted, as_seen = np.mean(alike, axis=0)
    # Not 1: another window lies over another part of the background.
    assert shifted > 0.8
    assert shifted > as_seen + 0.05


def likeness(a: Spectrum, b: Spectrum) -> float:
    """Cosine of the angle between two samples."""
    a, b = (x.view(np.float32) for x in (a, b))
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def test_the_filter_is_trained_every_third_frame_only() -> None:
    frames = list(CLIPS["plain"].with_options(length=14).frames())
    tracker = create("eco-hc")
    assert isinstance(tracker, EcoHc)
    tracker.init(frames[0][0], frames[0][1])  # type: ignore[arg-type]
    before, changed = tracker.filter._filter.copy(), []
    for index, (image, _) in enumerate(frames[1:], 1):
        tracker.update(image)
        if not np.array_equal(before, tracker.filter._filter):
            changed.append(index)
        before = tracker.filter._filter.copy()
    assert changed == [3, 6, 9, 12]


def test_its_size_follows_the_target() -> None:
    frames = list(CLIPS["scale"].frames())
    for options in ({}, {"scale_rate": 0.025, "search_scale": 4.5}):
        tracker = create("eco-hc", **options)
        tracker.init(frames[0][0], frames[0][1])  # type: ignore[arg-type]
        boxes = [(tracker.update(image).box, truth) for image, truth in frames[1:]]
        assert np.mean([box.iou(truth) for box, truth in boxes if truth]) > 0.6


def test_a_missing_network_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLIMTRACK_NETWORKS", raising=False)
    zoo._known.cache_clear()
    with pytest.raises(MissingError, match="cf_vggm"):
        create("feco[network=cf_vggm]")


def test_it_comes_with_its_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLIMTRACK_NETWORKS", raising=False)
    zoo._known.cache_clear()
    assert create("feco")._network.network.card.name == "cf-vgg"


def test_options_are_checked() -> None:
    for options in ({"search_scale": 0.5}, {"memory": 1}, {"label_width": 0.0}, {"interval": 0}):
        with pytest.raises(InputError, match=next(iter(options))):
            create("eco-hc", **options)


def test_a_box_larger_than_the_frame() -> None:
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    tracker = create("eco-hc")
    tracker.init(image, Box(-40, -30, 160, 120))
    assert tracker.update(image).box.iou(Box(-40, -30, 160, 120)) > 0.8
