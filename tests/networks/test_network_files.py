"""Files: what is saved comes back, and what cannot be used is refused in one sentence."""

import copy
import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from slimtrack.errors import InputError, MissingError, SlimtrackError, UnknownNameError
from slimtrack.networks.card import Card
from slimtrack.networks.find import VARIABLE
from slimtrack.networks.importers.matconvnet import import_matconvnet
from slimtrack.networks.importers.npz import import_npz
from slimtrack.networks.importers.onnx_file import import_onnx
from slimtrack.networks.network import Network
from slimtrack.networks.zoo import KNOWN, find, locate


def test_a_saved_network_comes_back_the_same(small: Network, batch: np.ndarray, tmp_path: Path) -> None:
    card = Card("n", "MIT", "here", "ab" * 32, "bgr", (1.0, 2.0, 3.0), (0.5, 1.0, 2.0), "a note")
    pruned = small.with_card(card).select_channels("conv1", [0, 3, 7]).truncate("relu4", "both")
    pruned.save(tmp_path / "folder" / "n.onnx")
    for read in (Network.load, import_onnx, lambda path: find(str(path))):
        back = read(tmp_path / "folder" / "n.onnx")
        assert back.card == card
        assert dict(back.taps) == dict(pruned.taps)
        assert [layer.name for layer in back.layers] == [layer.name for layer in pruned.layers]
        assert (back.parameters, back.bytes, back.flops(60)) == (
            pruned.parameters,
            pruned.bytes,
            pruned.flops(60),
        )
        np.testing.assert_array_equal(back.run(batch)["relu4"], pruned.run(batch)["relu4"])
        again = back.select_channels("conv1", [1, 2])  # the normalisation is still known as one
        assert again.layer("conv1").out_channels == 2
        again.run(batch)


def test_half_the_bytes_hold_the_same_network(small: Network, batch: np.ndarray, tmp_path: Path) -> None:
    """Weights as float16 compute as such weights in float32, in other programs as well."""
    import onnxruntime

    small.save(tmp_path / "whole.onnx")
    small.save(tmp_path / "half.onnx", half=True)
    sizes = [(tmp_path / name).stat().st_size for name in ("half.onnx", "whole.onnx")]
    assert sizes[0] < 0.7 * sizes[1]
    back = Network.load(tmp_path / "half.onnx")
    weights, rounded = small.weights("trunk")[0], back.weights("trunk")[0]
    np.testing.assert_array_equal(rounded, weights.astype(np.float16).astype(np.float32))
    assert back.parameters == small.parameters and back.layers == small.layers
    session = onnxruntime.InferenceSession(tmp_path / "half.onnx")
    names = [each.name for each in session.get_outputs()]
    elsewhere = dict(zip(names, session.run(None, {session.get_inputs()[0].name: batch}), strict=True))
    here = back.run(batch)
    for name, tap in back.taps.items():
        np.testing.assert_allclose(here[name], elsewhere[tap.tensor], rtol=1e-4, atol=1e-5)


def test_any_onnx_runtime_reads_what_is_saved(small: Network, batch: np.ndarray, tmp_path: Path) -> None:
    small.truncate("relu4").save(tmp_path / "n.onnx")
    onnx.checker.check_model(str(tmp_path / "n.onnx"), full_check=True)
    import onnxruntime

    session = onnxruntime.InferenceSession(tmp_path / "n.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(
        session.run(None, {"input": batch})[0], small.run(batch, "relu4")["relu4"], rtol=1e-5, atol=1e-6
    )


def test_networks_can_be_sent_to_other_processes(small: Network, batch: np.ndarray) -> None:
    wanted = small.run(batch, "relu4")["relu4"]
    for back in (pickle.loads(pickle.dumps(small)), copy.deepcopy(small)):
        assert (back.card, dict(back.taps)) == (small.card, dict(small.taps))
        np.testing.assert_array_equal(back.run(batch, "relu4")["relu4"], wanted)


def test_lost_taps_are_one_sentence(small: Network, tmp_path: Path) -> None:
    model = small.to_model()
    onnx.helper.set_model_props(model, {"slimtrack.card": small.card.to_json(), "slimtrack.taps": "{"})
    onnx.save_model(model, tmp_path / "n.onnx")
    with pytest.raises(InputError, match="list of taps is missing or damaged"):
        Network.load(tmp_path / "n.onnx")
    onnx.helper.set_model_props(model, {"slimtrack.card": "{}"})
    onnx.save_model(model, tmp_path / "n.onnx")
    with pytest.raises(InputError, match="card cannot be read"):
        Network.load(tmp_path / "n.onnx")


def test_aliases_are_saved(known: Callable[[str], Network], tmp_path: Path) -> None:
    network = known("vgg19").truncate("11", "21")
    network.save(tmp_path / "v.onnx")
    assert Network.load(tmp_path / "v.onnx").tap("21").name == "relu2_1"
    with pytest.raises(UnknownNameError):
        Network.load(tmp_path / "v.onnx").tap("34")


def test_external_data_is_refused(small: Network, tmp_path: Path) -> None:
    model = small.to_model()
    onnx.save_model(
        model, tmp_path / "n.onnx", save_as_external_data=True, location="secret.bin", size_threshold=0
    )
    for read in (Network.load, import_onnx):
        with pytest.raises(InputError, match="in another file"):
            read(tmp_path / "n.onnx")


def test_a_wrong_hash_is_refused(small: Network, tmp_path: Path) -> None:
    small.save(tmp_path / "n.onnx")
    right = hashlib.sha256((tmp_path / "n.onnx").read_bytes()).hexdigest()
    Network.load(tmp_path / "n.onnx", right)
    Network.load(tmp_path / "n.onnx", right[:8])
    with pytest.raises(InputError, match="damaged or another version: its sha256"):
        Network.load(tmp_path / "n.onnx", "0" * 64)


def test_a_known_name_with_a_changed_file_is_refused(
    shared: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytearray(shared("weights/dcfnet/DCFNet-net-7-125-2.mat").read_bytes())
    data[-100] ^= 1
    (tmp_path / "dcfnet").mkdir()
    (tmp_path / "dcfnet" / "DCFNet-net-7-125-2.mat").write_bytes(data)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match=r"DCFNet-net-7-125-2\.mat is damaged"):
        find("dcfnet")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_one_sentence(
    small: Network, shared: Callable[[str], Path], tmp_path: Path, share: float
) -> None:
    small.save(tmp_path / "whole.onnx")
    files: list[tuple[Path, Callable[[Path], Network]]] = [
        (tmp_path / "whole.onnx", Network.load),
        (tmp_path / "whole.onnx", import_onnx),
        (shared("weights/cf_vggm/cf_vggm.npz"), lambda path: import_npz(path, "cf_vggm")),
        (shared("weights/cf_vggm/CF_VGGM.mat"), import_matconvnet),
    ]
    for whole, read in files:
        cut = tmp_path / f"cut{whole.suffix}"
        data = whole.read_bytes()
        cut.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(InputError) as caught:
            read(cut)
        assert str(cut) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_files_of_another_kind_are_refused(tmp_path: Path, shared: Callable[[str], Path]) -> None:
    with pytest.raises(InputError, match="cannot be read: no such file"):
        Network.load(tmp_path / "nothing.onnx")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="no array 'conv1_w'"):
        import_npz(tmp_path / "other.npz", "cf_vggm")
    np.savez(tmp_path / "pickle.npz", conv1_w=np.array([{}], object))
    with pytest.raises(InputError, match="plain arrays"):
        import_npz(tmp_path / "pickle.npz", "cf_vggm")
    with pytest.raises(UnknownNameError, match="did you mean cf_vggm"):
        import_npz(tmp_path / "other.npz", "cf_vgg")
    with pytest.raises(InputError, match="has 2 inputs"):
        import_onnx(shared("weights/nanotrackv3/head.onnx"))
    with pytest.raises(InputError, match="has no card"):
        Network.load(shared("weights/nanotrackv3/backbone.onnx"))


@pytest.mark.parametrize("name", ["nanotrackv1", "nanotrackv2", "nanotrackv3"])
def test_any_onnx_file_becomes_a_network(shared: Callable[[str], Path], name: str) -> None:
    import onnxruntime

    path = shared(f"weights/{name}/backbone.onnx")
    network = import_onnx(path, Card(name, colors="bgr"))
    tap = list(network.taps.values())[-1]
    assert tap.stride == 16
    batch = network.prepare(np.random.default_rng(0).integers(0, 256, (127, 127, 3), np.uint8))
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    theirs = session.run(None, {session.get_inputs()[0].name: batch})[0]
    ours = network.run(batch)
    assert all(ours[each.name].shape[1] == each.channels for each in network.taps.values())
    np.testing.assert_allclose(ours[tap.name], theirs, rtol=1e-3, atol=1e-4)


def test_what_comes_with_slimtrack_is_found_without_a_folder_and_a_users_own_goes_before(
    small: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    ours = find("cf-vgg")
    assert ours.card.licence == "Apache-2.0" and "Teacher" in ours.card.note.title()
    assert [ours.tap(name).channels for name in ("norm1", "norm2", "relu5")] == [12, 32, 64]
    small.save(tmp_path / "cf-vgg.onnx")  # as `slimtrack distill` writes it
    assert find("cf-vgg").card == small.card


def test_names_are_found_once_and_shared(known: Callable[[str], Network]) -> None:
    for name in KNOWN:
        if name == "vgg16":  # known how to make, and made nowhere
            continue
        assert known(name) is known(name)
        assert known(name).card.sha256 == locate(name)[0].sha256
        assert known(name).card.name == name
    with pytest.raises(UnknownNameError, match="did you mean vgg19"):
        known("vgg18")
    with pytest.raises(InputError, match="nanotrackv3 is a tracker's own and has no taps: there are cf_vggm"):
        known("nanotrackv3")


def test_a_missing_network_says_which_where_and_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(MissingError) as caught:
        find("dcfnet")
    command = "run `slimtrack network fetch dcfnet`"
    for part in ("dcfnet/DCFNet-net-7-125-2.mat", str(tmp_path), VARIABLE, command):
        assert part in str(caught.value)


def test_a_file_in_a_folder_is_found_by_its_stem(
    small: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    for name in ("mine", "resnet18"):  # also in place of a known network's own file
        small.save(tmp_path / f"{name}.onnx")
        assert find(name).card.name == "small"
    with pytest.raises(UnknownNameError, match="no network 'yours'"):
        find("yours")


def test_a_path_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SlimtrackError, match="cannot be read"):
        find(str(tmp_path / "a.onnx"))


def test_a_changed_file_is_read_again(small: Network, tmp_path: Path) -> None:
    path = tmp_path / "n.onnx"
    small.truncate("relu1").save(path)
    assert list(find(str(path)).taps) == ["relu1"]
    small.truncate("norm1").save(path)
    os.utime(path, ns=(1, 1))
    assert list(find(str(path)).taps) == ["norm1"]
