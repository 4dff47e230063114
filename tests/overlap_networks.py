"""Networks of the ATOM family with a few generated filters: the contract of their files, in small."""

import numpy as np

__all__ = ["head"]


def head(
    *, channels: int = 8, hidden: int = 8, gives_boxes: bool = False, seed: int = 0
) -> dict[str, np.ndarray]:
    """The arrays of ``head.npz``: reference and search branch have ``channels`` channels in both blocks."""
    rng = np.random.default_rng(seed)
    last, outputs = ("box", 4) if gives_boxes else ("iou", 1)
    shapes = {
        "reference3": (hidden, 9 * channels), "modulation3": (channels, hidden + channels),
        "modulation4": (channels, hidden + channels),
        "overlap3": (hidden, 25 * channels), "overlap4": (hidden, 9 * channels), last: (outputs, 2 * hidden),
    }  # fmt: skip
    arrays = {f"{name}_w": rng.normal(0, shape[1] ** -0.5, shape) for name, shape in shapes.items()}
    arrays |= {f"{name}_b": rng.normal(0, 0.3, shape[0]) for name, shape in shapes.items()}
    return {name: array.astype(np.float32) for name, array in arrays.items()}
