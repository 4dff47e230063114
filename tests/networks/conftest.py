"""Networks that tests of this folder use."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import reference

from slimtrack.networks.find import VARIABLE
from slimtrack.networks.network import Network
from slimtrack.networks.zoo import find


@pytest.fixture
def known(shared: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Network]:
    """Finds a network by name among the shared weights."""
    monkeypatch.setenv(VARIABLE, str(shared("weights")))
    return find


@pytest.fixture
def small() -> Network:
    """All there is in one small network."""
    return reference.small_network()


@pytest.fixture
def batch() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 3, 61, 61)).astype(np.float32)
