"""What one tracker did on one sequence, and where it is kept so that it need not be done again."""

import functools
import hashlib
import json
import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import slimtrack
from slimtrack import timing
from slimtrack.confidence import State
from slimtrack.files import atomic_write

__all__ = ["STATES", "Failure", "Run", "Store", "code_fingerprint", "cores_used", "disturbed"]

STATES = (State.TRACKED, State.UNCERTAIN, State.LOST)
"""What the numbers in `Run.states` stand for."""

_NOT_TRACKING = (
    "evaluation", "cli", "studio", "learning", "video", "datasets", "tracking.py", "files.py",
    "image_files.py", "timing.py",
)  # fmt: skip
"""Parts of the package that cannot change a box."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A tracker gave up with an error.

    Attributes:
        frame: 0-based frame; 0 is `init`.
        message: The error's sentence.
    """

    frame: int
    message: str


@dataclass(frozen=True, slots=True)
class Run:
    """One tracker over one sequence from one first box. Frame 0 is `init`; its box is the one given.

    Attributes:
        tracker: The tracker's name with its options.
        sequence: The sequence's name.
        index: Which of the first boxes.
        boxes: ``(N, 4)`` float64 x, y, w, h, 0-based; after a failure the last box is held.
        scores: ``(N,)`` float64; ``nan`` in frame 0, 0 after a failure.
        states: ``(N,)`` int8, index into `STATES`; LOST after a failure.
        ms: ``(N,)`` milliseconds of `update`; ``nan`` where not timed (frame 0, warm-up, after a failure).
        init_ms: Milliseconds of `init`; ``nan`` when it failed.
        cores: Processor time by wall time: above 1 means that more than one thread worked.
        failure: Why it stopped, or ``None``.
        evidence: ``(N,)`` float64 per name, what `Tracker.evidence` said; ``nan`` where it said nothing.
    """

    tracker: str
    sequence: str
    index: int
    boxes: npt.NDArray[np.float64] = field(repr=False)
    scores: npt.NDArray[np.float64] = field(repr=False)
    states: npt.NDArray[np.int8] = field(repr=False)
    ms: npt.NDArray[np.float64] = field(repr=False)
    init_ms: float
    cores: float
    failure: Failure | None = None
    evidence: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict, repr=False)


class Store:
    """A folder of finished runs, a file each, replaced atomically.

    A run is found again only under the same key: version and code of slimtrack, options, footage, first box,
    threads, machine. After any change it is done again.

    Args:
        folder: Where they lie; made when the first is kept.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def get(self, tracker: str, sequence: str, index: int, key: Mapping[str, Any]) -> Run | None:
        """The run kept under this key, or ``None``; a file that cannot be read counts as none."""
        file = self._file(tracker, sequence, index)
        try:
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                head = json.loads(str(stored["head"]))
                if head["key"] != _plain(key):
                    return None
                arrays = {name: stored[name] for name in ("boxes", "scores", "states", "ms")}
                evidence = {name: stored[f"evidence {name}"] for name in head["evidence"]}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        failure = Failure(**head["failure"]) if head["failure"] else None
        return Run(tracker, sequence, index, **arrays, **head["figures"], failure=failure, evidence=evidence)

    def put(self, run: Run, key: Mapping[str, Any]) -> None:
        """Keeps a run.

        Raises:
            OutputError: It cannot be written.
        """
        failure = run.failure and {"frame": run.failure.frame, "message": run.failure.message}
        figures = {name: getattr(run, name) for name in ("init_ms", "cores")}
        head = {"key": _plain(key), "figures": figures, "failure": failure, "evidence": list(run.evidence)}
        arrays: dict[str, Any] = {f"evidence {name}": values for name, values in run.evidence.items()}
        arrays |= {"boxes": run.boxes, "scores": run.scores, "states": run.states, "ms": run.ms}
        with atomic_write(self._file(run.tracker, run.sequence, run.index), "wb") as file:
            np.savez_compressed(file, head=np.array(json.dumps(head)), **arrays)

    def get_peak(self, tracker: str, key: Mapping[str, Any]) -> float | None:
        """The memory kept under this key in MiB, or ``None``."""
        try:
            stored = json.loads(self._peak_file(tracker).read_text(encoding="utf-8"))
            return float(stored["peak_rss_mb"]) if stored["key"] == _plain(key) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put_peak(self, tracker: str, mib: float, key: Mapping[str, Any]) -> None:
        """Keeps what memory a tracker needs.

        Raises:
            OutputError: It cannot be written.
        """
        with atomic_write(self._peak_file(tracker)) as file:
            json.dump({"key": _plain(key), "peak_rss_mb": mib}, file)

    def _peak_file(self, tracker: str) -> Path:
        return self.folder / _slug(tracker) / "memory.json"

    def _file(self, tracker: str, sequence: str, index: int) -> Path:
        return self.folder / _slug(tracker) / f"{_slug(sequence)}.{index}.npz"


def disturbed(runs: Sequence[Run]) -> bool:
    """Whether the machine did something else meanwhile: halves that differ, or too little of a core."""
    return timing.is_noisy([run.ms for run in runs]) or cores_used(runs) < timing.BUSY


def cores_used(runs: Sequence[Run]) -> float:
    """Cores used, longer runs counting for more."""
    return float(np.average([run.cores for run in runs], weights=[len(run.ms) for run in runs]))


@functools.cache
def code_fingerprint() -> str:
    """Short hash of the package's code that tracks: changed code must not be judged by older results."""
    root = Path(slimtrack.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        part = file.relative_to(root)
        if part.parts[0] not in _NOT_TRACKING:
            digest.update(part.as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _plain(key: Mapping[str, Any]) -> Any:
    """The key as it comes back from JSON."""
    return json.loads(json.dumps(key))


def _slug(name: str) -> str:
    """A file name for any name, with a short hash where characters had to go."""
    plain = re.sub(r"[^\w.\-=,]+", "_", name)
    return plain if plain == name else f"{plain}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:6]}"
