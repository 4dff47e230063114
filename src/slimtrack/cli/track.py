"""``slimtrack track``: follows a target through a video and writes the results."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from slimtrack.box import Box
from slimtrack.cli.boxes import BoxFormat, corners_meant, parse_box, parse_correction
from slimtrack.cli.options import (
    BoxFormatOption,
    BoxOption,
    CorrectOption,
    EndOption,
    FirstFrameOption,
    FormatOption,
    JsonOption,
    NamesOption,
    NetworksOption,
    OutOption,
    OverwriteOption,
    PlotOption,
    QuietOption,
    ResumeOption,
    SetOption,
    ShowOption,
    SourceArgument,
    StartOption,
    ThreadsOption,
    TrackerOption,
    VideoOption,
    add_places,
)
from slimtrack.cli.outputs import Results, Wanted, chosen_formats
from slimtrack.cli.records import takes
from slimtrack.cli.screen import Meter, drawn_box, require_screen, summary_table
from slimtrack.errors import InputError, SlimtrackError
from slimtrack.files import keep_existing
from slimtrack.follower import Follower
from slimtrack.options import parsed
from slimtrack.registry import create, default_tracker, settings, tracker_class, with_threads
from slimtrack.timing import limit_threads
from slimtrack.tracking import Outputs, Summary, track_video
from slimtrack.video.feed import Mark
from slimtrack.video.frames import Frames, open_frames
from slimtrack.video.grid import grid, write_image
from slimtrack.video.guard import guard_files
from slimtrack.video.past import Past
from slimtrack.video.position import parse_position
from slimtrack.video.results import Row, row_fields

__all__ = ["parse_options", "track"]


@dataclass(frozen=True, slots=True)
class Request:
    """What the command is told; the help of each option says what it means."""

    source: SourceArgument
    box: BoxOption = None
    box_format: BoxFormatOption = BoxFormat.XYWH
    first_frame: FirstFrameOption = None
    correct: CorrectOption = None
    start: StartOption = None
    end: EndOption = None
    tracker: TrackerOption = None
    options: SetOption = None
    threads: ThreadsOption = 1
    networks: NetworksOption = None
    names: NamesOption = None
    out: OutOption = None
    resume: ResumeOption = False
    overwrite: OverwriteOption = False
    formats: FormatOption = None
    video: VideoOption = None
    plot: PlotOption = None
    json_to: JsonOption = None
    quiet: QuietOption = False
    show: ShowOption = False


@takes(Request)
def track(request: Request) -> None:
    """Follow a target through a video and write an annotated video and a table of boxes."""
    add_places(request.networks, request.names)
    if request.json_to not in (None, "-"):
        raise InputError(
            f"--json {request.json_to}: this option only writes to stdout: give --json -, "
            "or --format json for a file"
        )
    if request.quiet:
        logging.getLogger("slimtrack").setLevel(logging.WARNING)
    first = 0 if request.start is None else parse_position(request.start, "--start")
    last = None if request.end is None else parse_position(request.end, "--end")
    if request.first_frame is not None:
        with open_frames(request.source, start=first) as frames:
            box = None if request.box is None else _box(request.box, frames, request.box_format)
            _write_first(request.first_frame, frames, box, request.overwrite)
        return
    tracker = default_tracker() if request.tracker is None else request.tracker
    chosen = with_threads(tracker, request.threads, parse_options(tracker, request.options or ()))
    made = create(tracker, **chosen)
    tables = None if request.formats is None else chosen_formats(request.formats)
    wanted = Wanted(request.out, tables, request.video, request.plot, request.overwrite, request.resume)
    if request.show:
        require_screen("--show", "leave it out")
    if request.box is None and not request.resume:
        require_screen("drawing the target", "give --box x,y,w,h (--first-frame FILE shows coordinates)")
    output = _Output(stdout=request.json_to is not None, quiet=request.quiet, show=request.show)
    with limit_threads(request.threads), open_frames(request.source, start=first, end=last) as frames:
        by_hand = dict(
            parse_correction(text, frames.size, request.box_format) for text in request.correct or ()
        )
        with _placed(wanted, frames, made, output) as results:
            past = Past.read(results.table, by_hand) if request.resume else None
            target = (
                past.box
                if past is not None and request.box is None
                else _box(request.box, frames, request.box_format)
            )
            about = {"options": settings(tracker, chosen), "threads": request.threads}
            _follow(frames, target, made, results, output, about, by_hand, past)


def _box(text: str | None, frames: Frames, form: BoxFormat) -> Box:
    """The given box, with a warning if it looks like two corners; or the box that the user draws."""
    if text is None:
        return drawn_box(frames.first)
    box = parse_box(text, frames.size, form)
    if form is BoxFormat.XYWH and corners_meant(box, frames.size):
        width, height = frames.size
        typer.echo(
            f"slimtrack: --box {text} reaches outside the frame of {width} x {height} pixels; if its last "
            "two numbers are the lower right corner, add --box-format xyxy",
            err=True,
        )
    return box


def _write_first(path: Path, frames: Frames, box: Box | None, overwrite: bool) -> None:
    """Writes the first frame with a grid of coordinates."""
    guard_files(frames.origin, [path])
    keep_existing([path], overwrite)
    write_image(path, grid(frames.first, box))
    typer.echo(f"the first frame with a grid of coordinates is in {path}")


@contextmanager
def _placed(wanted: Wanted, frames: Frames, tracker: Follower, output: "_Output") -> Iterator[Results]:
    """Where this run's results go. With JSON on stdout, no files are written unless --out asks for them."""
    if output.stdout and wanted.out is None and not wanted.resume:
        yield Results()
        return
    with wanted.placed(f"{frames.name}-{tracker.name}", frames.origin) as (results, notes):
        output.notes += notes
        yield results


def _follow(
    frames: Frames,
    box: Box,
    tracker: Follower,
    results: Results,
    output: "_Output",
    about: Mapping[str, object],
    by_hand: Mapping[Mark, Box],
    past: Past | None,
) -> None:
    output.after = -1 if past is None else past.last
    try:
        with Meter(frames.count, output.show, output.quiet) as meter:
            summary = track_video(
                frames,
                box,
                tracker=tracker,
                outputs=Outputs(results.files, results.picture, about, past),
                on_progress=lambda image, row: output.row(row) and meter(image, row),
                corrections=by_hand,
            )
    except SlimtrackError as error:
        for note in getattr(error, "__notes__", ()):
            typer.echo(note, err=True)
        raise
    if past is not None:
        output.notes.append(
            f"continued after frame {past.last}; {summary.again} of {len(past.rows)} frames were tracked "
            "again to restore the tracker"
        )
    output.end(summary)


class _Output:
    """The output of a run on the terminal.

    Attributes:
        stdout: Whether stdout gets one line of JSON per frame, and nothing else.
        quiet: Whether everything but errors is suppressed.
        show: Whether the result is shown live in a window.
        notes: Notes for the user, in addition to those of the run itself.
        after: Number of the last frame that an earlier run has printed already.
    """

    def __init__(self, *, stdout: bool, quiet: bool, show: bool) -> None:
        self.stdout, self.quiet, self.show = stdout, quiet, show
        self.notes: list[str] = []
        self.after = -1

    def row(self, row: Row) -> bool:
        """Prints the line of one frame; always true, so that it can be joined by ``and``."""
        if self.stdout and row.frame > self.after:
            print(json.dumps(row_fields(row)), flush=True)
        return True

    def end(self, summary: Summary) -> None:
        """Prints the summary.

        Raises:
            typer.Exit: The run was stopped early.
        """
        summary.notes += self.notes
        if not self.quiet:
            console = Console(stderr=self.stdout)
            console.print(summary_table(summary))
            if summary.interrupted:
                kept = "; all of them are written" if summary.outputs else ""
                if any(str(path).endswith(".csv") for path in summary.outputs):
                    kept += ", and --resume continues from there"
                console.print(f"Stopped after {summary.frames} frames{kept}.")
        if summary.interrupted:
            raise typer.Exit(130)


def parse_options(tracker: str, settings: Mapping[str, str] | list[str] | tuple[str, ...]) -> dict[str, Any]:
    """Converts texts of the form ``key=value`` to the types of the tracker's options.

    Raises:
        InputError: A text is not of that form, or its value does not fit.
        UnknownNameError: No such tracker or option.
    """
    texts = {}
    for setting in settings:
        key, sign, text = setting.partition("=")
        if not sign:
            raise InputError(f"--set {setting!r} is not of the form key=value")
        texts[key.strip().replace("-", "_")] = text
    return parsed(tracker_class(tracker), texts)
