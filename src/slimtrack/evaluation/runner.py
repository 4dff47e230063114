"""One-pass evaluation: trackers over sequences, from one or five first boxes, timed by the protocol."""

import functools
import hashlib
import math
import os
import time
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Several
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np

import slimtrack
from slimtrack import timing
from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.errors import InputError, MissingError, SlimtrackError
from slimtrack.evaluation.datasets import Dataset, Sequence
from slimtrack.evaluation.memory import peak_memory
from slimtrack.evaluation.protocols import OTB, Protocol
from slimtrack.evaluation.runs import STATES, Failure, Run, Store, code_fingerprint, disturbed
from slimtrack.networks.find import find_network
from slimtrack.registry import create, parse_spec, tracker_class, with_threads
from slimtrack.tracker import Tracker
from slimtrack.video.frames import ImageReader

__all__ = ["DecodedFrames", "Evaluation", "Watcher", "evaluate", "first_boxes", "track_once"]

_MEMORY = 2 << 30
"""Bytes of decoded frames kept at a time; a longer sequence is decoded in chunks."""

_TICK = 0.25
"""Seconds between two reports to a watcher."""


class Watcher:
    """Is told how an evaluation comes along, never while the clock runs. Here it does nothing."""

    def begin(self, frames: int) -> None:
        """Before the first run.

        Args:
            frames: Frames of all runs, those already done included.
        """

    def working(self, tracker: str, sequence: str, index: int, frames: int) -> None:
        """Every quarter of a second inside a run (not with several jobs).

        Args:
            tracker: Which one.
            sequence: On what.
            index: From which first box.
            frames: Frames of this run done so far.
        """

    def finished(self, run: Run, sequence: Sequence, kept: bool) -> None:
        """After each run.

        Args:
            run: It.
            sequence: The truth.
            kept: It was found finished and not done again.
        """

    def weighing(self, tracker: str) -> None:
        """After all runs, before the memory of a tracker is measured (a second or two).

        Args:
            tracker: Which one.
        """


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Trackers x sequences x first boxes, all done.

    Attributes:
        dataset: The sequences.
        runs: Per tracker, per sequence, the runs in order of their first boxes.
        jitter: Pixels by which the first boxes were shifted.
        threads: Threads that were allowed.
        jobs: Processes that worked at the same time; above 1 the times mean little.
        protocol: Rules of the metrics.
        peak_rss_mb: Per tracker, peak resident memory of a process of its own in MiB, as
            `slimtrack.evaluation.memory.peak_memory` measures it; ``nan`` where it could not be.
    """

    dataset: Dataset
    runs: dict[str, dict[str, list[Run]]]
    jitter: float
    threads: int
    jobs: int
    protocol: Protocol
    peak_rss_mb: dict[str, float]


class DecodedFrames:
    """Frames of a sequence as arrays, decoded before they are asked for.

    Args:
        files: Image files.
        memory: Bytes of frames kept at a time; more are decoded in chunks, anew for each pass.

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


def evaluate(
    trackers: Several[str],
    dataset: Dataset,
    *,
    jitter: float = 0.0,
    threads: int = 1,
    jobs: int = 1,
    store: Store | None = None,
    fresh: bool = False,
    protocol: Protocol = OTB,
    watcher: Watcher | None = None,
) -> Evaluation:
    """Runs every tracker over every sequence; trackers take turns within a sequence (A B A B).

    A run during which the machine was busy is done once more and the quieter of the two is kept. At the end
    the memory of each tracker is measured in a process of its own.

    Args:
        trackers: Names, with options where wanted: ``"kcf[kernel=linear]"``.
        dataset: The sequences.
        jitter: Pixels; above 0 each sequence runs from five first boxes, as given and shifted by this much to
            the left, right, up and down. Single runs are chaotic: only the mean of these says much.
        threads: Threads that may work.
        jobs: Processes that share the sequences, for accuracy: their times are marked noisy.
        store: Where finished runs are kept and looked for.
        fresh: Do everything again.
        protocol: Rules of the metrics, for what is made of the result.
        watcher: Is told how it comes along.

    Raises:
        InputError: No tracker, the same one twice, a bad option or number.
        UnknownNameError: No such tracker or option.
        MissingError: A tracker needs what is not here.
        SourceError: An image cannot be read.
        OutputError: A finished run cannot be kept.
    """
    if not trackers or len(set(trackers)) < len(trackers):
        raise InputError(f"trackers are {', '.join(trackers) or 'none'}: at least one is needed, each once")
    if not len(dataset):
        raise InputError(f"dataset {dataset.name} has no sequence")
    if jobs < 1 or threads < 1 or not 0 <= jitter < float("inf"):
        raise InputError(
            f"jobs {jobs}, threads {threads}, jitter {jitter}: expected >= 1, >= 1 and >= 0 pixels"
        )
    work = _Work(tuple(trackers), dataset.name, jitter, threads, jobs, store, fresh)
    # made here, so that a wrong name is said before anything is run
    made = {spec: create(spec, **with_threads(spec, threads)) for spec in trackers}
    watcher = watcher or Watcher()
    count = len(trackers) * len(first_boxes(Box(0, 0, 1, 1), jitter))
    watcher.begin(count * sum(map(len, dataset)))
    runs: dict[str, dict[str, list[Run]]] = {spec: {s.name: [] for s in dataset} for spec in trackers}
    for run in _in_processes(work, dataset, watcher) if jobs > 1 else _here(work, made, dataset, watcher):
        runs[run.tracker][run.sequence].append(run)
    for of_tracker in runs.values():
        for of_sequence in of_tracker.values():
            of_sequence.sort(key=lambda run: run.index)
    peaks = {spec: _peak(work, spec, dataset.sequences[0], watcher) for spec in trackers}
    return Evaluation(dataset, runs, jitter, threads, jobs, protocol, peaks)


def first_boxes(box: Box, jitter: float) -> list[Box]:
    """The boxes that runs start from: as given and, with jitter, shifted left, right, up and down.

    Args:
        box: The true first box.
        jitter: Pixels; 0 for the given box alone.
    """
    if jitter == 0:
        return [box]
    return [box.moved(dx * jitter, dy * jitter) for dx, dy in ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))]


def track_once(
    tracker: Tracker,
    frames: DecodedFrames,
    first: Box,
    *,
    name: str = "",
    sequence: str = "",
    index: int = 0,
    watcher: Watcher | None = None,
) -> Run:
    """One pass over a sequence: `init` on the first frame, `update` on the others, each timed.

    An error of the tracker ends its run: the last box is held with score 0, LOST, and the message kept.

    Args:
        tracker: Any tracker; what it learned before is forgotten.
        frames: The frames.
        first: The first box.
        name: What to call the tracker; its own name when empty.
        sequence: What to call the sequence.
        index: Which of the first boxes this is.
        watcher: Is told every quarter of a second.

    Raises:
        SourceError: An image cannot be read.
    """
    log, name = _Log(len(frames), first), name or tracker.name
    tick = time.monotonic()
    wall, cpu = time.perf_counter(), time.process_time()
    with timing.quiet():
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
    """What a run leaves behind, frame by frame."""

    def __init__(self, length: int, first: Box) -> None:
        self.first = first
        self.boxes = np.tile(np.array([*first], dtype=float), (length, 1))
        self.scores = np.full(length, np.nan)
        self.states = np.zeros(length, dtype=np.int8)
        self.ms = np.full(length, np.nan)
        self.init_ms = float("nan")
        self.failure: Failure | None = None
        self.evidence: dict[str, np.ndarray[Any, np.dtype[np.float64]]] = {}
        self._watch = timing.Stopwatch()

    def step(self, tracker: Tracker, position: int, image: Image) -> None:
        """`init` or `update`, timed, and what it said."""
        if position == 0:
            with self._watch:
                tracker.init(image, self.first)
            self.init_ms = self._watch.ms[-1]
            return
        with self._watch:
            track = tracker.update(image)
        if position > timing.WARM_UP:
            self.ms[position] = self._watch.ms[-1]
        self.boxes[position] = [*track.box]
        self.scores[position] = track.score
        self.states[position] = STATES.index(track.state)
        for name, value in tracker.evidence.items():
            if name not in self.evidence:
                self.evidence[name] = np.full(len(self.ms), np.nan)
            self.evidence[name][position] = value

    def fail(self, position: int, message: str) -> None:
        self.failure = Failure(position, message)
        self.boxes[position:] = self.boxes[max(position - 1, 0)]
        self.scores[max(position, 1) :] = 0.0
        self.states[max(position, 1) :] = STATES.index(STATES[-1])

    def run(self, tracker: str, sequence: str, index: int, cores: float) -> Run:
        arrays = (self.boxes, self.scores, self.states, self.ms)
        return Run(tracker, sequence, index, *arrays, self.init_ms, cores, self.failure, self.evidence)


@dataclass(frozen=True, slots=True)
class _Work:
    """What stays the same for all runs; travels to worker processes."""

    trackers: tuple[str, ...]
    dataset: str
    jitter: float
    threads: int
    jobs: int
    store: Store | None
    fresh: bool

    def key(self, spec: str, sequence: Sequence, first: Box) -> dict[str, Any]:
        """All that the boxes and the times of a run depend on."""
        names = os.fsencode(",".join(file.name for file in sequence.frames))
        machine = timing.machine(self.threads)
        return {
            "slimtrack": slimtrack.__version__,
            "code": code_fingerprint(),
            "tracker": spec,
            "file": _file_digest(spec),
            "networks": _network_digests(spec),
            "dataset": self.dataset,
            "footage": hashlib.sha256(names + sequence.truth.tobytes()).hexdigest()[:16],
            "first": [*first],
            "jitter": self.jitter,
            "threads": self.threads,
            "alone": self.jobs == 1,
            **{name: machine[name] for name in ("cpu", "numpy", "opencv", "onnxruntime")},
        }

    def kept(self, spec: str, sequence: Sequence, index: int, first: Box) -> Run | None:
        """A finished run, where there is one."""
        if self.store is None or self.fresh:
            return None
        return self.store.get(spec, sequence.name, index, self.key(spec, sequence, first))


def _here(work: _Work, made: dict[str, Tracker], dataset: Dataset, watcher: Watcher) -> Iterator[Run]:
    """All runs in this process."""
    warm: set[str] = set()
    for sequence in dataset:
        pending = []
        for index, first in enumerate(first_boxes(sequence.first_box, work.jitter)):
            for spec in work.trackers:
                run = work.kept(spec, sequence, index, first)
                if run is None:
                    pending.append((index, first, spec))
                    continue
                watcher.finished(run, sequence, kept=True)
                yield run
        frames = DecodedFrames(sequence.frames) if pending else None
        for index, first, spec in pending:
            assert frames is not None
            with timing.limit_threads(work.threads):
                if spec not in warm:
                    timing.warm_up(made[spec], frames, first)
                    warm.add(spec)
                names = {"name": spec, "sequence": sequence.name}
                run = track_once(made[spec], frames, first, **names, index=index, watcher=watcher)
                if work.jobs == 1 and disturbed([run]):
                    again = track_once(made[spec], frames, first, **names, index=index, watcher=watcher)
                    run = _quieter(run, again)
            if work.store is not None:
                work.store.put(run, work.key(spec, sequence, first))
            watcher.finished(run, sequence, kept=False)
            yield run


def _quieter(*runs: Run) -> Run:
    """The run that the machine disturbed least: other work on it only ever adds time."""
    return min(runs, key=lambda run: (disturbed([run]), timing.summarise(run.ms).p50_ms))


def _peak(work: _Work, spec: str, sequence: Sequence, watcher: Watcher) -> float:
    """Memory of a tracker, kept beside its runs."""
    key = work.key(spec, sequence, sequence.first_box)
    if work.store is not None and not work.fresh:
        kept = work.store.get_peak(spec, key)
        if kept is not None:
            return kept
    watcher.weighing(spec)
    peak = peak_memory(spec, sequence, threads=work.threads)
    if work.store is not None and math.isfinite(peak):
        work.store.put_peak(spec, peak, key)
    return peak


def _in_processes(work: _Work, dataset: Dataset, watcher: Watcher) -> Iterator[Run]:
    """All runs in worker processes, longest sequences first."""
    sequences = sorted(dataset, key=len, reverse=True)
    pool = joblib.Parallel(n_jobs=work.jobs, backend="loky", return_as="generator_unordered")
    tasks = (joblib.delayed(_task)(work, spec, sequence) for sequence in sequences for spec in work.trackers)
    by_name = {sequence.name: sequence for sequence in sequences}
    for runs in pool(tasks):
        for run, kept in runs:
            watcher.finished(run, by_name[run.sequence], kept)
            yield run


def _task(work: _Work, spec: str, sequence: Sequence) -> list[tuple[Run, bool]]:
    """All runs of one tracker over one sequence, in a worker process."""
    told = _Collector()
    alone = replace(work, trackers=(spec,))
    made = {spec: create(spec, **with_threads(spec, work.threads))}
    for _ in _here(alone, made, Dataset(work.dataset, (sequence,)), told):
        pass
    return told.runs


class _Collector(Watcher):
    def __init__(self) -> None:
        self.runs: list[tuple[Run, bool]] = []

    def finished(self, run: Run, sequence: Sequence, kept: bool) -> None:
        self.runs.append((run, kept))


def _file_digest(spec: str) -> str | None:
    """Hash of the user's file that a tracker comes from."""
    file = Path(parse_spec(spec)[0].rpartition(":")[0])
    return (
        hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        if file.suffix == ".py" and file.is_file()
        else None
    )


def _network_digests(spec: str) -> dict[str, str | None]:
    """Hashes of the network files that a tracker's class names; ``None`` for one that is not here."""
    files = getattr(tracker_class(parse_spec(spec)[0]), "files", ())
    digests: dict[str, str | None] = {}
    for name in files.values() if isinstance(files, Mapping) else files:
        try:
            path = find_network(name)
        except MissingError:
            digests[name] = None
            continue
        about = path.stat()
        digests[name] = _hash(path, about.st_size, about.st_mtime_ns)
    return digests


@functools.cache
def _hash(path: Path, size: int, changed: int) -> str:
    """Short hash of a file, read again only when its size or its time of change is another."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
