"""Measures a tracker's memory in a process of its own, because the peak belongs to a whole process."""

import itertools
import math
import subprocess
import sys
from pathlib import Path

from slimtrack.box import Box
from slimtrack.datasets import Sequence
from slimtrack.errors import SlimtrackError
from slimtrack.registry import create, with_threads
from slimtrack.timing import PeakMemory, limit_threads
from slimtrack.video.frames import ImageReader

__all__ = ["UPDATES", "peak_memory"]

UPDATES = 30
"""Number of frames tracked before the peak is read; by then a tracker has allocated what it needs."""

_LIMIT = 300.0
"""Seconds after which the measurement stops; the slowest tracker takes about 10."""

_PROGRAM = "from slimtrack.evaluation.memory import _child; _child()"


def peak_memory(tracker: str, sequence: Sequence, *, threads: int = 1) -> float:
    """Peak resident memory, in MiB, of a new process that only tracks.

    The process reads the frames one at a time, starts at the true first box and makes `UPDATES` updates. The
    figure includes the interpreter and the libraries, which are the same for all trackers of one run.

    Args:
        tracker: Name, possibly with options.
        sequence: The sequence to track.
        threads: Number of threads allowed.

    Returns:
        MiB; ``nan`` if the process cannot create the tracker, dies or hangs.
    """
    files = [str(file) for file in sequence.frames[: UPDATES + 1]]
    box = [repr(float(value)) for value in sequence.first_box]
    command = [sys.executable, "-c", _PROGRAM, tracker, str(threads), *box, *files]
    with limit_threads(threads):  # sets the environment that libraries read when the child process loads them
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=True)
            return float(done.stdout.splitlines()[-1])
        except (OSError, subprocess.SubprocessError, ValueError, IndexError):
            return math.nan


def _child() -> None:
    """Tracks and prints the peak; if the tracker fails, the peak so far is printed."""
    name, threads, *numbers = sys.argv[1:7]
    memory, reader = PeakMemory(), ImageReader()
    with limit_threads(int(threads)):
        tracker = create(name, **with_threads(name, int(threads)))
        try:
            for position, file in enumerate(itertools.islice(sys.argv, 7, None)):
                image = reader(Path(file))
                if position:
                    tracker.update(image)
                else:
                    tracker.init(image, Box(*map(float, numbers)))
        except SlimtrackError:
            pass
    print(memory.mib())
