"""The interface of trackers and wrappers, `Follower`, and its result, `Track`."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slimtrack.arrays import AnyImage, Image
from slimtrack.box import Box
from slimtrack.confidence import State
from slimtrack.errors import InputError
from slimtrack.foreign import as_array

if sys.version_info >= (3, 12):
    from typing import Protocol, runtime_checkable
else:  # Python 3.11's own would ask for the value of `box`, which there is none of before `init`
    from typing_extensions import Protocol, runtime_checkable

__all__ = ["Follower", "Track", "as_box", "checked_box", "checked_image"]

_LEAST_INSIDE = 0.1
"""Share of the first box that must lie inside the frame; less is not enough to learn from."""


@dataclass(frozen=True, slots=True)
class Track:
    """Where the target is after one frame.

    Attributes:
        box: Its box; while LOST, the last believed one.
        score: Calibrated probability that the box overlaps the target by more than one half (IoU > 0.5).
        state: TRACKED, UNCERTAIN or LOST.
    """

    box: Box
    score: float
    state: State

    def to_dict(self) -> dict[str, Any]:
        """The track as a dict for JSON: ``{"box": [x, y, w, h], "score": .., "state": "tracked"}``."""
        return {"box": [*map(float, self.box)], "score": float(self.score), "state": self.state.value}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Track":
        """Reads what `to_dict` wrote; other fields are ignored.

        Raises:
            InputError: A field is missing or holds something else.
        """
        try:
            return cls(Box(*map(float, fields["box"])), float(fields["score"]), State(fields["state"]))
        except (KeyError, TypeError, ValueError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise InputError(f"{fields!r} is not a track: {reason}") from error

    def to_json(self) -> str:
        """The track as a line of JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str | bytes) -> "Track":
        """Reads what `to_json` wrote.

        Raises:
            InputError: The text is not JSON, or not a track.
        """
        try:
            fields = json.loads(text)
        except ValueError as error:
            raise InputError(f"{text!r} is not JSON: {error}") from error
        return cls.from_dict(fields)


@runtime_checkable
class Follower(Protocol):
    """Follows one target: a tracker, or a wrapper that controls one.

    `init` starts with a target, `update` finds it in the next frame, and `relocate` moves it.
    ``isinstance(x, Follower)`` says whether ``x`` has all of these members; their types are not checked.
    """

    name: str
    """Its name in results."""

    @property
    def box(self) -> Box:
        """The last believed box."""
        ...

    def init(self, image: AnyImage, box: Box | npt.ArrayLike) -> None:
        """Learns a target and forgets any earlier one; `slimtrack.Tracker.init` says what is an image."""
        ...

    def update(self, image: AnyImage) -> Track:
        """Finds the target in the next frame, of the size given to `init`."""
        ...

    def relocate(self, box: Box | npt.ArrayLike) -> None:
        """Says where the target is in the frame seen last; what was learned of it stays."""
        ...


def checked_image(image: AnyImage) -> Image:
    """The frame as ``(H, W, 3)`` uint8 BGR; a grey image is repeated three times.

    Args:
        image: Such an array, a grey one, or anything that `as_array` converts.

    Raises:
        InputError: The image is of another kind, or empty.
    """
    image = as_array(image)
    if not isinstance(image, np.ndarray):
        raise InputError(f"image is a {type(image).__name__}, not a numpy array (H, W, 3) uint8")
    if image.dtype != np.uint8:
        raise InputError(f"image has dtype {image.dtype}, not uint8: convert it to 0..255 first")
    if image.size == 0 or image.ndim not in (2, 3):
        raise InputError(f"image has shape {image.shape}, not (H, W, 3) or (H, W) with at least one pixel")
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    if image.shape[2] != 3:
        raise InputError(
            f"image has {image.shape[2]} channels, not 3 (BGR) or 1 (grey): drop the alpha channel"
        )
    return np.ascontiguousarray(image)


def as_box(box: Box | npt.ArrayLike) -> Box:
    """Four numbers as a `Box`, whether it can be tracked or not.

    Raises:
        InputError: It is not four numbers.
    """
    try:
        return Box(*map(float, np.asarray(box, dtype=float).reshape(4)))
    except (TypeError, ValueError) as error:
        raise InputError(f"box is {box!r}, not four numbers x, y, w, h") from error


def checked_box(box: Box | npt.ArrayLike, shape: tuple[int, ...]) -> Box:
    """The box as a `Box`, after checking that it can be tracked in a frame of this size.

    `Tracker.init` and `Tracker.relocate` do this; callers leave it to them.

    Raises:
        InputError: The box is not four finite numbers, smaller than one pixel, or (nearly) outside the frame.
    """
    box = as_box(box)
    if not box.is_finite:
        raise InputError(f"box {box} has a number that is not finite")
    if box.w < 1 or box.h < 1:
        raise InputError(f"box {box} is smaller than one pixel: w and h must be at least 1")
    height, width = shape[:2]
    inside = box.clipped(width, height).area / box.area
    if inside < _LEAST_INSIDE:
        raise InputError(
            f"box {box} has {inside:.0%} of its area inside the frame of {width} x {height} pixels, "
            f"at least {_LEAST_INSIDE:.0%} is needed"
        )
    return box
