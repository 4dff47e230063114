"""Networks that tests of this folder use."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.find import VARIABLE
from slimtrack.networks.network import Network
from slimtrack.networks.zoo import find


@pytest.fixture
def known(shared: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Network]:
    """Finds a network by name among the shared weights."""
    monkeypatch.setenv(VARIABLE, str(shared("weights")))
    return find


def weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Filters that keep the size of what goes through them."""
    fan = int(np.prod(shape[1:])) if len(shape) > 1 else 4
    return (rng.normal(size=shape) / np.sqrt(fan)).astype(np.float32)


@pytest.fixture
def small() -> Network:
    """All there is in one small network: stride, pools, LRN, branches, a sum, depthwise, BN, groups."""
    rng = np.random.default_rng(3)
    b = Builder()
    b.conv("conv1", weights(rng, 8, 3, 5, 5), weights(rng, 8), stride=2, pads=0)
    b.relu("relu1")
    b.lrn("norm1", 5, 1.5, 0.3, 0.75)
    b.pool("pool1", 3, 2, (0, 0, 1, 1))
    entry = b.last
    left = b.conv("left", weights(rng, 4, 8, 1, 1), weights(rng, 4))
    b.last = entry
    right = b.conv("right", weights(rng, 6, 8, 3, 3), pads=1)
    b.concat("both", [left, right])
    b.conv("depth", weights(rng, 10, 1, 3, 3), weights(rng, 10), pads=1, groups=10)
    b.batch_norm("bn", *(1 + 0.1 * rng.normal(size=(4, 10)) ** 2).astype(np.float32))
    b.relu6("six")
    trunk = b.conv("trunk", weights(rng, 12, 10, 1, 1), weights(rng, 12))
    b.relu("relu2")
    b.conv("branch", weights(rng, 12, 12, 3, 3), weights(rng, 12), pads=1)
    b.add("sum", b.last, trunk)
    b.relu("relu3")
    b.conv("grouped", weights(rng, 8, 6, 3, 3), weights(rng, 8), stride=2, pads="SAME", groups=2)
    b.relu("relu4")
    return Network(b.graph(), b.taps, Card("small", mean=(10.0, 20.0, 30.0)))


@pytest.fixture
def batch() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 3, 61, 61)).astype(np.float32)
