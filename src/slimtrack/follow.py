"""From a source through a tracker to results: `follow` for programs, `track_video` for files."""

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from slimtrack.video.frames import Frames, Source, open_frames
from slimtrack.video.results import Row, Writer, open_writer

__all__ = ["DEFAULT_TRACKER", "Summary", "follow", "track_video"]

DEFAULT_TRACKER = "staple"

_MOST_ROWS = 50_000
"""Rows that a summary keeps, about 16 MiB: half an hour of a camera. A longer run's are thinned out."""

OnFrame: TypeAlias = Callable[[Image, Row], object]
"""Called with each frame and what was found in it; returning ``False`` ends the run."""


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
    **options: Any,
) -> Iterator[Track]:
    """Follows a target through a source, a track a frame.

    ::

        for track in slimtrack.follow("video.mp4", (x, y, w, h)):
            print(track.box, track.score, track.state)

    Source, tracker and box are checked at once, before the first track is asked for.

    Args:
        source: Anything that `open_frames` takes: file, folder, glob, camera, URL, `Frames`, or images.
        box: The target in the first frame.
        tracker: A name (see `list_trackers`) or a tracker.
        **options: The tracker's options, where it is given by name.

    Returns:
        An iterator: first the given box with score 1 and state TRACKED, then one track for each frame. Broken
        frames are left out; with a `Frames` as source, its `index` is the number of the frame.

    Raises:
        SourceError: The source cannot be read, or changes its size half-way.
        InputError: The box or an option cannot be used.
        UnknownNameError: No such tracker or option.
    """
    made = _made(tracker, options)
    frames = open_frames(source)
    try:
        box = checked_box(box, frames.first)
    except BaseException:
        _close(frames, source)
        raise
    return _tracks(frames, source, box, made)


def _tracks(frames: Frames, source: Source, box: Box, tracker: Tracker) -> Iterator[Track]:
    try:
        for _, row in _rows(frames, box, tracker, Summary(tracker.name)):
            yield row.track
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


def _rows(frames: Frames, box: Box, tracker: Tracker, summary: Summary) -> Iterator[tuple[Image, Row]]:
    """Each frame with what was found in it; only the tracker's own work is timed."""
    image = next(frames)
    with Stopwatch() as watch:
        tracker.init(image, box)
    summary.init_ms = watch.ms[-1]
    yield image, Row(frames.index, Track(box, 1.0, State.TRACKED))
    for image in frames:
        with Stopwatch() as watch:  # a new one each time: a camera's would grow for ever
            track = tracker.update(image)
        yield image, Row(frames.index, track, watch.ms[-1])


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
) -> Summary:
    """Follows a target through a source and writes files as it goes.

    The tracker is warmed up on the first frame before it is started, so that compiling is in no time stated.

    Ctrl-C ends the run early: files are finished and the summary says so. Should source, tracker or disk fail
    half-way, everything up to there is in the files when the error is raised.

    Args:
        source: Anything that `open_frames` takes.
        box: The target in the first frame.
        tracker: A name or a tracker.
        options: The tracker's options, where it is given by name.
        outputs: Files to write, their format told by the suffix (see `slimtrack.video.results.FORMATS`); or a
            mapping from file to format.
        plot: PNG of score and speed over time.
        on_progress: Called with each frame and its row; returning ``False`` ends the run early.
        about: What else a JSON file shall say at its head, such as ``options`` of a tracker made already.

    Returns:
        What was tracked, how fast, and where it was written.

    Raises:
        SourceError: The source cannot be read, or changes its size half-way.
        OutputError: A file cannot be written.
        InputError: The box or an option cannot be used.
        MissingError: ``plot`` without matplotlib.
    """
    if plot is not None:
        require_matplotlib(plot)
    made = _made(tracker, options or {})
    known = {"options": settings(tracker, options)} if isinstance(tracker, str) else {}
    frames = open_frames(source)
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
            _run(_rows(frames, box, made, summary), writers, summary, on_progress)
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
    rows: Iterator[tuple[Image, Row]],
    writers: list[Writer],
    summary: Summary,
    on_progress: OnFrame | None,
) -> None:
    try:
        for image, row in rows:
            summary.add(row)
            for writer in writers:
                writer.add(row, image)
            if on_progress is not None and on_progress(image, row) is False:
                summary.interrupted = True
                break
    except KeyboardInterrupt:
        summary.interrupted = True


def _plot(path: str | os.PathLike[str], summary: Summary, fps: float | None, name: str) -> None:
    rows = summary.rows
    speed = f", {summary.fps:.0f} frames/s" if summary.fps else ""
    title = f"{name}: {summary.tracker}, {summary.frames} frames{speed}"
    scores, states = [row.track.score for row in rows], [row.track.state for row in rows]
    try:
        timeline(path, scores, [row.ms for row in rows], states, title=title, fps=fps, every=summary.every)
    except OutputError as error:
        summary.notes.append(str(error))  # the boxes are written: a picture that failed is no failed run
    else:
        summary.outputs.append(Path(path))
