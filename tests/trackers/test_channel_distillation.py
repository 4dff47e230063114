"""Trackers that choose good channels: which, how many, and that nothing else changes without the others."""

from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import small_networks
from slimtrack import create
from slimtrack.arrays import Features, Image
from slimtrack.box import Box
from slimtrack.compression import channels as selector
from slimtrack.compression import distillation
from slimtrack.confidence import Calibration
from slimtrack.errors import InputError
from slimtrack.features.taps import NetworkStack
from slimtrack.filters.fft import irfft2
from slimtrack.trackers import channels_cd
from slimtrack.video.synthetic import CLIPS

Frames = list[tuple[Image, Box]]
Calls = list[tuple[tuple[Any, ...], dict[str, Any], selector.Selection]]

V = "deepcd-v-11+12+21"
SMALL: dict[str, Any] = {"max_side": 64.0}
SIZES = {"relu1_1": 8, "relu1_2": 8, "relu2_1": 16}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("networks")
    small_networks.write(path)
    return path


@pytest.fixture(autouse=True)
def _networks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIMTRACK_NETWORKS", str(folder))


@pytest.fixture(scope="module")
def frames() -> Frames:
    return [(image, box) for image, box in islice(CLIPS["plain"].frames(), 6) if box is not None]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What the trackers asked the selector, and what it answered."""
    seen: Calls = []

    def spy(*words: Any, **options: Any) -> selector.Selection:
        found = selector.select(*words, **options)
        seen.append((words, options, found))
        return found

    for module in (distillation, channels_cd):
        monkeypatch.setattr(module, "select", spy)
    return seen


CERTAIN = Calibration({}, 30.0)
"""Scores of 1: trackers that are compared here learn all frames alike."""


def begun(name: str, frames: Frames, updates: int = 1, **options: Any) -> Any:
    tracker = create(name, **options)
    tracker.calibration = CERTAIN
    tracker.init(*frames[0])
    for image, _ in frames[1 : 1 + updates]:
        tracker.update(image)
    return tracker


def count(tracker: Any) -> int:
    return sum(map(len, tracker.channels.values()))


def test_channels_are_chosen_once_after_two_frames(frames: Frames, calls: Calls) -> None:
    tracker = begun(V, frames, 0, keep=10, by="count", **SMALL)
    assert not tracker.channels and not calls
    for image, _ in frames[1:4]:
        tracker.update(image)
    (((examples, _), options, found),) = calls
    assert len(examples) == 2 and examples[0].shape[0] == sum(SIZES.values())
    assert (options["keep"], options["by"]) == (10, "count")
    starts = np.cumsum([0, *SIZES.values()])
    layers = [slice(*ends) for ends in pairwise(starts)]
    expected = selector.friendliness(examples, reading="similarity", groups=layers)
    np.testing.assert_array_equal(options["priority"], expected)
    together = [start + at for start, at in zip(starts, tracker.channels.values(), strict=False)]
    np.testing.assert_array_equal(np.concatenate(together), found.channels)


@pytest.mark.parametrize(
    ("keep", "by", "least", "most"),
    [(10, "count", 10, 10), (0.25, "ratio", 8, 8), (0.5, "energy", 1, 31), (1, "ratio", 32, 32)],
)
def test_as_many_as_asked_for(keep: float, by: str, least: int, most: int, frames: Frames) -> None:
    tracker = begun(V, frames, keep=keep, by=by, **SMALL)
    assert list(tracker.channels) == list(SIZES)
    assert least <= count(tracker) <= most
    (seen,) = tracker.sampler.sample(frames[2][0], frames[2][1].cx, frames[2][1].cy, [1.0])
    assert seen.shape[1] == count(tracker)


class Picked:
    """The chosen channels, from the whole network."""

    def __init__(self, tracker: Any, whole: NetworkStack) -> None:
        self._whole = whole
        self.margin, self.stride = self._whole.margin, self._whole.stride
        parts = zip(self._whole.slices, tracker.channels.values(), strict=True)
        self._at = np.concatenate([part.start + at for part, at in parts])

    def __call__(self, patch: Image) -> Features:
        return np.asarray(self._whole(patch)[..., self._at, :, :])


def response(tracker: Any, image: Image) -> np.ndarray:
    """Of the filter, in the window around the last box."""
    box, filter_ = tracker.box, tracker.filter
    sample = tracker.sampler.sample(image, box.cx, box.cy, np.ones(1))
    return np.asarray(filter_.respond(filter_.transform(sample)).values)


@pytest.mark.parametrize("name", [V, "deepcd[network=vgg19,taps=relu1_2]", "deepcd-s-all"])
def test_the_pruned_network_gives_the_whole_ones_response(name: str, frames: Frames) -> None:
    tracker = begun(name, frames, keep=0.3, by="ratio", loss=0, **SMALL)
    (whole,) = create(name, **SMALL).features  # type: ignore[attr-defined]
    for image, _ in frames[2:4]:
        small = response(tracker, image)
        pruned, tracker.sampler.features[0] = tracker.sampler.features[0], Picked(tracker, whole)
        np.testing.assert_allclose(small, response(tracker, image), atol=1e-4 * small.max())
        tracker.sampler.features[0] = pruned
        tracker.update(image)


def test_all_layers_come_half_the_way_to_one_level(frames: Frames, calls: Calls) -> None:
    tracker = begun("deepcd-s-all", frames, 0, keep=30, **SMALL)
    (stack,) = tracker.features  # as yet the whole one
    patch = tracker.window.extract(frames[0][0], frames[0][1].cx, frames[0][1].cy, 1.0, stack.margin)
    whole = stack(patch).std((1, 2))
    tracker.update(frames[1][0])
    assert count(tracker) == 30
    ((((first, _), *_), _, _),) = calls
    audible = whole > 0.1 * whole.max()
    slope, _ = np.polyfit(np.log(whole[audible]), np.log(first.std((1, 2))[audible]), 1)
    assert 0.3 < slope < 0.7  # 0 at one level, 1 as they are; the cosine window is what scatters


@pytest.mark.parametrize(
    ("name", "options", "side"),
    [
        ("cf2-s-all", {}, 160),  # 12 cells of 16 pixels are more than the default side allows
        ("cf2-s-all", {"max_side": 200.0}, 192),
        ("deepcd-s-all", {"coarse_cells": 5.0}, 80),
        ("deepcd-v-11+12+21", {}, 56),  # layers of stride 1 and 2 see the window as it is
        ("cf2-s-all", {"coarse_cells": 0.0}, 56),
    ],
)
def test_a_small_targets_window_is_enlarged_for_coarse_layers(
    name: str, options: dict[str, Any], side: int, frames: Frames
) -> None:
    tracker: Any = create(name, **options)
    tracker.init(frames[0][0], Box(100, 60, 20, 20))  # 2.8 times 20 pixels
    assert tracker.window.patch == (side, side)
    # What is enlarged still covers the same part of the frame.
    assert tracker.window.pixel * side == pytest.approx(56)


def test_what_no_chosen_channel_needs_is_not_computed(frames: Frames) -> None:
    tracker = begun(V, frames, keep=10, by="count", loss=0, **SMALL)
    network, chosen = tracker.features[0].network, tracker.channels
    widths = {layer.name: layer.out_channels for layer in network.layers}
    if len(chosen["relu2_1"]):
        assert widths == {"conv1_1": 8, "conv1_2": 8, "conv2_1": len(chosen["relu2_1"])}
    else:
        assert "conv2_1" not in widths
    assert network.parameters < create(V, **SMALL).features[0].network.parameters  # type: ignore[attr-defined]


def test_inner_channels_go_when_a_loss_is_allowed(frames: Frames) -> None:
    exact, lossy = (
        begun("deepcd[network=vgg19,taps=relu2_1]", frames, keep=0.5, by="ratio", loss=x, **SMALL)
        for x in (0, 0.4)
    )
    np.testing.assert_array_equal(exact.channels["relu2_1"], lossy.channels["relu2_1"])
    widths = [[layer.out_channels for layer in t.features[0].network.layers] for t in (exact, lossy)]
    assert widths[0] == [8, 8, 8]
    assert widths[1][2] == 8 and sum(widths[1]) < 24


def test_a_new_target_begins_with_all_channels(frames: Frames) -> None:
    tracker = begun(V, frames, 0, keep=10, by="count", **SMALL)
    (whole,) = tracker.features
    tracker.update(frames[1][0])
    assert tracker.channels and tracker.features[0] is not whole
    tracker.init(*frames[3])
    assert not tracker.channels and tracker.features[0] is whole
    fresh = create(V, keep=10, by="count", **SMALL)
    fresh.calibration = CERTAIN
    fresh.init(*frames[3])
    for image, _ in frames[4:]:
        assert tracker.update(image) == fresh.update(image)


@pytest.mark.parametrize("name", [V, "cacf-cd"])
def test_what_cannot_be_kept_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="keep="):
        create(name, keep=1.5)


@pytest.mark.parametrize(("keep", "by", "expected"), [(12, "count", 12), (0.5, "ratio", 16)])
def test_cacf_chooses_with_its_context(
    keep: float, by: str, expected: int, frames: Frames, calls: Calls
) -> None:
    tracker = begun("cacf-cd", frames, keep=keep, by=by)
    ((_, options, found),) = calls
    assert options["context"].shape[:2] == (8, 31)  # four patches around the target in each of two frames
    np.testing.assert_array_equal(tracker.channels, found.channels)
    assert len(tracker.channels) == expected


def test_cacf_on_all_channels_is_cacf_on_levelled_ones(
    frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = begun("cacf-cd", frames, keep=31, by="count", rate=0.02)
    assert len(chosen.channels) == 31
    plain = begun("cacf", frames, 0, rate=0.02)
    monkeypatch.setattr(plain, "_make_windowing", lambda: chosen._level)
    plain._start(*frames[0])
    plain.update(frames[1][0])
    for image, _ in frames[2:]:
        np.testing.assert_allclose([*chosen.update(image).box], [*plain.update(image).box], atol=1e-3)


@pytest.mark.parametrize("name", ["eco-cd", "feco-cd"])
def test_eco_keeps_some_of_the_projected_channels(name: str, frames: Frames) -> None:
    tracker = begun(name, frames, 0, shallow_dims=4, deep_dims=6, keep=0.5)
    assert tracker.channels is None
    tracker.update(frames[1][0])
    assert [len(at) for at in tracker.channels] == [2, 3, 5]
    assert [b.channels for b in tracker.filter.layout.blocks] == [2, 3, 5]
    chosen = tracker.channels
    for image, _ in frames[2:]:
        assert np.isfinite([*tracker.update(image).box]).all()
    assert tracker.channels is chosen
    tracker.init(*frames[3])
    assert tracker.channels is None and tracker._network is tracker._whole


@pytest.mark.parametrize("name", ["eco-cd", "feco-cd"])
def test_the_network_of_eco_loses_inner_channels(name: str, frames: Frames) -> None:
    exact, lossy = (begun(name, frames, loss=loss) for loss in (0, 0.5))
    sizes = [sum(layer.out_channels for layer in t._network.network.layers) for t in (exact, lossy)]
    assert exact._network is exact._whole and sizes[0] > sizes[1]
    assert [tap.channels for tap in lossy._network.taps] == [tap.channels for tap in lossy._whole.taps]
    assert [b.size for b in lossy.sampler.blocks] == [b.size for b in exact.sampler.blocks]


def test_eco_on_all_channels_is_nearly_eco(frames: Frames) -> None:
    """Nothing is dropped: only the filter's training is a little further."""
    chosen, plain = begun("feco-cd", frames, keep=1.0, loss=0), begun("feco", frames)
    for image, _ in frames[2:]:
        assert chosen.update(image).box.iou(plain.update(image).box) > 0.95


def test_fdeepstrcf_prunes_its_network_exactly(frames: Frames) -> None:
    tracker = begun("fdeepstrcf-cd", frames, 0, keep=0.5)
    assert tracker.channels is None
    tracker.update(frames[1][0])
    feature, whole = tracker.sampler.features[1], tracker.features[1]
    assert feature.channels == len(tracker.channels) == round(0.5 * whole.channels)
    assert sum(x.out_channels for x in feature.network.layers) < sum(
        x.out_channels for x in whole.network.layers
    )
    patch = np.random.default_rng(0).integers(0, 256, (160, 160, 3), np.uint8)
    np.testing.assert_allclose(feature(patch), whole(patch)[tracker.channels], atol=1e-5)
    for image, _ in frames[2:]:
        tracker.update(image)
    tracker.init(*frames[3])
    assert tracker.channels is None and tracker.sampler.features[1] is whole


@pytest.mark.parametrize("name", [V, "deepcd-s-all", "cacf-cd", "fdeepstrcf-cd"])
def test_the_filter_begins_anew_on_both_frames(name: str, frames: Frames, monkeypatch: Any) -> None:
    """It has not forgotten the first frame, nor the second."""
    tracker: Any = create(name)
    learned: list[int] = []
    begin = "_new_filter" if name.startswith("fdeep") else "_make_filter"
    make = getattr(tracker, begin)

    def spied(*args: Any) -> Any:
        made = make(*args)
        learn = made.learn
        made.learn = lambda *x, **y: (learned.append(len(x[0])), learn(*x, **y))
        return made

    tracker.init(*frames[0])
    monkeypatch.setattr(tracker, begin, spied)
    tracker.update(frames[1][0])
    assert len(learned) == 2


def test_the_deepest_layers_response_weighs_most(frames: Frames) -> None:
    """HCF: 1, 0.5 and 0.02 from the deepest to the shallowest (Ma et al., section 5)."""
    tracker = begun("cf2-v-11+12+21", frames, 0, **SMALL)
    image, box = frames[1]
    (whole,) = tracker.filter.transform(tracker.sampler.sample(image, box.cx, box.cy, [1.0]))
    (layers,), size, shares = tracker.filter.filters, tracker.sampler.blocks[0].size, []
    for part, filter_ in zip(tracker.features[0].slices, layers._filters, strict=True):
        only = np.zeros_like(whole)
        only[:, part] = whole[:, part]
        heights = (irfft2(x, size).max() for x in (layers.spectrum(only), filter_.spectrum(whole[:, part])))
        shares.append(next(heights) / next(heights))
    np.testing.assert_allclose(shares, np.array([0.02, 0.5, 1]) / 1.52, rtol=1e-4)
