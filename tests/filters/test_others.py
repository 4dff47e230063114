import numpy as np
import pytest

from slimtrack.filters.fft import irfft2, rfft2
from slimtrack.filters.histogram import ColorModel
from slimtrack.filters.mosse import MosseFilter
from slimtrack.filters.response import evidence, gaussian_label, peak, refine


def test_mosse_is_the_least_squares_filter():
    """Bolme et al., equation 5: minimise the summed squared error of the correlation, dense."""
    rng = np.random.default_rng(0)
    patches = rng.standard_normal((6, 4, 5)).astype(np.float32)
    label = gaussian_label(4, 5, 0.7)
    model = MosseFilter(label, ridge=1e-6)
    model.learn(rfft2(patches[:, None]))
    rows = np.concatenate(
        [[np.roll(p, (-dy, -dx), (0, 1)).ravel() for dy in range(4) for dx in range(5)] for p in patches]
    ).astype(float)
    w = np.linalg.lstsq(rows, np.tile(label.ravel(), 6), rcond=None)[0]
    z = rng.standard_normal((4, 5)).astype(np.float32)
    wanted = np.array([np.roll(z, (-dy, -dx), (0, 1)).ravel() @ w for dy in range(4) for dx in range(5)])
    found = irfft2(model.spectrum(rfft2(z)[None, None]), (4, 5))
    np.testing.assert_allclose(found.ravel(), wanted, atol=1e-3)


def test_color_model_is_bayes_rule_of_the_two_histograms():
    patch = np.zeros((4, 4, 3), np.uint8)
    patch[:2] = 200
    patch[0, 0] = 0
    inside = np.zeros((4, 4), bool)
    inside[:2] = True
    model = ColorModel()
    model.learn(patch, inside, ~inside)
    # Colour 200: 7/8 of the target, none outside; colour 0: 1/8 of the target, all of the outside.
    found = model.likelihood(patch)
    assert found[1, 1] == pytest.approx(1.0)
    assert found[3, 3] == pytest.approx((1 / 8) / (1 / 8 + 1))
    assert model.likelihood(np.full((1, 1, 3), 99, np.uint8))[0, 0] == 0


def test_peak_of_a_gaussian_between_cells():
    y, x = np.mgrid[:20, :24]
    response = np.exp(-((y - 5.3) ** 2 + (x - 21.8) ** 2) / 8)
    assert peak(response) == pytest.approx((5.3, 21.8 - 24), abs=0.02)
    assert refine(0, 1, 0) == 0
    assert refine(1, 1, 1) == 0


@pytest.mark.parametrize(("y", "x"), [(0, 0), (12, 29), (23, 3)])
def test_psr_is_of_what_lies_apart_from_the_peak(y, x):
    response = np.random.default_rng(0).random((24, 30)).astype(np.float32)
    response[y, x] = 3.0
    rest = np.roll(response, (5 - y, 5 - x), (0, 1))
    rest[:11, :11] = np.nan  # 11 x 11 cells around the peak, wrapped
    wanted = (3 - np.nanmean(rest)) / np.nanstd(rest)
    second = np.nanmax(rest) / 3
    assert evidence(response) == pytest.approx({"peak": 3.0, "psr": wanted, "second": second}, rel=1e-4)


def test_the_second_peak_is_none_where_the_first_takes_all():
    assert evidence(np.ones((3, 3), np.float32))["second"] == 1.0
    lone = np.zeros((40, 40), np.float32)
    lone[7, 9] = 2.0
    assert evidence(lone)["second"] == 0.0
    lone[25, 30] = 1.0
    assert evidence(lone)["second"] == 0.5


def test_evidence_prefers_one_clear_peak():
    label = gaussian_label(24, 30, 1.5)
    double = label + 0.9 * np.roll(label, (9, 11), (0, 1))
    noise = np.random.default_rng(0).random((24, 30)).astype(np.float32)
    clear, torn, none = (evidence(r) for r in (label, double, noise))
    assert clear["psr"] > torn["psr"] > none["psr"]
    assert clear["peak"] == pytest.approx(1)
    for tiny in (np.ones((1, 1)), np.zeros((3, 3)), label[:2, :2]):
        assert all(np.isfinite(list(evidence(tiny).values())))
