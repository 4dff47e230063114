"""Results of one tracker on one sequence, and the store that keeps them from being computed again."""

import functools
import hashlib
import json
import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import slimtrack
from slimtrack import timing
from slimtrack.confidence import State
from slimtrack.files import atomic_write

__all__ = [
    "STATES", "Failure", "Run", "Step", "Store", "code_fingerprint", "cores_used", "disturbed",
    "frame_times",
]  # fmt: skip

STATES = (State.TRACKED, State.UNCERTAIN, State.LOST)
"""Meaning of the numbers in `Run.states`."""

_ARRAYS = ("boxes", "scores", "states", "ms", "steps")
"""The fields of a run that are stored as arrays."""

_NOT_TRACKING = (
    "evaluation", "cli", "studio", "learning", "video", "datasets", "tracking.py", "files.py",
    "image_files.py", "timing.py",
)  # fmt: skip
"""Parts of the package that do not influence boxes."""


class Step(IntEnum):
    """What happened in a frame; the numbers in `Run.steps`."""

    STARTED = 0
    """`init` with a given box."""
    SEEN = 1
    """`update`, or held at the last box after the tracker gave up."""
    MISSED = 2
    """The tracker was not called; its last answer counts."""
    FAILED = 3
    """`update` whose box was a failure by the protocol, or the frame in which the tracker gave up."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The error with which a tracker failed.

    Attributes:
        frame: 0-based frame; 0 is `init`.
        message: The error's message.
    """

    frame: int
    message: str


@dataclass(frozen=True, slots=True)
class Run:
    """The result of one tracker on one sequence from one first box. Frame 0 is `init` with the given box.

    Attributes:
        tracker: The tracker's name with its options.
        sequence: The sequence's name.
        index: Index of the first box.
        boxes: ``(N, 4)`` float64 x, y, w, h, 0-based; after a failure the last box is repeated.
        scores: ``(N,)`` float64; ``nan`` in frame 0, 0 after a failure.
        states: ``(N,)`` int8, index into `STATES`; LOST after a failure.
        ms: ``(N,)`` milliseconds of `update`; ``nan`` if not timed (frame 0, warm-up, missed frames, after a
            failure).
        steps: ``(N,)`` int8, a `Step` for each frame.
        init_ms: Milliseconds of `init`; ``nan`` if it failed.
        cores: Processor time over wall time; above 1, more than one thread worked.
        failure: Why the run stopped, or ``None``.
        evidence: ``(N,)`` float64 per name, from `Tracker.evidence`; ``nan`` if there was none.
    """

    tracker: str
    sequence: str
    index: int
    boxes: npt.NDArray[np.float64] = field(repr=False)
    scores: npt.NDArray[np.float64] = field(repr=False)
    states: npt.NDArray[np.int8] = field(repr=False)
    ms: npt.NDArray[np.float64] = field(repr=False)
    steps: npt.NDArray[np.int8] = field(repr=False)
    init_ms: float
    cores: float
    failure: Failure | None = None
    evidence: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict, repr=False)


def frame_times(ms: npt.ArrayLike, init_ms: float) -> npt.NDArray[np.float64]:
    """The times of all frames, with the median where a frame was not timed.

    Args:
        ms: ``(N,)`` milliseconds, as `Run.ms`.
        init_ms: Milliseconds of `init`.

    Returns:
        ``(N,)`` milliseconds; that of frame 0 is `init`. All 0 if no frame was timed.
    """
    times = np.array(ms, dtype=float)
    timed = times[np.isfinite(times)]
    times[~np.isfinite(times)] = np.median(timed) if len(timed) else 0.0
    times[:1] = init_ms if np.isfinite(init_ms) else 0.0
    return times


class Store:
    """A folder of finished runs, one file per run, replaced atomically.

    A run is found only under the same key: version and code of slimtrack, options, footage, first box,
    threads, machine, protocol. After any change it is repeated.

    Args:
        folder: The folder; created when the first run is stored.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def within(self, folder: str) -> "Store":
        """The store in a folder of this one; this one if the name is empty."""
        return Store(self.folder / folder)

    def get(self, tracker: str, sequence: str, index: int, key: Mapping[str, Any]) -> Run | None:
        """The run stored under this key, or ``None``; an unreadable file is ignored."""
        file = self._file(tracker, sequence, index)
        try:
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                head = json.loads(str(stored["head"]))
                if head["key"] != _plain(key):
                    return None
                arrays = {name: stored[name] for name in _ARRAYS}
                evidence = {name: stored[f"evidence {name}"] for name in head["evidence"]}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        failure = Failure(**head["failure"]) if head["failure"] else None
        return Run(tracker, sequence, index, **arrays, **head["figures"], failure=failure, evidence=evidence)

    def put(self, run: Run, key: Mapping[str, Any]) -> None:
        """Stores a run.

        Raises:
            OutputError: The file cannot be written.
        """
        failure = run.failure and {"frame": run.failure.frame, "message": run.failure.message}
        figures = {name: getattr(run, name) for name in ("init_ms", "cores")}
        head = {"key": _plain(key), "figures": figures, "failure": failure, "evidence": list(run.evidence)}
        arrays: dict[str, Any] = {f"evidence {name}": values for name, values in run.evidence.items()}
        arrays |= {name: getattr(run, name) for name in _ARRAYS}
        with atomic_write(self._file(run.tracker, run.sequence, run.index), "wb") as file:
            np.savez_compressed(file, head=np.array(json.dumps(head)), **arrays)

    def times(self, tracker: str, sequence: str, index: int) -> npt.NDArray[np.float64] | None:
        """`frame_times` of a stored run, whatever its key; ``None`` if there is none."""
        try:
            with self._file(tracker, sequence, index).open("rb") as stream, np.load(stream) as stored:
                return frame_times(stored["ms"], json.loads(str(stored["head"]))["figures"]["init_ms"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def get_peak(self, tracker: str, key: Mapping[str, Any]) -> float | None:
        """The memory stored under this key in MiB, or ``None``."""
        try:
            stored = json.loads(self._peak_file(tracker).read_text(encoding="utf-8"))
            return float(stored["peak_rss_mb"]) if stored["key"] == _plain(key) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put_peak(self, tracker: str, mib: float, key: Mapping[str, Any]) -> None:
        """Stores the memory that a tracker needs.

        Raises:
            OutputError: The file cannot be written.
        """
        with atomic_write(self._peak_file(tracker)) as file:
            json.dump({"key": _plain(key), "peak_rss_mb": mib}, file)

    def _peak_file(self, tracker: str) -> Path:
        return self.folder / _slug(tracker) / "memory.json"

    def _file(self, tracker: str, sequence: str, index: int) -> Path:
        return self.folder / _slug(tracker) / f"{_slug(sequence)}.{index}.npz"


def disturbed(runs: Sequence[Run]) -> bool:
    """Whether other work disturbed the run: its halves differ, or it got too little of a core."""
    return timing.is_noisy([run.ms for run in runs]) or cores_used(runs) < timing.BUSY


def cores_used(runs: Sequence[Run]) -> float:
    """Cores used, averaged over runs and weighted by their length."""
    return float(np.average([run.cores for run in runs], weights=[len(run.ms) for run in runs]))


@functools.cache
def code_fingerprint() -> str:
    """Short hash of the package's code that tracks, so that changed code does not reuse older results."""
    root = Path(slimtrack.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        part = file.relative_to(root)
        if part.parts[0] not in _NOT_TRACKING:
            digest.update(part.as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _plain(key: Mapping[str, Any]) -> Any:
    """The key as JSON stores it."""
    return json.loads(json.dumps(key))


def _slug(name: str) -> str:
    """A file name for any name, with a short hash if characters had to be replaced."""
    plain = re.sub(r"[^\w.\-=,]+", "_", name)
    return plain if plain == name else f"{plain}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:6]}"
