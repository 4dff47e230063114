"""Compiled loops: kept where that is possible, never the end of a run, said aloud."""

import importlib.util
import logging
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import pytest

import slimtrack
from slimtrack import _compiled

SOURCE = """
from slimtrack._compiled import compiled

@compiled()
def twice(x):
    return 2 * x

@compiled(fastmath=True)
def four_times(x):
    return twice(twice(x))
"""

Load = Callable[[], Any]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Imports two loops anew, as a new process does, from a folder in which nothing can be kept.

    Nor can it be at home: a file stands where a folder would have to be, which stops root, too.
    """
    place = tmp_path / "package"
    place.mkdir()
    (place / "loops.py").write_text(SOURCE)
    (place / "__pycache__").write_text("")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(place / "loops.py" / "cache"))
    monkeypatch.setenv("HOME", str(place / "loops.py"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(_compiled._TELLER, "_said", set())

    def load() -> Any:
        spec = importlib.util.spec_from_file_location("slimtrack.loops", place / "loops.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def hits(dispatcher: Any) -> int:
    return sum(dispatcher.stats.cache_hits.values())


def kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "temporary").rglob("*.nb?"))


def ours(tmp_path: Path) -> Path:
    """The folder of this user's own under the temporary one."""
    (folder,) = (tmp_path / "temporary").iterdir()
    return folder


def test_a_user_who_may_write_nowhere_keeps_code_under_the_temporary_folder(
    load: Load, tmp_path: Path
) -> None:
    assert load().four_times(3) == 12
    assert kept(tmp_path)
    assert ours(tmp_path).stat().st_mode & 0o077 == 0
    again = load()
    assert again.four_times(5) == 20
    assert hits(again.four_times) == 1


def test_other_users_of_numba_keep_their_folder(load: Load) -> None:
    before = numba.config.CACHE_DIR
    load()
    assert before == numba.config.CACHE_DIR


def test_what_was_compiled_when_the_container_was_built_is_taken_over(load: Load, tmp_path: Path) -> None:
    load().twice(3)
    beside, own = tmp_path / "package" / "__pycache__", ours(tmp_path)
    beside.unlink()
    (compiled_there,) = own.iterdir()
    compiled_there.rename(beside)
    beside.chmod(0o555)
    with pytest.MonkeyPatch.context() as patch:
        refuse_to_write(beside, patch)
        module = load()
    assert Path(module.twice.stats.cache_path).is_relative_to(own)
    assert module.twice(4) == 8
    assert hits(module.twice) == 1
    beside.chmod(0o755)


def refuse_to_write(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere: the probe of numba is told that it may not."""
    probe = tempfile.TemporaryFile

    def refusing(*args: Any, **named: Any) -> Any:
        if named.get("dir") == str(folder):
            raise PermissionError(13, "Permission denied", str(folder))
        return probe(*args, **named)

    patch.setattr(tempfile, "TemporaryFile", refusing)


def test_the_users_own_folder_comes_first(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "mine"))
    assert load().twice(3) == 6
    assert list((tmp_path / "mine").rglob("*.nbi"))
    assert not kept(tmp_path)


def of_others(folder: Path) -> None:
    folder.chmod(0o777)


def led_elsewhere(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to("elsewhere")


def a_file(folder: Path) -> None:
    folder.rmdir()
    folder.write_text("")


@pytest.mark.skipif(not hasattr(_compiled.os, "getuid"), reason="users of POSIX")
@pytest.mark.parametrize("spoil", [of_others, led_elsewhere, a_file])
def test_code_that_others_may_have_put_there_is_not_run(
    spoil: Callable[[Path], None], load: Load, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load()
    folder = ours(tmp_path)
    (unused,) = folder.iterdir() or [None]
    unused.rmdir()
    spoil(folder)
    module = load()
    assert module.twice.stats.cache_path is None
    assert module.four_times(3) == 12
    assert not kept(tmp_path)
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "set NUMBA_CACHE_DIR to a folder that can be written" in warning.getMessage()


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("length", [0, 40])
def test_code_that_was_cut_off_is_compiled_anew_and_kept(
    suffix: str, length: int, load: Load, tmp_path: Path
) -> None:
    load().twice(3)
    cut = [file for file in kept(tmp_path) if file.name.endswith(suffix)]
    assert cut
    for file in cut:
        file.write_bytes(file.read_bytes()[:length])
    assert load().twice(4) == 8
    again = load()
    assert again.twice(5) == 10
    assert hits(again.twice) == 1


def test_a_folder_that_goes_away_ends_nothing(load: Load, tmp_path: Path) -> None:
    module = load()
    gone = Path(module.twice.stats.cache_path)
    gone.rmdir()
    gone.write_text("")
    assert module.four_times(3) == 12


def test_compiling_is_said_once_and_timed(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="slimtrack")
    module = load()
    assert module.four_times(3) == 12
    assert module.twice(0.5) == 1.0
    start, first, second = (record.getMessage() for record in caplog.records)
    assert start == "compiling for this machine, once: this can take a minute"
    assert re.fullmatch(r"compiled loops in \d+\.\d s", first)
    assert re.fullmatch(r"compiled loops in \d+\.\d s", second)


def test_nothing_is_said_where_the_code_is_kept(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    load().four_times(3)
    caplog.set_level(logging.INFO, logger="slimtrack")
    assert load().four_times(3) == 12
    assert not caplog.records


def test_what_others_compile_is_none_of_our_news(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="slimtrack")
    assert numba.njit(lambda x: 3 * x)(2) == 6
    assert not caplog.records


def test_every_loop_of_ours_is_kept_like_that() -> None:
    root = Path(slimtrack.__file__).parent
    users = [
        path for path in root.rglob("*.py") if re.search(r"^\s*(from|import) numba", path.read_text(), re.M)
    ]
    assert [path.name for path in users] == ["_compiled.py"]


def test_the_time_is_that_of_the_outermost_loop(
    load: Load, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="slimtrack")
    loop = load().twice
    event = type("Event", (), {"data": {"dispatcher": loop}})()
    for now, step in ((0, "start"), (10, "start"), (20, "end"), (30, "end")):
        monkeypatch.setattr(_compiled.time, "monotonic", lambda now=now: now)
        getattr(_compiled._TELLER, f"on_{step}")(event)
    assert caplog.records[-1].getMessage() == "compiled loops in 30.0 s"
