"""Tracks through a source: `follow` gives the results step by step, `track_video` writes them to files."""

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy.typing as npt

import slimtrack
from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.confidence import State
from slimtrack.errors import InputError, SlimtrackError
from slimtrack.files import undivided
from slimtrack.follower import Follower, Track, as_box
from slimtrack.registry import create, settings
from slimtrack.timing import Stopwatch, warm_up
from slimtrack.video.corrections import Corrections
from slimtrack.video.draw import require_matplotlib
from slimtrack.video.feed import Mark
from slimtrack.video.frames import Frame, Frames, Source, open_frames
from slimtrack.video.guard import guard_files
from slimtrack.video.outputs import Files, Outputs
from slimtrack.video.past import Past
from slimtrack.video.results import Row
from slimtrack.video.summary import Summary
from slimtrack.video.together import Together

__all__ = ["Outputs", "Step", "Steps", "Summary", "follow", "track_video"]

OnFrame: TypeAlias = Callable[[Image, Row], object]
"""Called with each frame and its row of results; returning ``False`` ends the run."""


@dataclass(frozen=True, slots=True, eq=False)  # images are not compared by ==
class Step:
    """One frame and what was found in it.

    Attributes:
        number: The frame's number in the source, 0-based; broken frames count.
        time: Seconds from the start of the source; ``None`` if the source has no times.
        image: ``(H, W, 3)`` uint8 BGR; read-only.
        track: Box, score and state.
        skipped: Number of broken frames left out between the previous step and this one.
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
    """The iterator that `follow` returns.

    Attributes:
        frames: The source; its ``notes`` tell the user about broken frames and the like.
    """

    def __init__(self, frames: Frames, steps: Generator[Step, None, None]) -> None:
        self.frames = frames
        self._steps = steps

    def __next__(self) -> Step:
        return next(self._steps)

    def close(self) -> None:
        """Stops early and releases the source, as the end of the loop or of the program does too."""
        self._steps.close()


def follow(
    source: Source,
    box: Box | npt.ArrayLike,
    *,
    tracker: str | Follower | None = None,
    start: Mark = 0,
    end: Mark | None = None,
    **options: Any,
) -> Steps:
    """Follows a target through a source, one step per frame.

    ::

        for step in slimtrack.follow("video.mp4", (x, y, w, h)):
            print(step.number, step.time, step.box, step.score, step.state)

    The tracker is started when `follow` is called, so that a bad source, tracker or box is refused there, not
    at the first step.

    Args:
        source: Anything that `open_frames` takes: file, folder, glob, camera, URL, `Frames`, or images.
        box: The target in the first frame that is tracked.
        tracker: A name (see `list_trackers`), a tracker, or another `Follower`. Default: `slim`, or `eco-hc`
            where ONNX Runtime is not installed.
        start: Where to begin: a whole number is a frame number (0-based), a float is a time in seconds.
        end: Where to end, in the same notation; this frame is not included.
        **options: The tracker's options, if it is given by name.

    Returns:
        An iterator. Its first step is the given box with score 1 and state TRACKED; then there is one step
        for each frame. Broken frames are left out, and the next step says how many. Each step holds its
        image, so to keep many steps, keep only ``step.track``.

    Raises:
        SourceError: The source cannot be read, ends before ``start``, or changes its frame size.
        InputError: The box, an option, ``start`` or ``end`` cannot be used.
        UnknownNameError: No such tracker or option.
    """
    made = _made(tracker, options)
    frames = open_frames(source, start=start, end=end)
    try:
        made.init(frames.first, box)
    except BaseException:
        _close(frames, source)
        raise
    return Steps(frames, _steps(frames, source, made))


def _steps(frames: Frames, source: Source, tracker: Follower) -> Generator[Step, None, None]:
    """The steps of a tracker that has been started on the next frame."""
    try:
        for frame in itertools.islice(frames.numbered(), 1):
            yield _step(frame, Track(tracker.box, 1.0, State.TRACKED), frames.skipped)
        yield from _followed(frames, None, tracker, Summary(tracker.name), Corrections({}))
    finally:
        _close(frames, source)


def _close(frames: Frames, source: Source) -> None:
    if frames is not source:  # the caller closes what the caller opened
        frames.close()


def _made(tracker: str | Follower | None, options: Mapping[str, Any]) -> Follower:
    if tracker is None or isinstance(tracker, str):
        return create(tracker, **options)
    if isinstance(tracker, type):
        raise InputError(f"tracker is the class {tracker.__name__}, not an object of it")
    if not all(callable(getattr(tracker, verb, None)) for verb in ("init", "update", "relocate")):
        raise InputError(
            f"tracker is a {type(tracker).__name__}, not a name or an object with init, update and relocate"
        )
    if not isinstance(getattr(tracker, "name", None), str):
        raise InputError(f"tracker is a {type(tracker).__name__} without a name: give it an attribute name")
    if options:
        given = ", ".join(sorted(options))
        raise InputError(
            f"options ({given}) can only be given with a tracker's name, not with a tracker object"
        )
    return tracker


def _followed(
    frames: Frames, box: Box | None, tracker: Follower, summary: Summary, corrections: Corrections
) -> Iterator[Step]:
    """Tracks through the frames; only the tracker's own work is timed.

    Args:
        frames: The source.
        box: The target in the next frame; ``None`` if the tracker has been started already.
        tracker: The tracker.
        summary: Gets the time that `Tracker.init` took.
        corrections: Boxes for later frames.
    """
    skipped = frames.skipped if box is None else 0
    for frame in frames.numbered():
        box = corrections.due(frame.number, frame.time) or box
        with Stopwatch() as watch:  # a new one each time: with a camera, one would grow for ever
            track = tracker.update(frame.image) if box is None else _begun(tracker, frame.image, box)
        if box is not None:
            summary.init_ms = summary.init_ms or watch.ms[-1]
        yield _step(frame, track, frames.skipped - skipped, None if box is not None else watch.ms[-1])
        box, skipped = None, frames.skipped


def _caught_up(
    frames: Frames, tracker: Follower, past: Past, summary: Summary, corrections: Corrections
) -> Iterator[Step]:
    """The frames of an earlier run with their rows; the tracker sees those that it needs to continue."""
    for index, frame, row in past.matched(frames.numbered()):
        corrections.due(frame.number, frame.time)  # this correction was made in that run already
        if not past.knows(index):
            with Stopwatch() as watch:
                box = row.track.box if row.ms is None else None
                track = tracker.update(frame.image) if box is None else _begun(tracker, frame.image, box)
            summary.init_ms = summary.init_ms or watch.ms[-1]
            summary.again += 1
            past.compare(row, track.box)
        yield Step(row.frame, row.time, frame.image, row.track, 0, row.ms)


def _begun(tracker: Follower, image: Image, box: Box) -> Track:
    """The step of a frame in which the user gave the box."""
    tracker.init(image, box)
    return Track(box, 1.0, State.TRACKED)


def _step(frame: Frame, track: Track, skipped: int, ms: float | None = None) -> Step:
    return Step(frame.number, frame.time, frame.image, track, skipped, ms)


def track_video(
    source: Source,
    box: Box | npt.ArrayLike,
    *,
    tracker: str | Follower | None = None,
    outputs: Outputs | Files = (),
    on_progress: OnFrame | None = None,
    start: Mark = 0,
    end: Mark | None = None,
    corrections: Mapping[Mark, Box] | None = None,
) -> Summary:
    """Follows a target through a source and writes files as it goes.

    The tracker is warmed up on the first frame, so that compiling is not timed.

    Ctrl-C ends the run early: all files end on the same frame, and the summary says so. If the source, the
    tracker or the disk fails, the files hold everything up to that frame when the error is raised, and the
    error's notes name them. Files of an earlier run are replaced once the new ones are complete; if the run
    fails, both stay.

    Args:
        source: Anything that `open_frames` takes.
        box: The target in the first frame that is tracked.
        tracker: A name, possibly with options (``"kcf[rate=0.05]"``), a tracker, or another `Follower`.
            Default: as for `follow`.
        outputs: Files to write, whose suffixes decide their formats; file -> format; or `Outputs`, which can
            also ask for a plot and continue an earlier run.
        on_progress: Called with each frame and its row; returning ``False`` ends the run early.
        start: Where to begin: a whole number is a frame's (0-based), a float is seconds.
        end: Where to end: the frame of that number, or the first at that time, is not included.
        corrections: Frame number or time -> box: the tracker is started anew there with this box. The row of
            such a frame is like that of the first frame: score 1, no milliseconds.

    Returns:
        A summary: what was tracked, how fast, and which files were written.

    Raises:
        SourceError: The source cannot be read, ends before ``start``, or changes its frame size.
        OutputError: A file cannot be written.
        InputError: The box, an option, a correction, ``start`` or ``end`` cannot be used.
        MissingError: A plot is asked for, but matplotlib is not installed.
    """
    wanted, made, by_hand = Outputs.of(outputs), _made(tracker, {}), Corrections(corrections or {})
    if wanted.plot is not None:
        require_matplotlib(wanted.plot)
    named = made.name if tracker is None else tracker
    known = {"options": settings(named)} if isinstance(named, str) else {}
    frames = open_frames(source, start=start, end=end)
    summary, files = Summary(made.name), Together({})
    try:
        box = _checked(frames, box, by_hand, wanted)
        warm_up(made, [frames.first] * 3, box)
        about = _head(frames, made, box) | known | dict(wanted.about)
        with Together(wanted.forms, footage=frames.footage, about=about, past=wanted.past) as files:
            steps = _parts(frames, box, made, summary, by_hand, wanted.past)
            _run(steps, files, summary, on_progress)
    except SlimtrackError as error:
        if files.rows and files.paths:
            error.add_note(f"{files.rows} frames are kept in {', '.join(map(str, files.paths))}")
        raise
    finally:
        summary.skipped, summary.notes = frames.skipped, frames.notes + files.notes
        _close(frames, source)
    summary.outputs = files.paths
    summary.notes += [] if summary.interrupted else by_hand.notes
    if wanted.plot is not None and summary.rows:
        summary.draw(wanted.plot, frames.name, frames.fps)
    return summary


def _checked(frames: Frames, box: Box | npt.ArrayLike, corrections: Corrections, wanted: Outputs) -> Box:
    """The first box, once all is checked that `init` does not check."""
    guard_files(frames.origin, wanted.paths)
    first = as_box(box)
    corrections.check(frames.upcoming)
    if wanted.past is not None:
        wanted.past.check(frames.upcoming.number, first)
    return first


def _parts(
    frames: Frames, box: Box, tracker: Follower, summary: Summary, corrections: Corrections, past: Past | None
) -> tuple[Iterable[Step], Iterable[Step]]:
    """The steps of an earlier run, and those that are new."""
    if past is None or not past.rows:
        return (), _followed(frames, box, tracker, summary, corrections)
    known = _caught_up(frames, tracker, past, summary, corrections)
    return known, _followed(frames, None, tracker, summary, corrections)


def _head(frames: Frames, tracker: Follower, box: Box) -> dict[str, object]:
    """The head of a JSON file: how the result was made."""
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
    parts: tuple[Iterable[Step], Iterable[Step]],
    files: Together,
    summary: Summary,
    on_progress: OnFrame | None,
) -> None:
    """Writes the rows of an earlier run, then those of this one, until the end or Ctrl-C."""
    try:
        for write, part in zip((files.again, files.add), parts, strict=True):
            for step in part:
                row = Row(step.number, step.track, step.ms, step.time)
                with undivided():
                    write([row], step.image)
                    summary.add(row)
                if on_progress is not None and on_progress(step.image, row) is False:
                    summary.interrupted = True
                    return
    except KeyboardInterrupt:
        summary.interrupted = True
