"""The running average of what a filter learned in each frame."""

from typing import Any

import numpy as np

from slimtrack.errors import NotStartedError

__all__ = ["Average"]


class Average:
    """Running average of arrays of one shape: the first one, then ``rate`` of each newer one mixed in.

    Args:
        rate: Share of the newest array, 0 (keep the first) to 1 (forget all others).
    """

    def __init__(self, rate: float) -> None:
        self._rate = np.float32(rate)
        self._value: Any = None

    def add(self, newest: Any, weight: float = 1.0) -> None:
        """Mixes in one more array, at ``weight`` times the rate; the array itself is not stored."""
        if self._value is None:
            self._value = newest.copy()
        else:
            self._value += self._rate * np.float32(weight) * (newest - self._value)

    @property
    def value(self) -> Any:
        """The average; the next `add` changes it in place.

        Raises:
            NotStartedError: Nothing has been added.
        """
        if self._value is None:
            raise NotStartedError("the filter has not learned anything yet: call learn() first")
        return self._value
