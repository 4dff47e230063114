"""What is seen of a training run."""

import io

import pytest
from rich.console import Console

from slimtrack.cli import training
from slimtrack.cli.training import bar


def test_a_terminal_gets_a_bar_with_losses_and_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, no_color=True)
    monkeypatch.setattr(training, "live_console", lambda: console)
    with bar(shown=True) as watcher:
        watcher.learned(0.4, 12, {"score": 0.25, "giou": 0.5})
        watcher.judged({"loss": 1.0, "overlap": 0.71}, {"loss": 0.9, "overlap": 0.73})
    for part in ("40%", "step 12", "score 0.250", "giou 0.500", "overlap 0.710 (best 0.730)"):
        assert part in screen.getvalue()


def test_a_file_gets_a_line_a_validation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "live_console", lambda: None)
    monkeypatch.setattr(training, "PATIENCE", -1.0)
    with bar(shown=True) as watcher:
        watcher.learned(0.4, 12, {"box": 0.25})
        watcher.judged({"loss": 1.0}, {"loss": 0.9})
        watcher.judged({"loss": 0.8}, {"loss": 0.8})
    assert capsys.readouterr().err.splitlines() == [
        " 40%  step 12  box 0.250", "validation: loss 1.000", "validation: loss 0.800 (best)",
    ]  # fmt: skip


def test_other_processes_show_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with bar(shown=False) as watcher:
        watcher.learned(0.4, 12, {"box": 0.25})
        watcher.judged({"loss": 1.0}, {"loss": 1.0})
    assert capsys.readouterr() == ("", "")
