"""Calibrations of trackers' scores: a file beside the module that defines a tracker.

``calibrations.json`` in that folder holds, by the tracker's name, the weights of the evidence and a constant.
``benchmarks/fit_calibration.py`` writes it; a plug-in brings its own, or the class attribute ``calibration``.
"""

import functools
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from slimtrack.confidence import Calibration
from slimtrack.errors import InputError
from slimtrack.files import atomic_write

__all__ = [
    "calibration_of",
    "calibrations_file",
    "common_calibration",
    "read_calibrations",
    "write_calibrations",
]

_NAME = "calibrations.json"

_HERE = Path(__file__).with_name(_NAME)


def calibration_of(cls: type, name: str) -> Calibration | None:
    """The calibration of a tracker class under a name; ``None`` where none was fitted.

    It is looked for beside the class, then beside those that it derives from.

    Raises:
        InputError: A file cannot be read.
    """
    files = (file for base in cls.__mro__ if (file := calibrations_file(base)) is not None)
    found = (read_calibrations(file).get(name) for file in dict.fromkeys(files))
    return next((each for each in found if each is not None), None)


def common_calibration() -> Calibration:
    """For trackers that have none of their own: fitted on several of ours together."""
    return read_calibrations(_HERE)["common"]


def calibrations_file(cls: type | None = None) -> Path | None:
    """Where a class has its calibrations, there yet or not; without a class, where the common one is.

    ``None`` for a class that comes from no file.
    """
    file = __file__ if cls is None else getattr(sys.modules.get(cls.__module__), "__file__", None)
    return None if file is None else Path(file).with_name(_NAME)


def read_calibrations(file: Path) -> Mapping[str, Calibration]:
    """The calibrations in a file, by name; none where it does not exist.

    Raises:
        InputError: It cannot be read, or is not of that form.
    """
    try:
        return _read(file, file.stat().st_mtime_ns)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"calibrations file {file} cannot be read: {error.strerror}") from error


@functools.lru_cache
def _read(file: Path, changed: int) -> dict[str, Calibration]:
    """The same, read again only when the file's time of change is another."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {
            name: Calibration(
                {figure: float(weight) for figure, weight in entry["weights"].items()}, float(entry["bias"])
            )
            for name, entry in found.items()
        }
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"calibrations file {file} holds something else ({reason}); fit it again") from error


def write_calibrations(file: Path, calibrations: Mapping[str, Calibration]) -> None:
    """Replaces a file of calibrations; numbers are kept to four digits.

    Raises:
        OutputError: It cannot be written.
    """
    entries = {
        name: {
            "weights": {figure: float(f"{weight:.4g}") for figure, weight in each.weights.items()},
            "bias": float(f"{each.bias:.4g}"),
        }
        for name, each in calibrations.items()
    }
    with atomic_write(file) as out:
        out.write(json.dumps(entries, indent=2) + "\n")
