"""From a source through a tracker to results: `follow` for programs, `track_video` for files."""

import math
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy.typing as npt

import slimtrack
from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.confidence import State
from slimtrack.errors import InputError, OutputError
from slimtrack.registry import create, settings
from slimtrack.timing import WARM_UP, Stopwatch, Timing, summarise, warm_up
from slimtrack.tracker import Track, Tracker, checked_box
from slimtrack.video.draw import require_matplotlib, timeline
from slimtrack.video.feed import Mark
from slimtrack.video.frames import Frame, Frames, Source, open_frames
from slimtrack.video.results import Row, Writer, open_writer

__all__ = ["DEFAULT_TRACKER", "Step", "Steps", "Summary", "follow", "track_video"]

DEFAULT_TRACKER = "staple"

_MOST_ROWS = 50_000
"""Rows that a summary keeps, about 16 MiB: half an hour of a camera. A longer run's are thinned out."""

OnFrame: TypeAlias = Callable[[Image, Row], object]
"""Called with each frame and what was found in it; returning ``False`` ends the run."""


@dataclass(frozen=True, slots=True, eq=False)  # images are not compared by ==
class Step:
    """One frame and what was found in it.

    Attributes:
        number: The frame's number in the source, 0-based; broken frames count.
        time: Its seconds from the source's beginning; ``None`` where nobody says.
        image: ``(H, W, 3)`` uint8 BGR; read-only.
        track: Box, score and state.
        skipped: Broken frames left out between the step before and this one.
        ms: Milliseconds that `Tracker.update` took; ``None`` for the first frame.
    """

    number: int
    time: float | None
    image: Image
    track: Track
    skipped: int = 0
    ms: float | None = None

    @property
    def box(self) -> Box:
        """The target's box; while LOST, the last believed one."""
        return self.track.box

    @property
    def score(self) -> float:
        """Calibrated probability that the box overlaps the target by more than one half."""
        return self.track.score

    @property
    def state(self) -> State:
        """TRACKED, UNCERTAIN or LOST."""
        return self.track.state


class Steps(Iterator[Step]):
    """What `follow` gives: an iterator of steps that knows its source.

    Attributes:
        frames: The source; its ``notes`` say what the user should know, such as frames that are broken.
    """

    def __init__(self, frames: Frames, steps: Generator[Step, None, None]) -> None:
        self.frames = frames
        self._steps = steps

    def __next__(self) -> Step:
        return next(self._steps)

    def close(self) -> None:
        """Ends it early and gives the source back; so does the end of the loop or of the program."""
        self._steps.close()


@dataclass(slots=True)
class Summary:
    """What came of tracking a source.

    Attributes:
        tracker: Name of the tracker.
        frames: Frames tracked, the first one included.
        rows: Frame number, track and milliseconds of the frames; of a long run every second, fourth, .. one,
            so that a camera may run for ever.
        every: Which of the frames are in `rows`: 1 is all of them.
        counts: Frames in each state.
        skipped: Broken frames left out.
        init_ms: Milliseconds of `Tracker.init`.
        outputs: Files written.
        notes: What the user should know.
        interrupted: Whether it was ended before the source was.
    """

    tracker: str
    frames: int = 0
    rows: list[Row] = field(default_factory=list)
    every: int = 1
    counts: Counter[State] = field(default_factory=Counter)
    skipped: int = 0
    init_ms: float = 0.0
    outputs: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False

    def add(self, row: Row) -> None:
        """Takes note of the next frame."""
        if self.frames % self.every == 0:
            self.rows.append(row)
            if len(self.rows) > _MOST_ROWS:
                self.rows = self.rows[::2]
                self.every *= 2
        self.frames += 1
        self.counts[row.track.state] += 1

    @property
    def speed(self) -> Timing:
        """The times of `Tracker.update` alone, behind the warm-up; ``nan`` where there are none."""
        later = (row for number, row in enumerate(self.rows) if number * self.every > WARM_UP)
        return summarise([row.ms for row in later if row.ms is not None])

    @property
    def p50_ms(self) -> float | None:
        """Median milliseconds of an update; ``None`` where nothing was measured, as below."""
        return _measured(self.speed.p50_ms)

    @property
    def p95_ms(self) -> float | None:
        """Milliseconds that 95 % of the updates keep."""
        return _measured(self.speed.p95_ms)

    @property
    def fps(self) -> float | None:
        """Updates a second: 1000 / p50."""
        return _measured(self.speed.fps)

    @property
    def shares(self) -> dict[State, float]:
        """Share of the frames in each state."""
        return {state: self.counts[state] / max(self.frames, 1) for state in State}


def _measured(value: float) -> float | None:
    return value if math.isfinite(value) else None


def follow(
    source: Source,
    box: Box | npt.ArrayLike,
    *,
    tracker: str | Tracker = DEFAULT_TRACKER,
    start: Mark = 0,
    end: Mark | None = None,
    **options: Any,
) -> Steps:
    """Follows a target through a source, a step a frame.

    ::

        for step in slimtrack.follow("video.mp4", (x, y, w, h)):
            print(step.number, step.time, step.box, step.score, step.state)

    Source, tracker and box are checked at once, before the first step is asked for.

    Args:
        source: Anything that `open_frames` takes: file, folder, glob, camera, URL, `Frames`, or images.
        box: The target in the first frame that is followed.
        tracker: A name (see `list_trackers`) or a tracker.
        start: Where to begin: a whole number is a frame's (0-based), a float is seconds.
        end: Where to end: the frame of that number, or the first at that time, is not given any more.
        **options: The tracker's options, where it is given by name.

    Returns:
        An iterator: first the given box with score 1 and state TRACKED, then one step for each frame. Broken
        frames are left out, and the next step says how many. A step holds its image: to keep many, keep
        ``step.track``.

    Raises:
        SourceError: The source cannot be read, ends before ``start``, or changes its size half-way.
        InputError: The box, an option, ``start`` or ``end`` cannot be used.
        UnknownNameError: No such tracker or option.
    """
    made = _made(tracker, options)
    frames = open_frames(source, start=start, end=end)
    try:
        box = checked_box(box, frames.first)
    except BaseException:
        _close(frames, source)
        raise
    return Steps(frames, _steps(frames, source, box, made))


def _steps(frames: Frames, source: Source, box: Box, tracker: Tracker) -> Generator[Step, None, None]:
    try:
        yield from _followed(frames, box, tracker, Summary(tracker.name))
    finally:
        _close(frames, source)


def _close(frames: Frames, source: Source) -> None:
    if frames is not source:  # one that the caller opened is the caller's to close
        frames.close()


def _made(tracker: str | Tracker, options: Mapping[str, Any]) -> Tracker:
    if isinstance(tracker, str):
        return create(tracker, **options)
    if not isinstance(tracker, Tracker):
        raise InputError(f"tracker is a {type(tracker).__name__}, not a name or a Tracker object")
    if options:
        given = ", ".join(sorted(options))
        raise InputError(f"options ({given}) go with a tracker's name; this one has been made already")
    return tracker


def _followed(frames: Frames, box: Box, tracker: Tracker, summary: Summary) -> Iterator[Step]:
    """Each frame with what was found in it; only the tracker's own work is timed."""
    numbered = frames.numbered()
    frame = next(numbered)
    with Stopwatch() as watch:
        tracker.init(frame.image, box)
    summary.init_ms = watch.ms[-1]
    skipped = frames.skipped
    yield _step(frame, Track(box, 1.0, State.TRACKED), skipped)
    for frame in numbered:
        with Stopwatch() as watch:  # a new one each time: a camera's would grow for ever
            track = tracker.update(frame.image)
        yield _step(frame, track, frames.skipped - skipped, watch.ms[-1])
        skipped = frames.skipped


def _step(frame: Frame, track: Track, skipped: int, ms: float | None = None) -> Step:
    return Step(frame.number, frame.time, frame.image, track, skipped, ms)


def track_video(
    source: Source,
    box: Box | npt.ArrayLike,
    *,
    tracker: str | Tracker = DEFAULT_TRACKER,
    options: Mapping[str, Any] | None = None,
    outputs: Iterable[str | os.PathLike[str]] | Mapping[str | os.PathLike[str], str] = (),
    plot: str | os.PathLike[str] | None = None,
    on_progress: OnFrame | None = None,
    about: Mapping[str, object] | None = None,
    start: Mark = 0,
    end: Mark | None = None,
) -> Summary:
    """Follows a target through a source and writes files as it goes.

    The tracker is warmed up on the first frame before it is started, so that compiling is in no time stated.

    Ctrl-C ends the run early: files are finished and the summary says so. Should source, tracker or disk fail
    half-way, everything up to there is in the files when the error is raised.

    Args:
        source: Anything that `open_frames` takes.
        box: The target in the first frame that is followed.
        tracker: A name or a tracker.
        options: The tracker's options, where it is given by name.
        outputs: Files to write, their format told by the suffix (see `slimtrack.video.results.FORMATS`); or a
            mapping from file to format.
        plot: PNG of score and speed over time.
        on_progress: Called with each frame and its row; returning ``False`` ends the run early.
        about: What else a JSON file shall say at its head, such as ``options`` of a tracker made already.
        start: Where to begin: a whole number is a frame's (0-based), a float is seconds.
        end: Where to end: the frame of that number, or the first at that time, is not given any more.

    Returns:
        What was tracked, how fast, and where it was written.

    Raises:
        SourceError: The source cannot be read, ends before ``start``, or changes its size half-way.
        OutputError: A file cannot be written.
        InputError: The box, an option, ``start`` or ``end`` cannot be used.
        MissingError: ``plot`` without matplotlib.
    """
    if plot is not None:
        require_matplotlib(plot)
    made = _made(tracker, options or {})
    known = {"options": settings(tracker, options)} if isinstance(tracker, str) else {}
    frames = open_frames(source, start=start, end=end)
    summary = Summary(made.name)
    forms = outputs if isinstance(outputs, Mapping) else dict.fromkeys(outputs)
    try:
        box = checked_box(box, frames.first)
        warm_up(made, [frames.first] * 3, box)
        head = _head(frames, made, box) | known | dict(about or {})
        with ExitStack() as stack:
            writers = [
                stack.enter_context(open_writer(path, form, fps=frames.fps, about=head))
                for path, form in forms.items()
            ]
            summary.outputs = [writer.path for writer in writers]
            _run(_followed(frames, box, made, summary), writers, summary, on_progress)
    finally:
        summary.skipped, summary.notes = frames.skipped, frames.notes
        _close(frames, source)
        if plot is not None and summary.rows:
            _plot(plot, summary, frames.fps, frames.name)
    return summary


def _head(frames: Frames, tracker: Tracker, box: Box) -> dict[str, object]:
    """How a result was made, for the head of a JSON file."""
    return {
        "slimtrack": slimtrack.__version__,
        "source": frames.origin,
        "name": frames.name,
        "size": frames.size,
        "fps": frames.fps,
        "tracker": tracker.name,
        "box": [*box],
    }


def _run(
    steps: Iterator[Step],
    writers: list[Writer],
    summary: Summary,
    on_progress: OnFrame | None,
) -> None:
    try:
        for step in steps:
            row = Row(step.number, step.track, step.ms, step.time)
            summary.add(row)
            for writer in writers:
                writer.add(row, step.image)
            if on_progress is not None and on_progress(step.image, row) is False:
                summary.interrupted = True
                break
    except KeyboardInterrupt:
        summary.interrupted = True


def _plot(path: str | os.PathLike[str], summary: Summary, fps: float | None, name: str) -> None:
    rows = summary.rows
    speed = f", {summary.fps:.0f} frames/s" if summary.fps else ""
    title = f"{name}: {summary.tracker}, {summary.frames} frames{speed}"
    scores, states = [row.track.score for row in rows], [row.track.state for row in rows]
    at = None if rows[0].time is None else [row.time or 0.0 for row in rows]
    if at is None:
        at = [row.frame / (fps or 1) for row in rows]
    unit = "frame" if fps is None and rows[0].time is None else "seconds"
    try:
        timeline(path, scores, [row.ms for row in rows], states, at=at, unit=unit, title=title)
    except OutputError as error:
        summary.notes.append(str(error))  # the boxes are written: a picture that failed is no failed run
    else:
        summary.outputs.append(Path(path))
