"""What the user sees while tracking: windows, progress, and the table at the end."""

import os
import re
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from slimtrack._cv2 import cv2
from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.cli.progress import PATIENCE, live_console
from slimtrack.confidence import State
from slimtrack.errors import InputError, MissingError
from slimtrack.timing import WARM_UP
from slimtrack.tracking import Summary
from slimtrack.video.draw import draw
from slimtrack.video.results import Row

__all__ = ["Meter", "drawn_box", "require_screen", "summary_table"]

_PATIENCE = 2.0
"""Seconds after which progress is shown; shorter runs show none."""

_WINDOW = "slimtrack (q: stop)"


def require_screen(what: str, remedy: str) -> None:
    """Raises an error if no window can be opened.

    Args:
        what: What needs a window: the start of the error's sentence.
        remedy: How to do without one.

    Raises:
        MissingError: No screen, or an OpenCV without windows.
    """
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        raise MissingError(f"{what} needs a screen, but there is none: {remedy}")
    if re.search(r"^\s*GUI:\s*NONE\s*$", cv2.getBuildInformation(), re.MULTILINE):
        raise MissingError(
            f"{what} needs an OpenCV with windows, but this one has none: {remedy}, or "
            "run `pip uninstall opencv-python-headless; pip install opencv-python`"
        )


def drawn_box(image: Image) -> Box:
    """Lets the user draw a box with the mouse."""
    title = "draw a box around the target, then press Enter"
    x, y, w, h = cv2.selectROI(title, image, showCrosshair=False)
    cv2.destroyWindow(title)
    if w < 1 or h < 1:
        raise InputError("no box was drawn: run it again, or give --box x,y,w,h")
    return Box(x, y, w, h)


class Meter:
    """Shows progress once a run takes longer than two seconds, and the live window.

    On a terminal it is a bar; if stderr is a file, a line every half minute.

    Attributes:
        frames: Frames seen.
    """

    def __init__(self, count: int | None, show: bool = False, quiet: bool = False) -> None:
        self.frames = 0
        self._count, self._show, self._quiet = count, show, quiet
        self._console = live_console()
        self._start = self._last = time.monotonic()
        self._progress: Progress | None = None
        self._task: Any = None

    def __call__(self, image: Image, row: Row) -> bool:
        """Shows one frame; returns whether to go on."""
        self.frames += 1
        if not self._quiet:
            state = f"{row.track.state.value} {row.track.score:.2f}"
            if self._console is None:
                self._write(state)
            elif time.monotonic() - self._start > _PATIENCE:
                self._draw(self._console, state)
        return not self._show or _shown(image, row)

    def _write(self, state: str) -> None:
        if time.monotonic() - self._last > PATIENCE:
            self._last = time.monotonic()
            whole = f" of {self._count}" if self._count else ""
            print(f"{self.frames}{whole} frames, {state}", file=sys.stderr, flush=True)

    def _draw(self, console: Console, state: str) -> None:
        if self._progress is None:
            self._begin(console)
        assert self._progress is not None
        self._progress.update(self._task, completed=self.frames, state=state)

    def _begin(self, console: Console) -> None:
        columns = (
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=console, transient=True)
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
    """Shows one frame; false if the user pressed q or Escape, or closed the window."""
    cv2.imshow(_WINDOW, draw(image, row.track, number=row.frame))
    pressed = cv2.waitKey(1) & 0xFF
    return pressed not in (ord("q"), 27) and cv2.getWindowProperty(_WINDOW, cv2.WND_PROP_VISIBLE) >= 1


def summary_table(summary: Summary, extra: Mapping[str, str] | None = None) -> Table:
    """The table at the end of a run.

    Args:
        summary: The run.
        extra: Further lines, such as the accuracy if the ground truth is known.
    """
    table = Table(
        title=f"{escape(summary.tracker)}: {summary.frames} frames", show_header=False, title_justify="left"
    )
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    speed = summary.speed
    if speed.frames:
        parts = f"p50 {speed.p50_ms:.2f} ms, p95 {speed.p95_ms:.2f} ms, for update() alone"
        table.add_row("speed", f"{speed.fps:,.0f} frames a second ({parts})")
    else:
        table.add_row("speed", f"not measured: only frames after the first {WARM_UP + 1} are timed")
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
