"""Small sources."""

from pathlib import Path

import cv2
import pytest
from pictures import gradient


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten JPEGs named without leading zeros, of mean brightness 40, 50, .. 130."""
    path = tmp_path / "clip"
    path.mkdir()
    for number in range(10):
        cv2.imwrite(str(path / f"f{number + 1}.jpg"), gradient(40 + 10 * number))
    return path
