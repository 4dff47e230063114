import copy
import pickle
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from slimtrack import Box, State, create, list_trackers
from slimtrack.arrays import Image
from slimtrack.datasets import Dataset
from slimtrack.errors import InputError, InternalError, MissingError, NotStartedError
from slimtrack.peers import opencv as adapter
from slimtrack.registry import tracker_class, why_missing

PLAIN = ("kcf", "csrt", "mil", "mosse", "medianflow")
"""Those that need no network."""


def made(kind: str) -> Any:
    """The tracker, or a skip with the reason where this OpenCV lacks it."""
    reason = why_missing(f"opencv:{kind}")
    if reason is not None:
        pytest.skip(reason)
    return create(f"opencv:{kind}")


def moved(step: int) -> Image:
    """A textured square of 40 x 30 over a smooth ground; ``step`` pixels to the right of (60, 50)."""
    noise = np.random.default_rng(3).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    y, x = np.mgrid[:160, :220]
    frame = np.repeat((90 + x // 4 + y // 8).astype(np.uint8)[..., None], 3, axis=2)
    frame[50:80, 60 + step : 100 + step] = cv2.GaussianBlur(noise, (5, 5), 1.5)
    return frame


@pytest.mark.parametrize("kind", PLAIN)
def test_it_follows_a_moving_square(kind: str) -> None:
    tracker = made(kind)
    tracker.init(moved(0), Box(60, 50, 40, 30))
    for step in range(1, 8):
        track = tracker.update(moved(step))
    assert track.state is State.TRACKED
    assert track.score == 1.0
    # MIL draws its samples by the clock: now and then its box stands some pixels off.
    assert track.box.iou(Box(67, 50, 40, 30)) > (0.2 if kind == "mil" else 0.6)


@pytest.mark.parametrize("kind", ["csrt", "mosse", "kcf"])
def test_the_box_stands_where_it_was_put(kind: str) -> None:
    """No half pixel and no whole one is lost between OpenCV's rectangle and our box."""
    tracker = made(kind)
    tracker.init(moved(0), Box(60, 50, 40, 30))
    box = tracker.update(moved(0)).box
    assert (box.cx, box.cy) == pytest.approx((80, 65), abs=1.01)


@pytest.mark.parametrize(
    ("given", "whole"), [((9.6, 4.4, 20.5, 7.0), (10, 4, 20, 7)), ((-3, 2, 0.4, 5), (-3, 2, 1, 5))]
)
def test_the_first_box_becomes_the_nearest_whole_pixels(
    given: tuple[float, ...], whole: tuple[int, ...]
) -> None:
    assert adapter._rectangle(Box(*given)) == whole


class Scripted:
    """Stands for a tracker of OpenCV: answers as it is told."""

    def __init__(self, *answers: Any, starts: bool | None = None) -> None:
        self.answers, self.starts = list(answers), starts

    def init(self, image: Image, rectangle: tuple[int, int, int, int]) -> bool | None:
        return self.starts

    def update(self, image: Image) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def getTrackingScore(self) -> float:
        return 0.7


def scripted(monkeypatch: pytest.MonkeyPatch, inner: Scripted, cls: type[Any] = adapter.Mosse) -> Any:
    monkeypatch.setattr(adapter, "_factory", lambda kind: lambda *_: inner)
    return cls()


def test_failure_is_lost_with_the_last_box_and_ends_when_it_finds_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [
        (True, (12, 11, 20, 20)),
        (False, (0, 0, 0, 0)),
        (True, (5, 5, 0, 9)),
        (True, (30, 11, 20, 20)),
    ]
    tracker = scripted(monkeypatch, Scripted(*answers))
    frame = moved(0)
    tracker.init(frame, Box(10, 10, 20, 20))
    tracks = [tracker.update(frame) for _ in answers]
    assert [track.state for track in tracks] == [State.TRACKED, State.LOST, State.LOST, State.TRACKED]
    assert [track.box.x for track in tracks] == [12, 12, 12, 30]
    assert [track.score for track in tracks] == [1, 0, 0, 1]


def test_its_own_score_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter.Nano, "files", {})
    tracker = scripted(monkeypatch, Scripted((True, (12, 11, 20, 20))), adapter.Nano)
    tracker.init(moved(0), Box(10, 10, 20, 20))
    assert tracker.update(moved(0)).score == pytest.approx(0.7)


def test_an_assertion_of_opencv_is_an_internal_error(monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = scripted(monkeypatch, Scripted(cv2.error("(-215:Assertion failed) !ssize.empty()")))
    tracker.init(moved(0), Box(10, 10, 20, 20))
    with pytest.raises(InternalError, match="opencv:mosse: update failed inside") as caught:
        tracker.update(moved(0))
    assert isinstance(caught.value.__cause__, cv2.error)


def test_a_refusal_of_the_legacy_interface_is_an_error_and_leaves_no_target(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tracker = scripted(monkeypatch, Scripted(starts=False))
    with pytest.raises(InternalError, match="refused box 10,10,20,20"):
        tracker.init(moved(0), Box(10, 10, 20, 20))
    with pytest.raises(NotStartedError):
        tracker.update(moved(0))


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("box", [(10, 10, 1, 1), (10, 10, 2, 2), (10, 10, 30, 3), (218, 40, 12, 20)])
def test_boxes_that_crash_or_hang_it_are_refused(kind: str, box: tuple[float, ...]) -> None:
    tracker = made(kind)
    with pytest.raises(InputError, match=r"^box .* at least 5 a side"):
        tracker.init(moved(0), box)


@pytest.mark.parametrize("kind", PLAIN)
def test_frames_that_crash_or_hang_it_are_refused(kind: str) -> None:
    tracker = made(kind)
    with pytest.raises(InputError, match=r"^image is 15 x 15"):
        tracker.init(moved(0)[:15, :15], Box(4, 4, 8, 8))


HOSTILE = """
import sys
import numpy as np
from slimtrack import SlimtrackError, create
side, w, h = map(int, sys.argv[2:])
frame = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
for x, y in ((0, 0), ((side - w) // 2, (side - h) // 2), (side - 5, side - 5), (5 - w, 5 - h)):
    tracker = create(sys.argv[1])
    try:
        tracker.init(frame, (x, y, w, h))
        for shift in range(3):
            tracker.update(np.roll(frame, shift, 1))
    except SlimtrackError:
        pass
"""


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize(
    "size", [(16, 5, 5), (16, 16, 16), (64, 5, 5), (64, 64, 64), (64, 64, 5), (64, 190, 190)]
)
def test_what_is_let_through_neither_crashes_nor_hangs(kind: str, size: tuple[int, ...]) -> None:
    made(kind)
    command = [sys.executable, "-c", HOSTILE, f"opencv:{kind}", *map(str, size)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("kind", PLAIN)
def test_a_copy_in_the_middle_is_refused_in_one_sentence(kind: str, copied: Callable[[Any], Any]) -> None:
    tracker = made(kind)
    copied(tracker)  # without a target there is nothing that could not be copied
    tracker.init(moved(0), Box(60, 50, 40, 30))
    with pytest.raises(InputError, match=rf"opencv:{kind} cannot be copied or pickled .* call init$"):
        copied(tracker)
    assert tracker.update(moved(1)).box.w > 0


def test_an_opencv_without_contrib_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = types.SimpleNamespace(__version__="4.10.0", TrackerMIL_create=cv2.TrackerMIL_create)
    monkeypatch.setattr(adapter, "cv2", plain)
    monkeypatch.setattr(adapter, "flavour", lambda: "opencv-python-headless")
    for kind in ("kcf", "csrt", "mosse", "medianflow"):
        with pytest.raises(MissingError) as caught:
            create(f"opencv:{kind}")
        assert f"opencv:{kind} is not in the OpenCV installed here (opencv-python-headless 4.10.0)" in str(
            caught.value
        )
        assert "opencv-contrib-python-headless>=" in str(caught.value)
    names = list_trackers()
    assert "opencv:mil" in names
    assert "opencv:csrt" not in names


def test_trackers_of_the_legacy_module_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    legacy = types.SimpleNamespace(TrackerKCF_create=lambda: "legacy")
    monkeypatch.setattr(adapter, "cv2", types.SimpleNamespace(legacy=legacy))
    factory = adapter._factory("KCF")
    assert factory is not None and factory() == "legacy"
    assert adapter._factory("CSRT") is None


def test_networks_that_are_not_here_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if adapter._factory("DaSiamRPN") is None:
        pytest.skip("this OpenCV has no TrackerDaSiamRPN")
    monkeypatch.setenv("SLIMTRACK_NETWORKS", str(tmp_path))
    reason = why_missing("opencv:dasiamrpn")
    assert reason is not None
    assert "dasiamrpn/dasiamrpn_model.onnx" in reason and str(tmp_path) in reason


@pytest.mark.parametrize("kind", ["nano", "vit"])
def test_network_trackers_follow_with_a_score(
    kind: str, shared: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIMTRACK_NETWORKS", str(shared("weights")))
    tracker = made(kind)
    sequence = Dataset.read(shared("sequences/otb"), names=["Couple"]).sequences[0]
    for path, row in zip(sequence.frames[:5], sequence.truth[:5], strict=True):
        image, box = cv2.imread(str(path)), Box(*row)
        if path == sequence.frames[0]:
            tracker.init(image, box)
        else:
            track = tracker.update(image)
    assert 0 < track.score < 1
    assert track.box.iou(box) > 0.4


def test_every_class_is_registered_under_the_name_that_is_listed() -> None:
    for name in list_trackers(missing=True):
        if name.startswith("opencv:"):
            assert issubclass(tracker_class(name), adapter.OpenCvTracker)
            assert tracker_class(name).name == name
