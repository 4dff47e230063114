"""ATOM's classifier beside a network, on maps made here: where it sees the target, what it learns."""

import cv2
import numpy as np
import pytest

from slimtrack import Box, State, create
from slimtrack.arrays import Features, Image
from slimtrack.errors import InputError
from slimtrack.search import extract
from slimtrack.trackers._online import Searched
from slimtrack.trackers._online_classifier import OnlineClassifier
from slimtrack.video.synthetic import Clip

PIXELS, STRIDE, FACTOR = 224, 16, 4.0
FIRST = Box(140, 100, 48, 48)


def frame(*places: tuple[float, float]) -> Image:
    """Targets of one texture, moved from the first box by so many pixels, on a textured ground."""
    ground = np.random.default_rng(0).integers(60, 120, (288, 352, 3), np.uint8)
    target = cv2.resize(np.random.default_rng(1).integers(0, 255, (6, 6, 3), np.uint8), (48, 48))
    for dx, dy in places:
        x, y = round(FIRST.x + dx), round(FIRST.y + dy)
        ground[y : y + 48, x : x + 48] = target
    return cv2.GaussianBlur(ground, (3, 3), 0)


def features(picture: Image) -> Features:
    """Means and spreads of the colours over 16 x 16 pixels, the colours at four places: ``(18, n, n)``."""
    cells = PIXELS // STRIDE
    values = picture.astype(np.float32) - 90
    parts = [cv2.resize(values, (cells, cells), interpolation=cv2.INTER_AREA)]
    parts += [cv2.resize(np.abs(values), (cells, cells), interpolation=cv2.INTER_AREA)]
    parts += [values[y::STRIDE, x::STRIDE] for y, x in ((4, 4), (4, 12), (12, 4), (12, 12))]
    return np.concatenate(parts, 2).transpose(2, 0, 1)


def searched(image: Image, place: Box = FIRST) -> Searched:
    side = FACTOR * place.area**0.5
    area = Box.from_center(place.cx, place.cy, side, side)
    return Searched(
        image, place, area, features(extract(image, place.cx, place.cy, side, side, (PIXELS, PIXELS)))
    )


@pytest.fixture
def model() -> OnlineClassifier:
    model = OnlineClassifier(PIXELS, STRIDE, FACTOR)
    model.start(frame((0, 0)), FIRST, features)
    return model


def test_it_responds_where_the_target_is(model: OnlineClassifier) -> None:
    """Of places on a grid of twelve pixels, the highest is where the target moved to; so says its peak."""
    model.look(searched(frame((24, -12))))
    x, y = (grid.ravel() for grid in np.meshgrid(np.arange(-48, 49, 12.0), np.arange(-48, 49, 12.0)))
    best = int(np.argmax(model.at(x, y)))
    assert (x[best], y[best]) == (24, -12)
    assert model.at(x, y)[best] > 0.6 and model.at(x, y).min() >= 0
    assert model.place() == pytest.approx((24, -12), abs=4)


def test_places_are_those_of_the_frame_whatever_the_area(model: OnlineClassifier) -> None:
    """The area about another place, of another size: the target is where it was."""
    larger = np.asarray(cv2.resize(frame((24, -12)), None, fx=1.5, fy=1.5))
    model.look(searched(larger, Box(FIRST.x * 1.5 + 6, FIRST.y * 1.5, 72, 72)))
    assert model.place() == pytest.approx((30, -18), abs=6)


def test_a_low_peak_is_not_believed(model: OnlineClassifier) -> None:
    model.look(searched(frame()))
    assert model.trust() < 0.5 and model.place() is None
    for peak, trust in ((0.2, 0), (0.35, 0.5), (0.8, 1)):
        model.seen["peak"] = peak
        assert model.trust() == pytest.approx(trust)


def test_what_it_does_not_see_at_the_chosen_place_is_not_learned(model: OnlineClassifier) -> None:
    samples = model._learner._memory
    model.look(searched(frame((24, 0))))
    before = len(samples.samples)
    for chosen, count, sure in ((0.2, 0, False), (0.4, 1, False), (0.9, 2, True)):
        model.choose(chosen)
        model.learn(FIRST.moved(24, 0), 0.5)
        assert len(samples.samples) == before + count and model.sure() is sure
    weak, strong = samples.weights[-2:]
    assert strong / weak == pytest.approx(0.9 / 0.5, rel=0.02)


def test_the_label_it_learns_stands_at_the_box(model: OnlineClassifier) -> None:
    model.look(searched(frame((24, -12))))
    model.choose(1.0)
    model.learn(FIRST.moved(24, -12), 1.0)
    y, x = np.unravel_index(model._learner._memory.labels[-1].argmax(), (15, 15))
    # 224 pixels show 192 of the frame: 24 of these are 1.75 cells.
    assert (x, y) == (round(7 + 1.75), round(7 - 0.875))


def test_a_second_target_is_trained_away_at_once(model: OnlineClassifier) -> None:
    two = searched(frame((0, 0), (64, 0)))
    model.look(two)
    model.choose(1.0)
    other = np.array([64.0]), np.array([0.0])
    before = model.at(*other)[0]
    model.learn(FIRST, 1.0)
    model.look(two)
    assert model.at(*other)[0] < before

    alone = searched(frame((0, 0)))
    model.look(alone)
    old = model._learner.classifier.filter
    model.choose(1.0)
    model.learn(FIRST, 1.0)
    assert model._learner.classifier.filter is old  # trained every ten samples


def test_of_two_boxes_the_network_likes_about_as_much_it_takes_its_target() -> None:
    pytest.importorskip("onnxruntime")
    image, (dx, dy) = frame((30, 0)), np.array([[-30.0, 30.0], [0.0, 0.0]])
    for online, best in (("none", 0), ("atom", 1)):
        tracker = create("slim", online=online)
        tracker.init(frame((0, 0)), FIRST)
        area = Box.from_center(FIRST.cx, FIRST.cy, 192, 192)
        seen = Searched(image, FIRST, area, tracker._look(image, area).maps)
        assert tracker._best(seen, np.array([0.6, 0.5]), dx, dy) == best


@pytest.mark.parametrize("name", ["slim", "slim-large"])
def test_slim_follows_with_it(name: str) -> None:
    pytest.importorskip("onnxruntime")
    frames = list(Clip(length=20).frames())
    image, first = frames[0]
    assert first is not None
    tracker = create(f"{name}[online=atom]")
    tracker.init(image, first)
    for image, box in frames[1:]:
        track = tracker.update(image)
        assert box is not None and track.box.iou(box) > 0.5
    assert tracker.evidence["response"] > 0.5 and {"psr", "second"} <= tracker.evidence.keys()


def test_where_the_network_sees_nothing_it_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of low scores, boxes at the corner of the area: the classifier has its own place.

    It learns what it sees there.
    """
    pytest.importorskip("onnxruntime")
    frames = list(Clip(length=20).frames())
    image, first = frames[0]
    assert first is not None
    tracker = create("slim", online="atom")
    tracker.init(image, first)
    answer, (x, y) = tracker._answer, tracker._grid + PIXELS / 2

    def misled(patch: Image) -> list[Features]:
        scores, _, maps = answer(patch)
        return [0 * scores + 0.01, np.stack([x + 28, y + 28, 28 - x, 28 - y])[None], maps]

    monkeypatch.setattr(tracker, "_answer", misled)
    for image, box in frames[1:]:
        track = tracker.update(image)
        assert box is not None and track.box.iou(box) > 0.5
        assert tracker.evidence["response"] > 0.5
    assert tracker._online_model._learner._learned == 19


def test_a_close_look_that_is_dropped_is_not_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wide area promises more than the close look at it keeps, which is the classifier's last one.

    The classifier is not asked about the wide area, which is coarser than what it learned from.
    """
    pytest.importorskip("onnxruntime")
    (image, first), *_ = Clip(length=5).frames()
    assert first is not None
    tracker = create("slim", online="atom")
    tracker.init(image, first)
    answer, scales = tracker._answer, iter([0.15, 0.3, 0.05, 0.15, 0.05])

    def doubted(patch: Image) -> list[Features]:
        scores, *others = answer(patch)
        return [scores / scores.max() * next(scales), *others]

    monkeypatch.setattr(tracker, "_answer", doubted)
    monkeypatch.setattr(tracker, "_score", lambda *_: 0.9)
    monkeypatch.setattr(tracker._online_model, "sure", lambda: False)
    look, sides = tracker._online_model.look, []
    monkeypatch.setattr(tracker._online_model, "look", lambda seen: (sides.append(seen.area.w), look(seen)))
    learned = [tracker._online_model._learner._learned]
    for _ in range(2):
        tracker.update(image)
        learned.append(tracker._online_model._learner._learned)
    assert learned == [0, 0, 1]  # in the second frame the wide area promises nothing
    assert sides == pytest.approx([4 * first.area**0.5] * 3, rel=0.1)


def test_what_it_sees_clearly_is_followed_whatever_the_score(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    frames = list(Clip(length=12).frames())
    image, first = frames[0]
    assert first is not None
    tracker = create("slim", online="atom")
    monkeypatch.setattr(tracker, "_score", lambda *_: 0.1)
    monkeypatch.setattr(tracker, "clear", 2.0)
    tracker.init(image, first)
    for image, _ in frames[1:]:
        assert tracker.update(image).state is State.UNCERTAIN


def test_a_network_file_without_features_is_refused(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx = pytest.importorskip("onnx")
    from slimtrack.networks.find import SHIPPED, VARIABLE

    folder = tmp_path / "slim"
    folder.mkdir()
    (folder / "template.onnx").write_bytes((SHIPPED / "slim" / "template.onnx").read_bytes())
    model = onnx.load(SHIPPED / "slim" / "search.onnx")
    del model.graph.output[2]
    onnx.save(model, folder / "search.onnx")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    create("slim", online="none")
    with pytest.raises(InputError, match=r"search\.onnx has no output 'features'.*online=none"):
        create("slim", online="atom")
