"""``slimtrack track``: follow a target through a video and write what was found."""

import importlib.util
import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from slimtrack._cv2 import cv2
from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.confidence import State
from slimtrack.errors import InputError, MissingError, SlimtrackError, UnknownNameError
from slimtrack.files import writing
from slimtrack.follow import DEFAULT_TRACKER, Summary, track_video
from slimtrack.networks.find import add_folder
from slimtrack.registry import create, options_of, parse_spec, settings, tracker_class, with_threads
from slimtrack.timing import WARM_UP, limit_threads
from slimtrack.tracker import Tracker, checked_box
from slimtrack.video.draw import annotated
from slimtrack.video.frames import Frames, open_frames
from slimtrack.video.results import Row

__all__ = ["PICTURE", "VIDEO", "Meter", "clear", "parse_box", "parse_options", "summary_table", "track"]

_FILES = {"otb": "boxes.txt", "csv": "track.csv", "json": "track.json", "mot": "track.mot.txt"}
"""Format -> name of its file in the output folder."""

VIDEO, PICTURE = "annotated.mp4", "timeline.png"
"""The names of the annotated video and of the picture of score and speed."""

_PATIENCE = 2.0
"""Seconds after which progress is shown: shorter runs need none."""

_WINDOW = "slimtrack (q: stop)"


def track(
    source: Annotated[
        str,
        typer.Argument(
            metavar="VIDEO", help="Video file, image folder, quoted glob, camera number, RTSP or HTTP URL."
        ),
    ],
    box: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,W,H",
            help="Target in the first frame, pixels from its top left corner; drawn if left out.",
        ),
    ] = None,
    tracker: Annotated[
        str, typer.Option("--tracker", "-t", help="Name, see `slimtrack trackers`; also name[option=value].")
    ] = DEFAULT_TRACKER,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Option of the tracker; repeatable."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Folder for the results, in place of earlier ones; out/<name> if left out.",
        ),
    ] = None,
    formats: Annotated[
        str, typer.Option("--format", "-f", help="Result files, comma between: otb, csv, json, mot; or none.")
    ] = "csv,otb",
    video: Annotated[bool, typer.Option(help="Write an annotated mp4.")] = True,
    plot: Annotated[
        bool | None,
        typer.Option(help="Write a picture of score and speed; if left out: where matplotlib is there."),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Play it live in a window.")] = False,
    threads: Annotated[
        int, typer.Option(min=1, help="Threads for the tracker; the speed is stated for them.")
    ] = 1,
    networks: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of networks, looked in before SLIMTRACK_NETWORKS."),
    ] = None,
) -> None:
    """Follow a target through a video: annotated video, result files, a table."""
    if networks is not None:
        add_folder(networks)
    chosen = with_threads(tracker, threads, parse_options(tracker, options or ()))
    made = create(tracker, **chosen)
    names = _files(formats)
    if show:
        _require_screen("--show", "leave it out")
    given = None if box is None else parse_box(box)
    if given is None:
        _require_screen("drawing the target", "give --box x,y,w,h")
    about = {"options": settings(tracker, chosen), "threads": threads}
    with limit_threads(threads), open_frames(source) as frames:
        folder = out or Path("out") / _plain(frames.name)
        outputs = [folder / name for name in names] + ([folder / VIDEO] if video else [])
        picture = folder / PICTURE if _wants_plot(plot) else None
        first = checked_box(given or _drawn(frames.first), frames.first)
        clear(folder)
        _follow(frames, first, made, outputs, picture, show, about)


def clear(folder: Path) -> None:
    """Removes what an earlier run left in a folder: its video beside a new track would tell another story.

    Raises:
        OutputError: A file cannot be removed.
    """
    for name in (*_FILES.values(), VIDEO, PICTURE):
        path = folder / name
        if path.is_file():
            with writing(path):
                path.unlink()


def _follow(
    frames: Frames,
    box: Box,
    tracker: Tracker,
    outputs: list[Path],
    picture: Path | None,
    show: bool,
    about: Mapping[str, object],
) -> None:
    console = Console()
    with Meter(frames.count, show) as meter:
        try:
            summary = track_video(
                frames, box, tracker=tracker, outputs=outputs, plot=picture, on_progress=meter, about=about
            )
        except SlimtrackError:
            if meter.frames and outputs:
                typer.echo(f"{meter.frames} frames are kept in {outputs[0].parent}", err=True)
            raise
    console.print(summary_table(summary))
    if summary.interrupted:
        console.print(f"Stopped after {summary.frames} frames; everything up to there is written.")
        raise typer.Exit(130)


def parse_box(text: str) -> Box:
    """The box that ``"x,y,w,h"`` stands for.

    Raises:
        InputError: It is not four numbers.
    """
    try:
        x, y, w, h = (float(part) for part in re.split(r"[,\s]+", text.strip()))
    except ValueError as error:
        raise InputError(f"--box {text!r} is not four numbers x,y,w,h such as 120,80,40,60") from error
    return Box(x, y, w, h)


def parse_options(tracker: str, settings: Mapping[str, str] | list[str] | tuple[str, ...]) -> dict[str, Any]:
    """The values of ``key=value`` texts, by the types of the tracker's options.

    Raises:
        InputError: Not of that form, or a value that does not fit.
        UnknownNameError: No such tracker or option.
    """
    plain, _ = parse_spec(tracker)
    known = {option.name: option for option in options_of(tracker_class(plain))}
    values = {}
    for setting in settings:
        key, sign, text = setting.partition("=")
        key = key.strip().replace("-", "_")
        if not sign:
            raise InputError(f"--set {setting!r} is not of the form key=value")
        if key not in known:
            raise UnknownNameError.of(f"option of tracker {plain!r} named", key, known)
        values[key] = known[key].parse(text)
    return values


def _files(formats: str) -> list[str]:
    """Names of the result files for ``"csv,otb"``."""
    names = [name.strip().lower() for name in formats.split(",") if name.strip().lower() not in ("", "none")]
    for name in names:
        if name not in _FILES:
            raise UnknownNameError.of("result format", name, _FILES)
    return [_FILES[name] for name in dict.fromkeys(names)]


def _plain(name: str) -> str:
    """A name that can be a folder's on every system."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "video"


def _wants_plot(plot: bool | None) -> bool:
    return importlib.util.find_spec("matplotlib") is not None if plot is None else plot


# ---------------------------------------------------------------------------------------------- windows


def _require_screen(what: str, remedy: str) -> None:
    """Refuses where no window can be opened.

    Args:
        what: What needs it, the beginning of the sentence.
        remedy: How to do without.

    Raises:
        MissingError: No screen, or an OpenCV without windows.
    """
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        raise MissingError(f"{what} needs a screen, and there is none here: {remedy}")
    if re.search(r"^\s*GUI:\s*NONE\s*$", cv2.getBuildInformation(), re.MULTILINE):
        raise MissingError(
            f"{what} needs an OpenCV with windows, and this one has none: {remedy}, or "
            "run `pip uninstall opencv-python-headless; pip install opencv-python`"
        )


def _drawn(image: Image) -> Box:
    """The box that the user draws with the mouse."""
    title = "draw a box around the target, then press Enter"
    x, y, w, h = cv2.selectROI(title, image, showCrosshair=False)
    cv2.destroyWindow(title)
    if w < 1 or h < 1:
        raise InputError("no box was drawn: run it again, or give --box x,y,w,h")
    return Box(x, y, w, h)


class Meter:
    """Progress on the terminal once a run is longer than two seconds, and the live window.

    Attributes:
        frames: Frames seen.
    """

    def __init__(self, count: int | None, show: bool = False) -> None:
        self.frames = 0
        self._count, self._show = count, show
        self._start = time.monotonic()
        self._progress: Progress | None = None
        self._task: Any = None

    def __call__(self, image: Image, row: Row) -> bool:
        """Takes note of one frame; whether to go on."""
        self.frames += 1
        if self._progress is None and time.monotonic() - self._start > _PATIENCE:
            self._begin()
        if self._progress is not None:
            state = f"{row.track.state.value} {row.track.score:.2f}"
            self._progress.update(self._task, completed=self.frames, state=state)
        return not self._show or _shown(image, row)

    def _begin(self) -> None:
        columns = (
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task("tracking", total=self._count, state="")
        self._progress.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
        if self._show:
            cv2.destroyAllWindows()


def _shown(image: Image, row: Row) -> bool:
    """Plays one frame; false when the user has pressed q or Escape, or closed the window."""
    cv2.imshow(_WINDOW, annotated(image, row.track, row.frame))
    pressed = cv2.waitKey(1) & 0xFF
    return pressed not in (ord("q"), 27) and cv2.getWindowProperty(_WINDOW, cv2.WND_PROP_VISIBLE) >= 1


def summary_table(summary: Summary, extra: Mapping[str, str] | None = None) -> Table:
    """The table at the end of a run.

    Args:
        summary: The run.
        extra: Further lines, such as accuracy where the truth is known.
    """
    table = Table(
        title=f"{summary.tracker}: {summary.frames} frames", show_header=False, title_justify="left"
    )
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    speed = summary.speed
    if speed.frames:
        parts = f"p50 {speed.p50_ms:.2f} ms, p95 {speed.p95_ms:.2f} ms, update alone"
        table.add_row("speed", f"{speed.fps:,.0f} frames a second ({parts})")
    else:
        table.add_row("speed", f"not stated: only frames after the first {WARM_UP + 1} are timed")
    table.add_row("init", f"{summary.init_ms:.1f} ms")
    colors = {State.TRACKED: "green", State.UNCERTAIN: "yellow", State.LOST: "red"}
    shares = (f"[{colors[state]}]{state.value} {share:.0%}[/]" for state, share in summary.shares.items())
    table.add_row("states", ", ".join(shares))
    for key, value in (extra or {}).items():
        table.add_row(key, value)
    if summary.outputs:
        table.add_row("written", escape("\n".join(map(str, summary.outputs))))
    for note in summary.notes:
        table.add_row("note", escape(note))
    return table
