"""The compiled pooling of a few boxes against that by matrix products, and its slopes against torch's."""

import numpy as np
import pytest

from slimtrack.online.pooling import pool, pool_slopes
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
