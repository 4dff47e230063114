"""Spatially regularised filters against dense solutions in the window, circulant matrices written out."""

import numpy as np
import pytest

from slimtrack.filters.admm import Admm
from slimtrack.filters.bacf import BacfFilter
from slimtrack.filters.fft import irfft2, rfft2
from slimtrack.filters.newton import newton_peak
from slimtrack.filters.regularisation import box_weight
from slimtrack.filters.response import gaussian_label
from slimtrack.filters.spectra import inner, resized, shifted
from slimtrack.filters.strcf import StrcfFilter

SHAPES = [(6, 5), (5, 8)]
LABEL = 0.9


def bowl(shape: tuple[int, int], least: float, edge: float) -> np.ndarray:
    """A smooth weight that grows away from the middle."""
    rows, columns = ((np.arange(n) + 0.5 - n / 2) ** 2 / 8 for n in shape)
    return np.asarray(least + edge * (rows[:, None] + columns), np.float32)


def features(seed: int, shape: tuple[int, int], channels: int = 3) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((channels, *shape)).astype(np.float32)
    x.setflags(write=False)
    return x


def circulant(x: np.ndarray) -> np.ndarray:
    """Rows: the features ``(C, h, w)`` at every shift, so that rows @ filter is the response."""
    h, w = x.shape[1:]
    return np.stack([np.roll(x, (-dy, -dx), (1, 2)).ravel() for dy in range(h) for dx in range(w)]).astype(
        float
    )


def dense(
    x: np.ndarray, label: np.ndarray, weight: np.ndarray, pull: float = 0.0, anchor: np.ndarray | None = None
) -> np.ndarray:
    """The minimum of `Admm`'s objective; an infinite weight takes its coefficient away."""
    rows, squares = circulant(x), np.tile(weight.astype(float).ravel() ** 2, len(x))
    wanted = rows.T @ label.ravel() / label.size
    if anchor is not None:
        wanted = wanted + pull * anchor.ravel()
    free = np.isfinite(squares)
    matrix = rows.T @ rows / label.size + pull * np.eye(len(squares))
    f = np.zeros(len(squares))
    f[free] = np.linalg.solve(matrix[np.ix_(free, free)] + np.diag(squares[free]), wanted[free])
    return f.reshape(x.shape)


def converged(weight: np.ndarray) -> Admm:
    return Admm(weight, penalty=0.5, growth=1.0, most=0.5, iterations=3000)


def solved(admm: Admm, x: np.ndarray, label: np.ndarray, pull: float = 0.0) -> np.ndarray:
    f = np.zeros_like(rfft2(x))
    admm.solve(rfft2(x), rfft2(label), f, pull)
    return np.asarray(irfft2(f, label.shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_admm_reaches_the_minimum_under_a_smooth_weight(shape):
    x, label = features(0, shape), gaussian_label(*shape, LABEL)
    weight = bowl(shape, 0.1, 1.0)
    np.testing.assert_allclose(solved(converged(weight), x, label), dense(x, label, weight), atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_admm_reaches_the_minimum_with_real_negatives(shape):
    """BACF: nothing off the target, whatever it would gain there."""
    x, label = features(1, shape), gaussian_label(*shape, LABEL)
    weight = box_weight(shape, (3, 2), inside=0.2, outside=np.inf)
    found = solved(converged(weight), x, label)
    np.testing.assert_allclose(found, dense(x, label, weight), atol=1e-4)
    assert np.abs(found[:, np.isinf(weight)]).max() < 1e-4


@pytest.mark.parametrize("shape", SHAPES)
def test_the_temporal_term_pulls_towards_the_last_filter(shape):
    x, label = features(2, shape), gaussian_label(*shape, LABEL)
    weight = bowl(shape, 0.1, 1.0)
    anchor = features(3, shape)
    f = rfft2(anchor)
    converged(weight).solve(rfft2(x), rfft2(label), f, pull=0.7)
    wanted = dense(x, label, weight, 0.7, anchor)
    np.testing.assert_allclose(irfft2(f, shape), wanted, atol=1e-4)


def test_arguments_are_left_alone_but_the_filter():
    shape = SHAPES[0]
    x, label = rfft2(features(0, shape)), rfft2(gaussian_label(*shape, LABEL))
    copies = x.copy(), label.copy()
    Admm(box_weight(shape, (3, 3))).solve(x, label, np.zeros_like(x))
    np.testing.assert_array_equal(x, copies[0])
    np.testing.assert_array_equal(label, copies[1])


def test_the_response_is_the_correlation_of_filter_and_features():
    shape = (12, 10)
    x, label = features(4, shape), gaussian_label(*shape, LABEL)
    model = StrcfFilter(label, box_weight(shape, (6, 6)), iterations=20)
    model.learn(rfft2(x))
    f = np.asarray(irfft2(model._filter, shape), float)
    shifted = np.stack([x, np.roll(x, (2, -3), (1, 2))])
    responses = irfft2(model.spectrum(rfft2(shifted)), shape)
    np.testing.assert_allclose(responses[0].ravel(), circulant(x) @ f.ravel(), atol=1e-5)
    assert np.unravel_index(responses[1].argmax(), shape) == (2, 10 - 3)


@pytest.mark.parametrize("temporal", [0.0, 0.5, 1e6])
def test_strcf_learns_the_frame_and_remembers_the_filter(temporal):
    shape = (12, 10)
    label = gaussian_label(*shape, LABEL)
    weight = bowl(shape, 0.05, 0.5)
    model = StrcfFilter(label, weight, temporal=temporal)
    model._solver = converged(weight)
    first, second = features(5, shape), features(6, shape)
    model.learn(rfft2(first))
    anchor = dense(first, label, weight)
    model.learn(rfft2(second))
    wanted = dense(second, label, weight, temporal, anchor)
    # A pull of a million leaves the anchor where it is, to the rounding of its sum with the rest.
    np.testing.assert_allclose(irfft2(model._filter, shape), wanted, atol=2e-4)


def test_bacf_averages_the_features():
    shape = (8, 9)
    label = gaussian_label(*shape, LABEL)
    weight = box_weight(shape, (4, 4), inside=0.1, outside=np.inf)
    model = BacfFilter(label, weight, rate=0.25)
    model._solver = converged(weight)
    first, second = features(7, shape), features(8, shape)
    model.learn(rfft2(first))
    model.learn(rfft2(second))
    wanted = dense(0.75 * first + 0.25 * second, label, weight)
    np.testing.assert_allclose(irfft2(model._filter, shape), wanted, atol=2e-4)


def test_strcf_wishes_for_the_response_where_the_target_is():
    shape = (12, 11)
    label = gaussian_label(*shape, LABEL)
    x = rfft2(features(9, shape))
    weight = bowl(shape, 0.05, 0.5)
    model, wanted = StrcfFilter(label, weight), StrcfFilter(np.roll(label, (2, -3), (0, 1)), weight)
    model.learn(x, (2.0, -3.0))
    wanted.learn(x)
    np.testing.assert_allclose(model._filter, wanted._filter, atol=1e-5)


def test_bacf_moves_the_sample_to_the_middle():
    shape = (12, 11)
    x = features(10, shape)
    models = [BacfFilter(gaussian_label(*shape, LABEL), box_weight(shape, (5, 5))) for _ in range(2)]
    models[0].learn(rfft2(np.roll(x, (2, -3), (1, 2))), (2.0, -3.0))
    models[1].learn(rfft2(x))
    np.testing.assert_allclose(models[0]._filter, models[1]._filter, atol=1e-5)


def test_a_shifted_spectrum_is_the_rolled_function():
    x = features(0, (6, 9))
    found = irfft2(shifted(rfft2(x), (6, 9), (2, -3)), (6, 9))
    np.testing.assert_allclose(found, np.roll(x, (2, -3), (1, 2)), atol=1e-5)


def test_the_box_lies_in_the_middle():
    even, odd = box_weight((8, 8), (4, 4)), box_weight((7, 7), (3.2, 1))
    assert np.all(even[2:6, 2:6] == np.float32(1e-3))
    assert (even < 1).sum() == 16
    assert np.all(odd[2:5, 3] == np.float32(1e-3))
    assert (odd < 1).sum() == 3
    assert (box_weight((4, 4), (0.1, 0.1)) < 1).sum() == 4  # two cells lie half a cell from the middle


def test_inner_product_over_channels():
    x, f = rfft2(features(0, (4, 6)))[None].repeat(2, axis=0), rfft2(features(1, (4, 6)))
    x[1] *= 2j
    np.testing.assert_allclose(inner(f, x), (f.conj() * x).sum(axis=1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("coarse", [(4, 4), (5, 4), (4, 5), (5, 5), (3, 1)])
@pytest.mark.parametrize("fine", [(12, 12), (15, 20), (12, 15)])
def test_a_resized_spectrum_interpolates_the_same_function(coarse, fine):
    values = np.random.default_rng(0).standard_normal(coarse).astype(np.float32)
    spectrum = rfft2(values)
    spectrum.setflags(write=False)
    found = irfft2(resized(spectrum, coarse[1], fine), fine)
    rows, columns = (_kernel(n, m) for n, m in zip(coarse, fine, strict=True))
    np.testing.assert_allclose(found, rows @ values @ columns.T, atol=1e-5)


def _kernel(coarse: int, fine: int) -> np.ndarray:
    """Trigonometric interpolation from ``coarse`` to ``fine`` samples, as a matrix."""
    at = np.arange(fine)[:, None] / fine - np.arange(coarse)[None] / coarse
    limit = (coarse - 1) // 2
    kernel = 1 + 2 * sum(np.cos(2 * np.pi * k * at) for k in range(1, limit + 1))
    if coarse % 2 == 0:
        kernel = kernel + np.cos(np.pi * coarse * at)
    return np.asarray(np.broadcast_to(kernel, at.shape) / coarse)


@pytest.mark.parametrize("shape", [(20, 24), (21, 17)])
@pytest.mark.parametrize("shift", [(0.3, -0.4), (-5.45, 7.2), (0.0, 0.0)])
def test_newton_finds_the_peak_between_cells(shape, shift):
    h, w = shape
    ky, kx = np.fft.fftfreq(h)[:, None], np.arange(w // 2 + 1)[None] / w
    turned = rfft2(gaussian_label(h, w, 1.5)) * np.exp(-2j * np.pi * (ky * shift[0] + kx * shift[1]))
    response = irfft2(turned, shape)
    found = newton_peak(response, rfft2(response))
    np.testing.assert_allclose(found, shift, atol=2e-3)


def test_newton_stays_at_the_sample_where_there_is_no_peak():
    flat = np.zeros((6, 7), np.float32)
    assert newton_peak(flat, rfft2(flat)) == (0.0, 0.0)
    one = np.ones((1, 1), np.float32)
    assert newton_peak(one, rfft2(one)) == (0.0, 0.0)
