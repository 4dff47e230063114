"""Looks at the target in the first frame show it where they say."""

import cv2
import numpy as np

from slimtrack.online.first_frame import first_looks

IMAGE = np.full((300, 400, 3), 90, np.uint8)
cv2.circle(IMAGE, (180, 140), 6, (255, 255, 255), -1)  # its centre, by outer edges: 180.5, 140.5


def looks(seed: int = 0) -> list[tuple[np.ndarray, tuple[float, float]]]:
    return list(first_looks(IMAGE, (180.5, 140.5), 100.0, 64, seed))


def test_each_shows_the_target_where_it_says() -> None:
    found = looks()
    assert len(found) > 15
    for look, (x, y) in found:
        assert look.shape == (64, 64, 3)
        bright = np.clip(look[..., 0].astype(float) - 95, 0, None)
        rows, columns = np.mgrid[:64, :64] + 0.5
        assert abs((bright * columns).sum() / bright.sum() - x) < 0.35
        assert abs((bright * rows).sum() / bright.sum() - y) < 0.35


def test_they_are_drawn_from_a_seed() -> None:
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(looks(), looks(), strict=True))
    assert not all(np.array_equal(a[0], b[0]) for a, b in zip(looks(), looks(1), strict=True))
