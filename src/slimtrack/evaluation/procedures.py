"""Which frames of a sequence a tracker sees, and where it starts."""

import hashlib
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from slimtrack.box import Box, overlap
from slimtrack.datasets import Sequence
from slimtrack.errors import InputError
from slimtrack.evaluation.runs import Step

__all__ = [
    "GRACE", "ONE_PASS", "Course", "OnePass", "Procedure", "RealTime", "Restarts", "Times", "has_box",
    "seen_frames",
]  # fmt: skip

GRACE = 3
"""How many late answers the clock of the real-time rule waits for, as in VOT since 2018."""

Times = Mapping[tuple[str, str, int], npt.NDArray[np.float64]]
"""Milliseconds of each frame, `init` first, by tracker, sequence and index of the first box."""


class Course:
    """A tracker's way through one sequence, for one pass. This one starts at the first frame and sees all.

    Args:
        first: The first box.

    Attributes:
        folder: Folder of the results inside a store; empty for the store itself.
        key: What the results depend on, in addition to tracker, footage and first box.
    """

    folder = ""

    def __init__(self, first: Box) -> None:
        self.key: dict[str, Any] = {"procedure": "one pass"}
        self._first = first

    def next(self, position: int) -> Step:
        """What is to be done in a frame: STARTED, SEEN or MISSED. Called once for each frame, in order."""
        return Step.SEEN if position else Step.STARTED

    def start(self, position: int) -> Box:
        """The box with which the tracker starts in this frame."""
        return self._first

    def took(self, position: int, box: Box, ms: float) -> Step:
        """Told after each `init` and `update`.

        Args:
            position: The frame.
            box: The answer, or the box of the start.
            ms: How long the call took.

        Returns:
            SEEN, or FAILED if the answer is a failure; ignored after a start.
        """
        return Step.SEEN


class Procedure(typing.Protocol):
    """Makes the course of each run."""

    @property
    def name(self) -> str:
        """A few words for tables and results."""

    def course(self, tracker: str, sequence: Sequence, index: int, first: Box) -> Course:
        """The course of one pass.

        Args:
            tracker: The tracker's name with its options.
            sequence: The sequence.
            index: Index of the first box.
            first: The first box.

        Raises:
            InputError: Something needed for this run is missing.
        """


@dataclass(frozen=True, slots=True)
class OnePass:
    """Every tracker starts in the first frame and sees every frame, however long it takes."""

    name: str = "one pass"

    def course(self, tracker: str, sequence: Sequence, index: int, first: Box) -> Course:
        """See `Procedure`."""
        return Course(first)


ONE_PASS = OnePass()
"""The procedure of the OTB toolkit and most others."""


@dataclass(frozen=True, slots=True)
class RealTime:
    """Frames come at a fixed rate, as from a camera: VOT's real-time rule.

    A frame that comes while the tracker works on an earlier one is missed, and the last answer counts for it.
    A free tracker waits for the next frame. The answer to a frame counts for it even if it is late.

    The clock waits for the first late answers since `init`, that of `init` included. The rule is that of
    Kristan et al., "The sixth visual object tracking VOT2018 challenge results" (ECCV workshops 2018), and
    the number of late answers that of `vot-toolkit`'s stack ``vot2018/shortterm`` (``grace: 3``). The toolkit
    lets a tracker that is late by less than one frame see the next one all the same; here that frame is
    missed, as the article says.

    Attributes:
        fps: Frames that come each second.
        grace: How many late answers the clock waits for; 0: `init` costs frames like any other call.
        times: Measured milliseconds that decide which frames are missed, so that a run can be repeated
            exactly. ``None``: the run's own times, as they come.

    Raises:
        InputError: A number is out of range.
    """

    fps: float
    grace: int = GRACE
    times: Times | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.fps < math.inf:
            raise InputError(f"frames a second is {self.fps:g}: expected a number above 0")
        if self.grace < 0:
            raise InputError(f"grace is {self.grace}: expected 0 or more late answers")

    @property
    def name(self) -> str:
        """A few words for tables and results."""
        return f"{self.fps:g} frames a second, grace {self.grace}" + (", live" if self.times is None else "")

    def course(self, tracker: str, sequence: Sequence, index: int, first: Box) -> Course:
        """See `Procedure`. Where no frame is missed, it is the course of the one-pass evaluation."""
        if self.times is None:
            return _Live(first, self.fps, self.grace)
        ms = self.times.get((tracker, sequence.name, index))
        if ms is None or len(ms) != len(sequence):
            found = "no times" if ms is None else f"times of {len(ms)} frames, not {len(sequence)},"
            raise InputError(f"there are {found} for {tracker} on {sequence.name}, first box {index}")
        seen = seen_frames(ms, self.fps, self.grace)
        return Course(first) if seen.all() else _Scheduled(first, seen, self.fps)


@dataclass(frozen=True, slots=True)
class Restarts:
    """A tracker that loses the target is started again a few frames later: VOT's supervised experiment.

    The target is lost in a frame where the box does not overlap the true one at all. The next frames are not
    shown to the tracker; then it starts from the true box. A frame in which the target is absent, or has no
    area, is left out: nothing is lost there, and a start waits until the target is back.

    The numbers are those of `vot-toolkit` (``skip_initialize: 5`` of its stacks up to ``vot2019``, burn-in of
    its analysis). The toolkit clips boxes to the image before it computes overlaps; here whole boxes count.

    Attributes:
        wait: Frames from the one where the target was lost to the new start.
        burn_in: Frames after each start that do not count in accuracy, because the box was given there.
        name: A few words for tables and results.
    """

    wait: int = 5
    burn_in: int = 10
    name: str = "restarts after failures"

    def course(self, tracker: str, sequence: Sequence, index: int, first: Box) -> Course:
        """See `Procedure`. Later starts are shifted as the first one is."""
        return _Restarting(first, sequence.truth, self.wait)


def seen_frames(ms: npt.ArrayLike, fps: float, grace: int = GRACE) -> npt.NDArray[np.bool_]:
    """The frames that a tracker sees by the real-time rule.

    Args:
        ms: ``(N,)`` milliseconds that each frame takes, or would take if it were seen; `init` first.
        fps: Frames that come each second.
        grace: How many late answers the clock waits for.

    Returns:
        ``(N,)``.

    Raises:
        InputError: A number is out of range.
    """
    RealTime(fps, grace)  # refuses numbers out of range
    times, clock = np.asarray(ms, dtype=float), _Clock(fps, grace)
    if not np.isfinite(times).all():
        raise InputError("milliseconds: expected a number for every frame, as frame_times gives them")
    seen = np.zeros(len(times), dtype=bool)
    for position, took in enumerate(times):
        if position >= clock.free:
            seen[position] = True
            clock.took(position, took)
    return seen


def has_box(truth: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """``(N,)`` in which frames the target is there and has an area.

    Args:
        truth: ``(N, 4)`` as `Sequence.truth`.
    """
    return np.asarray(np.isfinite(truth).all(axis=1) & (truth[:, 2:] > 0).all(axis=1))


class _Clock:
    """Knows the next frame that the tracker can see: a free tracker waits for the next frame to come."""

    def __init__(self, fps: float, grace: int) -> None:
        self.free = 0
        self._interval, self._grace = 1000 / fps, grace

    def took(self, position: int, ms: float) -> None:
        frames = max(1, math.ceil(ms / self._interval - 1e-9))  # done as a frame comes: that one is seen
        if frames > 1 and self._grace > 0:
            self._grace -= 1
            frames = 1
        self.free = position + frames


class _Scheduled(Course):
    """Sees the given frames only."""

    def __init__(self, first: Box, seen: npt.NDArray[np.bool_], fps: float) -> None:
        super().__init__(first)
        self.folder = f"{fps:g}fps"
        self.key = {"procedure": "real time", "seen": hashlib.sha256(seen.tobytes()).hexdigest()[:16]}
        self._seen = seen

    def next(self, position: int) -> Step:
        return super().next(position) if self._seen[position] else Step.MISSED


class _Live(Course):
    """Sees the frames that come while the tracker is free."""

    def __init__(self, first: Box, fps: float, grace: int) -> None:
        super().__init__(first)
        self.folder = f"{fps:g}fps-live"
        self.key = {"procedure": "real time, live", "fps": fps, "grace": grace}
        self._clock = _Clock(fps, grace)

    def next(self, position: int) -> Step:
        return super().next(position) if position >= self._clock.free else Step.MISSED

    def took(self, position: int, box: Box, ms: float) -> Step:
        self._clock.took(position, ms)
        return super().took(position, box, ms)


class _Restarting(Course):
    """Starts again after the target was lost."""

    folder = "restarts"

    def __init__(self, first: Box, truth: npt.NDArray[np.float64], wait: int) -> None:
        super().__init__(first)
        self.key = {"procedure": "restarts", "wait": wait}
        self._truth, self._wait = truth, wait
        self._present = has_box(truth)
        self._restart: int | None = 0
        self._started = 0

    def next(self, position: int) -> Step:
        if self._restart is None:
            return Step.SEEN
        if position < self._restart or not self._present[position]:
            return Step.MISSED
        self._restart, self._started = None, position
        return Step.STARTED

    def start(self, position: int) -> Box:
        if position == 0:
            return self._first
        x, y = self._truth[0, :2]
        return Box(*map(float, self._truth[position])).moved(self._first.x - x, self._first.y - y)

    def took(self, position: int, box: Box, ms: float) -> Step:
        given = position == self._started
        if given or not self._present[position] or overlap([*box], self._truth[position]) > 0:
            return Step.SEEN
        self._restart = position + self._wait
        return Step.FAILED
