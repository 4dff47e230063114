import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimtrack.filters.context import ContextFilter
from slimtrack.filters.correlation import KernelFilter, LinearFilter, kernel_correlation
from slimtrack.filters.fft import energy, irfft2, rfft2
from slimtrack.filters.response import gaussian_label, peak

sizes = st.integers(3, 6)


def shifted(x, dy, dx):
    return np.roll(x, (dy, dx), axis=(-2, -1))


def all_shifts(x):
    """Every circular shift of ``(C, h, w)``, flattened: the rows of the dense problem."""
    h, w = x.shape[-2:]
    return np.stack([shifted(x, dy, dx).ravel() for dy in range(h) for dx in range(w)]).astype(float)


def asked(model, z):
    """The response ``(h, w)`` to features ``(C, h, w)``."""
    return irfft2(model.spectrum(rfft2(z)[None]), z.shape[1:])[0]


def some(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@given(sizes, sizes, st.integers(1, 3), st.integers(0, 99))
def test_energy_is_parsevals(h, w, c, seed):
    x = some(seed, 2, c, h, w)
    np.testing.assert_allclose(energy(rfft2(x), w), (x.astype(float) ** 2).sum(axis=(1, 2, 3)), rtol=1e-4)


@pytest.mark.parametrize("kernel", ["linear", "gaussian", "polynomial"])
@given(h=sizes, w=sizes, seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_kernel_correlation_is_the_kernel_at_every_shift(kernel, h, w, seed):
    x, z = some(seed, 2, h, w), some(seed + 1, 2, h, w)
    found = irfft2(kernel_correlation(rfft2(x), rfft2(z), w, kernel, power=3), (h, w)).ravel()
    products = all_shifts(x) @ z.ravel().astype(float)
    if kernel == "gaussian":
        distance = ((all_shifts(x) - z.ravel()) ** 2).sum(axis=1) / x.size
        wanted = np.exp(-distance / 0.25)
    else:
        wanted = products / x.size if kernel == "linear" else (products / x.size + 1) ** 3
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("kernel", ["linear", "gaussian", "polynomial"])
def test_kernel_filter_is_dense_kernel_ridge_regression(kernel):
    """Paper 000, equations 1-3, against the explicit kernel matrix of all shifts."""
    x, z = some(0, 3, 5, 6), some(1, 3, 5, 6)
    label = gaussian_label(5, 6, 1.0)
    model = KernelFilter(label, kernel=kernel, ridge=0.01)
    model.learn(rfft2(x))
    rows = all_shifts(x)

    def gram(a, b):
        if kernel == "linear":
            return a @ b.T / x.size
        if kernel == "polynomial":
            return (a @ b.T / x.size + 1) ** 9
        squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
        return np.exp(-squares / x.size / 0.25)

    alpha = np.linalg.solve(gram(rows, rows) + 0.01 * np.eye(len(rows)), label.ravel())
    # The response at i answers "is the target i further on in z?".
    wanted = np.array([gram(shifted(z, -dy, -dx).ravel()[None].astype(float), rows)[0] @ alpha
                       for dy in range(5) for dx in range(6)])  # fmt: skip
    found = asked(model, z).ravel()
    np.testing.assert_allclose(found, wanted, atol=2e-4)


@pytest.mark.parametrize("channels", [1, 3, 7])
def test_context_filter_is_dense_ridge_regression_with_context(channels):
    """Papers' equation 9: train on all shifts of the target, wish 0 on all shifts of the context."""
    x, context = some(2, channels, 5, 4), some(3, 2, channels, 5, 4)
    label, ridge, weight = gaussian_label(5, 4, 0.8), 0.05, 0.7
    model = ContextFilter(label, ridge=ridge, weight=weight)
    model.learn(rfft2(np.stack([x, *context])))
    rows = all_shifts(x)
    normal = rows.T @ rows + ridge * x.size * np.eye(x.size)
    for patch in context:
        normal += weight * all_shifts(patch).T @ all_shifts(patch)
    w = np.linalg.solve(normal, rows.T @ label.ravel())
    z = some(4, channels, 5, 4)
    wanted = np.array([shifted(z, -dy, -dx).ravel() @ w for dy in range(5) for dx in range(4)])
    np.testing.assert_allclose(asked(model, z).ravel(), wanted, atol=1e-4)


@pytest.mark.parametrize("make", [KernelFilter, LinearFilter])
@pytest.mark.parametrize("shift", [(0, 0), (2, -3), (-4, 1)])
def test_a_shifted_patch_is_found_at_its_shift(make, shift):
    x = some(5, 4, 16, 20)
    model = make(gaussian_label(16, 20, 1.0))
    model.learn(rfft2(x))
    assert peak(asked(model, shifted(x, *shift))) == pytest.approx(shift, abs=0.1)


def test_linear_filter_equals_the_kernel_filter_with_the_linear_kernel():
    """One moment: the primal with a shared denominator is the dual, for any number of channels."""
    x, z = some(8, 3, 6, 7), some(9, 3, 6, 7)
    label = gaussian_label(6, 7, 1.0)
    primal, dual = LinearFilter(label, ridge=0.02), KernelFilter(label, kernel="linear", ridge=0.02)
    primal.learn(rfft2(x))
    dual.learn(rfft2(x))
    np.testing.assert_allclose(asked(primal, z), asked(dual, z), atol=1e-4)
