"""The template: hooks in order, checks, LOST, failures."""

import numpy as np
import numpy.typing as npt
import pytest

from slimtrack import Box, State, Track, Tracker, create
from slimtrack.calibrations import CALIBRATIONS
from slimtrack.confidence import Thresholds
from slimtrack.errors import InputError, InternalError, NotStartedError, SlimtrackError
from slimtrack.tracker import Estimate, checked_box, checked_image

Image = npt.NDArray[np.uint8]
FRAME: Image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
BOX = Box(20, 10, 30, 20)


class Scripted(Tracker):
    """Answers with the estimates it is given and notes what it is asked; not registered."""

    judged = False
    thresholds = Thresholds(tracked=0.5, doubt=0.5, lost=0.2, found=0.4, patience=2)

    def __init__(self, *estimates: Estimate | Exception, fail: str = "") -> None:
        self.calls: list[tuple[str, object]] = []
        self.left = list(estimates)
        self.fail = fail

    def _start(self, image: Image, box: Box) -> None:
        self.calls.append(("start", box))
        if self.fail == "start":
            raise ZeroDivisionError("start broke")

    def _locate(self, image: Image) -> Estimate:
        self.calls.append(("locate", self.box))
        answer = self.left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _learn(self, image: Image, box: Box, track: Track) -> None:
        self.calls.append(("learn", box))
        if self.fail == "learn":
            raise KeyError("learn broke")


def scored(score: float, dx: float = 0) -> Estimate:
    return Estimate(BOX.moved(dx, 0), score=score)


def started(*estimates: Estimate | Exception, fail: str = "") -> Scripted:
    tracker = Scripted(*estimates, fail=fail)
    tracker.init(FRAME, BOX)
    return tracker


def test_hooks_are_called_in_order() -> None:
    tracker = started(scored(0.9, 1), scored(0.8, 2))
    tracks = [tracker.update(FRAME) for _ in range(2)]
    one, two = BOX.moved(1, 0), BOX.moved(2, 0)
    assert tracker.calls == [
        ("start", BOX), ("locate", BOX), ("learn", one), ("locate", one), ("learn", two)
    ]  # fmt: skip
    assert tracks == [Track(one, 0.9, State.TRACKED), Track(two, 0.8, State.TRACKED)]
    assert tracker.box == two
    assert tracker.evidence == {"score": 0.8}


def test_lost_keeps_the_last_believed_box_and_does_not_learn() -> None:
    tracker = started(scored(0.9, 1), scored(0.1, 2), scored(0.1, 3), scored(0.3, 4), scored(0.45, 5))
    tracks = [tracker.update(FRAME) for _ in range(5)]
    assert [t.state for t in tracks] == ["tracked", "uncertain", "lost", "lost", "uncertain"]
    assert [t.box.x - BOX.x for t in tracks] == [1, 2, 2, 2, 5]
    assert [t.score for t in tracks] == [0.9, 0.1, 0.1, 0.3, 0.45]
    assert [box.x - BOX.x for what, box in tracker.calls if what == "learn"] == [1, 2, 5]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "box",
    [None, Box(np.nan, 0, 5, 5), Box(0, np.inf, 5, 5), Box(1, 1, 0, 5), Box(1, 1, 5, -2)],
)
def test_a_box_that_is_none_is_lost_at_once(box: Box | None) -> None:
    tracker = started(Estimate(box, score=0.9))
    assert tracker.update(FRAME) == Track(BOX, 0.0, State.LOST)
    assert [what for what, _ in tracker.calls] == ["start", "locate"]


@pytest.mark.parametrize(("given", "expected"), [(1.7, 1.0), (-3.0, 0.0), (float("nan"), 0.0)])
def test_a_score_of_a_trackers_own_is_bounded(given: float, expected: float) -> None:
    assert started(scored(given)).update(FRAME).score == expected


def test_evidence_that_is_not_a_number_is_no_belief() -> None:
    tracker = started(Estimate(BOX, {"psr": float("nan")}))
    assert tracker.update(FRAME).score in (0.0, pytest.approx(1 / (1 + np.exp(2))))


def test_nothing_to_see_is_lost_at_once() -> None:
    flat = Estimate(BOX.moved(9, 9), {"psr": 100.0, "flat": 1.0})
    tracker = started(flat, scored(0.9, 1))
    assert tracker.update(FRAME) == Track(BOX, 0.0, State.LOST)
    assert [what for what, _ in tracker.calls] == ["start", "locate"]
    assert tracker.update(FRAME) == Track(BOX.moved(1, 0), 0.9, State.TRACKED)


def test_a_box_outside_is_moved_to_the_border() -> None:
    tracker = started(Estimate(Box(500, -300, 10, 10), score=1.0))
    box = tracker.update(FRAME).box
    assert (box.cx, box.cy, box.w, box.h) == (80, 0, 10, 10)


def test_update_before_init_says_what_to_do() -> None:
    with pytest.raises(NotStartedError, match=r"call init\(image, box\)"):
        Scripted().update(FRAME)
    with pytest.raises(NotStartedError):
        _ = Scripted().box


@pytest.mark.parametrize("fail", ["start", "locate", "learn"])
def test_a_failure_inside_is_chained(fail: str) -> None:
    tracker = Scripted(ValueError("locate broke") if fail == "locate" else scored(0.9), fail=fail)
    with pytest.raises(InternalError, match=f"{fail} broke") as caught:
        tracker.init(FRAME, BOX)
        tracker.update(FRAME)
    assert isinstance(caught.value.__cause__, (ZeroDivisionError, ValueError, KeyError))


def test_our_own_errors_pass_as_they_are() -> None:
    error = SlimtrackError("a sentence")
    with pytest.raises(SlimtrackError) as caught:
        started(error).update(FRAME)
    assert caught.value is error


def test_a_failed_init_leaves_the_tracker_unstarted() -> None:
    tracker = started(scored(0.9))
    tracker.fail = "start"
    with pytest.raises(InternalError):
        tracker.init(FRAME, BOX)
    with pytest.raises(NotStartedError):
        tracker.update(FRAME)


def test_refused_arguments_leave_the_target_as_it_was() -> None:
    tracker = started(scored(0.9, 3))
    with pytest.raises(InputError):
        tracker.init(FRAME, Box(-500, 0, 10, 10))
    assert tracker.update(FRAME).box == BOX.moved(3, 0)


def test_init_again_forgets_the_state() -> None:
    tracker = started(Estimate(None), scored(0.3))
    assert tracker.update(FRAME).state is State.LOST
    tracker.init(FRAME, BOX.moved(5, 5))
    assert tracker.box == BOX.moved(5, 5)
    assert tracker.update(FRAME).state is State.UNCERTAIN


def test_the_frame_must_keep_its_size() -> None:
    with pytest.raises(InputError, match="image is 40 x 30 but init had 80 x 60"):
        started(scored(0.9)).update(FRAME[:30, :40])


def test_grey_is_colour_thrice() -> None:
    grey = FRAME[..., 0]
    for image in (grey, grey[..., None]):
        checked = checked_image(image)
        assert checked.shape == (60, 80, 3)
        assert (checked == grey[..., None]).all()


def test_a_good_image_is_not_copied() -> None:
    assert checked_image(FRAME) is FRAME
    assert checked_image(FRAME[::2, ::2]).flags.c_contiguous


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (None, "NoneType"),
        ([[1, 2], [3, 4]], "list"),
        (FRAME.astype(np.float32), "float32"),
        (FRAME.astype(np.uint16), "uint16"),
        (FRAME > 5, "bool"),
        (FRAME[:0], "(0, 80, 3)"),
        (FRAME[None], "(1, 60, 80, 3)"),
        (FRAME[0, 0], "(3,)"),
        (np.zeros((5, 5, 4), np.uint8), "4 channels"),
        (np.zeros((5, 5, 2), np.uint8), "2 channels"),
        (np.array(5, np.uint8), "()"),
    ],
)
def test_an_image_that_cannot_be_used(image: object, words: str) -> None:
    with pytest.raises(InputError) as caught:
        checked_image(image)  # type: ignore[arg-type]
    assert str(caught.value).startswith("image ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "box",
    [
        (1, 2, 3),
        (1, 2, 3, 4, 5),
        "1,2,3,4",
        None,
        (1, 2, "x", 4),
        Box(None, 1, 2, 3),  # type: ignore[arg-type]
        Box("a", 1, 2, 3),  # type: ignore[arg-type]
        (0, 0, np.nan, 5),
        (np.inf, 0, 5, 5),
        (5, 5, 0, 0),
        (5, 5, 0.5, 9),
        (5, 5, -9, 9),
        (80, 10, 20, 20),
        (-20, 10, 20, 20),
        (-1e6, -1e6, 2e6, 2e6),
        (1e308, 1e308, 1e308, 1e308),
    ],
)
def test_a_box_that_cannot_be_tracked(box: object) -> None:
    with pytest.raises(InputError, match=r"^box "):
        checked_box(box, FRAME)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "box",
    [
        (1, 2, 30, 40),
        [1, 2, 30, 40],
        np.array([[1, 2, 30, 40]]),
        Box(1, 2, 30, 40),
        np.float32([1, 2, 30, 40]),
    ],
)
def test_a_box_may_be_four_numbers_of_any_kind(box: object) -> None:
    checked = checked_box(box, FRAME)  # type: ignore[arg-type]
    assert checked == Box(1, 2, 30, 40)
    assert all(type(value) is float for value in checked)


def test_thresholds_that_were_set_are_not_replaced_by_the_fitted_ones() -> None:
    tracker = create("kcf")
    assert tracker._thresholds() == Thresholds().fitted(CALIBRATIONS["kcf"]) != Thresholds()
    tracker.thresholds = Thresholds(tracked=0.6, doubt=0.5, lost=0.4, found=0.45)  # type: ignore[misc]  # for one
    assert tracker._thresholds() is tracker.thresholds


def test_the_peak_among_the_evidence_keeps_a_target_from_being_lost() -> None:
    class Evident(Scripted):
        thresholds = Thresholds(lost=0.3, found=0.3, patience=2)
        judged = False

    def seen(peak: float, psr: float) -> Estimate:
        return Estimate(BOX, {"peak": peak, "psr": psr})

    def states(*estimates: Estimate) -> list[State]:
        tracker = Evident(*estimates)
        tracker.init(FRAME, BOX)
        return [tracker.update(FRAME).state for _ in estimates]

    usual = [seen(1.0, 20.0)] * 3
    assert states(*usual, *[seen(0.9, -20.0)] * 3)[3:] == [State.UNCERTAIN] * 3
    assert states(*usual, *[seen(0.1, -20.0)] * 3)[3:] == [State.UNCERTAIN, State.LOST, State.LOST]
