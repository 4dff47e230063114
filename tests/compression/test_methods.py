"""What every compression method keeps to, and what distillation adds."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.compression import distillation
from slimtrack.compression.channels import Selection, select
from slimtrack.compression.method import Compressed, Method
from slimtrack.compression.methods import METHODS
from slimtrack.errors import InputError, UnknownNameError
from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.network import Network

TARGET = Box(20, 8, 40, 90)


@pytest.fixture(scope="module")
def network() -> Network:
    rng = np.random.default_rng(0)
    b = Builder()
    for index, size in enumerate((8, 12, 16), 1):
        b.conv(f"conv{index}", rng.normal(size=(size, b.channels, 3, 3)) / 4, np.zeros(size), pads=1)
        b.relu(f"relu{index}")
    return Network(b.graph(), b.taps, Card("small", mean=(128.0,) * 3, scale=(1 / 64,) * 3))


def patches(whole: Any, count: int) -> list[Image]:
    rng = np.random.default_rng(1)
    side = 96 + whole.margin.extra
    first = rng.integers(0, 256, (side, side, 3), np.uint8)
    return [np.clip(first + rng.integers(0, 9, first.shape), 0, 255).astype(np.uint8) for _ in range(count)]


def compressed(method: Method[Any], network: Network, **words: Any) -> tuple[Any, Compressed]:
    whole = method.features(network)
    return whole, method.compress(whole, patches(whole, method.frames), TARGET, **words)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_a_smaller_network_and_says_what_is_kept(name: str, network: Network) -> None:
    before = network.parameters
    method = METHODS[name]()
    whole, found = compressed(method, network)
    assert method.name == name
    assert 0 < found.network.parameters < whole.network.parameters
    assert network.parameters == before
    (patch,) = patches(whole, 1)
    assert (
        found.feature(patch[: 96 + found.feature.margin.extra, : 96 + found.feature.margin.extra]).ndim == 3
    )
    for label, was, left in found.lines(whole.network):
        assert (label and 0 <= left <= was) or was == 0
    for kept in found.kept.values():
        assert (np.diff(kept) > 0).all()


@pytest.mark.parametrize("name", METHODS)
def test_one_method_serves_many_targets(name: str, network: Network) -> None:
    method = METHODS[name]()
    (_, first), (_, again) = compressed(method, network), compressed(method, network)
    assert {k: v.tolist() for k, v in first.kept.items()} == {k: v.tolist() for k, v in again.kept.items()}


@pytest.mark.parametrize("name", METHODS)
def test_progress_goes_up_to_its_end(name: str, network: Network) -> None:
    told: list[tuple[str, int, int]] = []
    compressed(METHODS[name](), network, progress=lambda *words: told.append(words))
    done = [step for _, step, _ in told]
    assert done == sorted(done) and told[-1][1] == told[-1][2]
    assert len({steps for _, _, steps in told}) == 1


@pytest.mark.parametrize("name", METHODS)
def test_unknown_options_and_layers_are_refused(name: str, network: Network) -> None:
    with pytest.raises(UnknownNameError, match=f"option of compression method '{name}' named 'nothing'"):
        METHODS[name](nothing=1)
    taps = {"taps": "relu9"} if name == "cd" else {"tap": "relu9"}
    with pytest.raises(UnknownNameError, match="relu9"):
        METHODS[name](**taps).features(network)


# ------------------------------------------------------------------------------------------ distillation


def test_the_desired_response_is_a_share_of_the_target(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = []

    def spy(maps: Any, label: Any, **options: Any) -> Selection:
        labels.append(label)
        return select(maps, label, **options)

    monkeypatch.setattr(distillation, "select", spy)
    compressed(distillation.Distillation(label_width=0.2), network)  # 0.2 of 60 pixels are 3 cells of 4
    (label,) = labels
    assert label.shape == (24, 24)
    assert label[0, 0] == 1 and label[3, 0] == pytest.approx(np.exp(-0.5)) == label[0, 3]


def test_kept_channels_are_counted_from_each_tap(network: Network, tmp_path: Path) -> None:
    method = distillation.Distillation(taps="relu3+relu1", keep=6, by="count")
    whole, found = compressed(method, network)
    assert list(found.kept) == ["relu1", "relu3"]
    assert sum(map(len, found.kept.values())) == 6
    looked_at = patches(whole, 2)
    wanted = np.concatenate(
        [part.start + at for part, at in zip(whole.slices, found.kept.values(), strict=True)]
    )
    np.testing.assert_allclose(found.feature(looked_at[0]), whole(looked_at[0])[wanted], atol=1e-5)
    assert found.lines(whole.network)[-1] == ("chosen in all", 24, 6)
    written = method.record(found, whole, looked_at, tmp_path / "small.onnx")
    assert written == [tmp_path / "small.json"]
    listed = json.loads(written[0].read_text())["taps"]
    assert {tap: at["whole"] for tap, at in listed.items()} == {
        tap: at.tolist() for tap, at in found.kept.items() if len(at)
    }


@pytest.mark.parametrize(
    "options", [{"ratio": 0.5, "keep": 0.5}, {"ratio": 1.0}, {"ratio": -0.1}, {"keep": 1.5}, {"loss": 2.0}]
)
def test_amounts_that_are_none(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="option"):
        distillation.Distillation(**options)
