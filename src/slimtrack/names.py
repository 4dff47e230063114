"""Names that stand for a tracker with options: ours in a table, a user's own in a TOML file.

::

    [trackers]
    mine = "hcf[network=mine.onnx,taps=conv2+conv3]"
    mine-slow = "mine[relearn_shift=0]"
"""

import functools
import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from slimtrack.errors import InputError, UnknownNameError

__all__ = ["NAMES", "VARIABLE", "add_names", "in_case", "in_names_file", "names"]

VARIABLE = "SLIMTRACK_NAMES"
"""Environment variable: a TOML file of names."""

_SQUEEZENET = "relu1+fire2+fire3+fire4+fire5+fire6+fire7+fire8+fire9"
"""Its first layer and every fire module; the 1000 maps of class scores are left out."""

_EXAMPLE = 'mine = "hcf[taps=relu3_4]"'

NAMES = {
    "cf2-v-11+12+21": "hcf[network=vgg19,taps=relu1_1+relu1_2+relu2_1]",
    "cf2-v-34": "hcf[network=vgg19,taps=relu3_4]",
    "cf2-s-fire3": "hcf[network=squeezenet1.1,taps=fire3]",
    "cf2-s-all": f"hcf[network=squeezenet1.1,taps={_SQUEEZENET}]",
    "deepcd-v-11+12+21": "deepcd[network=vgg19,taps=relu1_1+relu1_2+relu2_1]",
    # Layers as different as the first and the last are brought half the way to one level: at one level the
    # many channels of deep layers, coarse in place, outweigh the others, and as they are a few loud ones do.
    # Level, loss and max_side were chosen on the development sequences.
    "deepcd-s-all": (
        f"deepcd[network=squeezenet1.1,taps={_SQUEEZENET},keep=123,by=count,level=0.5,loss=0.05,max_side=200]"
    ),
}
"""The names of paper 001: the network's first letter, then its layers."""


def names() -> Mapping[str, str]:
    """Every name and what it stands for; the names of the file in ``SLIMTRACK_NAMES`` after ours.

    Raises:
        InputError: That file cannot be read.
    """
    path = _file()
    if path is None:
        return NAMES
    try:
        changed = path.stat().st_mtime_ns
    except OSError as error:
        raise InputError(f"names file {path} cannot be read: {error.strerror}") from error
    return {**NAMES, **_read(path, changed)}


def in_case(name: str, known: Collection[str]) -> str:
    """The known name that differs only in case; otherwise the name itself."""
    folded = {each.casefold(): each for each in known}
    return name if name in known else folded.get(name.casefold(), name)


@contextmanager
def in_names_file(name: str) -> Iterator[None]:
    """Errors inside say which line of the user's file they are about, if the name comes from there."""
    try:
        yield
    except (InputError, UnknownNameError) as error:
        path = _file()
        if path is None or name in NAMES or name not in names():
            raise
        raise type(error)(f"{_place(path, name)}: name {name!r}: {error}") from error


def add_names(file: Path | str) -> None:
    """Takes a file of names, for this process and those it starts from now on; it replaces an earlier one.

    Raises:
        InputError: It cannot be read, or is not of that form.
    """
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise InputError(f"names file {path} does not exist")
    _read(path, path.stat().st_mtime_ns)
    os.environ[VARIABLE] = str(path)


def _file() -> Path | None:
    """The user's file of names, if there is one."""
    file = os.environ.get(VARIABLE, "").strip()
    return Path(file).expanduser() if file else None


def _place(path: Path, name: str) -> str:
    """The file, and the line on which a name is given: the TOML reader does not keep lines."""
    key = re.compile(rf"\s*([\"']?){re.escape(name)}\1\s*=")
    lines = path.read_text(encoding="utf-8").splitlines()
    number = next((number for number, line in enumerate(lines, start=1) if key.match(line)), None)
    return f"names file {path}" + ("" if number is None else f", line {number}")


@functools.cache
def _read(path: Path, changed: int) -> dict[str, str]:
    """The names of a file, read again only when its time of change is another."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"names file {path} cannot be read: {error}") from error
    found = content.get("trackers")
    if not isinstance(found, dict):
        raise InputError(f"names file {path} has no table [trackers] with lines such as {_EXAMPLE}")
    for name, spec in found.items():
        if not isinstance(spec, str):
            raise InputError(
                f"{_place(path, name)}: name {name!r} is {spec!r}, not a text such as in {_EXAMPLE}"
            )
        if name in NAMES:
            raise InputError(f"{_place(path, name)}: {name!r} is a name of ours already: choose another")
    return found
