"""Memory of a tracker alone: known amounts are found, what else is in this process is not."""

import math

import numpy as np
import pytest

from slimtrack.evaluation import Dataset
from slimtrack.evaluation.memory import peak_memory

FILE = '''
import os
import numpy as np
from slimtrack.errors import InputError
from slimtrack.tracker import Estimate, Tracker

class Holder(Tracker, name="holder"):
    """Holds memory.

    Args:
        mib: So much of it.
        then: What it does at the second update.
    """
    uses_appearance = False
    def __init__(self, *, mib: int = 1, then: str = "") -> None: self.mib, self.then = mib, then
    def _start(self, image, box): self.held, self.updates = np.ones((self.mib, 1 << 20), np.uint8), 0
    def _locate(self, image):
        self.updates += 1
        if self.updates == 2 and self.then == "die": os._exit(3)
        if self.updates == 2 and self.then == "refuse": raise InputError("no")
        return Estimate(self.box, score=0.5)
    def _learn(self, image, box, track): pass
'''


@pytest.fixture
def sequence(write_sequence):
    return Dataset.read(write_sequence("A", [[11, 9, 10, 8]] * 6)).sequences[0]


@pytest.fixture
def name(tmp_path):
    (tmp_path / "mine.py").write_text(FILE)
    return f"{tmp_path / 'mine.py'}:holder"


def test_what_a_tracker_holds_is_found_and_no_more(sequence, name):
    here = np.ones((400, 1 << 20), np.uint8)  # this process is large; that is nobody's need
    small, large = (peak_memory(f"{name}[mib={mib}]", sequence) for mib in (1, 201))
    assert large - small == pytest.approx(200, abs=15)
    assert 20 < small < 350 < here.nbytes >> 20


def test_a_tracker_that_gives_up_is_measured_until_then(sequence, name):
    assert peak_memory(f"{name}[then=refuse,mib=100]", sequence) > 100


def test_a_tracker_that_cannot_be_measured(sequence, name):
    assert math.isnan(peak_memory(f"{name}[then=die]", sequence))
    assert math.isnan(peak_memory("still", sequence))  # known in this process only
