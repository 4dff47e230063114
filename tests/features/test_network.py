"""Features from taps: they tile the search window, whatever the network."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from slimtrack.errors import InputError, UnknownNameError
from slimtrack.features.network import NetworkFeature, NetworkFeatures
from slimtrack.features.stack import Feature
from slimtrack.networks.find import VARIABLE
from slimtrack.networks.network import Network
from slimtrack.networks.zoo import find

Known = Callable[[str], Network]


@pytest.fixture
def known(shared: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Known:
    monkeypatch.setenv(VARIABLE, str(shared("weights")))
    return find


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)


def test_cf_vgg_relu3_starts_before_the_window(known: Known) -> None:
    feature: Feature = NetworkFeature(known("cf_vggm"), "relu3")
    assert (feature.channels, feature.stride, feature.offset) == (64, 16, 17.5)
    assert NetworkFeature(known("cf_vggm"), "relu3").margin == (-9.5, 16)


@pytest.mark.parametrize(
    ("name", "tap"),
    [
        ("cf_vggm", "norm1"),
        ("cf_vggm", "pool1"),
        ("cf_vggm", "relu3"),
        ("vgg19", "12"),
        ("vgg19", "34"),
        ("dcfnet", "norm1"),
        ("squeezenet1.1", "fire3"),
        ("squeezenet1.0_dc", "fire9"),
        ("resnet18", "layer3"),
    ],
)
@pytest.mark.parametrize("downsample", [1, 2, 3])
def test_cells_tile_any_window(known: Known, name: str, tap: str, downsample: int) -> None:
    feature = NetworkFeature(known(name), tap, downsample=downsample)
    start, extra = feature.margin
    for cells in (3, 5):
        window = cells * feature.stride
        result = feature(noise(window + extra, window + extra))
        assert result.shape == (feature.channels, cells, cells)
        assert result.dtype == np.float32
        assert result.flags.c_contiguous
    for cell in range(3):
        assert start + feature.offset + cell * feature.stride == feature.stride / 2 + cell * feature.stride


def test_several_patches_are_each_alone(known: Known) -> None:
    feature = NetworkFeature(known("cf_vggm"), "norm1", downsample=2, channels=[7, 1])
    patches = noise(3, 63, 71)
    together = feature(patches)
    assert together.shape[:2] == (3, 2)
    assert together.flags.c_contiguous
    for patch, result in zip(patches, together, strict=True):
        np.testing.assert_allclose(feature(patch), result, rtol=1e-5, atol=1e-5)


def test_channels_and_means_are_those_of_the_whole(known: Known) -> None:
    network = known("cf_vggm")
    whole = NetworkFeature(network, "norm1")(noise(63, 63))  # 29 cells: the last one fills no pair
    chosen = NetworkFeature(network, "norm1", channels=[3, 0], downsample=2)(noise(63, 63))
    assert chosen.shape == (2, 14, 14)
    means = whole[[3, 0], :28, :28].reshape(2, 14, 2, 14, 2).mean((2, 4))
    np.testing.assert_allclose(chosen, means, rtol=1e-5, atol=1e-6)


def test_a_shift_by_a_stride_is_a_shift_by_a_cell(known: Known) -> None:
    feature = NetworkFeature(known("cf_vggm"), "relu3")
    image = noise(300, 300)
    first, second = feature(image[:240, :240]), feature(image[32:272, 16:256])
    # The cells at the border see the padding inside of the network.
    np.testing.assert_allclose(first[:, 4:-2, 3:-2], second[:, 2:-4, 2:-3], rtol=1e-3, atol=1e-3)


def test_several_taps_from_one_run(known: Known) -> None:
    network = known("cf_vggm")
    features = NetworkFeatures(network, ["norm1", "relu5"])
    assert features.margin == (-9.5, 16)
    assert features.starts == (-6.0, 8.0)
    patch = noise(144, 144)
    shallow, deep = features(patch)
    assert deep.shape == (64, 8, 8)
    np.testing.assert_allclose(shallow, NetworkFeature(network, "norm1")(patch), rtol=1e-5, atol=1e-5)
    assert [each.shape[0] for each in features(patch[None])] == [1, 1]


def test_bad_options_are_refused(known: Known) -> None:
    network = known("cf_vggm")
    with pytest.raises(UnknownNameError, match="did you mean relu"):
        NetworkFeature(network, "relu9")
    with pytest.raises(InputError, match=r"0\.\.63"):
        NetworkFeature(network, "relu3", channels=[64])
    with pytest.raises(InputError, match="downsample=0"):
        NetworkFeature(network, "relu3", downsample=0)
    with pytest.raises(InputError, match="too small"):
        NetworkFeature(network, "relu3")(noise(8, 8))


def test_stretched_channels_reach_from_0_to_1(known: Known) -> None:
    plain, stretched = (NetworkFeature(known("cf_vggm"), "relu3", stretched=on) for on in (False, True))
    patches = np.stack([noise(150, 150), noise(150, 150)[::-1] // 2])
    maps, found = plain(patches), stretched(patches)
    alive = np.ptp(maps, axis=(2, 3)) > 0
    assert alive.any()
    np.testing.assert_allclose(found.min(axis=(2, 3)), 0)
    np.testing.assert_allclose(found.max(axis=(2, 3)), alive)
    index = tuple(np.argwhere(alive)[0])
    assert np.corrcoef(maps[index].ravel(), found[index].ravel())[0, 1] == pytest.approx(1)
    assert np.isfinite(stretched(np.zeros((150, 150, 3), np.uint8))).all()  # flat channels: not divided by 0
