import os
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import slimtrack
from slimtrack import cli
from slimtrack.cli import app, main
from slimtrack.errors import InputError

COMMANDS = ("track", "demo", "bench", "trackers", "doctor")


def ended(*words: str) -> int:
    """The exit code of a command line run in this process."""
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    assert isinstance(caught.value.code, int)
    return caught.value.code


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes ``slimtrack trackers`` fail with this error."""

    class Failing(cli._Group):
        def invoke(self, ctx: Any) -> Any:
            monkeypatch.setattr(cli.TyperGroup, "invoke", fail)
            return super().invoke(ctx)

    def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(app.info, "cls", Failing)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_there_and_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(command, "--help") == 0
    assert f"slimtrack {command}" in capsys.readouterr().out


def test_the_help_names_the_commands() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert all(command in result.output for command in COMMANDS)
    assert "completion" not in result.output


def test_brackets_in_help_are_text() -> None:
    """``name[option=value]`` is markup to the library that draws help: all of it has to arrive."""
    whole = typer.main.get_command(app)
    asked = 0
    for words, command in commands(whole):
        shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "400", "TERM": "dumb"}).output
        for part in (command, *command.params):
            written = (getattr(part, "help", None) or "").replace("\\[", "[")
            for word in re.findall(r"\S*\[\S+", written):
                assert word in shown, (words, word)
                asked += 1
    assert asked >= 2


def test_arguments_are_in_capitals() -> None:
    for words, command in commands(typer.main.get_command(app)):
        for param in command.params:
            if param.param_type_name == "argument":
                assert re.fullmatch(r"[A-Z]+(\.\.)?", param.metavar or param.name), (words, param.name)


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """A command and those inside of it, with the words that lead there."""
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*words, name))


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--version") == 0
    assert capsys.readouterr().out == f"slimtrack {slimtrack.__version__}\n"


@pytest.mark.parametrize(
    "words", [["nope"], ["bench"], ["trackers", "--nope"], ["bench", ".", "--threads", "many"]]
)
def test_wrong_usage_ends_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(*words) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_refusal_is_one_sentence_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("trackers", "nanotrack-v4") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("slimtrack: there is no tracker 'nanotrack-v4': did you mean nanotrack-v")
    assert err.count("\n") == 1


def test_an_old_name_of_an_option_is_one_line_without_a_place_in_the_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")  # warnings are errors in tests
        assert ended("track", "nothing.mp4", "--tracker", "kcf[area=4]", "--box", "1,1,9,9") == 2
    _, err = capsys.readouterr()
    assert err.count("slimtrack: option area of tracker 'kcf' is now called search_area_ratio; ") == 1
    assert ".py" not in err


@pytest.mark.parametrize("words", [["--debug", "trackers", "nope"], ["trackers", "nope", "--debug"]])
def test_debug_anywhere_shows_the_traceback(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(*words) == 2
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert err.splitlines()[-1].startswith("slimtrack: there is no tracker 'nope'")


def test_debug_after_two_dashes_is_a_word_like_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("trackers", "--", "--debug") == 2
    err = capsys.readouterr().err
    assert err.startswith("slimtrack: there is no tracker '--debug'")
    assert "Traceback" not in err


def test_a_sentence_of_several_lines_becomes_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(InputError("box 1,2\n  is bad"), monkeypatch)
    assert ended("trackers") == 2
    assert capsys.readouterr().err == "slimtrack: box 1,2 is bad\n"


def test_what_the_system_refuses_names_the_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(OSError(28, "No space left on device", "out.csv"), monkeypatch)
    assert ended("trackers") == 2
    assert capsys.readouterr().err == "slimtrack: out.csv: No space left on device\n"


def test_a_bug_is_1_and_says_how_to_see_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(ZeroDivisionError("division by zero"), monkeypatch)
    assert ended("trackers") == 1
    err = capsys.readouterr().err
    assert err == "slimtrack: failed inside (ZeroDivisionError: division by zero); --debug shows where\n"


def test_ctrl_c_is_a_word_and_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(KeyboardInterrupt(), monkeypatch)
    assert ended("trackers") == 130
    assert capsys.readouterr().err == "stopped\n"


def test_a_command_may_choose_its_own_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(typer.Exit(7), monkeypatch)
    assert ended("trackers") == 7


# ---------------------------------------------------------------------------------- as a program


def program(*words: str) -> list[str]:
    return [sys.executable, "-c", "from slimtrack.cli import main; main()", *words]


def test_the_program_refuses_without_a_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        program("bench", str(tmp_path / "nothing")), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "nothing does not exist" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_stops_the_program_with_a_word() -> None:
    code = (
        "import signal, time, typer; from slimtrack import cli\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job inherits: ignored
        "@cli.app.command()\n"
        "def wait() -> None:\n"
        "    print('waiting', flush=True)\n"
        "    time.sleep(60)\n"
        "cli.main(['wait'])"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == "stopped\n"


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_a_reader_that_goes_away_is_no_error() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(program("trackers", "--json"), stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys\n"
        "from slimtrack.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numba', 'scipy', 'torch', 'onnxruntime', 'openvino', 'matplotlib', 'cv2', 'av'}\n"
        "print('loaded:', *sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1].strip() == "loaded:"
