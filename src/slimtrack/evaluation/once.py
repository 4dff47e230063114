"""Runs one tracker over one sequence from one first box, timed by the protocol."""

import time
from collections.abc import Iterator
from collections.abc import Sequence as Several
from pathlib import Path
from typing import Any

import numpy as np

from slimtrack import timing
from slimtrack.arrays import Image
from slimtrack.errors import SlimtrackError
from slimtrack.evaluation.procedures import Course
from slimtrack.evaluation.runs import STATES, Failure, Run, Step
from slimtrack.evaluation.watcher import Watcher
from slimtrack.follower import Follower
from slimtrack.video.frames import ImageReader

__all__ = ["DecodedFrames", "track_once"]

_MEMORY = 2 << 30
"""Bytes of decoded frames in memory at a time; longer sequences are decoded in chunks."""

_TICK = 0.25
"""Seconds between two progress callbacks."""


class DecodedFrames:
    """Frames of a sequence as arrays, decoded before they are asked for.

    Args:
        files: Image files.
        memory: Bytes of frames in memory at a time; longer sequences are decoded in chunks, for every pass.

    Raises:
        SourceError: An image cannot be read.
    """

    def __init__(self, files: Several[Path], memory: int = _MEMORY) -> None:
        self._files = files
        self._reader = ImageReader()
        self._chunk = max(1, memory // max(1, self._read(files[0]).nbytes))
        self._kept = self._decoded(0) if len(files) <= self._chunk else None

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[Image]:
        if self._kept is not None:
            yield from self._kept
            return
        for start in range(0, len(self), self._chunk):
            yield from self._decoded(start)

    def _decoded(self, start: int) -> list[Image]:
        return [self._read(file) for file in self._files[start : start + self._chunk]]

    def _read(self, file: Path) -> Image:
        image = self._reader(file)
        image.flags.writeable = False
        return image


def track_once(
    tracker: Follower,
    frames: DecodedFrames,
    course: Course,
    *,
    name: str = "",
    sequence: str = "",
    index: int = 0,
    watcher: Watcher | None = None,
) -> Run:
    """One pass over a sequence; every `init` and `update` is timed.

    If the tracker fails, the run ends: the last box is repeated with score 0 and LOST, and the message is
    kept.

    Args:
        tracker: Any tracker; it forgets its earlier target.
        frames: The frames.
        course: Which frames the tracker sees, and where it starts; used up by this pass.
        name: Name of the tracker in the result. Default: its own name.
        sequence: Name of the sequence in the result.
        index: Index of the first box.
        watcher: Gets a progress callback every quarter of a second.

    Raises:
        SourceError: An image cannot be read.
    """
    log, name = _Log(len(frames), course), name or tracker.name
    tick = time.monotonic()
    wall, cpu = time.perf_counter(), time.process_time()
    with timing.gc_paused():
        for position, image in enumerate(frames):
            try:
                log.step(tracker, position, image)
            except SlimtrackError as error:
                log.fail(position, str(error))
                break
            if watcher is not None and time.monotonic() - tick > _TICK:
                watcher.working(name, sequence, index, position + 1)
                tick = time.monotonic()
    cores = (time.process_time() - cpu) / max(time.perf_counter() - wall, 1e-9)
    return log.run(name, sequence, index, cores)


class _Log:
    """Collects the results of a run, frame by frame."""

    def __init__(self, length: int, course: Course) -> None:
        self.boxes = np.tile(np.array([*course.start(0)], dtype=float), (length, 1))
        self.scores = np.full(length, np.nan)
        self.states = np.zeros(length, dtype=np.int8)
        self.ms = np.full(length, np.nan)
        self.steps = np.full(length, Step.SEEN, dtype=np.int8)
        self.init_ms = float("nan")
        self.failure: Failure | None = None
        self.evidence: dict[str, np.ndarray[Any, np.dtype[np.float64]]] = {}
        self._course, self._watch = course, timing.Stopwatch()

    def step(self, tracker: Follower, position: int, image: Image) -> None:
        """Does with a frame what the course says, and stores the result."""
        step = self._course.next(position)
        self.steps[position] = step
        if step is Step.STARTED:
            self._start(tracker, position, image)
        elif step is Step.SEEN:
            self._update(tracker, position, image)
        else:
            for values in (self.boxes, self.scores, self.states):
                values[position] = values[position - 1]

    def _start(self, tracker: Follower, position: int, image: Image) -> None:
        first = self._course.start(position)
        with self._watch:
            tracker.init(image, first)
        self.boxes[position] = [*first]
        if position == 0:
            self.init_ms = self._watch.ms[-1]
        self._course.took(position, first, self._watch.ms[-1])

    def _update(self, tracker: Follower, position: int, image: Image) -> None:
        with self._watch:
            track = tracker.update(image)
        if position > timing.WARM_UP:  # before that caches fill; `frame_times` puts the median there
            self.ms[position] = self._watch.ms[-1]
        self.boxes[position] = [*track.box]
        self.scores[position] = track.score
        self.states[position] = STATES.index(track.state)
        # Calibrations are fitted on it. Trackers have evidence; wrappers need not.
        for name, value in getattr(tracker, "evidence", {}).items():
            if name not in self.evidence:
                self.evidence[name] = np.full(len(self.ms), np.nan)
            self.evidence[name][position] = value
        self.steps[position] = self._course.took(position, track.box, self._watch.ms[-1])

    def fail(self, position: int, message: str) -> None:
        self.failure = Failure(position, message)
        self.steps[position] = Step.FAILED
        self.boxes[position:] = self.boxes[max(position - 1, 0)]
        self.scores[max(position, 1) :] = 0.0
        self.states[max(position, 1) :] = STATES.index(STATES[-1])

    def run(self, tracker: str, sequence: str, index: int, cores: float) -> Run:
        arrays = (self.boxes, self.scores, self.states, self.ms, self.steps)
        return Run(tracker, sequence, index, *arrays, self.init_ms, cores, self.failure, self.evidence)
