"""Pictures that tests make and recognise again."""

import numpy as np

from slimtrack.arrays import Image


def gradient(value: int, width: int = 64, height: int = 48) -> Image:
    """A picture that is recognised again after compression: its mean is ``value``."""
    ramp = np.linspace(-20, 20, width, dtype=np.float32)
    grey = np.clip(value + np.tile(ramp, (height, 1)), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)
