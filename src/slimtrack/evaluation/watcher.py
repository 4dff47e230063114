"""Progress callbacks of an evaluation."""

from slimtrack.datasets import Sequence
from slimtrack.evaluation.runs import Run

__all__ = ["Watcher"]


class Watcher:
    """Progress callbacks, never called inside timed code; they do nothing by default."""

    def begin(self, frames: int) -> None:
        """Before the first run.

        Args:
            frames: Number of frames of all runs, including finished ones.
        """

    def working(self, tracker: str, sequence: str, index: int, frames: int) -> None:
        """Every quarter of a second inside a run (not with several jobs).

        Args:
            tracker: The tracker's name.
            sequence: The sequence's name.
            index: Index of the first box.
            frames: Number of frames of this run done so far.
        """

    def again(self, tracker: str, sequence: str, index: int, frames: int) -> None:
        """Before a run is repeated because the machine was busy.

        Args:
            tracker: The tracker's name.
            sequence: The sequence's name.
            index: Index of the first box.
            frames: Number of frames tracked again, in addition to those given to `begin`.
        """

    def finished(self, run: Run, sequence: Sequence, kept: bool) -> None:
        """After each run.

        Args:
            run: The finished run.
            sequence: Its sequence.
            kept: Whether the run was finished earlier and not repeated.
        """

    def weighing(self, tracker: str) -> None:
        """After all runs, before the memory of a tracker is measured (a second or two).

        Args:
            tracker: The tracker's name.
        """
