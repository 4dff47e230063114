"""``slimtrack compress cpt``: files, table, sentences."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("matplotlib")

from slimtrack._cv2 import cv2
from slimtrack.cli import app
from slimtrack.errors import InputError, UnknownNameError
from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.network import Network
from slimtrack.video.synthetic import CLIPS


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, str]:
    """A network, a folder of frames, a box."""
    rng = np.random.default_rng(0)
    b = Builder()
    for index, size in enumerate((8, 12, 16), 1):
        b.conv(f"conv{index}", rng.normal(size=(size, b.channels, 3, 3)) / 4, np.zeros(size), pads=1)
        b.relu(f"relu{index}")
        if index == 1:
            b.pool("pool1", 2, 2)
    network = tmp_path / "small.onnx"
    Network(b.graph(), b.taps, Card("small", mean=(128.0,) * 3, scale=(1 / 64,) * 3)).save(network)
    folder = tmp_path / "frames"
    folder.mkdir()
    clip = CLIPS["plain"].with_options(length=4)
    for index, image in enumerate(clip.images()):
        cv2.imwrite(str(folder / f"{index:03d}.png"), image)
    first = clip.truth[0]
    assert first is not None
    return network, folder, ",".join(f"{value:g}" for value in first)


def run(*words: object) -> Result:
    return CliRunner(env={"COLUMNS": "150"}).invoke(app, ["compress", "cpt", *map(str, words)])


def test_a_network_is_pruned_for_a_target(files: tuple[Path, Path, str], tmp_path: Path) -> None:
    network, frames, box = files
    out = tmp_path / "made" / "pruned.onnx"
    words = ("--video", frames, "--box", box, "--ratio", 0.5, "--d", 4, "--frames", 3, "--out", out)
    result = run(network, *words)
    assert result.exit_code == 0, result.output
    for part in (
        "channels of conv2",
        "0.500",
        "M multiply-adds",
        "target information ratio, 3 frames",
        "p50",
    ):
        assert part in result.output
    pruned = Network.load(out)
    assert [layer.out_channels for layer in pruned.layers][:2] == [4, 6]
    assert pruned.tap("relu3").channels == 4
    for picture in ("maps.png", "information_ratio.png"):
        assert (out.with_suffix("") / picture).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("extra", "error", "match"),
    [
        (("--out", "pruned.bin"), InputError, "must end in .onnx"),
        (("--configuration", "0.5/conv9"), UnknownNameError, "conv9"),
        (("--tap", "relu9"), UnknownNameError, "relu9"),
        (("--ratio", 2), InputError, "not in 0..1"),
    ],
)
def test_what_cannot_be_done_is_said(
    extra: tuple[object, ...],
    error: type[Exception],
    match: str,
    files: tuple[Path, Path, str],
    tmp_path: Path,
) -> None:
    network, frames, box = files
    result = run(network, "--video", frames, "--box", box, "--out", tmp_path / "pruned.onnx", *extra)
    assert isinstance(result.exception, error)
    assert match in str(result.exception)
    assert not (tmp_path / "pruned.onnx").exists()
