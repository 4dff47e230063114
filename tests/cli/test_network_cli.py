import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from slimtrack.cli import app, main
from slimtrack.errors import SlimtrackError
from slimtrack.networks.network import Network


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
    assert run(*words, "--fold").exit_code == 0
    folded = Network.load(tmp_path / "m.onnx")
    assert folded.parameters < plain.parameters
    batch = rng.normal(size=(1, 3, 20, 20)).astype(np.float32)
    np.testing.assert_allclose(
        folded.run(batch)["relu0"], plain.run(batch, "relu0")["relu0"], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("import", "a.npz", "--out", "a.onnx"), "say of which network"),
        (("import", "a.npz", "--as", "vgg16", "--out", "a.txt"), "must end in .onnx"),
        (("import", "a.onnx", "--out", "b.onnx"), "cannot be read: no such file"),
        (("import", "a.npz", "--as", "vgg61", "--out", "b.onnx"), "did you mean vgg"),
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
