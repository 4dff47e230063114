"""Equations 4 to 6, against slow forms of the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimtrack.box import Box
from slimtrack.compression.information import (
    information,
    pca,
    reduction,
    target_cells,
    target_information_ratio,
    tracking_error,
)
from slimtrack.errors import InputError
from slimtrack.filters.response import gaussian_label


@pytest.fixture
def maps() -> np.ndarray:
    return np.maximum(np.random.default_rng(1).normal(size=(6, 5, 7)), 0).astype(np.float32)


@pytest.fixture
def mask() -> np.ndarray:
    return target_cells((5, 7), 2, 1, Box(4, 2, 5, 5))


def test_a_cell_is_on_the_target_when_its_centre_is(mask: np.ndarray) -> None:
    # Centres lie at 1, 3, 5, 7, ..: columns 4..9 hold 5 and 7, rows 2..7 hold 3 and 5.
    assert np.argwhere(mask).tolist() == [[1, 2], [1, 3], [2, 2], [2, 3]]
    assert target_cells((4, 4), 8, 4, Box(13, 13, 1, 1)).sum() == 1
    assert target_cells((4, 4), 8, 4, Box(-90, 500, 1, 1))[3, 0]


def test_information_by_its_definitions(maps: np.ndarray) -> None:
    flat = maps.reshape(6, -1)
    assert np.allclose(information(maps), np.linalg.norm(flat, axis=1) ** 2)
    assert np.allclose(information(maps, "l1"), np.linalg.norm(flat, 1, axis=1))
    assert np.allclose(information(maps, "l0"), np.linalg.norm(flat, 0, axis=1))
    with pytest.raises(InputError, match="'l3'"):
        information(maps, "l3")  # type: ignore[arg-type]


def test_tracking_error_is_that_of_a_dense_ridge_regression(maps: np.ndarray, mask: np.ndarray) -> None:
    h, w = mask.shape
    ridge = 1e-2
    label = gaussian_label(h, w, max(0.1 * np.sqrt(mask.sum()), 0.5)).ravel()
    level = maps * (0.1 / np.sqrt((maps**2).mean()))
    found = tracking_error(maps, mask, ridge)
    for channel, error in zip(level.astype(float), found, strict=True):
        shifts = [(y, x) for y in range(h) for x in range(w)]
        train, detect = (
            np.array([np.roll(part, shift, (0, 1)).ravel() for shift in shifts])
            for part in (channel * mask, channel * ~mask)
        )
        # Sample i is the target shifted by i, wished to answer label[i]; kernels are means over h w values.
        alpha = np.linalg.solve(train @ train.T / (h * w) + ridge * np.eye(h * w), label)
        response = detect @ train.T / (h * w) @ alpha
        assert np.isclose((response**2).sum(), error, rtol=1e-4)


def test_a_channel_of_the_background_has_the_larger_error() -> None:
    rng = np.random.default_rng(0)
    mask = np.zeros((12, 12), bool)
    mask[4:8, 4:8] = True
    here, there = (np.abs(rng.normal(size=(12, 12))) * part for part in (mask, ~mask))
    maps = np.stack([here + 0.05 * there, here + there]).astype(np.float32)
    error = tracking_error(maps, mask)
    assert error[0] < error[1]


def test_pca_is_the_best_projection(maps: np.ndarray) -> None:
    flat = maps.reshape(6, -1)
    components, lost = pca(maps, 2)
    assert np.allclose(components.T @ components, np.eye(2), atol=1e-5)
    assert np.isclose(((flat - components @ components.T @ flat) ** 2).sum(), lost, rtol=1e-4)
    assert np.isclose((np.linalg.svd(flat)[1][2:] ** 2).sum(), lost, rtol=1e-4)


def test_the_best_channels_are_those_of_a_full_search(maps: np.ndarray, mask: np.ndarray) -> None:
    from itertools import combinations

    told, error = information(maps), tracking_error(maps, mask)
    told, error = told / told.sum(), error / error.sum()
    found = reduction(maps, mask, 3, d_prime=3)

    def loss(kept: tuple[int, ...]) -> float:
        inside = np.isin(np.arange(6), kept)
        return float(told[~inside].sum() + error[inside].sum())

    assert tuple(found.channels) == min(combinations(range(6), 3), key=loss)
    assert np.isclose(found.losses[3], loss(tuple(found.channels)))
    assert found.components is None


def test_d_prime_is_the_candidate_with_the_least_loss(maps: np.ndarray, mask: np.ndarray) -> None:
    found = reduction(maps, mask, 2)
    assert set(found.losses) == {2, 4, 6}
    assert len(found.channels) == min(found.losses, key=lambda count: found.losses[count])
    assert found.dimensions == 2
    assert len(reduction(maps, mask, 2, d_prime=[3, 5]).losses) == 2
    assert reduction(maps, mask, 9).dimensions == 6
    by_information = reduction(maps, mask, 2, d_prime=2, with_error=False)
    assert by_information.channels.tolist() == sorted(np.argsort(-information(maps))[:2].tolist())
    told_most = reduction(maps, mask, 2, with_error=False)  # Table I's last row
    assert told_most.channels.tolist() == by_information.channels.tolist()
    assert told_most.components is None
    with pytest.raises(InputError, match=r"1\.\.6"):
        reduction(maps, mask, 2, d_prime=7)
    with pytest.raises(InputError, match="d=0"):
        reduction(maps, mask, 0)


@settings(deadline=None, max_examples=25)
@given(st.floats(0.1, 100))
def test_the_reduction_does_not_depend_on_the_level_of_the_maps(gain: float) -> None:
    maps = np.maximum(np.random.default_rng(2).normal(size=(8, 6, 6)), 0).astype(np.float32)
    mask = target_cells((6, 6), 1, 0.5, Box(2, 2, 2, 2))
    first, second = (reduction(maps * np.float32(level), mask, 4, d_prime=4) for level in (1.0, gain))
    assert first.channels.tolist() == second.channels.tolist()


def test_information_ratio(mask: np.ndarray) -> None:
    maps = np.ones((3, 5, 7), np.float32)
    assert np.isclose(target_information_ratio(maps, mask), mask.mean())
    assert target_information_ratio(0 * maps, mask) == 0


def test_the_loss_of_d_prime_is_the_three_terms_of_equation_6(maps: np.ndarray, mask: np.ndarray) -> None:
    told, error = information(maps), tracking_error(maps, mask)
    told, error = told / told.sum(), error / error.sum()
    order = np.argsort(error - told)
    for count, loss in reduction(maps, mask, 2).losses.items():
        kept = np.isin(np.arange(6), order[:count])
        singular = np.linalg.svd(maps[kept].reshape(count, -1).astype(float))[1]
        pca_loss = (singular[2:] ** 2).sum() / (maps.astype(float) ** 2).sum()
        assert (pca_loss > 0) == (count > 2)
        assert loss == pytest.approx(pca_loss + told[~kept].sum() + error[kept].sum(), rel=1e-5)
