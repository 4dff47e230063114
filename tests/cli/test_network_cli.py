import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from slimtrack.cli import app, main
from slimtrack.errors import MissingError, SlimtrackError
from slimtrack.networks.card import Card
from slimtrack.networks.catalogue import CATALOGUE
from slimtrack.networks.entry import Entry, File
from slimtrack.networks.find import VARIABLE
from slimtrack.networks.network import Network
from slimtrack.registry import list_trackers, tracker_class


@pytest.fixture
def weights(shared: Callable[[str], Path]) -> Path:
    return shared("weights")


def run(*words: object) -> Result:
    return CliRunner(env={"COLUMNS": "150"}).invoke(app, ["network", *map(str, words)])


def test_info_shows_what_there_is(weights: Path) -> None:
    result = run("info", "cf_vggm", "--networks", weights)
    assert result.exit_code == 0, result.output
    for part in ("RGB, minus 123.659", "conv5", "64 -> 64", "17.5", "13x13", "103,760 parameters"):
        assert part in result.output


def test_info_as_json(weights: Path) -> None:
    data = json.loads(run("info", "vgg19", "--size", 96, "--json", "--networks", weights).output)
    taps = {tap["name"]: tap for tap in data["taps"]}
    assert taps["relu3_4"]["cells"] == [24, 24]
    assert data["aliases"]["34"] == "relu3_4"
    assert data["flops"]["double"] > 2 * data["flops"]["plain"]


def test_bench_times_each_runtime(weights: Path) -> None:
    result = run("bench", "dcfnet", "--size", 32, "--runs", 5, "--networks", weights)
    assert result.exit_code == 0, result.output
    assert "onnxruntime" in result.output
    words = ("bench", "cf_vggm", "--tap", "norm1", "--size", 64, "--runs", 3, "--json", "--networks", weights)
    rows = json.loads(run(*words).output)["runtimes"]
    assert 0 < rows[0]["p50_ms"] <= rows[0]["p95_ms"]
    assert rows[1]["runtime"] == "openvino"


def test_a_mat_file_is_taken_in(weights: Path, tmp_path: Path) -> None:
    source = weights / "cf_vggm" / "CF_VGGM.mat"
    out = tmp_path / "cf.onnx"
    options = ("--tap", "relu3", "--licence", "none", "--name", "mine", "--sha256", "9fb9836c")
    result = run("import", source, "--out", out, *options)
    assert result.exit_code == 0, result.output
    assert "mine, 3 layers" in result.output
    network = Network.load(out)
    assert list(network.taps) == ["relu3"]
    assert (network.card.name, network.card.licence) == ("mine", "none")
    assert run("info", out).exit_code == 0


def test_weights_and_preparation_are_taken_in(weights: Path, tmp_path: Path) -> None:
    source = weights / "resnet18_partial" / "resnet18_conv1-layer3_folded.fp16.npz"
    out = tmp_path / "r.onnx"
    words = ("--as", "resnet18", "--colors", "bgr", "--mean", "1,2,3", "--scale", "0.5,1,2", "--fold")
    assert run("import", source, "--out", out, *words).exit_code == 0
    card = Network.load(out).card
    assert (card.colors, card.mean, card.scale) == ("bgr", (1, 2, 3), (0.5, 1, 2))


def test_batch_norm_is_folded_when_asked(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    state = {"features.0.0.weight": rng.normal(size=(32, 3, 3, 3)).astype(np.float32)}
    for part in ("weight", "bias", "running_mean", "running_var"):
        state[f"features.0.1.{part}"] = rng.random(32).astype(np.float32) + 0.5
    np.savez(tmp_path / "m.npz", **state)
    words = ("import", tmp_path / "m.npz", "--as", "mobilenet_v2", "--out", tmp_path / "m.onnx")
    assert run(*words).exit_code == 0
    plain = Network.load(tmp_path / "m.onnx")
    refused = run(*words, "--fold")
    assert isinstance(refused.exception, SlimtrackError) and "--overwrite" in str(refused.exception)
    assert Network.load(tmp_path / "m.onnx").parameters == plain.parameters
    assert run(*words, "--fold", "--overwrite").exit_code == 0
    folded = Network.load(tmp_path / "m.onnx")
    assert folded.parameters < plain.parameters
    batch = rng.normal(size=(1, 3, 20, 20)).astype(np.float32)
    np.testing.assert_allclose(
        folded.run(batch)["relu0"], plain.run(batch, "relu0")["relu0"], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("import", "a.npz", "--out", "a.onnx"), "say which network they are of"),
        (("import", "a.npz", "--as", "vgg16", "--out", "a.txt"), "must end in .onnx"),
        (("import", "a.onnx", "--out", "b.onnx"), "cannot be read: no such file"),
        (("import", "a.npz", "--as", "vgg61", "--out", "b.onnx"), "did you mean vgg"),
        (
            ("import", "photo.png", "--out", "b.onnx"),
            "photo.png is of an unknown kind: a network is .onnx, or",
        ),
        (
            ("import", "a.bin", "--as", "vgg16", "--out", "b.onnx"),
            "weights alone are .npz, .safetensors, .pth",
        ),
        (("info", "cf_vgm"), "did you mean cf_vggm"),
        (("info", "nothing.onnx"), "cannot be read"),
    ],
)
def test_mistakes_are_one_sentence(
    words: tuple[str, ...], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*words)
    assert isinstance(result.exception, SlimtrackError)
    assert sentence in str(result.exception)


@pytest.mark.parametrize("verb", ["info", "bench"])
def test_an_input_that_is_too_small_is_refused_before_anything_is_shown(verb: str) -> None:
    assert run(verb, "cf-vgg", "--size", 0).exit_code == 2
    result = run(verb, "cf-vgg", "--size", 5)
    assert "an input of 5x5 pixels is too small for conv1" in str(result.exception)
    assert result.output == ""


def test_the_file_that_is_taken_in_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"mine")
    (tmp_path / "link.onnx").symlink_to("a.onnx")
    for out in ("a.onnx", "link.onnx"):
        result = run("import", tmp_path / "a.onnx", "--out", tmp_path / out)
        assert "is the input itself" in str(result.exception)
    assert (tmp_path / "a.onnx").read_bytes() == b"mine"


def test_main_ends_with_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["network", "info", "cf_vgm"])
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_three_numbers(weights: Path, tmp_path: Path) -> None:
    source = weights / "cf_vggm" / "CF_VGGM.mat"
    result = run("import", source, "--out", tmp_path / "a.onnx", "--mean", "1,2")
    assert "not three numbers" in str(result.exception)
    result = run("import", source, "--out", tmp_path / "a.onnx", "--colors", "xyz")
    assert "not 'bgr' or 'rgb'" in str(result.exception)
    assert not (tmp_path / "a.onnx").exists()


# Getting networks.


class Served:
    """Two networks of the tests' own in place of the catalogue, one of them with an address."""

    def __init__(self, folder: Path) -> None:
        data = b"whole" * 1000
        url = f"file://{folder}/published.bin"
        file = File("one/a.onnx", len(data), hashlib.sha256(data).hexdigest(), url)
        Path(folder, "published.bin").write_bytes(data)
        self.data, self.file = data, file
        self.entries = {
            "one": Entry(Card("one", "MIT", "ours [of] tests"), (file,)),
            "two": Entry(
                Card("two"), (File("two/b.npz", 1, "0" * 64),), make="write FOLDER/two.onnx by hand"
            ),
        }


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    served = Served(tmp_path)
    for name in list_trackers(missing=True):
        tracker_class(name)  # while its network is in the catalogue
    for module in ("networks.catalogue", "cli.network_files"):
        monkeypatch.setattr(f"slimtrack.{module}.CATALOGUE", served.entries)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "networks"))
    return served


def test_a_network_is_fetched_with_all_that_is_known_of_it(served: Served, tmp_path: Path) -> None:
    result = run("fetch", "one")
    assert result.exit_code == 0, result.output
    path = tmp_path / "networks" / "one" / "a.onnx"
    assert path.read_bytes() == served.data
    for part in ("one: ours [of] tests", "licence: MIT", served.file.url, "5,000 bytes", served.file.sha256,
                 f"{path} written", f"{VARIABLE} names"):  # fmt: skip
        assert part in result.output.replace("\n", " "), part
    again = run("fetch", "one")
    assert again.exit_code == 0
    assert "is already there" in again.output


def test_another_version_stays_until_it_may_be_replaced(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "networks" / "one" / "a.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    result = run("fetch", "one")
    assert "give --overwrite to replace it" in str(result.exception)
    assert path.read_bytes() == b"mine"
    assert run("fetch", "one", "--overwrite").exit_code == 0
    assert path.read_bytes() == served.data


def test_a_folder_may_be_given_and_need_not_exist(served: Served, tmp_path: Path) -> None:
    result = run("fetch", "one", "--networks", tmp_path / "elsewhere")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "elsewhere" / "one" / "a.onnx").is_file()
    assert f"--networks {tmp_path}/elsewhere" in result.output.replace("\n", " ")


def test_a_network_without_an_address_says_how_to_make_it(served: Served, tmp_path: Path) -> None:
    result = run("fetch", "two", "one")
    assert isinstance(result.exception, MissingError)
    assert f"to make it: write {tmp_path}/networks/two.onnx by hand" in str(result.exception)
    assert (tmp_path / "networks" / "one" / "a.onnx").is_file()  # what can be had is had


def test_the_list_says_what_is_here_and_how_to_get_the_rest(served: Served) -> None:
    def rows() -> dict[str, list[str]]:
        lines = [line.split("│") for line in run("list").output.splitlines() if "│" in line]
        return {cells[1].strip(): [cell.strip() for cell in cells[2:-1]] for cells in lines}

    assert rows()["one"][:4] == ["fetch", "5.0 kB", "MIT", "rgb"]
    assert rows()["two"][:3] == ["make", "1 byte", "not known"]
    assert run("fetch", "one").exit_code == 0
    assert rows()["one"][0] == "yes"


def test_every_real_network_is_listed() -> None:
    output = run("list").output
    for name, entry in CATALOGUE.items():
        assert name in output
        assert entry.card.licence in output


def test_an_unknown_network_is_one_sentence_and_nothing_is_fetched(served: Served, tmp_path: Path) -> None:
    result = run("fetch", "one", "tow")
    assert "there is no network 'tow': did you mean two?" in str(result.exception)
    assert not (tmp_path / "networks").exists()
