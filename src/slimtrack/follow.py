"""From a source through a tracker to results: `follow` for programs, `track_video` for files."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.confidence import State
from slimtrack.errors import InputError, OutputError
from slimtrack.registry import create
from slimtrack.tracker import Track, Tracker, checked_box
from slimtrack.video.draw import require_matplotlib, timeline
from slimtrack.video.frames import Frames, Source, open_frames
from slimtrack.video.results import Row, Writer, open_writer

__all__ = ["DEFAULT_TRACKER", "Summary", "follow", "track_video"]

DEFAULT_TRACKER = "staple"

_WARM_UP = 5
"""Updates that are tracked but not counted in the times: caches fill and code is compiled in them."""

OnFrame: TypeAlias = Callable[[Image, Row], object]
"""Called with each frame and what was found in it; returning ``False`` ends the run."""


@dataclass(slots=True)
class Summary:
    """What came of tracking a source.

    Attributes:
        tracker: Name of the tracker.
        rows: Frame number, track and milliseconds of every frame tracked.
        skipped: Broken frames left out.
        init_ms: Milliseconds of `Tracker.init`.
        outputs: Files written.
        notes: What the user should know.
        interrupted: Whether it was ended before the source was.
    """

    tracker: str
    rows: list[Row] = field(default_factory=list)
    skipped: int = 0
    init_ms: float = 0.0
    outputs: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False

    @property
    def frames(self) -> int:
        """Frames tracked, the first one included."""
        return len(self.rows)

    def percentile(self, share: float) -> float | None:
        """Milliseconds of `Tracker.update` alone, warm-up left out; ``None`` where nothing was measured.

        Args:
            share: In percent: 50 is the median.
        """
        measured = [row.ms for row in self.rows if row.ms is not None]
        counted = measured[_WARM_UP:] or measured  # a clip of six frames: better warm than nothing
        return float(np.percentile(counted, share)) if counted else None

    @property
    def p50_ms(self) -> float | None:
        """Median milliseconds of an update."""
        return self.percentile(50)

    @property
    def p95_ms(self) -> float | None:
        """Milliseconds that 95 % of the updates keep."""
        return self.percentile(95)

    @property
    def fps(self) -> float | None:
        """Updates a second: 1000 / p50."""
        p50 = self.p50_ms
        return 1000 / p50 if p50 else None

    @property
    def shares(self) -> dict[State, float]:
        """Share of the frames in each state."""
        counts = Counter(row.track.state for row in self.rows)
        return {state: counts[state] / max(self.frames, 1) for state in State}


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
    for image in frames:
        start = time.perf_counter_ns()
        if not summary.init_ms:
            tracker.init(image, box)
            summary.init_ms = (time.perf_counter_ns() - start) / 1e6
            yield image, Row(frames.index, Track(box, 1.0, State.TRACKED))
        else:
            track = tracker.update(image)
            yield image, Row(frames.index, track, (time.perf_counter_ns() - start) / 1e6)


def track_video(
    source: Source,
    box: Box | npt.ArrayLike,
    *,
    tracker: str | Tracker = DEFAULT_TRACKER,
    options: Mapping[str, Any] | None = None,
    outputs: Iterable[str | os.PathLike[str]] | Mapping[str | os.PathLike[str], str] = (),
    plot: str | os.PathLike[str] | None = None,
    on_progress: OnFrame | None = None,
) -> Summary:
    """Follows a target through a source and writes files as it goes.

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
    frames = open_frames(source)
    summary = Summary(made.name)
    forms = outputs if isinstance(outputs, Mapping) else dict.fromkeys(outputs)
    try:
        box = checked_box(box, frames.first)
        with ExitStack() as stack:
            writers: list[Writer] = []
            for path, form in forms.items():
                about = {"source": frames.name, "tracker": made.name, "fps": frames.fps, "size": frames.size}
                writers.append(stack.enter_context(open_writer(path, form, fps=frames.fps, about=about)))
            summary.outputs = [writer.path for writer in writers]
            _run(_rows(frames, box, made, summary), writers, summary, on_progress)
    finally:
        summary.skipped, summary.notes = frames.skipped, frames.notes
        _close(frames, source)
        if plot is not None and summary.rows:
            _plot(plot, summary, frames.fps, frames.name)
    return summary


def _run(
    rows: Iterator[tuple[Image, Row]],
    writers: list[Writer],
    summary: Summary,
    on_progress: OnFrame | None,
) -> None:
    try:
        for image, row in rows:
            summary.rows.append(row)
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
    title = f"{name}: {summary.tracker}, {len(rows)} frames{speed}"
    scores, states = [row.track.score for row in rows], [row.track.state for row in rows]
    try:
        timeline(path, scores, [row.ms for row in rows], states, title=title, fps=fps)
    except OutputError as error:
        summary.notes.append(str(error))  # the boxes are written: a picture that failed is no failed run
    else:
        summary.outputs.append(Path(path))
