"""The log of a training run, one JSON object per line, and its progress callbacks."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slimtrack.errors import SourceError
from slimtrack.files import atomic_write, make_folder, writing

__all__ = ["Journal", "Watcher", "read_log"]


class Watcher:
    """Progress callbacks of a training run; they do nothing by default."""

    def learned(self, share: float, step: int, losses: Mapping[str, float]) -> None:
        """Called with the losses of a step; ``share`` of the run is done."""

    def judged(self, figures: Mapping[str, float], best: Mapping[str, float]) -> None:
        """Called with the figures of a validation, and those of the best network so far."""


class Journal(Watcher):
    """Writes `log.jsonl` and calls another watcher.

    Args:
        path: The file.
        then: The other watcher.
        step: Lines of later steps are dropped, because a resumed run repeats these steps.
    """

    def __init__(self, path: Path, then: Watcher, step: int) -> None:
        make_folder(path.parent)
        self._path, self._then, self._step = path, then, step
        kept = [line for line in read_log(path) if line["step"] <= step] if path.is_file() else []
        with atomic_write(path) as file:
            file.writelines(json.dumps(line) + "\n" for line in kept)

    def learned(self, share: float, step: int, losses: Mapping[str, float]) -> None:
        """Writes the losses."""
        self._step = step
        self._add({"step": step, "share": share, "losses": dict(losses)})
        self._then.learned(share, step, losses)

    def judged(self, figures: Mapping[str, float], best: Mapping[str, float]) -> None:
        """Writes the figures."""
        self._add({"step": self._step, "figures": dict(figures), "best": figures == best})
        self._then.judged(figures, best)

    def _add(self, values: dict[str, Any]) -> None:
        with writing(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log, without a last one that was cut off.

    Raises:
        SourceError: A line before the last is damaged.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(json.loads(line))
        except ValueError as error:
            if number < len(lines):
                raise SourceError(f"{path}, line {number}: not JSON") from error
    return found
