"""The frame on which the tests adapt networks to a target."""

import numpy as np

from slimtrack.box import Box

__all__ = ["scene"]


def scene() -> tuple[np.ndarray, Box]:
    """A striped object off the middle of a noisy frame, and another object far from it."""
    rng = np.random.default_rng(0)
    image = rng.integers(80, 120, (240, 320, 3), dtype=np.uint8)
    image[40:80, 60:110] = 30
    image[40:80:4, 60:110] = (20, 200, 250)
    image[150:190, 200:250] = (250, 20, 20)
    return image, Box(60, 40, 50, 40)
