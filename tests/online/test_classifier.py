"""The classifier: its products against finite differences and dense matrices, and what it learns."""

import itertools

import numpy as np
import pytest

from slimtrack.online.classifier import SIDE, Classifier, Learning, gathered, label, spread
from slimtrack.online.classifier import _Problem as Problem
from slimtrack.online.classifier import _solved as solved
from slimtrack.online.samples import SampleMemory

CELLS = 6, 7
RNG = np.random.default_rng(0)
SAMPLES = RNG.normal(size=(20, 3, 6 * 7))
"""More than are worked on at a time."""
LABELS = np.stack([label((2 + k % 3, 3), CELLS, 1.0) for k in range(20)]).astype(float)
WEIGHTS = RNG.random(20)


def problem() -> Problem:
    return Problem(SAMPLES, LABELS, WEIGHTS, CELLS)


def data_term(whole: np.ndarray) -> float:
    """Half the data term of equation 3.1, from its definition."""
    raw = gathered(whole @ SAMPLES, CELLS)
    answers = np.where(raw > 0, raw, 0.05 * np.expm1(np.minimum(raw, 0) / 0.05))
    return float((WEIGHTS[:, None, None] * (answers - LABELS) ** 2).sum() / 2)


def objective(classifier: Classifier, maps: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Equation 3.1, with the ridges of `Learning`."""
    answers = np.array([classifier.respond(classifier.see(each)) for each in maps])
    data = float(weights @ ((answers - labels) ** 2).sum((1, 2)))
    return (
        data
        + Learning.filter_ridge * float((classifier.filter**2).sum())
        + Learning.projection_ridge * float((classifier.projection**2).sum())
    )


def test_filtering_is_correlation_with_zeros_around() -> None:
    f, maps = RNG.normal(size=(SIDE * SIDE, 3)), SAMPLES[0].reshape(3, *CELLS)
    padded = np.pad(maps, ((0, 0), (2, 2), (2, 2)))
    plain = np.array([
        [(padded[:, y : y + 4, x : x + 4] * f.T.reshape(3, 4, 4)).sum() for x in range(8)] for y in range(7)
    ])  # fmt: skip
    assert gathered(f @ SAMPLES[:1], CELLS)[0] == pytest.approx(plain, abs=1e-5)


def test_spreading_is_the_transpose_of_gathering() -> None:
    parts, answers = RNG.normal(size=(2, 16, 42)), RNG.normal(size=(2, 7, 8))
    assert (gathered(parts, CELLS) * answers).sum() == pytest.approx(
        (parts * spread(answers)).sum(), abs=1e-4
    )


def test_the_gradient_is_that_of_finite_differences() -> None:
    whole = RNG.normal(0, 0.2, (16, 3))
    gradient, _ = problem().linearised(whole)
    for at in ((0, 0), (5, 1), (15, 2)):
        step = np.zeros_like(whole)
        step[at] = 1e-3
        change = (data_term(whole + step) - data_term(whole - step)) / 2e-3
        assert gradient[at] == pytest.approx(change, rel=1e-3, abs=1e-3)


def test_the_product_is_that_of_the_jacobian_by_finite_differences() -> None:
    whole, v = RNG.normal(0, 0.2, (2, 16, 3))
    _, curve = problem().linearised(whole)

    def answers(f: np.ndarray) -> np.ndarray:
        raw = gathered(f @ SAMPLES, CELLS).astype(float)
        return np.where(raw > 0, raw, 0.05 * np.expm1(np.minimum(raw, 0) / 0.05))

    along = (answers(whole + 1e-3 * v) - answers(whole - 1e-3 * v)) / 2e-3
    expected = (WEIGHTS[:, None, None] * along**2).sum()
    assert float((v * problem().product(v, curve)).sum()) == pytest.approx(expected, rel=1e-3)


def test_conjugate_gradient_solves_the_dense_system() -> None:
    given = problem()
    gradient, curve = given.linearised(RNG.normal(0, 0.2, (16, 3)))
    columns = [given.product(unit.reshape(16, 3), curve).ravel() for unit in np.eye(48)]
    matrix = np.array(columns) + 0.1 * np.eye(48)
    assert matrix == pytest.approx(matrix.T, abs=1e-4)
    right = -gradient.ravel()
    step = solved(lambda v: given.product(v.reshape(16, 3), curve).ravel() + 0.1 * v, right, np.ones(48), 100)
    assert step == pytest.approx(np.linalg.solve(matrix, right), abs=1e-3)


def scene(seed: int = 1, count: int = 12) -> tuple[np.ndarray, np.ndarray, list[tuple[float, float]]]:
    """Maps ``(count, 12, 14, 14)`` with a pattern of their own at known places among noise, and labels."""
    rng = np.random.default_rng(seed)
    pattern = np.random.default_rng(0).normal(size=(12, 3, 3))
    maps = rng.normal(0, 0.7, (count, 12, 14, 14))
    places = [tuple(rng.integers(2, 11, 2)) for _ in range(count)]
    for each, (y, x) in zip(maps, places, strict=True):
        each[:, y - 1 : y + 2, x - 1 : x + 2] += pattern
    labels = np.stack([label(place, (14, 14), 0.8) for place in places])
    return maps.astype(np.float32), labels, places


def test_the_objective_falls_with_every_step() -> None:
    maps, labels, _ = scene()
    weights = np.full(12, 1 / 12, np.float32)
    found = []
    for steps in range(7):
        classifier = Classifier(12, Learning(dims=8, steps=steps))
        classifier.start(maps, labels)
        found.append(objective(classifier, maps, labels, weights))
    assert all(after < before for before, after in itertools.pairwise(found))
    assert found[-1] < 0.5 * found[0]


def test_it_finds_what_it_learned() -> None:
    maps, labels, _ = scene()
    classifier = Classifier(12, Learning(dims=8))
    classifier.start(maps, labels)
    others, _, places = scene(seed=2)
    for each, place in zip(others, places, strict=True):
        answer = classifier.respond(classifier.see(each))
        y, x = divmod(int(answer.argmax()), answer.shape[1])
        assert max(abs(y - 0.5 - place[0]), abs(x - 0.5 - place[1])) <= 0.5


def test_training_on_a_memory_lowers_the_objective() -> None:
    maps, labels, _ = scene()
    classifier = Classifier(12, Learning(dims=8))
    classifier.start(maps[:4], labels[:4])
    memory = SampleMemory(classifier.see(maps[:4]), labels[:4], capacity=50, rate=0.05)
    for each, wanted in zip(maps[4:], labels[4:], strict=True):
        memory.add(classifier.see(each), wanted)
    before = objective(classifier, maps, labels, memory.weights)
    classifier.train(memory)
    assert objective(classifier, maps, labels, memory.weights) < before


def test_training_in_parts_ends_as_in_one() -> None:
    """One pass over the samples a part, the filter unchanged before the last."""
    maps, labels, _ = scene()
    whole, parts = Classifier(12, Learning(dims=8)), Classifier(12, Learning(dims=8))
    for each in (whole, parts):
        each.start(maps[:4], labels[:4])
    memory = SampleMemory(whole.see(maps), labels, capacity=50, rate=0.05)
    before = whole.filter
    whole.train(memory)
    training = parts.training(memory)
    for _ in range(Learning().iterations - 1):
        assert training.go()
        assert np.array_equal(parts.filter, before)
    assert not training.go()
    assert np.array_equal(parts.filter, whole.filter)
    assert not np.array_equal(parts.filter, before)


def test_samples_fade_and_the_faintest_makes_room() -> None:
    one = np.ones((2, 1, 1), np.float32)
    memory = SampleMemory(one, one, capacity=4, rate=0.1)
    for value in (2, 3, 4):
        memory.add(np.full((1, 1), value, np.float32), one[0])
    assert memory.samples.ravel().tolist() == [1, 1, 4, 3]
    assert memory.weights.sum() == pytest.approx(1)
    assert memory.weights[2:] == pytest.approx([0.1, 0.09], rel=1e-5)


def test_the_first_frame_keeps_a_quarter() -> None:
    one = np.ones((2, 1, 1), np.float32)
    memory = SampleMemory(one, one, capacity=100, rate=0.1)
    for _ in range(80):
        memory.add(one[0], one[0], share=2)
    assert memory.weights[:2].sum() == pytest.approx(0.25)
    assert memory.weights.sum() == pytest.approx(1)


def test_a_sample_of_no_weight_changes_nothing() -> None:
    one = np.ones((2, 1, 1), np.float32)
    memory = SampleMemory(one, one, capacity=4, rate=0.1)
    memory.add(one[0], one[0], share=0.0)
    assert memory.weights.tolist() == [0.5, 0.5]
