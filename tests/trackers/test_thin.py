"""Thin targets: a bar of 200 x 6 pixels is followed, not the surroundings that fill its window."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from slimtrack import Box, create


def film(seed: int) -> Iterator[tuple[np.ndarray, Box]]:
    """A bar over a still background, one pixel right and down a frame."""
    rng = np.random.default_rng(seed)
    ground = cv2.GaussianBlur(rng.integers(0, 256, (240, 320, 3)).astype(np.uint8), (0, 0), 3)
    bar = cv2.GaussianBlur(rng.integers(0, 256, (6, 200, 3)).astype(np.uint8), (0, 0), 1.5)
    bar = cv2.normalize(bar, None, 0, 255, cv2.NORM_MINMAX)
    for i in range(20):
        frame = ground.copy()
        frame[60 + i : 66 + i, 20 + i : 220 + i] = bar
        yield frame, Box(20 + i, 60 + i, 200, 6)


@pytest.mark.parametrize("name", ["staple", "kcf", "fdsst", "samf", "eco-hc", "strcf"])
def test_a_bar_is_followed(name: str) -> None:
    (first, box), *rest = film(3)
    tracker = create(name)
    tracker.init(first, box)
    overlaps = [tracker.update(frame).box.iou(box) for frame, box in rest]
    assert np.mean(overlaps) > 0.6
    assert overlaps[-1] > 0.6
