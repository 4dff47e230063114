"""Every error that slimtrack raises on purpose.

::

    SlimtrackError                what was wrong, where, and what to do: one sentence
    ├── InputError                an image, a box or an option cannot be used (also a ValueError)
    ├── UnknownNameError          no tracker, option or network has that name (also a LookupError)
    ├── NotStartedError           update() before init()
    ├── SourceError               frames or annotations cannot be read
    ├── OutputError               a result cannot be written
    ├── MissingError              a package or file that is needed is not there
    └── InternalError             a tracker failed inside; the cause is chained
"""

import difflib
from collections.abc import Iterable

__all__ = [
    "InputError",
    "InternalError",
    "MissingError",
    "NotStartedError",
    "OutputError",
    "SlimtrackError",
    "SourceError",
    "UnknownNameError",
]


class SlimtrackError(Exception):
    """Root of all errors that slimtrack raises."""


class InputError(SlimtrackError, ValueError):
    """An argument cannot be used; the message names it and says what was expected and what was given."""


class UnknownNameError(SlimtrackError, LookupError):
    """A name is not known; the message lists the nearest ones."""

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str], listed: str = "") -> "UnknownNameError":
        """Builds the error with a sentence that names the unknown name and the nearest known ones.

        Args:
            kind: What the name stands for, such as ``"tracker"``.
            name: The unknown name.
            known: All known names.
            listed: Where they are listed, if there are too many for one sentence.
        """
        names = sorted(known)
        near = _nearest(name, names)
        hints = (
            [f"did you mean {' or '.join(filter(None, (', '.join(near[:-1]), near[-1])))}?"] if near else []
        )
        if listed:
            hints.append(f"{listed} lists all {len(names)}")
        elif not near:
            hints.append(f"there are: {', '.join(names) or 'none'}.")
        return cls(f"there is no {kind} {name!r}: {' '.join(hints)}")


def _nearest(name: str, names: list[str]) -> list[str]:
    """Up to three similar names, ignoring case: first those that contain the name, then similar ones."""
    wanted = name.casefold()
    folded = {each.casefold(): each for each in names}
    holding = [each for each in folded if len(wanted) > 2 and wanted in each]
    alike = difflib.get_close_matches(wanted, folded, n=3, cutoff=0.5)
    return [folded[each] for each in dict.fromkeys(sorted(holding, key=len) + alike)][:3]


class NotStartedError(SlimtrackError, RuntimeError):
    """`update` was called before `init`."""


class SourceError(SlimtrackError):
    """Frames or annotations cannot be read."""


class OutputError(SlimtrackError):
    """A result cannot be written."""


class MissingError(SlimtrackError):
    """An optional package, network or data set is not there; the message says how to get it."""


class InternalError(SlimtrackError):
    """A tracker failed inside. The exception that caused it is chained as ``__cause__``."""
