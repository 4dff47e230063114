"""What any follower promises: a tracker, and what stands around one."""

import copy
from collections.abc import Mapping
from itertools import islice

import numpy as np
import numpy.typing as npt
import pytest

from slimtrack import Box, Estimate, Follower, State, Track, Tracker, create, follow
from slimtrack.arrays import AnyImage, Image
from slimtrack.confidence import Calibration
from slimtrack.errors import InputError, NotStartedError
from slimtrack.evaluation.once import track_once
from slimtrack.evaluation.procedures import Course
from slimtrack.tracking import track_video
from slimtrack.video.synthetic import CLIPS

FRAME = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
BOX = Box(20, 15, 16, 12)


class Scheduled:
    """Says at given frames where the target is; all else is the tracker's."""

    def __init__(self, inner: Follower, places: Mapping[int, Box]) -> None:
        self.name = f"scheduled {inner.name}"
        self._inner, self._places, self._count = inner, places, 0

    @property
    def box(self) -> Box:
        return self._inner.box

    def init(self, image: AnyImage, box: Box | npt.ArrayLike) -> None:
        self._inner.init(image, box)
        self._count = 0

    def update(self, image: AnyImage) -> Track:
        if self._count in self._places:
            self._inner.relocate(self._places[self._count])
        self._count += 1
        return self._inner.update(image)

    def relocate(self, box: Box | npt.ArrayLike) -> None:
        self._inner.relocate(box)


class Steps(Tracker):
    """Moves one pixel to the right each frame, and counts what it learned."""

    name = "steps"
    calibration = Calibration({"clear": 1.0}, 0.0)

    def __init__(self, *clear: float) -> None:
        self._clear = list(clear)

    def _start(self, image: Image, box: Box) -> None:
        self.learned: list[Box] = []

    def _locate(self, image: Image) -> Estimate:
        clear = self._clear.pop(0) if self._clear else 9.0
        return Estimate(self._place.moved(1, 0), {"clear": clear})

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        self.learned.append(box)


def steps(*clear: float) -> Steps:
    tracker = Steps(*clear)
    tracker.init(FRAME, BOX)
    return tracker


def test_who_follows_can_be_asked() -> None:
    followers = (Steps(), steps(), create("kcf"), Scheduled(Steps(), {}))
    assert all(isinstance(each, Follower) for each in followers)
    assert not any(isinstance(each, Follower) for each in (object(), BOX, {}))


def test_the_target_is_looked_for_where_it_is_said_to_be() -> None:
    tracker = steps()
    tracker.update(FRAME)
    tracker.relocate((40, 30, 8, 6))
    assert tracker.box == Box(40, 30, 8, 6)
    assert tracker.update(FRAME).box == Box(41, 30, 8, 6)


def test_a_lost_target_is_believed_at_once_and_what_was_learned_stays() -> None:
    tracker = steps(9.0, *[-20.0] * 6, -0.4)
    states = [tracker.update(FRAME).state for _ in range(7)]
    assert states[-1] is State.LOST
    learned = list(tracker.learned)
    tracker.relocate(BOX)
    track = tracker.update(FRAME)  # a score of 0.4: a lost target has to be clearer, a tracked one not
    assert (track.state, track.box) == (State.TRACKED, BOX.moved(1, 0))
    assert track.score == pytest.approx(1 / (1 + np.exp(0.4)))  # nothing of the frames elsewhere is in it
    assert tracker.learned == [*learned, BOX.moved(1, 0)]


def test_what_cannot_be_meant_is_refused_and_changes_nothing() -> None:
    with pytest.raises(NotStartedError, match="steps has no target yet"):
        Steps().relocate(BOX)
    tracker = steps()
    for box, words in (
        ((0, 0, 0.5, 5), "smaller than one pixel"),
        ((200, 9, 9, 9), "inside the frame"),
        ("x", "four"),
    ):
        with pytest.raises(InputError, match=words):
            tracker.relocate(box)  # type: ignore[arg-type]
    assert tracker.box == BOX


@pytest.mark.parametrize("name", ["mosse", "kcf", "staple", "eco-hc"])
def test_being_told_what_one_knows_changes_no_box(name: str) -> None:
    frames = list(islice(CLIPS["plain"].frames(), 8))
    plain = create(name)
    plain.init(*frames[0])  # type: ignore[arg-type]
    for image, _ in frames[1:6]:
        plain.update(image)
    told = copy.deepcopy(plain)
    told.relocate(told.box)
    assert told.update(frames[6][0]).box == plain.update(frames[6][0]).box


@pytest.mark.parametrize("name", ["mosse", "kcf", "staple", "eco-hc"])
def test_a_target_that_jumped_is_followed_again(name: str) -> None:
    frames = [(image, box) for image, box in islice(CLIPS["plain"].frames(), 24) if box]
    jumped = [(np.roll(image, 110, axis=0), box.moved(0, 110)) for image, box in frames[8:]]
    wrapper = Scheduled(create(name), {7: jumped[0][1]})
    left = create(name)
    for tracker in (wrapper, left):
        tracker.init(*frames[0])
        for image, _ in frames[1:8]:
            tracker.update(image)
    overlaps = [wrapper.update(image).box.iou(box) for image, box in jumped]
    assert np.mean(overlaps) > 0.7
    assert left.update(jumped[0][0]).box.iou(jumped[0][1]) == 0


def test_a_wrapper_is_followed_with_measured_and_written_like_a_tracker() -> None:
    frames = list(CLIPS["plain"].with_options(length=6).frames())
    first, images = frames[0][1], [image for image, _ in frames]
    assert first is not None
    wrapper: Follower = Scheduled(create("kcf"), {2: first})
    boxes = [step.box for step in follow(images, first, tracker=wrapper)]
    assert boxes[0] == first and wrapper.box == boxes[-1]
    run = track_once(wrapper, images, Course(first))  # type: ignore[arg-type]
    assert run.tracker == "scheduled kcf"
    assert [Box(*row) for row in run.boxes] == boxes
    assert track_video(images, first, tracker=wrapper).tracker == "scheduled kcf"


def test_what_is_no_follower_is_refused() -> None:
    for wrong in (3, object(), Box(1, 1, 2, 2)):
        with pytest.raises(InputError, match="not a name or an object with init, update and relocate"):
            follow([FRAME, FRAME], BOX, tracker=wrong)  # type: ignore[arg-type]


def test_a_class_is_not_taken_for_a_tracker() -> None:
    for wrong in (type(create("kcf")), Scheduled):
        with pytest.raises(InputError, match=f"tracker is the class {wrong.__name__}, not an object of it"):
            follow([FRAME, FRAME], BOX, tracker=wrong)  # type: ignore[arg-type]


def test_a_follower_without_a_name_is_refused() -> None:
    wrapper = Scheduled(create("kcf"), {})
    del wrapper.name
    with pytest.raises(InputError, match="tracker is a Scheduled without a name"):
        follow([FRAME, FRAME], BOX, tracker=wrapper)
