"""Loads plug-ins: Python files named by the user, and entry points of installed packages."""

import importlib.metadata
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from slimtrack.errors import InputError, MissingError, SlimtrackError

__all__ = ["entry_points", "import_file", "load"]


def import_file(path: Path, kind: str) -> ModuleType:
    """Imports a Python file of the user, once.

    Args:
        path: The file.
        kind: What the file defines, for error messages, such as ``"tracker"``.

    Raises:
        InputError: The file does not exist, or its code fails.
    """
    name = f"slimtrack_file_{path.resolve().as_posix().replace('/', '_').removesuffix('.py')}"
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
    except SlimtrackError:
        del sys.modules[name]
        raise
    except Exception as error:
        del sys.modules[name]
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
