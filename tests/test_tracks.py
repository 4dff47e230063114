"""What was found in a frame, as a dictionary and as JSON."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimtrack import Box, State, Track
from slimtrack.errors import InputError

TRACK = Track(Box(1, 2.5, 3, 4), 0.875, State.UNCERTAIN)


def test_a_track_as_a_dictionary() -> None:
    assert TRACK.to_dict() == {"box": [1.0, 2.5, 3.0, 4.0], "score": 0.875, "state": "uncertain"}
    assert json.loads(TRACK.to_json()) == TRACK.to_dict()
    assert type(TRACK.to_dict()["state"]) is str


def test_numbers_of_numpy_are_numbers_of_json() -> None:
    track = Track(Box(*np.float32([1, 2, 3, 4])), np.float64(0.5), State.LOST)
    assert json.loads(track.to_json()) == {"box": [1, 2, 3, 4], "score": 0.5, "state": "lost"}


numbers = st.floats(-1e5, 1e5)


@given(numbers, numbers, numbers, numbers, st.floats(0, 1), st.sampled_from(State))
def test_it_comes_back_exactly(x: float, y: float, w: float, h: float, score: float, state: State) -> None:
    track = Track(Box(x, y, w, h), score, state)
    assert Track.from_dict(track.to_dict()) == track == Track.from_json(track.to_json())
    assert Track.from_dict(track.to_dict()).state is state


def test_further_fields_are_passed_over() -> None:
    assert Track.from_dict(TRACK.to_dict() | {"frame": 7, "ms": None}) == TRACK


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"box": [1, 2, 3, 4], "score": 0.5}, "is not a track: no 'state'"),
        ({"box": [1, 2, 3], "score": 0.5, "state": "lost"}, "is not a track"),
        ({"box": [1, 2, 3, "4x"], "score": 0.5, "state": "lost"}, "is not a track: could not convert"),
        ({"box": [1, 2, 3, 4], "score": 0.5, "state": "gone"}, "'gone' is not a valid State"),
        ([1, 2], "is not a track"),
    ],
)
def test_what_is_no_track_is_refused(fields: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Track.from_dict(fields)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=sentence):
        Track.from_json(json.dumps(fields))


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(InputError, match="is not JSON"):
        Track.from_json("{'box': 1}")
