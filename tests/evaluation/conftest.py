"""Trackers whose behaviour is known."""

import numpy as np
import numpy.typing as npt
import pytest

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.errors import InputError
from slimtrack.evaluation import runner
from slimtrack.tracker import REGISTERED, Estimate, Track, Tracker

Rows = npt.NDArray[np.float64]


class Still(Tracker):
    """Stays where it was put.

    Args:
        score: Its score in every frame.
    """

    name = "still"
    uses_appearance = False

    def __init__(self, *, score: float = 0.75) -> None:
        self.given = score
        self.starts: list[Box] = []
        self.updates = 0

    def _start(self, image: Image, box: Box) -> None:
        self.starts.append(box)

    def _locate(self, image: Image) -> Estimate:
        self.updates += 1
        return Estimate(self.box, evidence={"sharp": 2.0}, score=self.given)

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        pass


class GivesUp(Still):
    """Moves by one pixel a frame and fails at the fourth update."""

    name = "gives-up"

    def _locate(self, image: Image) -> Estimate:
        self.updates += 1
        if self.updates == 4:
            raise InputError("the fourth frame is too much")
        return Estimate(self.box.moved(1, 0), score=1.0)

    def _start(self, image: Image, box: Box) -> None:
        self.updates = 0


@pytest.fixture(autouse=True)
def known_trackers(as_it_was: None) -> None:
    """The trackers above have their names in these tests, and nowhere else."""
    REGISTERED.update({"still": Still, "gives-up": GivesUp})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No processes for memory, and no run repeated because of the machine: tests of these say so."""
    monkeypatch.setattr(runner, "peak_memory", lambda spec, sequence, *, threads: 100.0)
    monkeypatch.setattr(runner, "disturbed", lambda runs: False)


def moving(frames: int, step: float = 1.0) -> Rows:
    """1-based truth of a box of 10 x 8 that moves to the right."""
    return np.array([[11 + step * k, 9, 10, 8] for k in range(frames)], dtype=float)
