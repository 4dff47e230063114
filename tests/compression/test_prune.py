"""Equations 7 to 17: contributions formed explicitly, and a generic solver."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from slimtrack.compression.contributions import Quadratic, cells, gram, quadratic, samples
from slimtrack.compression.prune import Augmented, adaptive, fixed_ratio, largest_sums, shrink
from slimtrack.errors import InputError
from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.network import Network

RNG = np.random.default_rng(5)


@pytest.fixture
def case() -> tuple[Network, np.ndarray]:
    """One convolution with all that changes its samples: stride, padding, dilation."""
    b = Builder(4)
    b.conv("conv", RNG.normal(size=(3, 4, 3, 3)), RNG.normal(size=3), stride=2, pads=(1, 1, 2, 0), dilation=2)
    network = Network(b.graph(), b.taps, Card("case"))
    return network, RNG.normal(size=(4, 13, 15)).astype(np.float32)


def contributions(network: Network, maps: np.ndarray) -> np.ndarray:
    """What each input channel adds, ``(c, n, h, w)``: the network run on one channel at a time."""
    alone = np.zeros((len(maps), *maps.shape), np.float32)
    alone[np.arange(4), np.arange(4)] = maps
    return network.run(alone)["conv"] - network.weights("conv")[1][:, None, None]


def loss_of(network: Network, maps: np.ndarray, ours: list[int], background: float) -> Quadratic:
    layer = network.layer("conv")
    mask = np.zeros(network.sizes((13, 15))["conv"], bool)
    mask[1:3, 2:5] = True
    weights, bias = network.weights("conv")
    parts = (samples(maps, layer, part) for part in (mask, ~mask))
    return quadratic(weights.reshape(3, 4, -1), bias, *parts, np.array(ours), background)


@pytest.mark.parametrize("ours", [[0, 1, 2, 3], [0, 2]])
def test_the_loss_is_that_of_contributions_formed_explicitly(
    case: tuple[Network, np.ndarray], ours: list[int]
) -> None:
    network, maps = case
    background = 0.3
    added = contributions(network, maps).astype(float)
    mask = np.zeros(added.shape[2:], bool)
    mask[1:3, 2:5] = True
    bias = network.weights("conv")[1].astype(float)
    others = [c for c in range(4) if c not in ours]
    c, d = (added[ours][..., part].reshape(len(ours), -1) for part in (mask, ~mask))
    b = (added[others].sum(0) + bias[:, None, None])[..., ~mask].ravel()
    c, gain = c / np.sqrt(mask.sum()), np.sqrt(background / (~mask).sum())
    found = loss_of(network, maps, ours, background)
    assert np.allclose(found.gram, c @ c.T + gain**2 * d @ d.T, rtol=1e-4, atol=1e-5)
    assert np.allclose(found.moment, c @ c.sum(0) - gain**2 * d @ b, rtol=1e-4, atol=1e-5)
    # Equation 9 itself, up to its constant.
    for _ in range(3):
        beta = RNG.normal(size=len(ours))
        slow = 0.5 * ((c.sum(0) - beta @ c) ** 2).sum() + 0.5 * ((gain * (beta @ d + b)) ** 2).sum()
        constant = 0.5 * (c.sum(0) ** 2).sum() + 0.5 * ((gain * b) ** 2).sum()
        fast = 0.5 * beta @ found.gram @ beta - beta @ found.moment
        assert np.isclose(slow - constant, fast, rtol=1e-4, atol=1e-4)


def test_gram_of_one_cell_by_hand() -> None:
    weights = np.array([[[2.0], [3.0]]], np.float32)  # one output, two inputs, 1x1
    values = np.array([[[5.0], [7.0]]], np.float32)
    assert gram(weights, values).tolist() == [[100.0, 210.0], [210.0, 441.0]]


def test_sampled_cells_stand_for_all() -> None:
    mask = np.ones((40, 50), bool)
    rows, columns, weights = cells(mask, 300)
    assert len(rows) <= 300
    assert np.isclose(weights.sum(), 2000)
    assert len(set(columns.tolist())) > 40
    assert abs(rows.mean() - 19.5) < 1
    assert len(cells(mask, 5000)[0]) == 2000


def random_loss(count: int, seed: int = 0) -> Quadratic:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, 3 * count)) * rng.uniform(0.2, 2, (count, 1))
    matrix = rows @ rows.T
    return Quadratic(matrix, matrix.sum(1))


@pytest.mark.parametrize("weight", [0.0, 0.05, 0.3, 1.0])
def test_the_augmented_lagrangian_finds_what_a_generic_solver_finds(weight: float) -> None:
    loss = random_loss(8)
    scale = np.trace(loss.gram) / 8
    h, g = loss.gram / scale, loss.moment / scale
    theta = Augmented(loss, tolerance=1e-13, steps=20000).converge(weight)

    def value(split: np.ndarray) -> float:
        beta = split[:8] - split[8:]
        return float(0.5 * beta @ h @ beta - g @ beta + weight * split.sum())

    def slope(split: np.ndarray) -> np.ndarray:
        down = h @ (split[:8] - split[8:]) - g
        return np.concatenate([down + weight, weight - down])

    start = np.concatenate([np.ones(8), np.zeros(8)])
    best = scipy.optimize.minimize(value, start, jac=slope, bounds=[(0, None)] * 16, tol=1e-14)
    assert np.allclose(theta, best.x[:8] - best.x[8:], atol=1e-3)
    # Optimality of equation 11: the slope is -lambda sign(theta), and within lambda where theta is zero.
    down = h @ theta - g
    assert np.allclose(down[theta != 0], -weight * np.sign(theta[theta != 0]), atol=1e-4)
    assert (np.abs(down[theta == 0]) <= weight + 1e-4).all()


def test_one_step_is_equations_14_to_17() -> None:
    loss = random_loss(5)
    scale = np.trace(loss.gram) / 5
    h, g, mu, weight = loss.gram / scale, loss.moment / scale, 0.05, 0.2
    solver = Augmented(loss, mu=mu, most=1.0, growth=1.1, steps=2)
    solver.converge(weight)
    theta, multiplier = np.ones(5), np.zeros(5)
    for _ in range(2):
        beta = np.linalg.solve(h + mu * np.eye(5), g - multiplier + mu * theta)
        theta = shrink(weight / mu, beta + multiplier / mu)
        multiplier, mu = multiplier + mu * (beta - theta), min(1.0, 1.1 * mu)
    assert np.allclose(solver.beta, beta)
    assert np.allclose(solver.theta, theta)


def test_shrinkage() -> None:
    assert shrink(1, np.array([-3.0, -0.5, 0.0, 1.0, 4.0])).tolist() == [-2.0, 0.0, 0.0, 0.0, 3.0]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 50), st.integers(4, 12))
def test_the_number_is_exact_and_masks_are_nested(seed: int, size: int) -> None:
    loss = random_loss(size, seed)
    kept = [fixed_ratio(loss, count) for count in range(1, size + 1)]
    for count, (few, more) in enumerate(zip(kept, [*kept[1:], np.arange(size)], strict=True), 1):
        assert len(few) == count
        assert set(few) <= set(more)
        assert (np.diff(few) > 0).all()


def test_a_channel_that_others_replace_goes_before_one_that_they_cannot() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4, 50))
    rows[3] = 0.6 * rows[0] + 0.5 * rows[1]  # large, but nothing new
    rows[2] *= 0.8
    matrix = rows @ rows.T
    assert 2 in fixed_ratio(Quadratic(matrix, matrix.sum(1)), 3)


def test_parts_keep_equally_many() -> None:
    halves = [np.arange(6), np.arange(6, 12)]
    chosen = fixed_ratio(random_loss(12), 6, halves)
    assert [np.isin(chosen, half).sum() for half in halves] == [3, 3]
    maps = np.zeros((12, 2, 2))
    maps[:6] = 1 + np.arange(6)[:, None, None]
    assert largest_sums(maps, 6, halves).tolist() == [3, 4, 5, 6, 7, 8]
    assert largest_sums(maps, 3).tolist() == [3, 4, 5]


def test_part_holds_the_others_at_one() -> None:
    loss, at = random_loss(6), np.array([1, 4])
    part = loss.part(at)
    beta = np.ones(6)

    def whole(weights: np.ndarray) -> float:
        beta[at] = weights
        return float(0.5 * beta @ loss.gram @ beta - beta @ loss.moment)

    first, second = RNG.normal(size=(2, 2))
    values = [0.5 * b @ part.gram @ b - b @ part.moment for b in (first, second)]
    assert np.isclose(whole(first) - whole(second), values[0] - values[1])


def test_losses_add_where_they_belong() -> None:
    one, two = random_loss(2), random_loss(3, 1)
    total = one.placed(np.array([0, 3]), 4) + two.placed(np.array([1, 2, 3]), 4)
    assert total.gram[3, 3] == one.gram[1, 1] + two.gram[2, 2]
    assert total.gram[0, 1] == 0
    assert total.moment.tolist() == [
        one.moment[0],
        two.moment[0],
        two.moment[1],
        one.moment[1] + two.moment[2],
    ]


def test_the_adaptive_rule_keeps_less_as_lambda_grows() -> None:
    loss = random_loss(20)
    counts = [len(adaptive(loss, weight)) for weight in (0.0, 0.1, 0.5, 2.0, 1e6)]
    assert counts == sorted(counts, reverse=True)
    assert (counts[0], counts[-1]) == (20, 1)
    with pytest.raises(InputError, match="negative"):
        adaptive(loss, -1)


@pytest.mark.parametrize("rule", [lambda loss: fixed_ratio(loss, 2), lambda loss: adaptive(loss, 0.1)])
def test_a_layer_that_gives_nothing_is_no_reason_to_fail(rule: Callable[[Quadratic], np.ndarray]) -> None:
    kept = rule(Quadratic(np.zeros((5, 5)), np.zeros(5)))
    assert len(kept) >= 1
