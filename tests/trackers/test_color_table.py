"""Options that change what a tracker does."""

from pathlib import Path

import numpy as np
import pytest

from slimtrack import create
from slimtrack.errors import InputError
from slimtrack.features.color_names import TERMS
from slimtrack.video.synthetic import CLIPS


@pytest.mark.parametrize("name", ["samf", "samf-ca"])
def test_a_users_colour_names_reach_the_tracker(name: str, tmp_path: Path) -> None:
    table = np.zeros((32768, 11), np.float32)
    table[:, TERMS.index("grey")] = 1  # every colour is grey: the colours say nothing any more
    np.save(tmp_path / "grey.npy", table)
    frames = list(CLIPS["plain"].with_options(length=6).frames())

    def boxes(**options: str) -> list[object]:
        tracker = create(name, **options)
        tracker.init(*frames[0])  # type: ignore[arg-type]
        return [tracker.update(image).box for image, _ in frames[1:]]

    assert boxes(colors=str(tmp_path / "grey.npy")) != boxes()
    with pytest.raises(InputError, match="cannot be read"):
        create(name, colors=str(tmp_path / "none.npy"))


def test_dssts_ridge_is_the_value_that_its_filter_gets() -> None:
    tracker = create("dsst", ridge=0.125)
    image, box = next(iter(CLIPS["plain"].frames()))
    tracker.init(image, box)  # type: ignore[arg-type]
    assert float(tracker.filter.filters[0]._ridge) == 0.125  # type: ignore[attr-defined]
