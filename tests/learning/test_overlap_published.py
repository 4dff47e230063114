"""ATOM's published format: a generated file, computed as its article says, gives the same overlaps."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from slimtrack import create
from slimtrack.cli import app
from slimtrack.errors import MissingError, SourceError
from slimtrack.online.roi import precise_roi_pool

torch = pytest.importorskip("torch")

from slimtrack.learning.backbones.resnet import resnet18  # noqa: E402
from slimtrack.learning.overlap.blocks import ResNetBlocks  # noqa: E402
from slimtrack.learning.overlap.network import OverlapNetwork  # noqa: E402
from slimtrack.learning.overlap.published import fill  # noqa: E402

D = 16
CONVOLUTIONS = {
    "conv3_1r": (D // 2, 16, 3), "conv4_1r": (D, 32, 3), "fc3_1r": (D, D // 2, 3), "fc34_3r": (D, 2 * D, 1),
    "fc34_4r": (D, 2 * D, 1), "conv3_1t": (D, 16, 3), "conv3_2t": (D, D, 3), "conv4_1t": (D, 32, 3),
    "conv4_2t": (D, D, 3),
}  # fmt: skip
"""Of a network on an eighth of ResNet-18: outputs, inputs, side."""


def small() -> OverlapNetwork:
    return OverlapNetwork(ResNetBlocks(resnet18(width=8, layers=3)), D).eval()


@pytest.fixture(scope="module")
def state() -> "dict[str, torch.Tensor]":
    """As in their files: backbone to its end, biases before batch norms."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    def norm(name: str, out: int) -> dict[str, torch.Tensor]:
        made = {"weight": 1 + 0.2 * normal(out), "bias": 0.2 * normal(out), "running_mean": 0.2 * normal(out)}
        made["running_var"] = 1 + 0.3 * normal(out).abs()
        return {f"{name}.{key}": value for key, value in made.items()}

    found = {f"feature_extractor.{key}": value for key, value in resnet18(width=8).state_dict().items()}
    for name, (out, channels, side) in CONVOLUTIONS.items():
        found[f"bb_regressor.{name}.0.weight"] = (
            normal(out, channels, side, side) / (channels * side**2) ** 0.5
        )
        found[f"bb_regressor.{name}.0.bias"] = normal(out)
        found |= norm(f"bb_regressor.{name}.1", out)
    for name, bins in (("fc3_rt", 25), ("fc4_rt", 9)):
        found[f"bb_regressor.{name}.linear.weight"] = normal(D, D * bins) / (D * bins) ** 0.5
        found[f"bb_regressor.{name}.linear.bias"] = normal(D)
        found |= norm(f"bb_regressor.{name}.bn", D)
    return found | {
        "bb_regressor.iou_predictor.weight": normal(1, 2 * D),
        "bb_regressor.iou_predictor.bias": normal(1),
    }


def by_hand(state, third, fourth, reference, boxes) -> "torch.Tensor":
    """Their forward pass, -1 to 1, of one image as template and search."""

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        values = [
            state[f"bb_regressor.{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")
        ]
        return torch.nn.functional.batch_norm(x, *values).relu()

    def layer(name: str, x: torch.Tensor, padding: int = 1) -> torch.Tensor:
        weight, bias = (state[f"bb_regressor.{name}.0.{key}"] for key in ("weight", "bias"))
        return norm(f"{name}.1", torch.nn.functional.conv2d(x, weight, bias, padding=padding))

    def dense(name: str, x: torch.Tensor) -> torch.Tensor:
        weight, bias = (state[f"bb_regressor.{name}.linear.{key}"] for key in ("weight", "bias"))
        return norm(f"{name}.bn", torch.nn.functional.linear(x.flatten(1), weight, bias))

    first = precise_roi_pool(layer("conv3_1r", third), reference / 8, 3)[0]
    second = precise_roi_pool(layer("conv4_1r", fourth), reference / 16, 1)[0]
    both = torch.cat([layer("fc3_1r", first, 0), second], 1)
    searched = layer("conv3_2t", layer("conv3_1t", third)), layer("conv4_2t", layer("conv4_1t", fourth))
    weighed = searched[0] * layer("fc34_3r", both, 0), searched[1] * layer("fc34_4r", both, 0)
    parts = dense("fc3_rt", precise_roi_pool(weighed[0], boxes / 8, 5)[0])
    parts = torch.cat([parts, dense("fc4_rt", precise_roi_pool(weighed[1], boxes / 16, 3)[0])], 1)
    weight, bias = (state[f"bb_regressor.iou_predictor.{key}"] for key in ("weight", "bias"))
    return torch.nn.functional.linear(parts, weight, bias)


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html>Sign in</html>", b"", b"PK no archive"])
def test_a_page_in_place_of_a_download_is_not_to_be_trusted(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "atom_default.pth").write_bytes(content)
    with pytest.raises(SourceError, match=r"atom_default\.pth is no file of torch, .*download it again$"):
        fill(small(), tmp_path / "atom_default.pth")


@pytest.mark.parametrize("wrapped", [True, False])
def test_their_file_gives_their_overlaps(tmp_path: Path, state, wrapped: bool) -> None:
    torch.save({"net": state, "epoch": 40} if wrapped else state, tmp_path / "atom.pt")
    network = small()
    fill(network, tmp_path / "atom.pt")
    image = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    reference = torch.tensor([[[20.0, 30.0, 70.0, 60.0]]])
    boxes = torch.tensor([[[22.0, 26.0, 80.0, 66.0], [10.0, 30.0, 50.0, 70.0]]])
    with torch.no_grad():
        third, fourth = network.backbone(image)[2:]
        modulation = network.predictor.modulation(third, fourth, reference[:, 0])
        said = network.predictor.answer(network.predictor.search(third, fourth), modulation, boxes)
        theirs = by_hand(state, third, fourth, reference, boxes)
    torch.testing.assert_close(2 * said[0] - 1, theirs, atol=1e-4, rtol=1e-4)
    backbone = network.state_dict()["backbone.body.layer2.1.conv2.weight"]
    assert torch.equal(backbone, state["feature_extractor.layer2.1.conv2.weight"])


class Settings:
    """What their checkpoints hold beside weights."""


def test_other_files_are_refused(tmp_path: Path, state) -> None:
    torch.save({"net": state, "constructor": Settings()}, tmp_path / "objects.pth")
    with pytest.raises(SourceError, match=r"holds more than weights, which is not run here: .*atom\.pt"):
        fill(small(), tmp_path / "objects.pth")
    torch.save({key: value for key, value in state.items() if "fc3_rt" not in key}, tmp_path / "half.pt")
    with pytest.raises(SourceError, match=r"no weights of ATOM as published .*fc3_rt"):
        fill(small(), tmp_path / "half.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(SourceError, match="it is no table of them"):
        fill(small(), tmp_path / "list.pt")
    with pytest.raises(SourceError, match="cannot be read"):
        fill(small(), tmp_path / "absent.pt")


def test_the_command_writes_the_files_that_the_tracker_takes(
    state: "dict[str, torch.Tensor]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slimtrack.learning.overlap.published.OverlapNetwork", lambda _: small())
    torch.save({"net": state}, tmp_path / "atom.pth")

    def run(*more: str) -> Result:
        words = [
            "network",
            "import",
            str(tmp_path / "atom.pth"),
            "--as",
            "atom",
            "-o",
            str(tmp_path / "mine"),
        ]
        return CliRunner().invoke(app, [*words, *more])

    assert "--as atom does not take --fold: leave it out" in str(run("--fold").exception)
    result = run("--licence", "GPL-3.0")
    assert result.exit_code == 0, result.output
    card = json.loads((tmp_path / "mine" / "card.json").read_text())
    assert (card["name"], card["licence"], card["channels"]) == ("atom", "GPL-3.0", [16, 32])
    tracker = create(f"atom[network={tmp_path / 'mine'}]")
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    tracker.init(image, (50, 40, 30, 30))
    assert "--overwrite" in str(run().exception)


def test_without_torch_one_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning Fabric is only for training."""
    words = ["network", "import", str(tmp_path / "no.pth"), "--as", "atom", "-o", str(tmp_path / "mine")]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if "lightning" in name else True)
    with pytest.raises(SourceError, match="cannot be read"):
        CliRunner().invoke(app, words, catch_exceptions=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"^import --as atom needs torch, not installed here: `pip"):
        CliRunner().invoke(app, words, catch_exceptions=False)
