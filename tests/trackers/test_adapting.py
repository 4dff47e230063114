"""Trackers whose network is fine-tuned in the first frame (paper 002, section IV-B)."""

import importlib.util
from collections.abc import Iterator

import numpy as np
import pytest

import slimtrack
import small_networks
from adaptation_scene import scene
from slimtrack.box import Box

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from slimtrack.online import adaptation

SHORT = adaptation.Adaptation(iterations=3, patches=3)


@pytest.fixture(scope="module", autouse=True)
def networks() -> Iterator[None]:
    with small_networks.installed():
        yield


@pytest.mark.parametrize("name", ["fkcf", "feco", "fdeepstrcf"])
def test_trackers_begin_with_a_network_of_the_targets_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Again with every target, and from the network as it was given."""
    monkeypatch.setattr(adaptation, "Adaptation", lambda: SHORT)
    image, box = scene()
    tracker = slimtrack.create(f"{name}[adapt=true]")
    given = tracker._given
    networks = []
    for target in (box, Box(200, 150, 50, 40), box):
        tracker.init(image, target)
        track = tracker.update(np.roll(image, (2, 3), (0, 1)))
        assert track.box.iou(Box(target.x + 3, target.y + 2, target.w, target.h)) > 0.7
        feature = tracker._network if name == "feco" else tracker._features[-1]
        networks.append(feature.network.weights("conv1")[0])
    assert tracker._given is given
    assert np.abs(networks[0] - given.weights("conv1")[0]).max() > 0
    assert np.abs(networks[0] - networks[1]).max() > 0
    np.testing.assert_array_equal(networks[0], networks[2])


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else there(name))
    with pytest.raises(slimtrack.SlimtrackError, match=r"adapt=true needs torch: run `pip install"):
        slimtrack.create("fkcf[adapt=true]")
