"""Equations 18 to 20 against least squares."""

import numpy as np
import pytest

from slimtrack.compression.reconstruct import factors, reweighted

RNG = np.random.default_rng(9)


@pytest.mark.parametrize("shape", [(4, 30), (30, 4), (6, 6)])
def test_factors_are_ridge_regression(shape: tuple[int, int]) -> None:
    parts, wished = RNG.normal(size=shape), RNG.normal(size=shape[1])
    found = factors(parts.astype(np.float32), wished, 0.1)
    level = 0.1 * (parts**2).sum() / shape[0]
    rows = np.vstack([parts.T, np.sqrt(level) * np.eye(shape[0])])
    best = np.linalg.lstsq(rows, np.concatenate([wished, np.zeros(shape[0])]), rcond=None)[0]
    assert np.allclose(found, best, atol=1e-4)


def test_without_ridge_it_is_least_squares() -> None:
    parts = RNG.normal(size=(5, 40)).astype(np.float32)
    wished = RNG.normal(size=40)
    assert np.allclose(factors(parts, wished, 0), np.linalg.lstsq(parts.T, wished, rcond=None)[0], atol=1e-4)


def test_outputs_come_back_and_structure_stays() -> None:
    weights = RNG.normal(size=(3, 4, 9)).astype(np.float32)
    values = RNG.normal(size=(9, 4, 60)).astype(np.float32)
    gains = RNG.uniform(0.5, 2, (3, 4, 1)).astype(np.float32)
    wished = np.einsum("nck,kcp->np", weights * gains, values)
    assert np.allclose(reweighted(weights, values, wished, 0), weights * gains, atol=1e-3)


def test_nothing_in_gives_nothing_and_no_error() -> None:
    out = reweighted(np.ones((2, 3, 1), np.float32), np.zeros((1, 3, 5), np.float32), np.ones((2, 5)), 0.1)
    assert np.isfinite(out).all()
