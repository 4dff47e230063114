"""The networks of our own that come with slimtrack."""

import numpy as np
import pytest

from slimtrack import Box, create
from slimtrack.evaluation.metrics import overlaps
from slimtrack.networks.find import SHIPPED, VARIABLE, find_network
from slimtrack.trackers.slim import _around, _covered
from slimtrack.video.synthetic import Clip

pytest.importorskip("onnxruntime")


def test_a_cell_says_how_much_of_it_the_box_covers() -> None:
    shares = _covered(Box(5, 10, 17.5, 20), Box(0, 0, 40, 40), 4)
    assert shares.shape == (1, 1, 4, 4)
    assert shares[0, 0, 0].tolist() == [0, 0, 0, 0]
    assert shares[0, 0, 1].tolist() == [0.5, 1.0, 0.25, 0]


def test_the_square_about_a_box() -> None:
    area = _around(Box(10, 20, 40, 10), 2.0)
    assert area.w == area.h == pytest.approx(40)
    assert (area.cx, area.cy) == (30, 25)


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


def test_its_evidence_is_that_of_the_score_map() -> None:
    """One clear object: a high best score, no second one."""
    frames = Clip(length=5).frames()
    tracker = create("slim")
    image, first = next(frames)
    assert first is not None
    tracker.init(image, first)
    tracker.update(next(frames)[0])
    assert {"peak", "psr", "second", "peak_change", "psr_change", "color"} <= tracker.evidence.keys()
    assert tracker.evidence["peak"] > 0.3
    assert tracker.evidence["second"] < 0.5
