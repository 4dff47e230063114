"""Fixtures that tests of several parts use."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """Finds test material that is not part of the repository; the test skips, with the reason, without it.

    It lies in the folder that the environment variable ``SLIMTRACK_SHARED`` names, or in ``shared`` beside
    the repository.
    """
    here = Path(__file__).resolve().parents[2] / "shared"
    root = Path(os.environ.get("SLIMTRACK_SHARED", here))

    def find(part: str) -> Path:
        if not (root / part).exists():
            pytest.skip(f"needs {root / part}: set SLIMTRACK_SHARED to the folder that holds {part}")
        return root / part

    return find
