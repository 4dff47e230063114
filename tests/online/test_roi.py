"""Precise RoI pooling against numerical integration, a known surface, and finite differences."""

import numpy as np
import pytest

from slimtrack.online.roi import precise_roi_pool

BOXES = np.array([[[1.3, 0.4, 6.1, 5.9], [-2.0, 3.2, 2.5, 11.0]]])
"""One inside the map, one that leaves it on two sides."""


def features(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(1, 3, 8, 9))


def surface(maps: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear samples, zero outside: ``(C, len(y), len(x))``, straight from the definition."""
    hats_x = np.maximum(0, 1 - abs(x[:, None] - np.arange(maps.shape[2])))
    hats_y = np.maximum(0, 1 - abs(y[:, None] - np.arange(maps.shape[1])))
    return np.einsum("yi,cij,xj->cyx", hats_y, maps, hats_x)


def integrated(maps: np.ndarray, box: np.ndarray, size: int, points: int = 400) -> np.ndarray:
    """The mean over every bin by the midpoint rule."""
    steps = (np.arange(size * points) + 0.5) / (size * points)
    values = surface(maps, box[0] + (box[2] - box[0]) * steps, box[1] + (box[3] - box[1]) * steps)
    return values.reshape(len(maps), size, points, size, points).mean((2, 4))


@pytest.mark.parametrize("size", [1, 3, 5])
def test_it_is_the_integral_of_the_bilinear_surface(size: int) -> None:
    maps = features()
    pooled = precise_roi_pool(maps, BOXES, size)
    assert pooled.shape == (1, 2, 3, size, size)
    for k in range(2):
        assert pooled[0, k] == pytest.approx(integrated(maps[0], BOXES[0, k], size), abs=2e-5)


def test_a_plane_is_pooled_to_its_value_at_the_centre_of_each_bin() -> None:
    y, x = np.mgrid[:8, :9]
    pooled = precise_roi_pool((2 * x - 3 * y + 1.0)[None, None], np.array([[[1.0, 2, 5, 6]]]), 2)
    # Bins have their centres at x = 2, 4 and y = 3, 5.
    assert pooled[0, 0, 0] == pytest.approx(np.array([[-4.0, 0], [-10, -6]]))


def test_an_empty_box_is_pooled_to_the_value_at_its_place() -> None:
    maps = features()
    pooled = precise_roi_pool(maps, np.array([[[3.0, 4, 3, 4]]]), 1)
    assert pooled[0, 0, :, 0, 0] == pytest.approx(maps[0, :, 4, 3], abs=1e-5)


def test_torch_and_numpy_agree() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    maps, boxes = features().astype(np.float32), BOXES.astype(np.float32)
    pooled = precise_roi_pool(torch.from_numpy(maps), torch.from_numpy(boxes), 5).numpy()
    assert pooled == pytest.approx(precise_roi_pool(maps, boxes, 5), abs=1e-5)


def test_gradients_to_features_and_boxes_are_those_of_finite_differences() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    maps = torch.from_numpy(features()).requires_grad_()
    boxes = torch.from_numpy(BOXES).requires_grad_()
    assert torch.autograd.gradcheck(lambda f, b: precise_roi_pool(f, b, 3), (maps, boxes))
