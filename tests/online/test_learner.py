"""The classifier's memory, and when it is trained."""

import numpy as np
import pytest

from slimtrack.online.classifier import Learning, label
from slimtrack.online.learner import Learner

RNG = np.random.default_rng(0)
MAPS = RNG.normal(size=(4, 6, 8, 8)).astype(np.float32)
LABELS = np.stack([label((3.0, 3.0), (8, 8), 1.0)] * 4)


def started(interval: int = 10) -> Learner:
    learner = Learner(Learning(dims=4, steps=2), capacity=20, rate=0.1, interval=interval)
    learner.start(MAPS, LABELS)
    return learner


def test_the_scale_of_the_maps_does_not_matter() -> None:
    learner, scaled = started(), Learner(Learning(dims=4, steps=2), capacity=20, rate=0.1, interval=10)
    scaled.start(30 * MAPS, LABELS)
    assert scaled.respond(scaled.see(7 * MAPS[0])) == pytest.approx(
        learner.respond(learner.see(MAPS[0])), abs=1e-4
    )


def test_a_sample_with_a_distractor_counts_double_and_is_trained_at_once() -> None:
    learner = started()
    sample, before = learner.see(MAPS[1]), learner.classifier.filter
    learner.learn(sample, LABELS[0], 0.5, distracted=False)
    assert learner.classifier.filter is before
    learner.learn(sample, LABELS[0], 0.5, distracted=True)
    assert learner.classifier.filter is not before
    # The first was at 0.05 and lost the second's share of 0.1.
    assert learner._memory.weights[-2:] == pytest.approx([0.05 * 0.9, 0.1])


def test_it_is_trained_every_interval_and_ends_two_samples_later() -> None:
    learner = started(interval=3)
    filters = [learner.classifier.filter]
    for each in MAPS.repeat(2, 0):
        learner.learn(learner.see(each), LABELS[0], 1.0, distracted=False)
        filters.append(learner.classifier.filter)
    assert [at for at in range(1, 9) if filters[at] is not filters[at - 1]] == [5, 8]
