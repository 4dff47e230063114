"""The command line, one file per command."""

import codecs
import io
import logging
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperGroup

import slimtrack
from slimtrack.cli.bench import bench
from slimtrack.cli.compress import compress_app
from slimtrack.cli.demo import demo
from slimtrack.cli.doctor import doctor
from slimtrack.cli.evaluate import evaluate_checkpoint
from slimtrack.cli.network import network
from slimtrack.cli.track import track
from slimtrack.cli.trackers import trackers
from slimtrack.cli.train import distill, train
from slimtrack.errors import SlimtrackError

__all__ = ["app", "main"]

_REFUSED = 2
"""Exit code for what the user can put right."""

_INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells expect it."""

_TERMINATED = 143
"""Exit code after SIGTERM."""


class _Group(TyperGroup):
    """The commands: their help is plain text, and Ctrl-C ends them with a word instead of silence."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        for command in self.commands.values():
            _as_text(command)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr, flush=True)
            raise typer.Exit(_INTERRUPTED) from None


def _as_text(command: Any) -> None:
    """Keeps what stands in brackets in a command's help: ``name[option=value]`` is markup to typer's help."""
    for part in (command, *command.params):
        if getattr(part, "help", None):
            part.help = escape(part.help)
    for inner in getattr(command, "commands", {}).values():
        _as_text(inner)


app = typer.Typer(
    name="slimtrack",
    cls=_Group,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (track, demo, bench, trackers, doctor):
    app.command()(command)
app.command()(train)
app.command()(distill)
app.command("evaluate")(evaluate_checkpoint)
app.add_typer(network)
app.add_typer(compress_app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"slimtrack {slimtrack.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Follow an object in a video from one box, in real time on one CPU core.

    To begin with: `slimtrack demo`, then `slimtrack track VIDEO --box X,Y,WIDTH,HEIGHT`.
    """


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and ends the process.

    Args:
        arguments: What stands after the program's name; the process's own arguments when ``None``.

    Raises:
        SystemExit: Always. 0: all went well; 2, with one sentence on stderr: the user can put it right; 130:
            Ctrl-C; 143: SIGTERM; 1: a failure that should not happen, or nobody reads the output any more.
    """
    words, debug = _without_debug(sys.argv[1:] if arguments is None else arguments)
    try:
        with _sigterm_as_ctrl_c(), _speaking():
            typer.main.get_command(app)(args=words, prog_name="slimtrack")
    except SlimtrackError as error:
        _fail(str(error), error, _REFUSED, debug)
    except OSError as error:
        _fail(_sentence(error), error, _REFUSED, debug)
    except Exception as error:
        hint = "" if debug else "; --debug shows where"
        _fail(f"failed inside ({type(error).__name__}: {error}){hint}", error, 1, debug)


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does: files are completed, and worker processes end too."""
    before = signal.getsignal(signal.SIGTERM)
    if before is not signal.SIG_DFL or threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except SystemExit as end:
        raise SystemExit(_TERMINATED if came and end.code == _INTERRUPTED else end.code) from end
    finally:
        signal.signal(signal.SIGTERM, before)


_PLAIN = {"…": "...", "±": "+-", "–": "-"}
"""Signs of ours, for output that has ASCII only."""


def _spelt(error: UnicodeError) -> tuple[str, int]:
    """Other letters for those that the output cannot say; what has none is escaped, as in a Python string."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(c, c.encode("ascii", "backslashreplace").decode()) for c in text), error.end


_show_others = warnings.showwarning


class _Told(logging.Handler):
    """What the library logs, as lines on stderr, above a progress bar where there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"slimtrack: {record.getMessage()}", file=sys.stderr, flush=True)


@contextmanager
def _speaking() -> Iterator[None]:
    """Output that any terminal or pipe can take, and the library's log on stderr."""
    codecs.register_error("slimtrack", _spelt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not where somebody has put something else in its place
            stream.reconfigure(errors="slimtrack")
    log, handler = logging.getLogger("slimtrack"), _Told()
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warning_shown_once()
            yield
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)


def _warning_shown_once() -> Callable[..., None]:
    """Shows a warning for users as one line without a place in the code, and only once; others as usual."""
    shown = set()

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if not issubclass(category, FutureWarning):
            _show_others(message, category, *place, **more)
        elif str(message) not in shown:
            shown.add(str(message))
            print(f"slimtrack: {message}", file=sys.stderr, flush=True)

    return show


def _without_debug(words: list[str]) -> tuple[list[str], bool]:
    """Takes ``--debug`` out of the words before ``--``, wherever it stands, and says whether it was there."""
    end = words.index("--") if "--" in words else len(words)
    kept = [word for word in words[:end] if word != "--debug"]
    return kept + words[end:], len(kept) < end


def _fail(sentence: str, error: Exception, code: int, debug: bool) -> None:
    """Ends the process with one sentence, or with the traceback before it."""
    if debug:
        sys.excepthook(type(error), error, error.__traceback__)
    print(f"slimtrack: {' '.join(sentence.split())}", file=sys.stderr, flush=True)
    sys.exit(code)


def _sentence(error: OSError) -> str:
    """What the system refused, and for which file."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason
