"""Channel distillation against brute force and dense solutions."""

import itertools

import numpy as np
import pytest

from slimtrack.compression.channels import (
    Level,
    friendliness,
    half_weights,
    initial_set,
    joint_filters,
    select,
    swap_search,
)
from slimtrack.errors import InputError
from slimtrack.filters.correlation import LinearFilter
from slimtrack.filters.fft import irfft2, rfft2
from slimtrack.filters.response import gaussian_label


def frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


def features(*shape: int, seed: int = 0) -> np.ndarray:
    return frozen(np.random.default_rng(seed).random(shape, np.float32))


def equation_4(a: np.ndarray, b: np.ndarray, penalties: np.ndarray, chosen: object) -> float:
    chosen = list(chosen)  # type: ignore[call-overload]
    return float((np.abs(a[chosen].sum(0) - b) ** 2).sum() + penalties[chosen].sum())


def problem(d: int, seed: int, complex_: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(d, 20)), rng.normal(size=20) * 2
    if complex_:
        a, b = a + 1j * rng.normal(size=a.shape), b + 1j * rng.normal(size=20)
    return frozen(a), frozen(b), frozen(rng.random(d))


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_every_exchange_is_the_best_there_is_and_the_loss_is_the_recomputed_one(
    seed: int, complex_: bool
) -> None:
    a, b, penalties = problem(9, seed, complex_)
    start = frozen(np.random.default_rng(seed).permutation(9)[:4])
    found, losses = swap_search(a, b, penalties, start)

    now, expected = list(start), [equation_4(a, b, penalties, start)]
    for place in range(3, -1, -1):
        trials = [[*now[:place], other, *now[place + 1 :]] for other in range(9) if other not in now]
        best = min([now, *trials], key=lambda c: equation_4(a, b, penalties, c))
        now = best
        expected.append(equation_4(a, b, penalties, now))
    assert found.tolist() == now
    np.testing.assert_allclose(losses, expected, rtol=1e-9)
    assert all(x >= y for x, y in itertools.pairwise(losses))


@pytest.mark.parametrize("seed", range(5))
def test_rounding_in_single_precision_exchanges_nothing_for_worse(seed: int) -> None:
    """Channels nearly alike that fit nearly exactly: differences are smaller than their rounding."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(4, 400)) * 10
    a = np.repeat(base, 10, axis=0) + rng.normal(size=(40, 400)) * 1e-4
    start = np.arange(0, 40, 10)
    b = a[start].sum(0) + rng.normal(size=400) * 1e-4
    found, losses = swap_search(a.astype(np.float32), b.astype(np.float32), np.zeros(40), start)
    assert losses[-1] >= 0
    before, after = (equation_4(a, b, np.zeros(40), chosen) for chosen in (start, found))
    assert after <= before * 1.01
    assert all(x >= y for x, y in itertools.pairwise(losses))


@pytest.mark.parametrize("kind", [np.float32, np.complex64])
def test_single_precision_finds_what_double_finds(kind: type) -> None:
    for seed in range(5):
        a, b, penalties = problem(30, seed, kind is np.complex64)
        start = np.arange(10)
        wanted, sums = swap_search(a, b, penalties, start)
        found, losses = swap_search(a.astype(kind), b.astype(kind), penalties, start)
        assert found.tolist() == wanted.tolist()
        np.testing.assert_allclose(losses, sums, rtol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_one_channel_is_the_best_of_all(seed: int) -> None:
    a, b, penalties = problem(8, seed)
    found, _ = swap_search(a, b, penalties, np.array([seed]))
    best = min(itertools.combinations(range(8), 1), key=lambda c: equation_4(a, b, penalties, c))
    assert tuple(found) == best


def test_repeated_search_comes_to_rest_near_the_best_set() -> None:
    for seed in range(5):
        a, b, penalties = problem(8, seed)
        chosen, every = np.arange(3), []
        for _ in range(5):
            chosen, losses = swap_search(a, b, penalties, chosen)
            every += losses
        optimum = min(equation_4(a, b, penalties, c) for c in itertools.combinations(range(8), 3))
        assert all(x >= y - 1e-9 for x, y in itertools.pairwise(every))
        assert optimum - 1e-9 <= every[-1] <= 1.25 * optimum


@pytest.mark.parametrize(("n", "c"), [(1, 4), (2, 4), (3, 2)])
def test_the_joint_solution_is_the_dense_one(n: int, c: int) -> None:
    """Equation 7 per pixel, and with it equation 6's matrix of the whole map."""
    spectra = rfft2(features(n, c, 5, 6))
    wish = rfft2(gaussian_label(5, 6, 1.0))
    ridge = 0.3
    found = joint_filters(spectra, wish, ridge)
    for y, x in np.ndindex(spectra.shape[2:]):
        f = spectra[:, :, y, x].astype(complex)  # a row an example: f_i . h* = y_i
        dense = np.linalg.solve(ridge * np.eye(c) + f.conj().T @ f, f.conj().T @ np.full(n, wish[y, x]))
        np.testing.assert_allclose(found[:, y, x], dense, atol=1e-5)


def test_the_joint_solution_is_that_of_space() -> None:
    """Equation 2 with circulant matrices: n = 2 examples, 3 channels."""
    x, label, ridge = features(2, 3, 4, 5), gaussian_label(4, 5, 1.0), 0.5
    shifts = list(np.ndindex(4, 5))
    rows = np.array([
        [np.roll(x[i, c], (-dy, -dx), (0, 1)) for c in range(3)] for i in range(2) for dy, dx in shifts
    ])  # fmt: skip
    matrix, wish = rows.reshape(40, 60).astype(float), np.tile(label.ravel(), 2)
    dense = np.linalg.solve(matrix.T @ matrix + ridge * np.eye(60), matrix.T @ wish)
    found = irfft2(joint_filters(rfft2(x), rfft2(label), ridge).conj(), (4, 5))
    np.testing.assert_allclose(found.ravel(), dense, atol=1e-4)


def test_one_example_is_the_discriminative_correlation_filter() -> None:
    x, z, label = features(6, 8, 9), features(6, 8, 9, seed=1), gaussian_label(8, 9, 1.2)
    usual = LinearFilter(label, ridge=1e-2, rate=0.1)
    usual.learn(rfft2(x))
    filters = joint_filters(rfft2(x)[None], rfft2(label), 1e-2 * x.size)
    response = irfft2((rfft2(z) * filters).sum(0), (8, 9))
    np.testing.assert_allclose(response, irfft2(usual.spectrum(rfft2(z)[None]), (8, 9))[0], atol=1e-4)


def test_half_spectra_measure_as_arrays() -> None:
    for h, w in ((5, 6), (4, 7)):
        x = features(h, w)
        assert np.sum(np.abs(rfft2(x) * half_weights(h, w)) ** 2) == pytest.approx(np.sum(x**2), rel=1e-5)


def test_salient_and_stable_channels_are_friendly() -> None:
    """Channels: salient and stable, salient and changing, weak and stable, silent."""
    base = features(8, 8)
    first = np.stack([base, base, base / 10, 0 * base])
    second = np.stack([base, base[::-1], base / 10, 0 * base])
    ranks = np.argsort(-friendliness([first, second])).tolist()
    assert ranks == [0, 1, 2, 3]
    # As printed, the formula puts what changes most first.
    assert np.argmax(friendliness([first, second], reading="formula")) == 1
    # Its s below 1 and t: (s - 1) t by hand.
    s = np.linalg.norm(base) / 64
    t = -np.sum((base - base[::-1]) ** 2)
    assert friendliness([first, second], reading="formula")[1] == pytest.approx((s - 1) * t, rel=1e-4)


def test_groups_are_compared_by_their_own_level() -> None:
    base = features(4, 6, 6)
    both = np.concatenate([base, 100 * base])
    apart = friendliness([both, both], groups=[slice(0, 4), slice(4, 8)])
    np.testing.assert_allclose(apart[:4], apart[4:], rtol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_channels_are_brought_so_far_to_one_level(share: float) -> None:
    loud = features(4, 6, 6) * np.array([1, 2, 4, 8], np.float32)[:, None, None] + 3
    levelled = Level(loud, share=share)(loud, np.ones((6, 6), np.float32))
    np.testing.assert_allclose(levelled.mean((1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.mean(levelled.var((1, 2)))), 0.1, rtol=1e-4)
    left = levelled.std((1, 2)) / loud.std((1, 2)) ** (1 - share)
    np.testing.assert_allclose(left, left[0], rtol=1e-4)


@pytest.mark.parametrize(
    ("keep", "by", "expected"),
    [(2, "count", [3, 0]), (0.5, "ratio", [3, 0]), (0.6, "energy", [3, 0]), (1.0, "energy", [3, 0, 2, 1]),
     (1e-6, "ratio", [3]), (9, "count", [3, 0, 2, 1])],
)  # fmt: skip
def test_how_many_are_kept(keep: float, by: str, expected: list[int]) -> None:
    priority, energy = np.array([3.0, 1.0, 2.0, 4.0]), np.array([2.0, 2.0, 2.0, 4.0])
    assert initial_set(priority, energy, keep, by).tolist() == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("keep", "by"), [(0, "energy"), (1.5, "ratio"), (0, "count"), (2.5, "count")])
def test_what_cannot_be_kept_is_refused(keep: float, by: str) -> None:
    with pytest.raises(InputError, match="keep="):
        initial_set(np.ones(4), np.ones(4), keep, by)  # type: ignore[arg-type]


def test_friendliness_refuses() -> None:
    with pytest.raises(InputError, match="two frames"):
        friendliness([features(2, 3, 3)])
    with pytest.raises(InputError, match="reading"):
        friendliness([features(2, 3, 3)] * 2, reading="other")  # type: ignore[arg-type]


def test_selection_is_deterministic_and_its_loss_never_rises() -> None:
    frames = [features(12, 8, 9), features(12, 8, 9, seed=1)]
    label = gaussian_label(8, 9, 1.0)
    first, second = (select(frames, label, keep=5, by="count", rounds=6) for _ in range(2))
    np.testing.assert_array_equal(first.channels, second.channels)
    assert len(first.channels) == 5 and (np.diff(first.channels) > 0).all()
    assert all(x >= y - 1e-9 for x, y in itertools.pairwise(first.losses))


def test_the_losses_are_equation_2s() -> None:
    """In space, with the filters of the first round."""
    frames, label = [features(6, 8, 9), features(6, 8, 9, seed=1)], gaussian_label(8, 9, 1.0)
    found = select(frames, label, keep=3, by="count", ridge=1e-3, rounds=1)
    energy = sum((frame**2).sum((1, 2)) for frame in frames)
    chosen = initial_set(found.priority, energy, 3, "count")
    ridge = 1e-3 * 6 * 6 * 72 / 3
    filters = joint_filters(rfft2(np.stack(frames)), rfft2(label), ridge, chosen)
    space = irfft2(filters.conj(), (8, 9))
    loss = ridge * float((space[chosen] ** 2).sum())
    for frame in frames:
        response = irfft2((rfft2(frame) * filters)[chosen].sum(0), (8, 9))
        loss += float(((response - label) ** 2).sum())
    assert found.losses[0] == pytest.approx(loss, rel=1e-4)


def test_channels_without_anything_are_left_out() -> None:
    x = np.array(features(6, 8, 8))
    x[[1, 4]] = 0
    found = select([x, x], gaussian_label(8, 8, 1.0), keep=1.0)
    assert found.channels.tolist() == [0, 2, 3, 5]


def test_a_channel_that_wakes_up_takes_no_part_in_how_many_are_kept() -> None:
    first, second = features(12, 8, 8).copy(), features(12, 8, 8).copy()
    label = gaussian_label(8, 8, 1.0)
    usual = select([first, second], label, keep=0.5).channels
    first[-1], second[-1] = 0, 100 * second[-1]
    found = select([first, second], label, keep=0.5).channels
    assert abs(len(found) - len(usual)) <= 1 and len(found) < 9


def test_context_is_wished_not_to_respond() -> None:
    """Equation 2 in space, with examples whose wish is zero everywhere."""
    frames, label = [features(6, 8, 9), features(6, 8, 9, seed=1)], gaussian_label(8, 9, 1.0)
    context = np.stack([features(6, 8, 9, seed=2), features(6, 8, 9, seed=3)])
    found = select(frames, label, context=context, keep=6, by="count", ridge=1e-3, rounds=1)
    ridge = 1e-3 * 6 * 72
    examples = np.concatenate([np.stack(frames), context])
    wishes = [label, label, 0 * label, 0 * label]
    best = joint_filters(rfft2(examples), rfft2(np.stack(wishes)), ridge)
    loss = ridge * float((irfft2(best.conj(), (8, 9)) ** 2).sum())
    for example, wish in zip(examples, wishes, strict=True):
        response = irfft2((rfft2(example) * best).sum(0), (8, 9))
        loss += float(((response - wish) ** 2).sum())
    assert found.losses[0] == pytest.approx(loss, rel=1e-4)
