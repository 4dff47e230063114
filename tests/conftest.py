"""Fixtures that tests of several parts use."""

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from slimtrack.tracker import REGISTERED

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts a background job so, and all that it starts: Ctrl-C could not be tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What the tests import is left out of later collections: each timed run begins with one of everything.

    Those were a third of the time of the tests of evaluations, for objects that stay until the end.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """What a test registers, imports from a file or sets in the environment is gone after it.

    Our own trackers stay: their modules are imported once, and would not register them again.
    """
    trackers, variables, modules = dict(REGISTERED), dict(os.environ), set(sys.modules)
    yield
    ours = {name: cls for name, cls in REGISTERED.items() if cls.__module__.startswith("slimtrack.")}
    REGISTERED.clear()
    REGISTERED.update(trackers | ours)
    os.environ.clear()
    os.environ.update(variables)
    for name in set(sys.modules) - modules:
        if name.startswith("slimtrack_file_"):
            del sys.modules[name]


@pytest.fixture(scope="session", autouse=True)
def no_networks_of_the_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Networks that whoever runs the tests has fetched are not seen; new ones are not put there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


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


@pytest.fixture
def write_sequence(tmp_path: Path) -> Callable[..., Path]:
    """Writes a sequence into the folder ``data`` and returns that folder."""

    def write(
        name: str, truth: npt.ArrayLike, *, frames: int | None = None, sep: str = ",", suffix: str = ".jpg"
    ) -> Path:
        rows = np.atleast_2d(np.asarray(truth, dtype=float))
        folder = tmp_path / "data" / name / "img"
        folder.mkdir(parents=True)
        image = np.random.default_rng(len(rows)).integers(0, 255, (48, 64, 3), dtype=np.uint8)
        for number in range(1, (len(rows) if frames is None else frames) + 1):
            cv2.imwrite(str(folder / f"{number:04d}{suffix}"), image)
        text = "\n".join(sep.join(f"{value:g}" for value in row) for row in rows)
        (folder.parent / "groundtruth_rect.txt").write_text(text + "\n")
        return tmp_path / "data"

    return write
