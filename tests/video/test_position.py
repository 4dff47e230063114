"""A frame's number or a time, as users write it."""

import pytest

from slimtrack.errors import InputError
from slimtrack.video.position import parse_position


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0), (" 150 ", 150), ("12.5s", 12.5), ("0s", 0.0), ("3 s", 3.0), (".5s", 0.5), ("2sec", 2.0),
        ("1:30", 90.0), ("0:07.5", 7.5), ("0:7", 7.0), ("90:00", 5400.0), ("1:02:03.25", 3723.25),
    ],
)  # fmt: skip
def test_positions(text: str, value: float) -> None:
    got = parse_position(text)
    assert got == value and type(got) is type(value)  # 12 is a frame, 12.0 are seconds


@pytest.mark.parametrize(
    "text", ["", "-1", "-2s", "1:75", "1:60:00", "1:2:3:4", "s", "soon", "1e3", "nan", "inf s", "٣"]
)
def test_what_is_no_position_is_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match=r"--start .* is neither a frame number \(150\) nor a time"):
        parse_position(text, "--start")


def test_a_number_with_a_point_may_be_seconds() -> None:
    with pytest.raises(InputError, match=r"; for seconds write 12\.5s$"):
        parse_position("12.5")
