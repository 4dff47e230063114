import cv2
import numpy as np
import pytest

from slimtrack.errors import InputError
from slimtrack.features.color_names import TERMS, ColorNames, load_table, memberships
from slimtrack.features.grey import Grey
from slimtrack.features.hog import Hog
from slimtrack.features.stack import Stack


@pytest.mark.parametrize(
    ("rgb", "term"),
    [
        ((250, 5, 5), "red"), ((10, 10, 240), "blue"), ((250, 245, 10), "yellow"), ((2, 2, 2), "black"),
        ((252, 252, 252), "white"), ((125, 128, 126), "grey"), ((20, 170, 25), "green"),
        ((250, 140, 10), "orange"), ((130, 10, 130), "purple"), ((255, 165, 190), "pink"),
        ((110, 62, 25), "brown"),
    ],
)  # fmt: skip
def test_typical_colours_get_their_names(rgb, term):
    assert TERMS[int(memberships(rgb).argmax())] == term


def test_memberships_are_shares_and_soft():
    rgb = np.random.default_rng(0).integers(0, 256, (200, 3))
    share = memberships(rgb)
    assert share.min() >= 0
    np.testing.assert_allclose(share.sum(axis=1), 1, rtol=1e-5)
    near, nudged = memberships((128, 100, 60)), memberships((130, 101, 60))
    assert 0 < np.abs(near - nudged).max() < 0.05


def test_lab_agrees_with_opencv():
    from slimtrack.features.color_names import _lab

    rgb = np.random.default_rng(1).integers(0, 256, (1, 50, 3)).astype(np.float32)
    theirs = cv2.cvtColor(rgb / 255, cv2.COLOR_RGB2Lab)
    np.testing.assert_allclose(_lab(rgb.astype(float)), theirs, atol=0.6)


def test_a_users_table_is_read_and_a_wrong_one_refused(tmp_path):
    table = np.random.default_rng(0).random((32768, 10)).astype(np.float32)
    np.save(tmp_path / "w2c.npy", table)
    feature = ColorNames(4, load_table(tmp_path / "w2c.npy"))
    assert feature.channels == 10
    # OpenCV images are BGR; the table counts red fastest.
    patch = np.zeros((4, 4, 3), np.uint8)
    patch[..., 2] = 80
    np.testing.assert_allclose(feature(patch)[:, 0, 0], table[10] - table[10].mean(), rtol=1e-5)
    np.save(tmp_path / "bad.npy", table[:5])
    with pytest.raises(InputError, match="32768"):
        load_table(tmp_path / "bad.npy")
    with pytest.raises(InputError, match="cannot be read"):
        load_table(tmp_path / "none.txt")


def test_a_stack_declares_what_it_gives():
    stack = Stack(Hog(), ColorNames(), Grey())
    patch = np.random.default_rng(0).integers(0, 256, (2, 32, 24, 3), dtype=np.uint8)
    features = stack(patch)
    assert features.shape == (2, stack.channels, 8, 6) == (2, 43, 8, 6)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(stack(patch[1]), features[1])
    assert (stack.stride, stack.offset) == (4, 2)
