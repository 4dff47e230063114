"""Turns evidence into a score in [0, 1], and scores into a state with hysteresis."""

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["PATIENT", "Calibration", "Course", "Hysteresis", "State", "Thresholds"]


class State(enum.StrEnum):
    """What a tracker believes about its target."""

    TRACKED = "tracked"
    UNCERTAIN = "uncertain"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores at which the state changes, and below which nothing is learned.

    TRACKED is left at a lower score than it is entered, and LOST takes several frames (hysteresis). Scores
    are probabilities, so most trackers use the same thresholds.

    Attributes:
        tracked: At or above it, an UNCERTAIN target becomes TRACKED.
        doubt: Below it, a TRACKED target becomes UNCERTAIN.
        lost: Below it for `patience` frames in a row, a target becomes LOST.
        found: At or above it, a LOST target is TRACKED again. It is higher than `doubt` because it decides
            on a single frame.
        patience: Number of frames below `lost` before the target is LOST.
        learned: Below it, nothing is learned from the frame, and its box is not believed. Default: `doubt`.
    """

    tracked: float = 0.4
    doubt: float = 0.3
    lost: float = 0.3
    found: float = 0.5
    patience: int = 3
    learned: float | None = None

    @property
    def least(self) -> float:
        """The lowest score of a frame that is believed and learned."""
        return self.doubt if self.learned is None else self.learned


PATIENT = Thresholds(lost=0.2, patience=5)
"""For the simplest filters: a blurred or fast target lowers their score for a few frames, and is often found
again if the search goes on beside it; measured on the development sequences."""

_AGAIN = 2
"""Clear answers in a row after which a LOST target is followed again."""


class Hysteresis:
    """Turns the scores of successive frames into states."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._at = thresholds
        self._state = State.TRACKED
        self._low = self._clear = 0

    def decide(self, score: float | None, *, clear: bool = False) -> State:
        """The state after one more frame.

        Args:
            score: Probability that the target is in its box; ``None`` if nothing was found, which means LOST
                at once.
            clear: The tracker's answer is clear (`slimtrack.tracker.Estimate`): whatever its score, the frame
                does not make the target LOST, and two in a row make a LOST one UNCERTAIN.
        """
        at = self._at
        self._low = self._low + 1 if score is not None and score < at.lost and not clear else 0
        self._clear = self._clear + 1 if clear else 0
        if score is None or self._low >= at.patience:
            self._state = State.LOST
        elif self._state is State.LOST and score < at.found and self._clear < _AGAIN:
            pass
        elif score >= (at.doubt if self._state is State.TRACKED else at.tracked):
            self._state = State.TRACKED
        else:
            self._state = State.UNCERTAIN
        return self._state


SHARE = 0.4
"""Share of the newest frame in the running mean of the evidence."""

_USUAL_RATE = 0.1
"""Share of the newest frame with a high score in the usual height and sharpness of the response."""

_LOWEST = 1e-6
"""Lower bound of a peak before its logarithm is taken."""


class Course:
    """The evidence of one target over time.

    A single frame says little: blur or a turn lowers the response for a moment, and a wrong place may have a
    high response by chance. So the calibration uses running means, and how far the response has fallen below
    its usual height and sharpness on this target. How much the whole frame changes is compared with what is
    usual, too: a camera that moves changes all of it in every frame, and the target is still there.
    """

    def __init__(self) -> None:
        self._usual: dict[str, float] = {}
        self._now: dict[str, float] = {}
        self._mean: dict[str, float] = {}

    def follow(self, evidence: Mapping[str, float], share: float = SHARE) -> dict[str, float]:
        """Adds the evidence of one more frame.

        Args:
            evidence: Named figures of the frame; values that are not finite count as 0. ``psr`` is the
                peak-to-sidelobe ratio.
            share: Share of this frame in the means; 1 forgets all earlier frames.

        Returns:
            Running means of these figures, for ``psr`` of log(1 + psr), and of ``peak_change``,
            ``psr_change`` and ``scene_change``: how far the logarithms of the three lie above their usual
            values, at least -3.
        """
        figures = {name: value if math.isfinite(value) else 0.0 for name, value in evidence.items()}
        if "psr" in figures:
            figures["psr"] = math.log1p(max(figures["psr"], 0.0))
        self._now = {
            f"{name}_change": level(figures[name]) for name, level in _LEVELS.items() if name in figures
        }
        for name, value in self._now.items():
            figures[name] = max(value - self._usual.setdefault(name, value), -3.0)
        for name, value in figures.items():
            before = self._mean.get(name, value)
            self._mean[name] = before + share * (value - before)
        return dict(self._mean)

    def move(self) -> None:
        """Begins new means: the next frame shows another place; what is usual stays."""
        self._mean = {}

    def learn(self, weight: float) -> None:
        """Adapts the usual values to the last frame, at ``weight`` (0 to 1) times the full rate."""
        for name, value in self._now.items():
            self._usual[name] += _USUAL_RATE * weight * (value - self._usual[name])


def _log(height: float) -> float:
    return math.log(max(height, _LOWEST))


_LEVELS: Mapping[str, Callable[[float], float]] = {"peak": _log, "psr": float, "scene": float}
"""What is compared with its usual height, and how it becomes a logarithm; ``psr`` and ``scene`` are one by
then."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic model from evidence to P(IoU > 0.5).

    Attributes:
        weights: Weight of each named figure; figures without a weight are ignored, missing ones count as 0.
        bias: The constant.
    """

    weights: Mapping[str, float]
    bias: float

    def score(self, evidence: Mapping[str, float]) -> float:
        """The probability that the box overlaps the target by more than one half."""
        logit = self.bias + sum(w * evidence.get(name, 0.0) for name, w in self.weights.items())
        return 1 / (1 + math.exp(-min(max(logit, -30.0), 30.0)))
