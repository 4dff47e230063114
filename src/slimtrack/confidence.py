"""From evidence to a score in [0, 1], and from scores to a state with hysteresis."""

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

__all__ = ["Calibration", "Hysteresis", "State", "Thresholds"]


class State(enum.StrEnum):
    """What a tracker believes about its target."""

    TRACKED = "tracked"
    UNCERTAIN = "uncertain"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where one state turns into another.

    TRACKED is left later than it is entered, and LOST takes some frames (hysteresis).

    Attributes:
        tracked: At or above it a target is TRACKED; an UNCERTAIN one comes back here.
        doubt: Below it a TRACKED one becomes UNCERTAIN.
        lost: Below it, `patience` frames in a row, a target is LOST; where there is a response, only with a
            peak that has fallen too (`held`).
        found: At or above it a LOST one is believed again.
        patience: Such frames before LOST is said.
        held: A peak at or above this share of its usual height keeps a target from being LOST. A low score
            alone may be a target that looks different by now and is still followed, as the height of the peak
            says; standing still would lose it.
    """

    tracked: float = 0.55
    doubt: float = 0.45
    lost: float = 0.3
    found: float = 0.3
    patience: int = 3
    held: float = 0.4

    def fitted(self, calibration: "Calibration") -> "Thresholds":
        """The same for one tracker: where TRACKED ends is its calibration's."""
        return replace(self, doubt=calibration.doubt, tracked=calibration.doubt + 0.1)


_USUAL_RATE = 0.1
"""Rate at which the usual height of the peak follows the frames."""


class Hysteresis:
    """Turns the scores of successive frames into states."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._at = thresholds
        self._state = State.TRACKED
        self._low = 0
        self._usual = 0.0
        self._blinked = False

    def decide(self, score: float | None, peak: float | None = None) -> State:
        """The state after one more frame.

        Args:
            score: Probability that the target is in its box; ``None`` when nothing was found: LOST at once,
                and where nothing else spoke for it, only until the response is back.
            peak: Height of the response's peak; ``None`` for a tracker without: its score decides alone.
        """
        at, holds = self._at, self._holds(peak)
        low = score is not None and score < at.lost and not holds
        self._low = self._low + 1 if low else 0
        if score is None or self._low >= at.patience:
            self._blinked = score is None and (self._blinked or self._state is not State.LOST)
            self._state = State.LOST
        elif self._state is State.LOST and score < at.found and not (self._blinked and holds):
            pass
        elif score >= (at.doubt if self._state is State.TRACKED else at.tracked):
            self._state = State.TRACKED
        else:
            self._state = State.UNCERTAIN
        if score is not None and not low and self._state is not State.LOST:
            self._follow(peak, score)
        return self._state

    def _holds(self, peak: float | None) -> bool:
        """Whether the peak is about as high as usual, so that the score does not decide alone."""
        return peak is not None and self._usual > 0 and peak >= self._at.held * self._usual

    def _follow(self, peak: float | None, score: float) -> None:
        """The usual height, slowly after the peaks of all frames in which the target was followed.

        Also after those with a low score: a target that changes gets lower peaks, and that is no fall.
        """
        if peak is None or not math.isfinite(peak):
            return
        if self._usual > 0:
            self._usual += _USUAL_RATE * (peak - self._usual)
        elif score >= self._at.lost:
            self._usual = peak


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic model from evidence to P(IoU > 0.5).

    Attributes:
        weights: Weight per name of evidence; evidence without a weight is ignored, missing evidence counts 0.
        bias: The constant.
        doubt: The score below which a TRACKED target becomes UNCERTAIN; chosen so that few frames without the
            target reach it.
    """

    weights: Mapping[str, float]
    bias: float
    doubt: float = 0.45

    def score(self, evidence: Mapping[str, float]) -> float:
        """The probability that the box overlaps the target by more than one half."""
        logit = self.bias + sum(w * evidence.get(name, 0.0) for name, w in self.weights.items())
        return 1 / (1 + math.exp(-min(max(logit, -30.0), 30.0)))
