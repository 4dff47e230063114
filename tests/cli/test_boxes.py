"""Boxes as users write them."""

import pytest

from slimtrack import Box
from slimtrack.cli.boxes import BoxFormat, corners_meant, parse_box, parse_correction
from slimtrack.errors import InputError

SIZE = (320, 240)


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("1.5, 2,3 ,4", Box(1.5, 2, 3, 4)),
        ("20 30 40 50", Box(20, 30, 40, 50)),
        ("10%,20%,5%,8%", Box(32, 48, 16, 19.2)),
        ("10%,20%,40,50", Box(32, 48, 40, 50)),
        ("0.1,0.2,0.05,0.08", Box(32, 48, 16, 19.2)),
        ("25.3%,1,33.3%,20", Box(80.96, 1, 106.56, 20)),  # no 80.96000000000001
        ("0,0,1,0.5", Box(0, 0, 320, 120)),
        ("0,0,1,1", Box(0, 0, 1, 1)),  # as good in pixels: taken as such
        ("0.5,0.5,1,1", Box(0.5, 0.5, 1, 1)),
        ("0.9,0.9,0.2,0.2", Box(288, 216, 64, 48)),  # cut off by the border
        ("5,5,0.9,0.9", Box(5, 5, 0.9, 0.9)),  # neither: the tracker refuses it as too small
        ("-5,-5,40,40", Box(-5, -5, 40, 40)),
    ],
)
def test_by_width_and_height(text: str, box: Box) -> None:
    assert parse_box(text, SIZE) == box


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("20,30,60,80", Box(20, 30, 40, 50)),
        ("10%,20%,15%,28%", Box(32, 48, 16, 19.2)),
        ("0.1,0.2,0.15,0.28", Box(32, 48, 16, 19.2)),
        ("0,0,1,1", Box(0, 0, 1, 1)),
    ],
)
def test_by_corners(text: str, box: Box) -> None:
    assert [*parse_box(text, SIZE, BoxFormat.XYXY)] == pytest.approx([*box])


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "1,2,3,four", "1,2,3,%", "a%,1,2,3"])
def test_what_is_no_box(text: str) -> None:
    with pytest.raises(InputError, match=r"^--box .* is not four numbers x,y,w,h such as 120,80,40,60$"):
        parse_box(text, SIZE)
    with pytest.raises(InputError, match=r"left,top,right,bottom such as 120,80,160,140$"):
        parse_box(text, SIZE, BoxFormat.XYXY)


def test_corners_the_wrong_way_round() -> None:
    with pytest.raises(InputError, match=r"corner 40,50 is not right of and below 100,80; leave out"):
        parse_box("100,80,40,50", SIZE, BoxFormat.XYXY)


def test_corners_given_as_width_and_height_are_seen() -> None:
    assert corners_meant(Box(200, 100, 280, 160), SIZE)
    assert not corners_meant(Box(20, 30, 60, 80), SIZE)  # inside either way: nobody can tell
    assert not corners_meant(Box(300, 200, 40, 60), SIZE)  # cut off by the border: no corner lies there
    assert not corners_meant(Box(200, 100, 330, 160), SIZE)


def test_corrections() -> None:
    assert parse_correction("120:1,2,3,4", SIZE) == (120, Box(1, 2, 3, 4))
    assert parse_correction("1:30:1,2,3,4", SIZE) == (90.0, Box(1, 2, 3, 4))
    assert parse_correction("2.5s:50%,50%,10%,10%", SIZE) == (2.5, Box(160, 120, 32, 24))
    assert parse_correction("7:1,2,4,6", SIZE, BoxFormat.XYXY) == (7, Box(1, 2, 3, 4))
    for text, sentence in (
        ("1,2,3,4", "is not of the form FRAME:x,y,w,h"),
        ("x:1,2,3,4", "--correct 'x' is neither"),
        ("9:1,2,3", "--correct 9: '1,2,3' is not four numbers"),
    ):
        with pytest.raises(InputError, match=sentence):
            parse_correction(text, SIZE)
