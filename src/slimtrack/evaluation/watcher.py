"""Who is told how an evaluation comes along."""

from slimtrack.datasets import Sequence
from slimtrack.evaluation.runs import Run

__all__ = ["Watcher"]


class Watcher:
    """Is told how an evaluation comes along, never while the clock runs. Here it does nothing."""

    def begin(self, frames: int) -> None:
        """Before the first run.

        Args:
            frames: Frames of all runs, those already done included.
        """

    def working(self, tracker: str, sequence: str, index: int, frames: int) -> None:
        """Every quarter of a second inside a run (not with several jobs).

        Args:
            tracker: Which one.
            sequence: On what.
            index: From which first box.
            frames: Frames of this run done so far.
        """

    def again(self, tracker: str, sequence: str, index: int, frames: int) -> None:
        """Before a run that is done once more, because the machine was busy during the last one.

        Args:
            tracker: Which one.
            sequence: On what.
            index: From which first box.
            frames: Frames that are tracked again: so many more than `begin` has said.
        """

    def finished(self, run: Run, sequence: Sequence, kept: bool) -> None:
        """After each run.

        Args:
            run: It.
            sequence: The truth.
            kept: It was found finished and not done again.
        """

    def weighing(self, tracker: str) -> None:
        """After all runs, before the memory of a tracker is measured (a second or two).

        Args:
            tracker: Which one.
        """
