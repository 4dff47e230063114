"""The timing protocol: how many threads are used, what is timed, and what is reported.

1. One thread for everything: `single_thread` sets this and checks it.
2. Frames are decoded before the clock starts; the time of a frame is `Tracker.update` alone; the
   `WARM_UP` frames after the first are tracked but not timed.
3. The report has the median, the 95th and 99th percentile in milliseconds, and fps = 1000 / median.
4. `warm_up` comes before the first `Tracker.init`, so that one-time loading and compiling is not timed.
5. A run is noisy if the medians of its two halves differ by more than `NOISE`, or if it got less than the
   share `BUSY` of a core. Repeat it on a quiet machine.
"""

import contextlib
import gc
import itertools
import math
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import threadpoolctl  # type: ignore[import-untyped]  # it ships no types

from slimtrack._cv2 import cv2
from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.errors import InputError, MissingError, SlimtrackError
from slimtrack.follower import Follower

__all__ = [
    "BUSY", "NOISE", "WARM_UP", "PeakMemory", "Stopwatch", "Timing", "cpu_name", "gc_paused", "is_noisy",
    "limit_threads", "machine", "single_thread", "summarise", "warm_up",
]  # fmt: skip

WARM_UP = 5
"""Frames after the first one that are tracked but not timed: caches fill, and not all code has run before.

Real-time evaluations, which need a time for every frame, take the median for these."""

NOISE = 0.10
"""Relative difference between the medians of a run's two halves above which it is noisy: the machine did
other work, so ratios of such times mean little."""

BUSY = 0.90
"""Processor time over wall time below which other work kept a single-threaded run waiting."""

_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "OPENCV_FOR_THREADS_NUM",
)  # fmt: skip
"""Environment variables that libraries read when they are loaded, here or in a worker process."""


@contextmanager
def single_thread() -> Iterator[None]:
    """One thread for everything inside the block; see `limit_threads`."""
    with limit_threads(1):
        yield


@contextmanager
def limit_threads(count: int) -> Iterator[None]:
    """Limits every numerical library to ``count`` threads, and checks it.

    Sets the environment for libraries that are loaded inside the block, and limits OpenCV, BLAS and OpenMP
    (by threadpoolctl), torch and numba if they have threads already. Runtimes of networks take the number
    per network, when it is loaded: `slimtrack.registry.with_threads` does that. At the end of the block the
    earlier settings are restored.

    Args:
        count: Threads, at least 1.

    Raises:
        InputError: ``count`` is below 1.
        SlimtrackError: A library kept more threads.
    """
    if count < 1:
        raise InputError(f"threads is {count}: at least 1 is needed")
    with contextlib.ExitStack() as stack:
        stack.enter_context(_environment(dict.fromkeys(_VARIABLES, str(count))))
        stack.enter_context(threadpoolctl.threadpool_limits(count))
        stack.enter_context(_opencv_threads(count))
        for module in _threaded_modules():
            stack.enter_context(_module_threads(module, count))
        _check(count)
        yield


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pauses garbage collection while a frame is timed."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def warm_up(tracker: Follower, images: Iterable[Image], box: Box) -> None:
    """Runs a tracker once, so that it loads and compiles what it needs; the next `init` forgets the target.

    Args:
        tracker: The tracker.
        images: The first is used for `init`, the next two for `update`; fewer are enough.
        box: The target in the first image.
    """
    with contextlib.suppress(SlimtrackError):  # the run itself will report it
        for position, image in enumerate(itertools.islice(images, 3)):
            if position == 0:
                tracker.init(image, box)
            else:
                tracker.update(image)


class Stopwatch:
    """Times parts of a loop: each ``with watch: work()`` adds its milliseconds to `ms`.

    Attributes:
        ms: One float per ``with`` block.
    """

    def __init__(self) -> None:
        self.ms: list[float] = []
        self._start = 0

    def __enter__(self) -> "Stopwatch":
        self._start = time.perf_counter_ns()
        return self

    def __exit__(self, *_: object) -> None:
        self.ms.append((time.perf_counter_ns() - self._start) / 1e6)


@dataclass(frozen=True, slots=True)
class Timing:
    """Statistics of the times of many frames; ``nan`` if none was timed.

    Attributes:
        fps: 1000 / `p50_ms`.
        p50_ms: Median milliseconds.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
        frames: Number of timed frames.
    """

    fps: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    frames: int


def summarise(ms: npt.ArrayLike) -> Timing:
    """Percentiles of times in milliseconds; entries of ``nan`` (warm-up) are ignored.

    Args:
        ms: ``(N,)`` milliseconds.
    """
    times = np.asarray(ms, dtype=float)
    times = times[np.isfinite(times)]
    if not len(times):
        return Timing(math.nan, math.nan, math.nan, math.nan, 0)
    p50, p95, p99 = map(float, np.percentile(times, [50, 95, 99]))
    return Timing(1000 / p50 if p50 > 0 else math.inf, p50, p95, p99, len(times))


def is_noisy(runs: Sequence[npt.ArrayLike]) -> bool:
    """Whether the medians of the runs' first and second halves differ by more than `NOISE`.

    Args:
        runs: ``(N,)`` milliseconds per run; ``nan`` is ignored.
    """
    times = [t[np.isfinite(t)] for t in (np.asarray(run, dtype=float) for run in runs)]
    first = np.concatenate([t[: len(t) // 2] for t in times] or [np.empty(0)])
    second = np.concatenate([t[len(t) // 2 :] for t in times] or [np.empty(0)])
    if not len(first) or not len(second):
        return False
    a, b = float(np.median(first)), float(np.median(second))
    return abs(a - b) > NOISE * min(a, b)


class PeakMemory:
    """Peak resident memory of this process in MiB; on Linux, since this object was created."""

    def __init__(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark VmHWM
            self._resettable = True
        except OSError:
            self._resettable = False

    def mib(self) -> float:
        """The peak so far."""
        if self._resettable:
            with contextlib.suppress(OSError, ValueError, StopIteration):
                lines = Path("/proc/self/status").read_text().splitlines()
                return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
        try:
            import resource
        except ImportError:  # Windows
            return math.nan
        unit = 1024**2 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def cpu_name() -> str:
    """The processor's name, as the system reports it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "unknown"


def machine(threads: int = 1, jobs: int = 1) -> dict[str, str | int | None]:
    """What times in milliseconds depend on; stored with them.

    Args:
        threads: Number of threads allowed.
        jobs: Number of processes that ran at the same time.
    """
    names = ("slimtrack", "numpy", "scipy", "numba", "onnxruntime")
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "threads": threads,
        "jobs": jobs,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in names},
        "opencv": _opencv_version(),
    }


def _version(package: str) -> str | None:
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return None


def _opencv_version() -> str | None:
    with contextlib.suppress(MissingError):
        return str(cv2.__version__)
    return None


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _opencv_threads(count: int) -> Iterator[None]:
    try:
        before = cv2.getNumThreads()
    except MissingError:
        yield
        return
    cv2.setNumThreads(count)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _threaded_modules() -> list[Any]:
    """Torch and numba, if they have threads by now; numba starts them with the first parallel function."""
    found = [sys.modules["torch"]] if "torch" in sys.modules else []
    if getattr(sys.modules.get("numba.np.ufunc.parallel"), "_is_initialized", False):
        found.append(sys.modules["numba"])
    return found


@contextmanager
def _module_threads(module: Any, count: int) -> Iterator[None]:
    before = module.get_num_threads()
    module.set_num_threads(min(count, before))
    try:
        yield
    finally:
        module.set_num_threads(before)


def _check(count: int) -> None:
    pools = threadpoolctl.threadpool_info()
    counts = {f"{pool['internal_api']} ({pool['prefix']})": pool["num_threads"] for pool in pools}
    with contextlib.suppress(MissingError):
        counts["OpenCV"] = cv2.getNumThreads()
    for module in _threaded_modules():
        counts[module.__name__] = module.get_num_threads()
    kept = [f"{name} has {found}" for name, found in counts.items() if found > count]
    if kept:
        raise SlimtrackError(
            f"threads could not be limited to {count}: {', '.join(kept)}; "
            f"set OMP_NUM_THREADS={count} before starting"
        )
