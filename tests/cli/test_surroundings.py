"""The program in poor surroundings: users who may write nowhere, outputs that cannot say every letter."""

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

import slimtrack
from slimtrack.cli import main
from slimtrack.evaluation import runner


def write_images(folder: Path, count: int = 8) -> None:
    """A picture that moves to the right by one pixel a frame."""
    folder.mkdir(parents=True)
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3)).astype(np.uint8)
    for number in range(1, count + 1):
        data = cv2.imencode(".png", np.roll(image, number, axis=1))[1]
        (folder / f"{number:04d}.png").write_bytes(data.tobytes())


def write_sequence(folder: Path, count: int = 8) -> None:
    write_images(folder / "img", count)
    rows = "".join(f"{31 + number},31,24,24\n" for number in range(count))
    (folder / "groundtruth_rect.txt").write_text(rows)


def run(words: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The program as it is started; ``words`` may begin with another one that starts it."""
    return subprocess.run(
        words, cwd=folder, env={**os.environ, **environment}, capture_output=True, timeout=240
    )


PROGRAM = [sys.executable, "-m", "slimtrack"]


def test_the_package_is_a_program(tmp_path: Path) -> None:
    done = run([*PROGRAM, "--version"], tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().split() == ["slimtrack", slimtrack.__version__]


# -------------------------------------------------------------------------------------------- letters

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Runs the command line with an output of another encoding: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(runner, "peak_memory", lambda spec, sequence, *, threads: 100.0)

    def say(encoding: str, *words: str) -> tuple[int, str, str]:
        pipes = [io.BytesIO(), io.BytesIO()]
        with monkeypatch.context() as patch:
            for name, pipe in zip(("stdout", "stderr"), pipes, strict=True):
                patch.setattr(sys, name, io.TextIOWrapper(pipe, encoding=encoding, write_through=True))
            with pytest.raises(SystemExit) as caught:
                main(list(words))
            out, err = (pipe.getvalue().decode(encoding) for pipe in pipes)
        return int(caught.value.code or 0), out, err

    return say


TRACK = ("track", "видео", "--box", "30,30,24,24", "--tracker", "mosse", "--no-plot", "-o", "путь")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_a_name_that_the_output_cannot_say_does_not_end_a_run(
    encoding: str, say: Say, tmp_path: Path
) -> None:
    write_images(tmp_path / "видео")
    code, out, err = say(encoding, *TRACK)
    assert (code, err) == (0, "")
    assert (tmp_path / "путь" / "track.csv").is_file()
    name = "путь" if encoding == "utf-8" else r"\u043f\u0443\u0442\u044c"
    assert f"{name}/track.csv" in out and "mosse: 8 frames" in out


def test_nor_without_a_locale(tmp_path: Path) -> None:
    write_images(tmp_path / "видео")
    done = run([*PROGRAM, *TRACK], tmp_path, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "путь" / "track.csv").is_file()


@pytest.mark.parametrize(("encoding", "spread", "absent"), [("ascii", "+-", "-"), ("cp1252", "±", "–")])
def test_signs_of_tables_are_spelt(encoding: str, spread: str, absent: str, say: Say, tmp_path: Path) -> None:
    write_sequence(tmp_path / "data" / "Хор")
    code, out, err = say(encoding, "bench", "data", "--trackers", "mosse", "--json", "путь/out.json")
    assert code == 0, err
    assert (tmp_path / "путь" / "out.json").is_file()
    cells = [cell.strip() for line in out.splitlines() for cell in line.split("|")]
    assert {spread, absent, r"\u0425\u043e\u0440"} <= set(cells)
    assert "?" not in out


def test_a_refusal_says_what_it_can(say: Say) -> None:
    code, _, err = say("cp1252", "track", "Äи", "--box", "1,2,3,4")
    assert code == 2
    assert err.startswith(r"slimtrack: 'Ä\u0438' does not exist")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse names that are not UTF-8")
@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_name_that_is_not_utf8_does_not_end_a_run(encoding: str, say: Say, tmp_path: Path) -> None:
    write_sequence(tmp_path / "data" / os.fsdecode(b"n\xe9e"))
    for _ in range(2):  # the second time what the first one kept is read
        code, out, err = say(encoding, "bench", "data", "--trackers", "mosse", "--json", "out.json")
        assert code == 0, err
        assert r"n\udce9e" in out
    assert r'"n\udce9e"' in (tmp_path / "out.json").read_text(encoding="utf-8")


# ---------------------------------------------------------------------------------------------- users


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that everybody may enter, with a package that nobody may change, and a sequence."""
    place = Path(tempfile.mkdtemp(prefix="slimtrack-test-"))
    library, package = place / "library", Path(slimtrack.__file__).parent
    shutil.copytree(package, library / "slimtrack", ignore=shutil.ignore_patterns("*.pyc"))
    write_sequence(place / "data" / "Walk")
    for path in (place, *library.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    place.chmod(0o755)
    for name, mode in (("work", 0o777), ("temporary", 0o777), ("closed", 0)):
        (place / name).mkdir()
        (place / name).chmod(mode)
    yield place
    for path in library.rglob("*"):
        path.chmod(0o755)
    shutil.rmtree(place)


DROP = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
"""Become the user of services and containers."""

READ = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
"""May read everything, where the interpreter lies in a folder that is closed to others; and write nothing."""


@pytest.fixture(scope="module")
def servant(place: Path) -> list[str]:
    """The program that starts another one as a user who may write nowhere: we, where we are not root."""
    root = hasattr(os, "getuid") and os.getuid() == 0
    if root and shutil.which("setpriv") is None:
        pytest.skip("needs setpriv (util-linux) to become another user than root")
    for start in (DROP, [*DROP, *READ]) if root else ([],):
        if run([*start, *PROGRAM, "--version"], place, **homeless(place)).returncode == 0:
            return start
    pytest.skip(f"user 65534 cannot start {sys.executable} here")


def homeless(place: Path) -> dict[str, str]:
    """The environment of a user without a home, whose own folders in it cannot be written either."""
    return {
        "HOME": "/nonexistent", "XDG_CACHE_HOME": "/nonexistent", "NUMBA_CACHE_DIR": "/nonexistent/numba",
        "MPLCONFIGDIR": "/nonexistent/matplotlib", "TMPDIR": str(place / "temporary"),
        "XDG_DATA_HOME": str(place / "closed"), "SLIMTRACK_NETWORKS": str(place / "closed" / "networks"),
        "PYTHONPATH": str(place / "library"), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip


def test_a_user_without_home_and_right_to_write(place: Path, servant: list[str]) -> None:
    """All in one test: the first command takes over what is compiled beside our sources, or compiles it."""
    commands = {
        "track": "track data/Walk/img --box 30,30,24,24 --tracker kcf --out work/track",
        "demo": "demo --tracker kcf --clip plain --out work/demo",
        "bench": "bench data --trackers kcf --json work/out.json --plots work/plots",
        "doctor": "doctor",
    }
    said = {}
    for name, words in commands.items():
        done = run([*servant, *PROGRAM, *words.split()], place, **homeless(place))
        assert done.returncode == 0, (name, done.stderr.decode())
        said[name] = done.stderr.decode() + done.stdout.decode()
    assert list((place / "temporary").glob("slimtrack-*/*/*.nbi"))
    assert "compiling" not in said["bench"]
    assert (place / "work" / "demo" / "annotated.mp4").stat().st_size > 10_000
    assert (place / "work" / "out.json").is_file()
