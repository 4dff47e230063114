"""What a run writes, as one record."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from slimtrack.video.past import Past

__all__ = ["Files", "Outputs"]

_Path: TypeAlias = str | os.PathLike[str]

Files: TypeAlias = Iterable[_Path] | Mapping[_Path, str]
"""Files, whose suffixes decide their formats (`slimtrack.video.results.FORMATS`); or file -> format."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a run writes.

    Attributes:
        files: Tables and videos.
        plot: PNG of score and speed over time.
        about: Further entries for the head of a JSON file, such as the ``options`` of a tracker object.
        past: The results of an earlier run to continue, whose files ``files`` must name. Its rows are kept,
            and the rows that follow are those of an uninterrupted run.
    """

    files: Files = ()
    plot: _Path | None = None
    about: Mapping[str, object] = field(default_factory=dict)
    past: Past | None = None

    @classmethod
    def of(cls, outputs: "Outputs | Files") -> "Outputs":
        """The record itself, or one that has only these files."""
        return outputs if isinstance(outputs, Outputs) else cls(outputs)

    @property
    def forms(self) -> Mapping[_Path, str | None]:
        """File -> its format; ``None``: the suffix decides."""
        return {**self.files} if isinstance(self.files, Mapping) else dict.fromkeys(self.files)

    @property
    def paths(self) -> list[_Path]:
        """All files, the plot's too."""
        return [*self.forms, *([] if self.plot is None else [self.plot])]
