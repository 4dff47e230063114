"""What is shown while a benchmark runs: bar and lines, told a known story."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from slimtrack import Box, State, Track
from slimtrack.cli import progress, screen
from slimtrack.evaluation import Run, Sequence
from slimtrack.evaluation.protocols import OTB
from slimtrack.evaluation.runs import Step
from slimtrack.video.results import Row
from slimtrack.video.summary import Summary

LENGTH = 21
"""Frames of each sequence."""


@pytest.fixture
def sequence() -> Callable[[str], Sequence]:
    """Sequences of a target that rests."""

    def make(name: str) -> Sequence:
        truth = np.tile([10.0, 10.0, 20.0, 20.0], (LENGTH, 1))
        return Sequence(name=name, frames=(Path(name),) * LENGTH, truth=truth)

    return make


def run(tracker: str, sequence: str, right: int, ms: float = 2.0) -> Run:
    """A run whose first ``right`` boxes are exact and whose others are far away.

    An exact box has AUC 20/21; OTB's rules count the first frame, which is given, as right: 0.952 for all
    exact, 0.045 (of 21 frames) for none.
    """
    boxes = np.tile([10.0, 10.0, 20.0, 20.0], (LENGTH, 1))
    boxes[right:] += 100
    nothing, still = np.zeros(LENGTH), np.zeros(LENGTH, np.int8)
    return Run(tracker, sequence, 0, boxes, nothing, still, np.full(LENGTH, ms), still + Step.SEEN, 1.0, 1.0)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> tuple["progress._Bar", io.StringIO]:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=200, color_system=None, legacy_windows=False)
    return progress._Bar(OTB, console), file


def last(file: io.StringIO) -> str:
    """The line as it stands now."""
    return file.getvalue().replace("\x1b[2K", "").replace("\r", "\n").strip().splitlines()[-1]


def test_the_bar_shows_the_running_trackers_own_figures(
    drawn: tuple["progress._Bar", io.StringIO], sequence: Callable[[str], Sequence]
) -> None:
    bar, file = drawn
    with bar:
        bar.begin(4 * LENGTH)
        bar.finished(run("good", "A", LENGTH), sequence("A"), kept=False)
        assert "good on A" in last(file) and " 25 %" in last(file) and "AUC 0.952  500 fps" in last(file)
        bar.working("bad", "A", 0, 5)
        assert "bad on A" in last(file) and "AUC" not in last(file)
        bar.finished(run("bad", "A", 0, ms=4.0), sequence("A"), kept=False)
        assert "AUC 0.045  250 fps" in last(file)
        bar.working("good", "B", 0, 5)
        assert "good on B" in last(file) and "AUC 0.952  500 fps" in last(file)


def test_a_run_that_is_done_again_says_so_and_moves_nothing_back(
    drawn: tuple["progress._Bar", io.StringIO], sequence: Callable[[str], Sequence]
) -> None:
    bar, file = drawn
    with bar:
        bar.begin(2 * LENGTH)
        bar.working("good", "A", 0, 20)
        assert " 48 %" in last(file)
        bar.again("good", "A", 0, LENGTH)
        assert "good on A again, because the machine was busy" in last(file) and " 33 %" in last(
            file
        )  # 21 of 63
        bar.working("good", "A", 0, 5)
        assert "again" in last(file) and " 41 %" in last(file)
        bar.finished(run("good", "A", LENGTH), sequence("A"), kept=False)
        assert "again" not in last(file) and " 67 %" in last(file)
        bar.finished(run("good", "B", LENGTH), sequence("B"), kept=False)
        assert "100 %" in last(file)
    assert bar.repeats == 1


def test_a_file_gets_a_line_per_finished_sequence(
    sequence: Callable[[str], Sequence], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = progress._Lines(OTB, starts=2)
    lines.begin(4 * LENGTH)
    lines.finished(run("good", "A", LENGTH), sequence("A"), kept=False)
    lines.working("good", "A", 0, 5)
    assert capsys.readouterr().err == ""
    lines.finished(run("good", "A", 0), sequence("A"), kept=False)
    assert capsys.readouterr().err == " 50%  good on A: AUC 0.499; all so far: AUC 0.499  500 fps\n"
    lines.again("good", "B", 0, LENGTH)
    assert capsys.readouterr().err == " 60%  good on B: repeated, because the machine was busy\n"
    for _ in range(2):
        lines.finished(run("good", "B", LENGTH), sequence("B"), kept=True)
    assert capsys.readouterr().err == (
        "100%  good on B: AUC 0.952 (kept from an earlier run); all so far: AUC 0.726  500 fps\n"
    )


def test_a_long_run_gets_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    lines = progress._Lines(OTB, starts=1)
    lines.begin(LENGTH)
    for now[0], frame in ((10, 1), (31, 2), (40, 3), (62, 4)):
        lines.working("good", "A", 0, frame)
    assert capsys.readouterr().err == " 10%  good on A: at frame 2\n 19%  good on A: at frame 4\n"


@pytest.mark.parametrize(
    ("terminal", "kind", "shown"),
    [(True, "xterm", "_Bar"), (True, "dumb", "_Lines"), (False, "xterm", "_Lines")],
)
def test_the_bar_is_for_terminals_that_can_draw_it(
    terminal: bool, kind: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", kind)
    monkeypatch.setattr(progress, "Console", lambda stderr: Console(stderr=stderr, force_terminal=terminal))
    assert type(progress.progress(OTB, 1)).__name__ == shown


@pytest.mark.parametrize(("count", "whole"), [(90, " of 90"), (None, "")])
def test_tracking_into_a_log_file_says_a_line_now_and_then(
    count: int | None, whole: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(screen.time, "monotonic", lambda: now[0])
    row = Row(1, Track(Box(1, 2, 3, 4), 0.875, State.TRACKED), 2.0)
    image = np.zeros((20, 20, 3), np.uint8)
    with screen.Meter(count) as meter:
        for now[0] in (1, 29, 31, 60, 62):
            assert meter(image, row)
    assert capsys.readouterr().err == f"3{whole} frames, tracked 0.88\n5{whole} frames, tracked 0.88\n"
    with screen.Meter(count, quiet=True) as meter:
        for now[0] in (100, 200):
            meter(image, row)
    assert capsys.readouterr().err == ""


def test_brackets_in_names_are_no_markup() -> None:
    name = "[red]x[/red]"
    summary = Summary(name, frames=1, outputs=[Path(name)], notes=[name])
    console = Console(file=io.StringIO(), width=100)
    console.print(screen.summary_table(summary))
    assert console.file.getvalue().count(name) == 3  # type: ignore[attr-defined]
