"""Trackers work on one thread of BLAS, and leave its threads as they were."""

import re
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import scipy.linalg  # noqa: F401  (so that its BLAS is loaded)
import threadpoolctl

from slimtrack import Estimate, Tracker
from slimtrack._blas import one_blas_thread


def threads() -> set[int]:
    """Of numpy's BLAS and scipy's; other libraries may bring more, and load them when they like."""
    pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    return {pool["num_threads"] for pool in pools if re.search(r"(num|sci)py\.libs", pool["filepath"])}


def set_to(count: int) -> None:
    """By a thread that ends: threadpoolctl hears nobody but the thread that came first, while it lives."""
    setter = threading.Thread(target=threadpoolctl.threadpool_limits, args=(count, "blas"))
    setter.start()
    setter.join()


@pytest.fixture(autouse=True)
def two() -> Iterator[None]:
    before = max(threads(), default=1)
    set_to(2)
    if threads() != {2}:
        pytest.skip(f"threads of BLAS are {threads() or 'not found'}, and cannot be set to 2")
    yield
    set_to(before)


class Spy(Tracker):
    """Notes how many threads there are."""

    fails = False

    def _start(self, image, box):
        self.seen = [threads()]

    def _locate(self, image):
        self.seen.append(threads())
        if self.fails:
            raise ZeroDivisionError
        return Estimate(self.box, score=1.0)

    def _learn(self, image, box, track):
        self.seen.append(threads())


def test_a_tracker_works_on_one_thread_and_leaves_the_others() -> None:
    image, tracker = np.zeros((60, 80, 3), np.uint8), Spy()
    tracker.init(image, (20, 20, 20, 20))
    tracker.update(image)
    assert tracker.seen == [{1}] * 3
    assert threads() == {2}
    tracker.fails = True
    with pytest.raises(Exception, match="ZeroDivisionError"):
        tracker.update(image)
    assert threads() == {2}


def test_trackers_in_threads_of_their_own_leave_the_others() -> None:
    """Begun and ended in turns: neither takes the other's one thread for what was there before."""
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with one_blas_thread():
            inside.set()
            leave.wait(10)

    worker = threading.Thread(target=other)
    with one_blas_thread():
        worker.start()
        assert inside.wait(10)
        assert threads() == {1}
    leave.set()
    worker.join()
    assert threads() == {2}
