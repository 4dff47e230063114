"""The timing protocol."""

import math
import os
import time

import cv2
import numpy as np
import pytest
import threadpoolctl

from slimtrack import timing
from slimtrack.errors import InputError, SlimtrackError


def test_single_thread_takes_and_gives_back():
    before = cv2.getNumThreads(), os.environ.get("OMP_NUM_THREADS")
    with timing.single_thread():
        assert cv2.getNumThreads() == 1
        assert os.environ["OMP_NUM_THREADS"] == "1"
        assert all(pool["num_threads"] == 1 for pool in threadpoolctl.threadpool_info())
    assert (cv2.getNumThreads(), os.environ.get("OMP_NUM_THREADS")) == before


def test_more_threads_when_asked():
    with timing.limit_threads(2):
        assert cv2.getNumThreads() == 2 and os.environ["OPENBLAS_NUM_THREADS"] == "2"
    with pytest.raises(InputError, match="at least 1"), timing.limit_threads(0):
        pass


def test_says_when_it_did_not_take(monkeypatch):
    monkeypatch.setattr(cv2, "setNumThreads", lambda count: None)
    monkeypatch.setattr(cv2, "getNumThreads", lambda: 8)
    monkeypatch.setattr(timing, "cv2", cv2)
    with pytest.raises(SlimtrackError, match="limited to 1: OpenCV has 8"), timing.single_thread():
        pass


def test_a_warm_up_starts_updates_and_keeps_quiet():
    class Counted:
        calls = ""

        def init(self, image, box):
            self.calls += "i"

        def update(self, image):
            self.calls += "u"
            if self.calls.endswith("uu"):
                raise InputError("not twice")

    tracker = Counted()
    timing.warm_up(tracker, iter(range(9)), None)
    assert tracker.calls == "iuu"
    timing.warm_up(tracker, [], None)
    assert tracker.calls == "iuu"


def test_stopwatch():
    watch = timing.Stopwatch()
    for pause in (0.0, 0.02):
        with watch:
            time.sleep(pause)
    assert watch.ms[0] < watch.ms[1] and watch.ms[1] >= 20


def test_percentiles_without_the_warm_up():
    found = timing.summarise([math.nan] * 5 + [float(k) for k in range(1, 102)])
    assert (found.p50_ms, found.p95_ms, found.p99_ms, found.frames) == (51, 96, 100, 101)
    assert found.fps == pytest.approx(1000 / 51)
    nothing = timing.summarise([math.nan])
    assert math.isnan(nothing.fps) and nothing.frames == 0


def test_noise_is_a_difference_of_halves():
    steady = np.full(100, 2.0)
    slower = np.concatenate([steady, steady * 1.2])
    assert not timing.is_noisy([steady])
    assert timing.is_noisy([slower]) and timing.is_noisy([slower[::-1]])
    assert not timing.is_noisy([steady, steady * 3])  # another sequence may take longer
    assert not timing.is_noisy([[math.nan]]) and not timing.is_noisy([])
    assert not timing.is_noisy([np.concatenate([steady, steady * 1.05])])


def test_no_garbage_is_collected_while_a_frame_is_timed():
    import gc

    with timing.gc_paused():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_peak_memory_rises_with_use():
    peak = timing.PeakMemory()
    before = peak.mib()
    block = np.ones(8 << 20)  # 64 MiB
    assert peak.mib() > before + 40
    assert block[0] == 1


def test_machine_says_what_a_time_depends_on():
    found = timing.machine(threads=2, jobs=3)
    assert found["cpu"] and (found["threads"], found["jobs"]) == (2, 3)
    assert found["opencv"] == cv2.__version__
