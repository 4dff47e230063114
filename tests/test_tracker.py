"""The template: hooks in order, checks, LOST, failures."""

import numpy as np
import numpy.typing as npt
import pytest

from slimtrack import Box, State, Track, Tracker
from slimtrack.calibrations import common_calibration
from slimtrack.confidence import Calibration, Thresholds
from slimtrack.errors import InputError, InternalError, NotStartedError, SlimtrackError
from slimtrack.follower import checked_box, checked_image
from slimtrack.registry import tracker_class
from slimtrack.tracker import Estimate

Image = npt.NDArray[np.uint8]
FRAME: Image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
BOX = Box(20, 10, 30, 20)


class Scripted(Tracker):
    """Answers with the estimates it is given and notes what it is asked; not registered."""

    uses_appearance = False
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
        self.calls.append(("locate", self._place))
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
    assert [t.box.x - BOX.x for t in tracks] == [1, 2, 1, 1, 5]  # nobody believed the second box
    assert [t.score for t in tracks] == [0.9, 0.1, 0.1, 0.3, 0.45]
    assert [box.x - BOX.x for what, box in tracker.calls if what == "learn"] == [1]  # type: ignore[attr-defined]


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
    assert tracker.update(FRAME).score == pytest.approx(
        common_calibration().score({})
    )  # as if it were not there


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
        checked_box(box, FRAME.shape)  # type: ignore[arg-type]


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
    checked = checked_box(box, FRAME.shape)  # type: ignore[arg-type]
    assert checked == Box(1, 2, 30, 40)
    assert all(type(value) is float for value in checked)


class Evident(Scripted):
    """Brings evidence and a calibration: the score is the logistic of ``clear``, averaged over frames."""

    thresholds = Thresholds(0.6, 0.5, 0.2, 0.4, patience=2)
    calibration = Calibration({"clear": 1.0}, 0.0)


def evident(*clear: float) -> tuple[Evident, list[Track]]:
    tracker = Evident(*(Estimate(BOX.moved(i, 0), {"clear": value}) for i, value in enumerate(clear, 1)))
    tracker.init(FRAME, BOX)
    return tracker, [tracker.update(FRAME) for _ in clear]


def test_a_plug_in_brings_its_own_calibration_and_thresholds() -> None:
    _, tracks = evident(2.0, -20.0, -20.0, -20.0)
    means = [2.0, 2 - 0.4 * 22, 2 - 0.64 * 22]
    assert [t.score for t in tracks[:3]] == pytest.approx([1 / (1 + np.exp(-m)) for m in means])
    assert [t.state for t in tracks] == [State.TRACKED, State.UNCERTAIN, State.LOST, State.LOST]


def test_nothing_is_learned_below_the_score_at_which_tracked_ends() -> None:
    tracker, tracks = evident(2.0, 0.1, -3.0, 0.4)
    learned = [box.x - BOX.x for what, box in tracker.calls if what == "learn"]  # type: ignore[attr-defined]
    assert learned == [i for i, t in enumerate(tracks, 1) if t.score >= 0.5] == [1, 2]


def test_a_lost_target_is_looked_for_where_the_response_leads_and_around() -> None:
    tracker, tracks = evident(2.0, -20.0, -20.0, -20.0, -20.0, 20.0)
    assert tracks[2].state is State.LOST
    assert {t.box for t in tracks[2:5]} == {BOX.moved(1, 0)}  # the last one with a score for TRACKED
    looked = [box for what, box in tracker.calls if what == "locate"]
    assert looked[:4] == [BOX, BOX.moved(1, 0), BOX.moved(2, 0), BOX.moved(1, 0)]
    assert looked[4] == BOX.moved(3, 0)  # where the response led to when LOST was said
    assert tracks[-1].state is State.TRACKED and tracks[-1].box == BOX.moved(6, 0)  # judged by itself


def test_nothing_to_see_after_low_scores_says_the_last_believed_box_and_looks_around() -> None:
    blind = [Estimate(None)] * 6
    tracker = started(scored(0.9, 1), scored(0.1, 30), *blind)
    tracks = [tracker.update(FRAME) for _ in range(8)]
    assert tracks[1].state is State.UNCERTAIN and tracks[1].box == BOX.moved(30, 0)
    assert {(t.state, t.box) for t in tracks[2:]} == {(State.LOST, BOX.moved(1, 0))}
    looked = [box for what, box in tracker.calls if what == "locate"]
    assert len(set(map(tuple, looked[3:]))) > 2  # not one place for ever


def test_what_is_not_calibrated_says_so() -> None:
    assert Evident.calibrated() and not Scripted.calibrated()
    assert tracker_class("kcf").calibrated() and not tracker_class("opencv:mosse").calibrated()
