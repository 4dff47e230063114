"""The networks of our own that come with slimtrack."""

import itertools

import numpy as np
import pytest

from slimtrack import Box, State, Tracker, create
from slimtrack.arrays import Image
from slimtrack.confidence import Calibration
from slimtrack.evaluation.metrics import overlaps
from slimtrack.networks.find import SHIPPED, VARIABLE, find_network
from slimtrack.trackers.slim import _around, _covered, _Habit
from slimtrack.video.synthetic import Clip

pytest.importorskip("onnxruntime")


def test_a_cell_says_how_much_of_it_the_box_covers() -> None:
    shares = _covered(Box(5, 10, 17.5, 20), Box(0, 0, 40, 40), 4)
    assert shares.shape == (1, 1, 4, 4)
    assert shares[0, 0, 0].tolist() == [0, 0, 0, 0]
    assert shares[0, 0, 1].tolist() == [0.5, 1.0, 0.25, 0]


def test_the_square_about_a_box_is_of_whole_pixels() -> None:
    assert _around(Box(10, 20, 40, 10), 2.0) == Box(10, 5, 40, 40)
    assert _around(Box(10.3, 20.6, 41, 10), 2.0) == Box(11, 6, 40, 40)
    assert _around(Box(3, 3, 0.1, 0.1), 2.0).w == 1


def test_where_the_area_begins_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """An area in whole pixels is not quite about the box; the box found is that of the frame."""
    frames = list(Clip(length=8).frames())
    image, first = frames[0]
    assert first is not None
    exact, whole = create("slim", online="none"), create("slim", online="none")
    for tracker in (exact, whole):
        tracker.init(image, first)
    for image, _ in frames[1:]:
        with monkeypatch.context() as patch:
            patch.setattr(
                "slimtrack.trackers.slim._around",
                lambda box, factor: Box.from_center(box.cx, box.cy, *[factor * (box.w * box.h) ** 0.5] * 2),
            )
            expected = exact.update(image).box
        assert whole.update(image).box.iou(expected) > 0.95


@pytest.mark.parametrize("name", ["slim", "slim-large"])
def test_it_needs_no_file_of_anybody(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert find_network(f"{name}/search.onnx") == SHIPPED / name / "search.onnx"
    frames = list(Clip(length=25).frames())
    tracker = create(name)
    image, first = frames[0]
    assert first is not None
    tracker.init(image, first)
    found = [tuple(tracker.update(image).box) for image, _ in frames[1:]]
    truth = [tuple(box) for _, box in frames[1:] if box is not None]
    assert np.mean(overlaps(found, truth)) > 0.7


def test_its_evidence_is_its_best_score_and_what_the_box_shows() -> None:
    frames = Clip(length=5).frames()
    tracker = create("slim", online="none")
    image, first = next(frames)
    assert first is not None
    tracker.init(image, first)
    tracker.update(next(frames)[0])
    assert tracker.evidence.keys() == {
        "peak", "peak_change", "shape", "grey", "color", "outside", "scene", "scene_change", "flat",
    }  # fmt: skip
    assert 0.3 < tracker.evidence["peak"] <= 1


def doubting(frames: list[tuple[Image, Box | None]], monkeypatch: pytest.MonkeyPatch) -> Tracker:
    """`slim`, started on the first frame, with scores that say LOST."""
    image, first = frames[0]
    assert first is not None
    tracker = create("slim", online="none")
    monkeypatch.setattr(tracker, "_score", lambda *_: 0.1)
    tracker.init(image, first)
    return tracker


def test_while_lost_it_also_searches_where_its_answer_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Doubt makes it say LOST and move its box no more; found or not, every other search is at the target."""
    frames = list(Clip(length=45).frames())
    tracker = doubting(frames, monkeypatch)
    monkeypatch.setattr(tracker, "clear", 2.0)
    places = []
    for image, box in frames[1:]:
        track = tracker.update(image)
        assert box is not None
        places.append(tracker._place.iou(box))
    assert track.state is State.LOST and track.box.iou(box) < 0.5
    assert min(places[1::2]) > 0.5


def test_what_it_sees_clearly_is_followed_whatever_the_box_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = list(Clip(length=25).frames())
    tracker = doubting(frames, monkeypatch)
    for image, box in frames[1:]:
        track = tracker.update(image)
        assert track.state is State.UNCERTAIN and box is not None and track.box.iou(box) > 0.5


def test_a_habit_is_how_the_given_box_differs_from_the_networks() -> None:
    """Both ways about one box, a share of it, not too much of it, and none where nothing was found."""
    found, given = Box.from_center(50, 60, 20, 40), Box.from_center(52, 56, 24, 36)
    habit = _Habit.seen(given, [found, found], 1.0)
    assert tuple(habit.users(found)) == pytest.approx(tuple(given))
    assert tuple(habit.networks(given)) == pytest.approx(tuple(found))
    half = _Habit.seen(given, [found], 0.5)
    assert half.users(found).cx == pytest.approx(51) and half.users(found).w == pytest.approx(20 * 1.2**0.5)
    assert _Habit.seen(Box.from_center(50, 60, 40, 40), [found], 1.0).users(found).w < 26
    assert _Habit.seen(given, [], 1.0).users(found) == found


def test_boxes_are_given_as_the_user_draws_them_and_searched_as_the_network_does() -> None:
    (image, first), (later, _) = itertools.islice(Clip(length=25).frames(), 2)
    assert first is not None
    plain, wide = create("slim", online="none"), create("slim", online="none")
    for tracker, factor in ((plain, 1.0), (wide, 1.5)):
        tracker.init(image, first)
        tracker._habit = _Habit(0.0, 0.0, factor, 1.0)
        tracker.relocate(tracker._habit.users(first))
    network, users = (tracker.update(later).box for tracker in (plain, wide))
    assert tuple(users) == pytest.approx(tuple(wide._habit.users(network)), abs=1e-6)


def test_the_first_frame_shows_how_much_looser_the_users_boxes_are() -> None:
    image, first = next(iter(Clip(length=25).frames()))
    assert first is not None
    widths = []
    for factor in (0.8, 1.2):
        tracker = create("slim")
        tracker.init(image, Box.from_center(first.cx, first.cy, factor * first.w, first.h))
        widths.append(tracker._habit.w)
    assert widths[0] < widths[1]


@pytest.mark.parametrize("online", ["none", "eco-hc"])
def test_a_target_that_jumps_out_of_the_search_area_is_found(online: str) -> None:
    """By three sides at once, where the search ends at two; the filter sees it there and may learn it."""
    frames = list(Clip(length=8, width=480).frames())
    image, first = frames[0]
    assert first is not None
    away = round(3 * first.area**0.5)
    tracker = create("slim", online=online)
    tracker.init(image, first)
    for image, _ in frames[1:-1]:
        tracker.update(image)
    image, box = frames[-1]
    assert box is not None
    jumped = tracker.update(np.roll(image, away, axis=1)).box
    assert jumped.iou(box.moved(away, 0)) > 0.5
    if online != "none":
        assert tracker._online_model._at.iou(jumped) > 0.5 and tracker._online_model._chosen > 0.5


def test_with_a_filter_beside_it_it_has_a_calibration_of_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Calibration({"psr": 1.0}, 0.0)
    fitted = {"slim[online=eco-hc]": own}
    monkeypatch.setattr("slimtrack.trackers._siamese.calibration_of", lambda _, name: fitted.get(name))
    tracker = create("slim", online="eco-hc")
    assert tracker._calibration() is own
    assert create("slim")._calibration() is not own
    frames = Clip(length=3).frames()
    image, first = next(frames)
    assert first is not None
    tracker.init(image, first)
    tracker.update(next(frames)[0])
    assert {"psr", "second", "psr_change"} <= tracker.evidence.keys()
