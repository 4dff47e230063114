"""What a filter remembers: the running average of what it learned in each frame."""

from typing import Any

import numpy as np

from slimtrack.errors import NotStartedError

__all__ = ["Average"]


class Average:
    """Running average of arrays of one shape: the first as it is, then ``rate`` of each newer one.

    Args:
        rate: Share of the newest array, 0 (keep the first) to 1 (forget all others).
    """

    def __init__(self, rate: float) -> None:
        self._rate = np.float32(rate)
        self._value: Any = None

    def add(self, newest: Any, weight: float = 1.0) -> None:
        """Mixes one more array in, at ``weight`` times the rate; it is not kept."""
        if self._value is None:
            self._value = newest.copy()
        else:
            self._value += self._rate * np.float32(weight) * (newest - self._value)

    @property
    def value(self) -> Any:
        """The average; changes with the next `add`.

        Raises:
            NotStartedError: Nothing has been added.
        """
        if self._value is None:
            raise NotStartedError("a filter has learned nothing yet: call learn() before it is asked")
        return self._value
