"""Runs trackers over sequences, from one or five first boxes, by the rules of a protocol, and times them."""

import functools
import hashlib
import inspect
import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as Several
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import joblib

import slimtrack
from slimtrack import timing
from slimtrack.box import Box
from slimtrack.datasets import Dataset, Sequence
from slimtrack.errors import InputError
from slimtrack.evaluation.memory import peak_memory
from slimtrack.evaluation.once import DecodedFrames, track_once
from slimtrack.evaluation.procedures import Procedure
from slimtrack.evaluation.protocols import OTB, Protocol
from slimtrack.evaluation.runs import Run, Store, code_fingerprint, disturbed
from slimtrack.evaluation.watcher import Watcher
from slimtrack.follower import Follower
from slimtrack.registry import create, settings, spelt, tracker_class, with_threads

__all__ = ["ONE_BY_ONE", "Evaluation", "Interrupted", "Running", "evaluate", "first_boxes"]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results of all trackers, sequences and first boxes.

    Attributes:
        dataset: The sequences.
        runs: Per tracker and sequence, the runs in the order of their first boxes.
        jitter: Pixels by which the first boxes were shifted.
        threads: Number of threads allowed.
        jobs: Number of processes that ran at the same time; above 1 the times mean little.
        protocol: Which frames the trackers saw, where they started, and the rules of the metrics.
        peak_rss_mb: Per tracker, peak resident memory of a process of its own in MiB
            (`slimtrack.evaluation.memory.peak_memory`); ``nan`` if it could not be measured.
    """

    dataset: Dataset
    runs: dict[str, dict[str, list[Run]]]
    jitter: float
    threads: int
    jobs: int
    protocol: Protocol
    peak_rss_mb: dict[str, float]


@dataclass(frozen=True, slots=True)
class Running:
    """How much of the machine an evaluation uses, and how often.

    Attributes:
        threads: Number of threads allowed.
        jobs: Number of processes that share the sequences. For accuracy only: times are marked noisy.
        repeats: How often a disturbed run is repeated at most; never with several jobs.
    """

    threads: int = 1
    jobs: int = 1
    repeats: int = 1


ONE_BY_ONE = Running()
"""One thread, one run after the other: the setting in which times are comparable."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during an evaluation.

    Attributes:
        part: The sequences that every tracker has finished, without memory; ``None`` before the first.
    """

    def __init__(self, part: Evaluation | None) -> None:
        super().__init__()
        self.part = part


def evaluate(
    trackers: Several[str],
    dataset: Dataset,
    *,
    jitter: float = 0.0,
    running: Running = ONE_BY_ONE,
    store: Store | None = None,
    fresh: bool = False,
    protocol: Protocol = OTB,
    watcher: Watcher | None = None,
) -> Evaluation:
    """Runs every tracker over every sequence; trackers take turns within a sequence (A B A B).

    A run during which the machine was busy (`slimtrack.evaluation.runs.disturbed`) is repeated, and the
    quietest one is kept. At the end the memory of each tracker is measured in a process of its own.

    Args:
        trackers: Names, possibly with options: ``"kcf[kernel=linear]"``.
        dataset: The sequences.
        jitter: Pixels. Above 0, each sequence runs from five first boxes: as given, and shifted by this much
            left, right, up and down. Single runs are chaotic; only their mean is informative.
        running: Threads, processes, repetitions.
        store: Folder of finished runs.
        fresh: Repeat finished runs too.
        protocol: Which frames the trackers see, where they start, and the rules of the metrics.
        watcher: Progress callbacks.

    Raises:
        InputError: There is no tracker, the same one twice, or a bad option or number; or something that the
            protocol needs for a run is missing.
        UnknownNameError: No such tracker or option.
        MissingError: A package or file that a tracker needs is missing.
        SourceError: An image cannot be read.
        OutputError: A finished run cannot be stored.
        Interrupted: Ctrl-C; it holds the finished part.
    """
    _refuse(trackers, dataset, jitter, running)
    threads, jobs = running.threads, running.jobs
    work = _Work(tuple(trackers), dataset.name, protocol.procedure, jitter, running, store, fresh)
    # created here, so that a wrong name is reported before anything runs
    made = {spec: create(spec, **with_threads(spec, threads)) for spec in trackers}
    watcher = watcher or Watcher()
    starts = len(first_boxes(Box(0, 0, 1, 1), jitter))
    watcher.begin(len(trackers) * starts * sum(map(len, dataset)))
    runs: dict[str, dict[str, list[Run]]] = {spec: {s.name: [] for s in dataset} for spec in trackers}
    result = Evaluation(dataset, runs, jitter, threads, jobs, protocol, dict.fromkeys(trackers, math.nan))
    by_name = {sequence.name: sequence for sequence in dataset}
    try:
        for run, kept in _in_processes(work, dataset) if jobs > 1 else _here(work, made, dataset, watcher):
            runs[run.tracker][run.sequence].append(run)
            runs[run.tracker][run.sequence].sort(key=lambda run: run.index)
            watcher.finished(run, by_name[run.sequence], kept)
        peaks = {spec: _peak(work, spec, dataset.sequences[0], watcher) for spec in trackers}
    except KeyboardInterrupt as stop:
        raise Interrupted(_finished(result, starts)) from stop
    return replace(result, peak_rss_mb=peaks)


def _refuse(trackers: Several[str], dataset: Dataset, jitter: float, running: Running) -> None:
    if not trackers or len(set(map(spelt, trackers))) < len(trackers):
        raise InputError(
            f"trackers are {', '.join(trackers) or 'none'}: give at least one, and each only once"
        )
    if not len(dataset):
        raise InputError(f"dataset {dataset.name} has no sequence")
    threads, jobs, repeats = running.threads, running.jobs, running.repeats
    if jobs < 1 or threads < 1 or repeats < 0 or not 0 <= jitter < float("inf"):
        raise InputError(
            f"jobs {jobs}, threads {threads}, repeats {repeats}, jitter {jitter}: expected >= 1, >= 1, >= 0 "
            "and >= 0 pixels"
        )


def _finished(result: Evaluation, starts: int) -> Evaluation | None:
    """The sequences that every tracker has run from all first boxes; ``None`` if there are none."""
    whole = tuple(
        s for s in result.dataset if all(len(own[s.name]) == starts for own in result.runs.values())
    )
    runs = {spec: {s.name: own[s.name] for s in whole} for spec, own in result.runs.items()}
    return replace(result, dataset=Dataset(result.dataset.name, whole), runs=runs) if whole else None


def first_boxes(box: Box, jitter: float) -> list[Box]:
    """The first boxes: as given and, with jitter, shifted left, right, up and down.

    Args:
        box: The true first box.
        jitter: Pixels; 0: the given box only.
    """
    if jitter == 0:
        return [box]
    return [box.moved(dx * jitter, dy * jitter) for dx, dy in ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))]


class _Start(NamedTuple):
    """One run to do."""

    spec: str
    sequence: Sequence
    number: int
    first: Box


@dataclass(frozen=True, slots=True)
class _Work:
    """What is the same for all runs; sent to worker processes."""

    trackers: tuple[str, ...]
    dataset: str
    procedure: Procedure
    jitter: float
    running: Running
    store: Store | None
    fresh: bool

    def key(self, spec: str, sequence: Sequence, first: Box) -> dict[str, Any]:
        """Everything that the boxes and times of a run depend on."""
        names = os.fsencode(",".join(file.name for file in sequence.frames))
        machine = timing.machine(self.running.threads)
        return {
            "slimtrack": slimtrack.__version__,
            "code": code_fingerprint(),
            "tracker": spec,
            "options": {name: repr(value) for name, value in settings(spec).items()},
            "file": _file_digest(spec),
            "networks": _network_digests(spec),
            "dataset": self.dataset,
            "footage": hashlib.sha256(names + sequence.truth.tobytes()).hexdigest()[:16],
            "first": [*first],
            "jitter": self.jitter,
            "threads": self.running.threads,
            "alone": self.running.jobs == 1,
            **{name: machine[name] for name in ("cpu", "numpy", "opencv", "onnxruntime")},
        }

    def kept(self, start: _Start) -> Run | None:
        """The stored run, if there is one."""
        if self.store is None or self.fresh:
            return None
        store, key = self._place(self.store, start)
        return store.get(start.spec, start.sequence.name, start.number, key)

    def keep(self, run: Run, start: _Start) -> None:
        """Stores a run, if there is a store."""
        if self.store is not None:
            store, key = self._place(self.store, start)
            store.put(run, key)

    def _place(self, store: Store, start: _Start) -> tuple[Store, dict[str, Any]]:
        course = self.procedure.course(*start)
        return store.within(course.folder), self.key(start.spec, start.sequence, start.first) | course.key


def _here(
    work: _Work, made: Mapping[str, Follower], dataset: Dataset, watcher: Watcher
) -> Iterator[tuple[Run, bool]]:
    """Does all runs in this process; yields each with whether it was stored before."""
    warm: set[str] = set()
    for sequence in dataset:
        pending = []
        for index, first in enumerate(first_boxes(sequence.first_box, work.jitter)):
            for spec in work.trackers:
                start = _Start(spec, sequence, index, first)
                run = work.kept(start)
                if run is None:
                    pending.append(start)
                    continue
                yield run, True
        frames = DecodedFrames(sequence.frames) if pending else None
        for start in pending:
            assert frames is not None
            with timing.limit_threads(work.running.threads):
                if start.spec not in warm:
                    timing.warm_up(made[start.spec], frames, start.first)
                    warm.add(start.spec)
                run = _run(work, made[start.spec], frames, start, watcher)
            work.keep(run, start)
            yield run, False


def _run(work: _Work, tracker: Follower, frames: DecodedFrames, start: _Start, watcher: Watcher) -> Run:
    spec, sequence, index, _ = start

    def once() -> Run:
        return track_once(
            tracker, frames, work.procedure.course(*start),
            name=spec, sequence=sequence.name, index=index, watcher=watcher,
        )  # fmt: skip

    again = functools.partial(watcher.again, spec, sequence.name, index, len(sequence))
    return _quietest(once, again, work.running.repeats if work.running.jobs == 1 else 0)


def _quietest(once: Callable[[], Run], again: Callable[[], None], repeats: int) -> Run:
    """The run that was disturbed least: other work on the machine only adds time."""
    runs = [once()]
    while disturbed(runs[-1:]) and len(runs) <= repeats:
        again()
        runs.append(once())
    return min(runs, key=lambda run: (disturbed([run]), timing.summarise(run.ms).p50_ms))


def _peak(work: _Work, spec: str, sequence: Sequence, watcher: Watcher) -> float:
    """Memory of a tracker, stored beside its runs."""
    key = work.key(spec, sequence, sequence.first_box)
    if work.store is not None and not work.fresh:
        kept = work.store.get_peak(spec, key)
        if kept is not None:
            return kept
    watcher.weighing(spec)
    peak = peak_memory(spec, sequence, threads=work.running.threads)
    if work.store is not None and math.isfinite(peak):
        work.store.put_peak(spec, peak, key)
    return peak


def _in_processes(work: _Work, dataset: Dataset) -> Iterator[tuple[Run, bool]]:
    """Does all runs in worker processes, longest sequences first; yields each with whether it was stored."""
    sequences = sorted(dataset, key=len, reverse=True)
    pool = joblib.Parallel(n_jobs=work.running.jobs, backend="loky", return_as="generator_unordered")
    results = pool(
        joblib.delayed(_task)(work, spec, sequence) for sequence in sequences for spec in work.trackers
    )
    try:
        for of_task in results:
            yield from of_task
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joblib warns about the tasks that Ctrl-C stops
            results.close()


def _task(work: _Work, spec: str, sequence: Sequence) -> list[tuple[Run, bool]]:
    """Does all runs of one tracker over one sequence, in a worker process."""
    made = {spec: create(spec, **with_threads(spec, work.running.threads))}
    alone = Dataset(work.dataset, (sequence,))
    return list(_here(replace(work, trackers=(spec,)), made, alone, Watcher()))


def _file_digest(spec: str) -> str | None:
    """Hash of the file that defines a plug-in tracker; slimtrack's own code has one common hash."""
    cls = tracker_class(spec)
    if cls.__module__.startswith("slimtrack."):
        return None
    file = Path(inspect.getfile(cls))
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def _network_digests(spec: str) -> list[str]:
    """Hashes of the network files that a tracker reads with these options."""
    paths = tracker_class(spec).reads(settings(spec))
    return [_hash(path, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]


@functools.cache
def _hash(path: Path, size: int, changed: int) -> str:
    """Short hash of a file; read again only if its size or modification time has changed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
