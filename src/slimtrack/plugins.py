"""Loads plug-ins: classes in Python files named by the user, and entry points of installed packages."""

import hashlib
import importlib.metadata
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from types import ModuleType
from typing import Any

from slimtrack.errors import InputError, MissingError, SlimtrackError, UnknownNameError
from slimtrack.names import in_case

__all__ = ["class_in_file", "entry_points", "is_from_file", "is_in_file", "load"]

_PREFIX = "slimtrack_file_"
"""How the names of modules begin that were made from a user's file."""


def is_in_file(name: str) -> bool:
    """Whether a name is ``FILE.py:NAME``, or ``FILE.py`` alone."""
    return name.endswith(".py") or name.rpartition(":")[0].endswith(".py")


def is_from_file(module: str) -> bool:
    """Whether the module of this name was made from a user's file."""
    return module.startswith(_PREFIX)


def class_in_file(
    spec: str, kind: str, base: type, own_name: Callable[[type], str] = lambda cls: cls.__name__
) -> type[Any]:
    """The class that ``FILE.py:NAME`` names, in upper or lower case.

    Args:
        spec: The file and the name.
        kind: What the class is, for error messages, such as ``"tracker"``.
        base: What the class derives from.
        own_name: The name under which a class is listed. Its name in Python stands for it too. A class whose
            own name is empty is left out.

    Raises:
        InputError: The file cannot be imported, or no class is named.
        UnknownNameError: The file has no such class; the message lists those that it has.
    """
    file, _, wanted = (f"{spec}:" if spec.endswith(".py") else spec).rpartition(":")
    module = import_file(Path(file), kind)
    classes = [cls for cls in _concrete(module, base) if own_name(cls)]
    own = [cls for cls in classes if cls.__module__ == module.__name__]
    listed = {own_name(cls): cls for cls in own}
    if len(listed) < len(own):
        raise InputError(f"{kind} file {file} has two {kind}s of one name: give each its own")
    if not wanted:
        raise _unnamed(file, kind, listed)
    # what the file imports can be named too, but is neither listed nor in the way of its own
    known = {name: cls for cls in (*classes, *own) for name in (cls.__name__, own_name(cls))} | listed
    found = known.get(in_case(wanted, known))
    if found is None:
        raise _unusable(module, f"{kind} in {file} named", wanted, base, listed)
    return found


def _concrete(module: ModuleType, base: type) -> list[type]:
    """The classes of a module that derive from another and lack none of its methods."""
    found = [each for each in vars(module).values() if inspect.isclass(each) and issubclass(each, base)]
    return [cls for cls in dict.fromkeys(found) if not inspect.isabstract(cls)]


def _unnamed(file: str, kind: str, listed: Collection[str]) -> InputError:
    there = ", ".join(sorted(listed)) or "none"
    return InputError(
        f"{kind} {file} is a file: say which of its {kind}s, as {file}:NAME; there are: {there}"
    )


def _unusable(
    module: ModuleType, what: str, wanted: str, base: type, listed: Collection[str]
) -> SlimtrackError:
    """Says why a name of a file stands for nothing that can be used."""
    found = vars(module).get(wanted)
    if found is None:
        return UnknownNameError.of(what, wanted, listed)
    if not (inspect.isclass(found) and issubclass(found, base)):
        why = f"is not a class derived from {base.__module__}.{base.__qualname__}"
    elif missing := sorted(getattr(found, "__abstractmethods__", ())):
        why = f"does not define {', '.join(missing)}"
    else:
        why = f"was not given a name: class {wanted}(.., name=..)"
    return InputError(f"{what} {wanted!r} cannot be used: it {why}")


def import_file(path: Path, kind: str) -> ModuleType:
    """Imports a Python file of the user, once.

    Args:
        path: The file.
        kind: What the file defines, for error messages, such as ``"tracker"``.

    Raises:
        InputError: The file does not exist, or its code fails.
    """
    place = path.resolve()
    name = f"{_PREFIX}{place.stem}_{hashlib.sha256(os.fsencode(place)).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        raise InputError(f"{kind} file {path} does not exist")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{kind} file {path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, SlimtrackError) or not isinstance(error, Exception):
            raise
        raise InputError(f"{kind} file {path} failed to import ({type(error).__name__}: {error})") from error
    return module


def entry_points(kind: str) -> list[importlib.metadata.EntryPoint]:
    """The entry points that installed packages declare under ``slimtrack.<kind>s``."""
    return list(importlib.metadata.entry_points(group=f"slimtrack.{kind}s"))


def load(entry: importlib.metadata.EntryPoint, kind: str) -> Any:
    """Imports an entry point of another package.

    Raises:
        MissingError: The import fails.
    """
    try:
        return entry.load()
    except SlimtrackError:
        raise
    except Exception as error:
        raise MissingError(
            f"{kind} {entry.name!r} ({entry.value}) cannot be imported: {type(error).__name__}: {error}"
        ) from error
