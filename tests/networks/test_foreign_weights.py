"""Weights without a graph: every array finds its place, or the file is refused with a reason."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slimtrack.errors import InputError
from slimtrack.networks import zoo
from slimtrack.networks.catalogue import CATALOGUE
from slimtrack.networks.entry import File
from slimtrack.networks.find import VARIABLE
from slimtrack.networks.importers import import_file
from slimtrack.networks.importers.torchvision import import_torchvision, read_state
from slimtrack.networks.network import Network
from slimtrack.networks.sources import file_digest

State = dict[str, np.ndarray]
BLOCKS = {
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}


def vgg(name: str, depth: int = 5) -> State:
    """A state dict with a few filters, numbered as torchvision does, with its classifier."""
    rng = np.random.default_rng(len(name))
    state: State = {"classifier.0.weight": np.zeros((2, 4), np.float32)}
    index, channels, norm = 0, 3, name.endswith("_bn")
    for count in BLOCKS[name.removesuffix("_bn")][:depth]:
        for _ in range(count):
            state[f"features.{index}.weight"] = rng.normal(size=(4, channels, 3, 3)).astype(np.float32)
            state[f"features.{index}.bias"] = rng.normal(size=4).astype(np.float32)
            if norm:
                for part in ("weight", "bias", "running_mean", "running_var"):
                    state[f"features.{index + 1}.{part}"] = rng.uniform(0.5, 1, 4).astype(np.float32)
                state[f"features.{index + 1}.num_batches_tracked"] = np.array(9)
            index, channels = index + 2 + norm, 4
        index += 1
    return state


def imported(state: State, name: str, folder: Path) -> Network:
    np.savez(folder / "weights.npz", **state)
    return import_file(folder / "weights.npz", name)


@pytest.mark.parametrize("wrong", BLOCKS)
@pytest.mark.parametrize("held", [*BLOCKS, *(f"{name}_bn" for name in BLOCKS)])
def test_another_depth_is_refused_with_the_name_that_fits(held: str, wrong: str, tmp_path: Path) -> None:
    if held == wrong:
        assert len(imported(vgg(held), held, tmp_path).layers) == sum(BLOCKS[held])
        return
    with pytest.raises(InputError, match=rf"it fits {held}$"):
        imported(vgg(held), wrong, tmp_path)


def test_a_file_that_ends_early_is_taken_and_that_is_said(tmp_path: Path) -> None:
    network = imported(vgg("vgg16", depth=2), "vgg16", tmp_path)
    assert len(network.layers) == 4
    assert network.card.note == "the file ends before conv3_1"
    assert imported(vgg("vgg16"), "vgg16", tmp_path).card.note == ""


def test_a_hole_is_not_an_early_end(tmp_path: Path) -> None:
    state = vgg("vgg16")
    del state["features.10.weight"]
    with pytest.raises(InputError, match=r"it holds features\.10\.bias \(4,\), features\.12\.weight"):
        imported(state, "vgg16", tmp_path)


@pytest.mark.parametrize(
    "prefix", ["module.", "state_dict.", "model.", "state_dict.model.module.", "net.backbone."]
)
def test_what_all_names_begin_with_is_taken_off(prefix: str, tmp_path: Path) -> None:
    state = vgg("vgg11_bn")
    network = imported({prefix + name: array for name, array in state.items()}, "vgg11_bn", tmp_path)
    np.testing.assert_array_equal(network.weights("conv2_1")[0], state["features.4.weight"])
    assert repr(prefix) in network.card.note
    assert "left out" not in network.card.note


def test_wrapped_parts_are_unwrapped(tmp_path: Path) -> None:
    """As written by training code that spreads the convolutions alone over several processors."""
    state = {name.replace("features.", "features.module."): array for name, array in vgg("vgg16_bn").items()}
    network = imported(state, "vgg16_bn", tmp_path)
    assert len(network.layers) == 13
    assert network.card.note == "'module.' was taken out of the arrays' names"
    with pytest.raises(InputError, match=r"it fits vgg16_bn$"):
        imported(state, "vgg16", tmp_path)


def test_what_lies_beside_a_wrapped_network_is_left_out_and_told(tmp_path: Path) -> None:
    state = {f"backbone.{name}": array for name, array in vgg("vgg11").items()}
    network = imported({**state, "head.weight": np.zeros(3), "head.bias": np.zeros(3)}, "vgg11", tmp_path)
    assert network.card.note.endswith("2 arrays without it were left out")


def test_a_network_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    state = vgg("vgg11")
    twice = {f"{prefix}.{name}": array for prefix in ("model", "ema") for name, array in state.items()}
    with pytest.raises(InputError, match=r"2 times, under 'ema\.', 'model\.': save one of them"):
        imported(twice, "vgg11", tmp_path)


def resnet18() -> State:
    rng, state, channels = np.random.default_rng(0), {}, 3

    def conv(name: str, norm: str, inputs: int, kernel: int) -> None:
        state[f"{name}.weight"] = rng.normal(size=(4, inputs, kernel, kernel)).astype(np.float32)
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"{norm}.{part}"] = rng.uniform(0.5, 1, 4).astype(np.float32)

    conv("conv1", "bn1", channels, 7)
    for layer in range(1, 5):
        for block in range(2):
            for part in (1, 2):
                conv(f"layer{layer}.{block}.conv{part}", f"layer{layer}.{block}.bn{part}", 4, 3)
        if layer > 1:
            conv(f"layer{layer}.0.downsample.0", f"layer{layer}.0.downsample.1", 4, 1)
    return state


def test_a_wrapped_resnet_is_told_from_its_blocks_that_have_a_conv1_too(tmp_path: Path) -> None:
    state = {f"module.{name}": array for name, array in resnet18().items()}
    assert len(imported(state, "resnet18", tmp_path).layers) == 20


def test_a_way_around_a_block_that_is_missing_is_named(tmp_path: Path) -> None:
    state = {name: array for name, array in resnet18().items() if "layer3.0.downsample" not in name}
    with pytest.raises(InputError, match=r"no array 'layer3\.0\.downsample\.0\.weight'"):
        imported(state, "resnet18", tmp_path)


def test_a_batch_normalisation_that_is_missing_is_named(tmp_path: Path) -> None:
    for gone in ("bn1", "layer2.1.bn2"):
        state = {name: array for name, array in resnet18().items() if not name.startswith(f"{gone}.")}
        with pytest.raises(InputError, match=rf"lacks its batch normalisation '{gone}'"):
            imported(state, "resnet18", tmp_path)


def test_a_batch_normalisation_is_after_every_layer_or_after_none(tmp_path: Path) -> None:
    state = {name: array for name, array in vgg("vgg11_bn").items() if not name.startswith("features.5.")}
    with pytest.raises(InputError, match=r"layer conv2_1 lacks its batch normalisation 'features\.5'"):
        imported(state, "vgg11_bn", tmp_path)


def test_another_kernel_is_another_network(tmp_path: Path) -> None:
    """ResNets for small images begin with 3x3: with the plan's stride and padding they would run, wrongly."""
    state = resnet18() | {"conv1.weight": np.ones((4, 3, 3, 3), np.float32)}
    with pytest.raises(InputError, match=r"layer conv1 has weights \(4, 3, 3, 3\), this network's are 7x7"):
        imported(state, "resnet18", tmp_path)


def test_npz_files_of_ours_are_checked_the_same_way(tmp_path: Path) -> None:
    arrays: State = {}
    for index, (out, inputs, kernel) in enumerate([(4, 3, 7), (4, 4, 5), (4, 4, 3), (4, 4, 3), (4, 4, 3)], 1):
        arrays[f"conv{index}_w"] = np.ones((out, inputs, kernel, kernel), np.float32) / 100
        arrays[f"conv{index}_b"] = np.zeros(out, np.float32)
    assert len(imported(arrays, "cf_vggm", tmp_path).layers) == 5
    assert len(imported({f"net.{k}": v for k, v in arrays.items()}, "cf_vggm", tmp_path).layers) == 5
    with pytest.raises(InputError, match=r"not a file of cf_vggm: it holds conv6_w \(4, 4, 3, 3\)"):
        imported({**arrays, "conv6_w": arrays["conv5_w"]}, "cf_vggm", tmp_path)


def test_nested_checkpoints_of_torch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    state = {name: torch.from_numpy(array) for name, array in vgg("vgg11").items()}
    momentum = {"momentum_buffer": torch.zeros(3)}
    nested: dict[str, Any] = {"epoch": 3, "state_dict": state, "optimizer": {"state": {0: momentum}}}
    torch.save(nested, tmp_path / "last.pth")
    network = import_file(tmp_path / "last.pth", "vgg11")
    np.testing.assert_array_equal(network.weights("conv1_1")[0], state["features.0.weight"].numpy())
    assert network.card.note.endswith("1 arrays without it were left out")


def test_bfloat16_of_torch_becomes_float32(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"a": torch.tensor([1.5, -2.0]).bfloat16(), "b": torch.tensor([3])}, tmp_path / "a.pth")
    arrays = read_state((tmp_path / "a.pth").read_bytes(), tmp_path / "a.pth")
    assert arrays["a"].tolist() == [1.5, -2.0]
    assert arrays["b"].dtype == np.int64


def test_kinds_of_safetensors_that_are_not_read_are_named(tmp_path: Path) -> None:
    header = b'{"a": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}'
    data = len(header).to_bytes(8, "little") + header + b"\0"
    with pytest.raises(InputError, match=r"array 'a' is of kind F8_E4M3, which is not read"):
        read_state(data, tmp_path / "a.safetensors")


def test_a_downloaded_resnet18_is_found_by_its_name_with_its_normalisation_folded_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    known = CATALOGUE["resnet18"]
    path = tmp_path / known.others[0].path
    path.parent.mkdir()
    torch.save({name: torch.from_numpy(array) for name, array in resnet18().items()}, path)
    file = File(known.others[0].path, path.stat().st_size, file_digest(path), "https://example.org/x")
    monkeypatch.setitem(zoo.CATALOGUE, "resnet18", replace(known, others=(file,)))
    monkeypatch.setenv(VARIABLE, str(tmp_path))

    network = zoo.find("resnet18")

    plain = import_torchvision(path, "resnet18")
    batch = np.random.default_rng(1).normal(size=(1, 3, 64, 64)).astype(np.float32)
    for tap in ("relu1", "layer1", "layer3"):
        want = plain.run(batch, tap)[tap]
        np.testing.assert_allclose(network.run(batch, tap)[tap], want, atol=1e-4 * np.abs(want).max())
    assert not any(node.op == "BatchNormalization" for node in network.graph.nodes)
    for tap in re.findall(r"\w+", known.taps):
        assert network.tap(tap)
    assert (network.card.origin, network.card.sha256) == (known.card.origin, file.sha256)
