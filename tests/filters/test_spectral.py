"""The linear filter on spectra."""

import numpy as np
import pytest

from slimtrack.filters.correlation import LinearFilter
from slimtrack.filters.fft import rfft2
from slimtrack.filters.response import gaussian_label, peak
from slimtrack.filters.spectral import SpectralLinearFilter


def patch(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((4, 12, 15), np.float32)


def test_it_is_the_linear_filter() -> None:
    label = gaussian_label(12, 15, 1.3)
    usual = LinearFilter(label, ridge=1e-3, rate=0.2)
    other = SpectralLinearFilter(label, ridge=1e-3, rate=0.2)
    for seed in range(3):
        usual.learn(patch(seed))
        other.learn(rfft2(patch(seed)))
    z = patch(9)[None]
    np.testing.assert_allclose(other.respond(rfft2(z)), usual.respond(z), atol=1e-5)


@pytest.mark.parametrize("shift", [(2, -3), (0, 4)])
def test_a_target_beside_the_middle_is_learned_as_one_in_it(shift: tuple[int, int]) -> None:
    label = gaussian_label(12, 15, 1.3)
    moved, centred = (SpectralLinearFilter(label, ridge=1e-3, rate=0.2) for _ in range(2))
    centred.learn(rfft2(patch(0)))
    moved.learn(rfft2(np.roll(patch(0), shift, (1, 2))), shift)
    response = moved.respond(rfft2(patch(0)[None]))
    np.testing.assert_allclose(response, centred.respond(rfft2(patch(0)[None])), atol=1e-4)
    assert peak(response[0]) == pytest.approx((0, 0), abs=0.1)
