"""A classifier that learns while its target is tracked: its samples, and when it is trained on them."""

from collections.abc import Iterable

import numpy as np

from slimtrack.arrays import Features, Floats
from slimtrack.online.classifier import Classifier, Learning, Training
from slimtrack.online.samples import SampleMemory

__all__ = ["Learner"]

_PASSES = 2
"""Passes over the samples in one frame: a training takes three frames, so that none of them takes long."""


class Learner:
    """ATOM's classifier with its memory; it learns from a network's maps (ATOM, sections 3.2 and 3.4).

    Args:
        learning: How the classifier learns.
        capacity: How many samples are kept.
        rate: Weight of a new sample.
        interval: Number of samples from one training to the next.
    """

    def __init__(self, learning: Learning, *, capacity: int, rate: float, interval: int) -> None:
        self._learning, self._capacity, self._rate, self._interval = learning, capacity, rate, interval

    def start(self, maps: Iterable[Features], labels: Iterable[Features]) -> None:
        """Learns both layers from the first frame.

        Args:
            maps: ``(C, h, w)`` float32 each, of several views of the target.
            labels: Their desired responses, ``(h + 1, w + 1)`` float32 each.
        """
        samples, wanted = np.stack([_unit(each) for each in maps]), np.stack([*labels])
        self.classifier = Classifier(samples.shape[1], self._learning)
        self.classifier.start(samples, wanted)
        self._memory = SampleMemory(
            self.classifier.see(samples), wanted, capacity=self._capacity, rate=self._rate
        )
        self._learned = 0
        self._training: Training | None = None

    def see(self, maps: Features) -> Features:
        """A sample of maps ``(C, h, w)``: the classifier's first layer."""
        return self.classifier.see(_unit(maps))

    def respond(self, sample: Features) -> Floats:
        """The responses ``(h + 1, w + 1)`` to what `see` gave."""
        return self.classifier.respond(sample)

    def learn(self, sample: Features, label: Features, weight: float, *, distracted: bool) -> None:
        """Takes in a sample; trains on all of them every `interval` samples, or at once on a distractor.

        Args:
            sample: ``(dims, h w)`` float32, what `see` gave.
            label: ``(h + 1, w + 1)`` float32, the desired response.
            weight: Its weight, as a multiple of `rate`.
            distracted: Whether it shows something that looks like the target: it counts double then.
        """
        self._memory.add(sample, label, weight * (2 if distracted else 1))
        self._learned += 1
        if distracted:
            self._training = None
            self.classifier.train(self._memory)
        elif self._learned % self._interval == 0:
            self._go_on(self._learning.iterations)
            self._training = self.classifier.training(self._memory)
            self._go_on(_PASSES - 1)
        else:
            self._go_on(_PASSES)

    def _go_on(self, passes: int) -> None:
        """Goes on with a training that has begun."""
        for _ in range(passes):
            if self._training is not None and not self._training.go():
                self._training = None


def _unit(maps: Features) -> Features:
    """Features with a mean square of 1, so that ridges weigh alike for every network."""
    return np.asarray(maps * np.float32((float(np.vdot(maps, maps)) / maps.size + 1e-10) ** -0.5))
