"""The schedule of a run: its length, learning rate and intervals."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["PRESETS", "Schedule", "factor"]


@dataclass(frozen=True)
class Schedule:
    """The schedule of a run.

    Attributes:
        minutes: Length of the run, without the time for reading pictures.
        steps: Number of steps, instead of a length in minutes; such a run is reproducible.
        pairs: Pairs per step in each process.
        rate: Highest learning rate.
        decay: Weight decay of AdamW.
        settle: Share of the run after which batch norms keep their statistics.
        average: Decay of the running average of the weights per step.
        every: Minutes between validations.
        keep: Minutes between checkpoints.
        told: Steps between entries in the log.
        judged: Pairs in a validation.
        seed: Seed of all random numbers.
    """

    minutes: float = 10.0
    steps: int | None = None
    pairs: int = 256
    rate: float = 2e-3
    decay: float = 0.05
    settle: float = 0.85
    average: float = 0.998
    every: float = 1.0
    keep: float = 3.0
    told: int = 10
    judged: int = 1024
    seed: int = 0


PRESETS: Mapping[str, Schedule] = MappingProxyType(
    {
        "paper": Schedule(steps=150_000, average=0.9995, every=30.0, judged=4096),
        "cpu": Schedule(minutes=120.0, pairs=32, average=0.999, every=10.0, judged=512),
        "gpu": Schedule(),
        "smoke": Schedule(steps=60, pairs=8, average=0.9, every=1.0, judged=48, told=1),
    }
)
"""`paper`: as long as published siamese trackers train, about 40 million pairs; `cpu`: two cores, two hours;
`gpu`: one GPU, ten minutes; `smoke`: shows that all parts run, in less than a minute."""


def factor(share: float) -> float:
    """The learning rate at that share of the run: a short rise, then a cosine down to a hundredth."""
    return min(share / 0.02 + 0.02, 0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)
