"""The compiled pooling of a few boxes against that by matrix products, and its slopes against torch's."""

import numpy as np
import pytest

from slimtrack.online.pooling import pool, pool_slopes, pool_standard
from slimtrack.online.roi import precise_roi_pool

MAPS = np.random.default_rng(0).normal(size=(5, 8, 9)).astype(np.float32)
LAST = np.ascontiguousarray(np.moveaxis(MAPS, 0, 2))
BOXES = np.array(
    [[1.3, 0.4, 6.1, 5.9], [-2, 3.2, 2.5, 11], [3, 4, 3, 4], [-9, -9, -5, -5], [7.2, 6, 20, 7]], np.float32
)
"""Inside, out on two sides, empty, wholly outside, flat and out on the right."""


@pytest.mark.parametrize("size", [1, 3, 5])
def test_it_is_precise_roi_pooling(size: int) -> None:
    out = np.empty((len(BOXES), size, size, 5), np.float32)
    pool(LAST, BOXES, out)
    expected = precise_roi_pool(MAPS[None].astype(float), BOXES[None].astype(float), size)[0]
    assert np.moveaxis(out, 3, 1) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_its_slopes_are_those_of_torch(size: int) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    back = np.random.default_rng(1).normal(size=(len(BOXES), size, size, 5)).astype(np.float32)
    boxes = torch.from_numpy(BOXES.astype(float)).requires_grad_()
    pooled = precise_roi_pool(torch.from_numpy(MAPS.astype(float))[None], boxes[None], size)[0]
    (pooled * torch.from_numpy(np.moveaxis(back, 3, 1).astype(float))).sum().backward()
    slopes = np.empty((len(BOXES), 4), np.float32)
    pool_slopes(LAST, BOXES, back, slopes)
    sized = BOXES[:, 2] > BOXES[:, 0]  # an empty box has no slope to speak of
    assert slopes[sized] == pytest.approx(boxes.grad.numpy()[sized], abs=1e-4)


def test_standard_pooling_takes_the_largest_value_of_whole_cells() -> None:
    """By hand: cells 0 to 15 in rows; boxes of all, of the middle and the right after rounding, outside."""
    maps = np.arange(16, dtype=np.float32).reshape(4, 4, 1)
    boxes = np.array([[0, 0, 3, 3], [0.6, 0.6, 3.4, 2.4], [9, 9, 12, 12], [2, 2, 2, 2]], np.float32)
    out = np.empty((4, 2, 2, 1), np.float32)
    pool_standard(maps, boxes, out)
    assert out[0, ..., 0].tolist() == [[5, 7], [13, 15]]
    assert out[1, ..., 0].tolist() == [[6, 7], [10, 11]]  # columns 1 to 3, of which bins share the middle one
    assert not out[2].any()
    assert (out[3] == 10).all()
