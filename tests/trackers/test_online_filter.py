"""A filter that learns beside a network: where it sees the target, what it learns, whom it sides with."""

import cv2
import numpy as np
import pytest

from slimtrack import Box, Track, create
from slimtrack.correlation.tracker import CorrelationTracker
from slimtrack.tracker import State
from slimtrack.trackers._online import OnlineFilter, Searched

FIRST = Box(100, 80, 40, 50)


def frame(dx: float = 0.0, dy: float = 0.0, seed: int = 1) -> np.ndarray:
    """A textured target on a textured ground."""
    ground = np.random.default_rng(0).integers(60, 120, (240, 320, 3), np.uint8)
    target = cv2.resize(np.random.default_rng(seed).integers(0, 255, (10, 8, 3), np.uint8), (40, 50))
    x, y = round(FIRST.x + dx), round(FIRST.y + dy)
    ground[y : y + 50, x : x + 40] = target
    return cv2.GaussianBlur(ground, (3, 3), 0)


def at(image: np.ndarray, place: Box = FIRST) -> Searched:
    """A search around a place; the filter cuts its window itself."""
    return Searched(image, place, place)


def started(spec: str = "eco-hc") -> OnlineFilter:
    tracker = create(spec)
    assert isinstance(tracker, CorrelationTracker)
    model = OnlineFilter(tracker)
    model.start(frame(), FIRST)
    return model


@pytest.mark.parametrize("spec", ["eco-hc", "kcf", "staple"])
def test_it_responds_where_the_target_is(spec: str) -> None:
    """Of places on a grid of ten pixels, the highest is where the target has moved to."""
    model = started(spec)
    model.look(at(frame(20, -10)))
    x, y = (grid.ravel() for grid in np.meshgrid(np.arange(-30, 31, 10.0), np.arange(-30, 31, 10.0)))
    best = int(np.argmax(model.at(x, y)))
    assert (x[best], y[best]) == (20, -10)
    assert model.at(x, y)[best] == pytest.approx(1, abs=0.1)


def test_places_are_those_of_the_frame_also_when_the_target_has_grown() -> None:
    model = started()
    larger = cv2.resize(frame(), None, fx=1.5, fy=1.5)
    place = Box(FIRST.x * 1.5 - 12, FIRST.y * 1.5, FIRST.w * 1.5, FIRST.h * 1.5)
    model.look(at(larger, place))
    offsets = np.arange(-36.0, 37, 12)
    assert offsets[int(np.argmax(model.at(offsets, 0 * offsets)))] == 12


def test_what_was_chosen_elsewhere_is_not_learned() -> None:
    model = started()
    before = model._tracker._filter._energy.copy()
    model.look(at(frame(20, 0)))
    model.choose(0.1)
    model.learn(FIRST, 1.0)
    assert np.array_equal(model._tracker._filter._energy, before)
    model.choose(1.0)
    model.learn(FIRST.moved(20, 0), 1.0)
    assert not np.array_equal(model._tracker._filter._energy, before)


def test_trust_falls_while_the_network_goes_elsewhere_and_comes_back() -> None:
    model = started()
    model.look(at(frame()))
    trust = [model.trust()]
    for chosen in [0.0] * 10 + [1.0] * 30:
        model.choose(chosen)
        trust.append(model.trust())
    assert trust[0] == pytest.approx(1)
    assert trust[10] < 0.5 < trust[-1]


def test_of_two_boxes_the_network_likes_as_much_the_filter_takes_its_target() -> None:
    """Two targets in the frame, the network indifferent: without the filter the first is taken."""
    pytest.importorskip("onnxruntime")
    image = frame(60, 0, seed=2)
    image[80:130, 70:110] = frame()[80:130, 100:140]
    dx, dy, ranks = np.array([60.0, -30.0]), np.zeros(2), np.full(2, 0.5)
    for online, best in (("none", 0), ("eco-hc", 1)):
        tracker = create("slim", online=online)
        tracker.init(frame(), FIRST)
        assert tracker._best(at(image), ranks, dx, dy) == best
        tracker._learn(image, FIRST.moved(-30, 0), Track(FIRST, 1.0, State.TRACKED))


@pytest.mark.parametrize(
    ("height", "second", "trust"),
    [(1.0, 0.1, 1.0), (0.5, 0.1, 0.5), (0.2, 0.1, 0.0), (1.0, 0.6, 0.5), (1.0, 0.9, 0.0), (2.0, -1.0, 1.0)],
)
def test_trust_needs_a_peak_as_high_as_usual_and_no_other(height: float, second: float, trust: float) -> None:
    model = started("kcf")
    model.look(at(frame()))
    model.seen = {"peak": height * model.seen["peak"], "psr": 3.0, "second": second}
    assert model.trust() == pytest.approx(trust)
