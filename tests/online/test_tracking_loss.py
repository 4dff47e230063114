"""The correlation tracking loss against a dense solve, known shifts, and finite differences."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from slimtrack.online.tracking_loss import (  # noqa: E402  needs torch
    correlation_filter,
    gaussian_label,
    response,
    tracking_loss,
)

RIDGE = 0.3


def maps(seed: int, n: int = 1, channels: int = 1, height: int = 4, width: int = 6) -> "torch.Tensor":
    drawn = np.random.default_rng(seed).normal(size=(n, channels, height, width))
    return torch.from_numpy(drawn)


def shifts_of(features: np.ndarray) -> np.ndarray:
    """Rows: a map moved back by every cell, so that a row times the filter is a value of the response."""
    height, width = features.shape
    return np.stack(
        [np.roll(features, (-y, -x), (0, 1)).ravel() for y in range(height) for x in range(width)]
    )


@pytest.mark.parametrize("suppression", [0.0, 0.7])
def test_the_filter_is_the_least_squares_solution(suppression: float) -> None:
    template, beside = maps(0), maps(1)
    label = gaussian_label(torch.zeros(1, 2, dtype=torch.float64), 4, 6, 1.0)[0]
    a, c = shifts_of(template[0, 0].numpy()), shifts_of(beside[0, 0].numpy())
    system = a.T @ a + suppression * c.T @ c + RIDGE * np.eye(24)
    dense = np.linalg.solve(system, a.T @ label.numpy().ravel())
    weights = correlation_filter(template, label, RIDGE, [beside], suppression)
    assert torch.fft.irfft2(weights, s=(4, 6)).numpy().ravel() == pytest.approx(dense, abs=1e-12)
    assert response(weights, template)[0].numpy().ravel() == pytest.approx(a @ dense, abs=1e-12)


def test_a_target_that_moved_as_said_costs_almost_nothing() -> None:
    template = maps(2, channels=3, height=12, width=16)
    search = torch.roll(template, (2, -5), (2, 3))
    right = tracking_loss(template, search, torch.tensor([[-5.0, 2.0]], dtype=torch.float64), ridge=1e-6)
    wrong = tracking_loss(template, search, torch.tensor([[5.0, 2.0]], dtype=torch.float64), ridge=1e-6)
    assert right < 1e-6 < 1 < wrong


def test_labels_wrap_around() -> None:
    label = gaussian_label(torch.tensor([[-0.5, 1.0]]), 5, 8, 1.0)[0]
    peaks = np.argwhere(np.isclose(label.numpy(), label.max()))
    assert peaks.tolist() == [[1, 0], [1, 7]]


def test_gradients_are_those_of_finite_differences() -> None:
    inputs = (maps(3, 2, 3).requires_grad_(), maps(4, 2, 3).requires_grad_(), maps(5, 2, 3).requires_grad_())
    shift = torch.tensor([[1.0, -0.5], [0.0, 2.0]], dtype=torch.float64)

    def loss(template: "torch.Tensor", search: "torch.Tensor", beside: "torch.Tensor") -> "torch.Tensor":
        return tracking_loss(template, search, shift, ridge=0.1, context=[beside], suppression=0.5)

    assert torch.autograd.gradcheck(loss, inputs, atol=1e-6, rtol=1e-4)
