"""What a tracker knows about its target since the last `init`: where it is, and how sure that is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from slimtrack.appearance import Appearance
from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.calibrations import common_calibration
from slimtrack.confidence import Calibration, Course, Hysteresis, State, Thresholds
from slimtrack.errors import InputError, UnknownNameError
from slimtrack.follower import Track
from slimtrack.lookout import Lookout
from slimtrack.search import View

__all__ = ["Rules", "Session"]


@dataclass(frozen=True, slots=True)
class Rules:
    """How a tracker's evidence becomes a score and a state, and where it searches while LOST.

    Attributes:
        name: The tracker's name, for error messages.
        calibration: Turns evidence into the score.
        thresholds: The scores at which the state changes.
        newest: Share of the newest frame in the running means of the evidence.
        lookout: Chooses the places to search while the target is LOST.
    """

    name: str
    calibration: Calibration
    thresholds: Thresholds
    newest: float
    lookout: type[Lookout]

    def check(self, evidence: Collection[str]) -> None:
        """Refuses a calibration with a weight for a figure that the tracker's evidence does not have.

        The common calibration is of several trackers, not all of which have all of its figures.

        Raises:
            InputError: A figure is missing, so its name is probably misspelt.
        """
        for figure in self.calibration.weights.keys() - set(evidence):
            if self.calibration != common_calibration():
                error = UnknownNameError.of("figure of its evidence named", figure, evidence)
                raise InputError(f"the calibration of {self.name} has a weight too many: {error}")


class Session:
    """Everything known about one target; what its filter or network learned is the tracker's.

    Args:
        image: The frame in which the target is given.
        box: Its box there.
        rules: How evidence becomes a score and a state.
        appearance: Compares a box's content with the target's; ``None``: the score depends on the tracker's
            evidence alone.

    Attributes:
        shape: Height and width of the frames.
        box: The box that `update` returned last.
        place: Where to search for the target.
        evidence: The evidence of the last score.
    """

    def __init__(self, image: Image, box: Box, rules: Rules, appearance: Appearance | None) -> None:
        self.shape = image.shape[:2]
        self.box = self.place = self._believed = box
        self.evidence: Mapping[str, float] = {}
        self._rules, self._appearance = rules, appearance
        self._hysteresis, self._course = Hysteresis(rules.thresholds), Course()
        self._lookout: Lookout | None = None
        self._fits = False

    def own_score(self, score: float) -> float:
        """A score that the tracker itself gives, limited to [0, 1]."""
        self.evidence = {"score": score}
        return _bounded(score)

    def score(
        self, image: Image, box: Box, evidence: Mapping[str, float], view: View | None = None
    ) -> float | None:
        """The calibrated score of a box; ``None`` if the box shows nothing but a flat colour.

        Args:
            image: The frame.
            box: The box in it.
            evidence: The tracker's evidence for the box.
            view: A picture of the box's surroundings, if there is one.

        Raises:
            InputError: The calibration has a weight for a figure that is not in the evidence.
        """
        seen = {} if self._appearance is None else self._appearance.evidence(image, box, view)
        found = {**evidence, **seen}
        if found.get("flat", 0.0) > 0:  # a flat colour: calibrations are not fitted on this case
            self.evidence = found
            return None
        # While LOST each frame searches at another place, so evidence is not averaged.
        self.evidence = self._course.follow(found, 1.0 if self._lookout else self._rules.newest)
        if not self._fits:
            self._rules.check(self.evidence)
            self._fits = True
        return _bounded(self._rules.calibration.score(self.evidence))

    def believe(self, box: Box | None, score: float | None, *, clear: bool = False) -> Track:
        """The track of a frame in which this box was found; ``None``: nothing was found.

        Args:
            box: What was found.
            score: Its score.
            clear: Whether it is followed whatever its score (`Hysteresis.decide`).
        """
        state = self._hysteresis.decide(score, clear=clear)
        if box is None or score is None:
            box = self._believed  # nothing was found, so there is no response to follow
        if state is State.LOST:
            if self._lookout is None:
                self.box, self._lookout = self._believed, self._rules.lookout(self._believed, box)
            self.place = self._lookout.next(box)
        elif score is not None:
            self._lookout, self.place, self.box = None, box, box
            if score >= self._rules.thresholds.least:
                self._believed = box
        return Track(self.box, score or 0.0, state)

    def relocate(self, box: Box) -> None:
        """Moves the target; evidence from elsewhere is dropped."""
        self.box = self.place = self._believed = box
        self._lookout, self._hysteresis = None, Hysteresis(self._rules.thresholds)
        self._course.move()

    def learn(self, weight: float) -> None:
        """Adapts to the last frame, at ``weight`` (0 to 1) times the full rate."""
        self._course.learn(weight)
        if self._appearance is not None:
            self._appearance.learn(weight)


def _bounded(score: float) -> float:
    """The score, limited to [0, 1]; 0 if it is not a number."""
    return float(min(max(score, 0.0), 1.0)) if score == score else 0.0
