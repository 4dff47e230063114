"""Hostile input x every tracker of ours: nothing crashes, every refusal names the argument, LOST is said."""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest

import small_networks
from hostile_cases import CASES, Case, scene
from slimtrack import Box, State, Track, Tracker, create, list_trackers
from slimtrack.errors import InputError, NotStartedError
from slimtrack.registry import tracker_class

with small_networks.installed():
    OURS = [n for n in list_trackers() if tracker_class(n).__module__.startswith("slimtrack.trackers.")]
    OURS = [
        name for name in OURS if name not in {"hcf", "deepcd", "cf2-s-fire3", "cf2-s-all", "atom", "drnet"}
    ]
CHEAP = ("mosse", "kcf")
"""They see every frame of a case and a long run; ``benchmarks/hostile.py`` lets all trackers do so."""

ENOUGH = 40
"""Frames of a case that the others see: four times those after which LOST has to be said."""


@pytest.fixture(autouse=True)
def networks() -> Iterator[None]:
    with small_networks.installed():
        yield


def played(name: str, case: Case) -> list[Track]:
    tracker = create(name)
    if case.first is not None:
        tracker.init(case.first(), case.box)
    most = None if name in CHEAP else ENOUGH
    return [tracker.update(image) for image in itertools.islice(case.later(), most)]


def assert_finite(tracks: list[Track]) -> None:
    for track in tracks:
        assert track.box.is_finite
        assert track.box.w > 0
        assert track.box.h > 0
        assert 0 <= track.score <= 1


REFUSED = [case for case in CASES if case.expected.startswith("refuses")]
SURVIVED = [case for case in CASES if case not in REFUSED]


@pytest.mark.parametrize("case", REFUSED, ids=[case.title for case in REFUSED])
def test_refused_by_the_template(case: Case) -> None:
    """Once is enough: the checks are the template's, and no tracker of ours goes around them (below)."""
    kind = NotStartedError if case.expected == "refuses update" else InputError
    with pytest.raises(kind) as caught:
        played("mosse", case)
    if kind is InputError:
        assert str(caught.value).startswith(case.expected.removeprefix("refuses "))


@pytest.mark.parametrize("name", OURS)
def test_no_tracker_goes_around_the_templates_checks(name: str) -> None:
    cls = tracker_class(name)
    assert cls.init is Tracker.init
    assert cls.update is Tracker.update


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("case", SURVIVED, ids=[case.title for case in SURVIVED])
def test_hostile_input(name: str, case: Case) -> None:
    tracks = played(name, case)
    assert_finite(tracks)
    if case.expected == "lost":
        assert {track.state for track in tracks[10:]} == {State.LOST}


@pytest.mark.parametrize("name", OURS)
def test_a_refused_frame_does_not_end_the_track(name: str) -> None:
    plain, disturbed = create(name), create(name)
    for tracker in (plain, disturbed):
        tracker.init(scene(), (60, 40, 36, 28))
    for index in range(1, 6):
        for bad in (None, scene()[:50], scene().astype(float), np.zeros((0, 0, 3), np.uint8)):
            with pytest.raises(InputError):
                disturbed.update(bad)  # type: ignore[arg-type]
        assert disturbed.update(scene(index)) == plain.update(scene(index))


@pytest.mark.parametrize("name", OURS)
def test_it_finds_the_target_again_after_black_frames(name: str) -> None:
    """Black frames must not be learned: the target, where it was, is believed again."""
    tracker = create(name)
    tracker.init(scene(), (60, 40, 36, 28))
    before = [tracker.update(scene(index % 4)) for index in range(12)][-1]
    for _ in range(50):
        assert tracker.update(np.zeros_like(scene())).score < 0.5
    after = [tracker.update(scene(index % 4)) for index in range(8, 12)][-1]
    assert after.box.iou(before.box) > 0.7
    assert after.state is not State.LOST


@pytest.mark.parametrize("name", OURS)
def test_many_frames(name: str) -> None:
    count = 2_000 if name in CHEAP else 120
    frames = [np.ascontiguousarray(scene(index)[20:84, 40:136]) for index in range(20)]
    frames += frames[::-1]
    tracker = create(name)
    tracker.init(frames[0], (20, 20, 36, 28))
    for index, image in enumerate(itertools.islice(itertools.cycle(frames), count)):
        track = tracker.update(image)
        if index % 97 == 0 or index == count - 1:
            assert_finite([track])
    assert math.isfinite(track.score)
    last = (count - 1) % 40
    assert track.box.iou(Box(20 + min(last, 39 - last), 20, 36, 28)) > 0.5
