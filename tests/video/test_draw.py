"""Drawing: the box lies where it should, whatever its size, and the picture is a picture."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

import slimtrack
from slimtrack import Box, State, Track
from slimtrack.errors import InputError, MissingError
from slimtrack.video.draw import COLORS, draw, draw_box, timeline


def test_the_line_lies_on_the_edge_of_the_box() -> None:
    canvas = np.full((480, 640, 3), 128, np.uint8)
    draw_box(canvas, Box(100.5, 50.5, 200, 300), COLORS[State.TRACKED])
    hit = np.abs(canvas - np.array(COLORS[State.TRACKED])).max(axis=2) < 50
    assert hit[200, 100] and hit[200, 300] and hit[50, 200] and hit[350, 200]
    assert not hit[200, 104] and not hit[200, 200] and not hit[40, 200]


def test_a_frame_is_copied_and_each_state_has_its_colour() -> None:
    image = np.full((240, 320, 3), 128, np.uint8)
    image.flags.writeable = False
    for state in State:
        drawn = draw(image, Track(Box(50, 60, 70, 80), 0.5, state), number=3)
        assert (drawn == COLORS[state]).all(axis=2).sum() > 100
    assert (image == 128).all()


def test_several_targets_are_drawn_each_with_its_number() -> None:
    image = np.full((240, 320, 3), 128, np.uint8)
    left, right = (Track(Box(x, 60, 70, 80), 0.5, State.TRACKED) for x in (20, 200))
    drawn, alone = draw(image, {1: left, 7: right}), draw(image, right)
    assert (drawn[100:, 160:] == alone[100:, 160:]).all() and (drawn[:, :160] != 128).any()
    assert (drawn[:60, 160:] != alone[:60, 160:]).any()  # the number


def test_drawing_is_public_and_takes_colours() -> None:
    image = np.full((240, 320, 3), 128, np.uint8)
    image.flags.writeable = False
    track = Track(Box(50, 60, 70, 80), 0.5, State.LOST)
    for colors in ({"lost": (255, 0, 0)}, {State.LOST: (255, 0, 0)}, {"lost": np.uint8([255, 0, 0])}):
        drawn = slimtrack.draw(image, track, colors=colors)  # type: ignore[arg-type]
        assert (drawn == (255, 0, 0)).all(axis=2).sum() > 100 and drawn.shape == image.shape
        assert not (drawn == COLORS[State.LOST]).all(axis=2).any()
    other = slimtrack.draw(image, track, colors={"tracked": (255, 0, 0)})
    assert (other == slimtrack.draw(image, track)).all() and (image == 128).all()
    assert slimtrack.draw(image[..., 0], track).shape == (240, 320, 3)
    assert (slimtrack.draw(image, track, number=7)[200:, :40] != image[200:, :40]).any()


@pytest.mark.parametrize(
    "colors", [{"gone": (1, 2, 3)}, {"lost": (1, 2)}, {"lost": "red"}, {"lost": (1, 2, 300)}]
)
def test_colours_that_are_none(colors: dict[str, tuple[int, int, int]]) -> None:
    with pytest.raises(InputError, match=r"^colors has "):
        slimtrack.draw(np.zeros((9, 9, 3), np.uint8), Track(Box(1, 1, 3, 3), 1, State.LOST), colors=colors)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (16, 2000), (1080, 1920)])
@pytest.mark.parametrize(
    "box", [Box(0, 0, 1, 1), Box(-1e9, 5, 1e12, 3), Box(math.nan, 0, 1, math.inf), Box(5e4, 0, 3, 3)]
)
def test_any_box_on_any_frame(size: tuple[int, int], box: Box) -> None:
    assert draw(np.zeros((*size, 3), np.uint8), Track(box, 0.0, State.LOST), number=99999).shape == (*size, 3)


def test_the_timeline_is_a_picture(tmp_path: Path) -> None:
    states = [State.TRACKED] * 5 + [State.LOST] * 3 + [State.UNCERTAIN]
    timeline(tmp_path / "new" / "t.png", np.linspace(0, 1, 9).tolist(), [None, *[1.0] * 8], states, unit="s")
    picture = cv2.imread(str(tmp_path / "new" / "t.png"))
    assert picture.shape[0] > 300 and np.unique(picture.reshape(-1, 3), axis=0).shape[0] > 50
    timeline(tmp_path / "one.png", [1.0], [None], [State.TRACKED])


def test_without_matplotlib_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r'pip install "slimtrack\[plot\]"'):
        timeline(tmp_path / "t.png", [1.0], [None], [State.TRACKED])
