"""What every filter of one grid, and those of several together, hold to."""

import numpy as np
import pytest

from slimtrack.filters.bacf import BacfFilter
from slimtrack.filters.context import ContextFilter
from slimtrack.filters.correlation import KernelFilter, LinearFilter
from slimtrack.filters.fft import irfft2, rfft2
from slimtrack.filters.mosse import MosseFilter
from slimtrack.filters.newton import newton_peak
from slimtrack.filters.regularisation import box_weight
from slimtrack.filters.response import gaussian_label, peak
from slimtrack.filters.spectral import GridFilters
from slimtrack.filters.strcf import StrcfFilter

SIZE = (12, 15)
WEIGHT = box_weight(SIZE, (5, 6))
FILTERS = {
    "kernel": KernelFilter,
    "linear": LinearFilter,
    "mosse": MosseFilter,
    "context": ContextFilter,
    "strcf": lambda label: StrcfFilter(label, WEIGHT, iterations=20),
    "bacf": lambda label: BacfFilter(label, WEIGHT, iterations=20),
}


def patch(seed: int, size: tuple[int, int] = SIZE, channels: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((channels, *size)).astype(np.float32)


@pytest.mark.parametrize("make", FILTERS.values(), ids=FILTERS.keys())
@pytest.mark.parametrize("shift", [(2, -3), (0, 4)])
def test_a_target_beside_the_middle_is_learned_as_one_in_it(make, shift: tuple[int, int]) -> None:
    label = gaussian_label(*SIZE, 1.3)
    moved, centred = make(label), make(label)
    x = patch(0, channels=1 if make is MosseFilter else 4)
    centred.learn(rfft2(x))
    moved.learn(rfft2(np.roll(x, shift, (1, 2))), shift)
    z = rfft2(np.roll(x, (1, 2), (1, 2))[None])
    responses = [irfft2(model.spectrum(z), SIZE)[0] for model in (centred, moved)]
    assert peak(responses[0]) == pytest.approx((1, 2), abs=0.3)
    np.testing.assert_allclose(responses[1], responses[0], atol=1e-4)


def test_grids_of_one_window_answer_together() -> None:
    """A shift of a part of the window is learned on every grid, and found on the finest."""
    sizes = [(24, 20), (12, 10)]
    filters = GridFilters([LinearFilter(gaussian_label(*size, size[0] / 12)) for size in sizes], sizes)
    fine = np.kron(patch(1, sizes[1]), np.ones((2, 2), np.float32))
    both = [fine[None], patch(1, sizes[1])[None]]
    filters.learn(filters.at(filters.transform(both), 0))
    for rows, columns in ((0, 0), (4, -6)):
        moved = [np.roll(x, (rows // n, columns // n), (2, 3)) for x, n in zip(both, (1, 2), strict=True)]
        samples = filters.transform(moved)
        responses = filters.respond(samples)
        assert responses.values.shape == (1, *sizes[0])
        found = newton_peak(responses.values[0], responses.spectra[0])
        assert found == pytest.approx((rows, columns), abs=0.3)
    other = GridFilters([LinearFilter(gaussian_label(*size, size[0] / 12)) for size in sizes], sizes)
    other.learn(other.at(samples, 0), (4 / 24, -6 / 20))
    centred, moved_ones = (model.respond(filters.transform(both)).values for model in (filters, other))
    np.testing.assert_allclose(moved_ones, centred, atol=1e-4)


def test_a_grid_taken_at_one_scale_answers_to_all() -> None:
    sizes = [(24, 20), (12, 10)]
    filters = GridFilters([LinearFilter(gaussian_label(*size, size[0] / 12)) for size in sizes], sizes)
    first = [patch(2, sizes[0])[None], patch(3, sizes[1])[None]]
    filters.learn(filters.at(filters.transform(first), 0))
    samples = filters.transform([np.concatenate([first[0]] * 3), first[1]])
    responses = filters.respond(samples)
    np.testing.assert_allclose(responses.values, responses.values[[0, 0, 0]])
    assert [x.shape for x in filters.at(samples, 2)] == [x.shape[1:] for x in samples]
