"""The scale filters: known scales, and against a dense solve."""

import numpy as np
import pytest

from slimtrack.filters.scale import FastScaleFilter, ScaleFilter


@pytest.mark.parametrize("make", [ScaleFilter, FastScaleFilter])
@pytest.mark.parametrize("factor", [0.94, 0.98, 1.0, 1.03, 1.07])
def test_a_known_scale_is_recovered(make, factor):
    """Samples of a smooth function of log scale: enlarged by ``factor``, it looks smaller at every scale."""
    model = make()
    rng = np.random.default_rng(3)
    frequency, phase = rng.uniform(10, 50, 60)[:, None], rng.uniform(0, 6, 60)[:, None]

    def samples(grown):
        return np.sin(frequency * np.log(model.factors / grown)[None] + phase).astype(np.float32)

    model.learn(samples(1.0))
    assert model.best(samples(factor)) == pytest.approx(factor, rel=0.008)


@pytest.mark.parametrize("steps", [-3, -1, 0, 2])
def test_samples_of_a_size_a_step_away_are_their_neighbours(steps):
    model = FastScaleFilter(count=9)
    samples = np.random.default_rng(2).standard_normal((5, 9)).astype(np.float32)
    moved = model.resized(samples, float((model.factors[0] / model.factors[1]) ** steps))
    at = np.clip(np.arange(9) - steps, 0, 8)
    np.testing.assert_allclose(moved, samples[:, at], atol=1e-5)
    assert moved.dtype == np.float32


def test_resized_samples_are_those_of_the_new_size():
    """Of a function that is linear in log scale, which interpolation keeps."""
    model = FastScaleFilter()
    slope = np.linspace(-2, 3, 7, dtype=np.float32)[:, None]
    moved = model.resized(slope * np.log(model.factors).astype(np.float32), 1.05)
    wanted = slope * np.log(model.factors * 1.05)
    np.testing.assert_allclose(moved[:, 2:], wanted[:, 2:], atol=1e-5)


def all_shifts(sample):
    """Every circular shift over the scales of ``(d, n)``, flattened: the rows of the dense problem."""
    return np.stack([np.roll(sample, -s, axis=1).ravel() for s in range(sample.shape[1])])


def dense(x, z, ridge, sigma):
    """Ridge regression over all shifts of ``x``, asked at all shifts of ``z``; windowed ``(d, n)``."""
    n = x.shape[1]
    wish = np.exp(-0.5 * ((np.arange(n) - (n - 1) // 2) / sigma) ** 2)
    rows = all_shifts(x)
    return all_shifts(z) @ np.linalg.solve(rows.T @ rows + ridge * np.eye(x.size), rows.T @ wish)


def pair(d, n):
    rng = np.random.default_rng(0)
    return rng.standard_normal((2, d, n)), np.hanning(n + 2)[1:-1]


def test_scale_filter_is_dense_ridge_regression():
    """Danelljan et al., BMVC 2014, equations 4-6: one moment, where they are exact."""
    (x, z), window = pair(6, 9)
    model = ScaleFilter(count=9, ridge=0.3)
    model.learn(x.astype(np.float32))
    wanted = dense(x * window, z * window, 0.3, 9**0.5 / 4)
    np.testing.assert_allclose(model.respond(z.astype(np.float32)), wanted, atol=1e-5)


@pytest.mark.parametrize("d", [20, 9])
def test_fast_scale_filter_is_dense_ridge_regression_interpolated(d):
    """The projection loses nothing of its own sample; between scales the response is a Fourier sum."""
    (x, z), window = pair(d, 9)
    model = FastScaleFilter(count=9, fine=21, ridge=0.3)
    model.learn(x.astype(np.float32))
    own = x @ np.linalg.solve(x.T @ x, x.T)  # the projection onto the sample's columns
    coarse = dense(x * window, (own @ z) * window, 0.3, 9 / 16)
    waves = np.arange(-4, 5)
    spectrum = np.exp(-2j * np.pi * np.outer(waves, np.arange(9)) / 9) @ coarse
    wanted = (np.exp(2j * np.pi * np.outer(np.arange(21) / 21, waves)) @ spectrum / 9).real
    np.testing.assert_allclose(model.respond(z.astype(np.float32)), wanted, atol=1e-4)
    np.testing.assert_allclose(wanted[::7], coarse[::3], atol=1e-9)
