"""The trackers of paper 000 on a network made up for them."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from slimtrack import create
from slimtrack.compression import cpt
from slimtrack.compression.pruning import compress
from slimtrack.errors import InputError, UnknownNameError
from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.network import Network
from slimtrack.video.synthetic import CLIPS


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    b = Builder()
    for index, size in enumerate((16, 24, 32), 1):
        b.conv(f"conv{index}", rng.normal(size=(size, b.channels, 3, 3)) / (3 * np.sqrt(b.channels)),
               np.zeros(size), pads=1)  # fmt: skip
        b.relu(f"relu{index}")
        if index == 1:
            b.pool("pool1", 2, 2)
    path = tmp_path_factory.mktemp("networks") / "small.onnx"
    Network(b.graph(), b.taps, Card("small", mean=(128.0,) * 3, scale=(1 / 64,) * 3)).save(path)
    return path


OPTIONS = {"tap": "relu3", "d": 8, "window_side": 96.0}


@pytest.mark.parametrize("name", ["cpt-kcf", "cpt-samf"])
@pytest.mark.parametrize("method", ["proposed", "firstK", "maxK", "pca", "none"])
def test_each_method_finds_the_target_again(name: str, method: str, network: Path) -> None:
    frames = list(islice(CLIPS["plain"].frames(), 2))
    tracker = create(name, network=str(network), method=method, configuration="0.5/all", **OPTIONS)
    tracker.init(*frames[0])  # type: ignore[arg-type]
    image, box = frames[1]
    assert box is not None
    assert tracker.update(image).box.iou(box) > 0.8


def test_each_target_has_a_network_of_its_own(network: Path) -> None:
    frames = list(islice(CLIPS["plain"].frames(), 1))
    tracker = create("cpt-kcf", network=str(network), configuration="0.5/all", **OPTIONS)

    def channels() -> list[int]:
        feature = tracker.features[0]  # type: ignore[attr-defined]
        return [layer.out_channels for layer in feature.network.layers]

    assert channels() == [16, 24, 32]
    for _ in range(2):  # the second time from the whole network again, not from the pruned one
        tracker.init(*frames[0])  # type: ignore[arg-type]
        assert channels()[:2] == [8, 12]


@pytest.mark.parametrize("side", [12, 60])
def test_every_window_has_the_same_size(side: int, network: Path) -> None:
    tracker = create("cpt-kcf", network=str(network), configuration="0.5/all", **OPTIONS)
    tracker.init(next(iter(CLIPS["plain"].frames()))[0], (100, 60, side, side))
    window = tracker.window  # type: ignore[attr-defined]
    assert window.patch == (96, 96)
    assert window.pixel * 96 == pytest.approx(3 * side)  # nine times the target's area


def test_a_configuration_is_checked_when_the_tracker_is_made(network: Path) -> None:
    with pytest.raises(UnknownNameError, match="conv9"):
        create("cpt-kcf", network=str(network), configuration="0.5/conv9", **OPTIONS)
    with pytest.raises(InputError, match="ratio/layer"):
        create("cpt-kcf", network=str(network), configuration="much", **OPTIONS)
    tracker = create("cpt-kcf", network=str(network), configuration="none", **OPTIONS)
    tracker.init(*next(iter(CLIPS["plain"].frames())))  # type: ignore[arg-type]


@pytest.mark.parametrize(("metric", "error"), [("l2", True), ("l0", True), ("l1", False)])
def test_a_network_is_pruned_as_the_options_say(
    metric: str, error: bool, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(cpt, "compress", lambda *args: asked.append(args[4]) or compress(*args))
    given = {"metric": metric, "error": error, "refit": 0.25, "cells": 300, "background": 0.5}
    tracker = create("cpt-kcf", network=str(network), **given, **OPTIONS)
    tracker.init(*next(iter(CLIPS["plain"].frames())))  # type: ignore[arg-type]
    ((how),) = asked
    assert (how.metric, how.error) == (metric, error)
    assert (how.refit, how.cells, how.background) == (0.25, 300, 0.5)
