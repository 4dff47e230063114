"""``slimtrack compress cpt`` and ``cd``: files, table, sentences."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("matplotlib")

from slimtrack import create
from slimtrack._cv2 import cv2
from slimtrack.box import Box
from slimtrack.cli import app
from slimtrack.cli.boxes import parse_box
from slimtrack.compression.comparison import compare
from slimtrack.compression.distilled import keep_channels
from slimtrack.compression.view import View
from slimtrack.errors import InputError, OutputError, SourceError, UnknownNameError
from slimtrack.features.taps import NetworkStack
from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.network import Network
from slimtrack.video.synthetic import CLIPS


def made(pads: int = 1) -> Network:
    rng = np.random.default_rng(0)
    b = Builder()
    for index, size in enumerate((8, 12, 16), 1):
        b.conv(f"conv{index}", rng.normal(size=(size, b.channels, 3, 3)) / 4, np.zeros(size), pads=pads)
        b.relu(f"relu{index}")
        if index == 1:
            b.pool("pool1", 2, 2)
    return Network(b.graph(), b.taps, Card("small", mean=(128.0,) * 3, scale=(1 / 64,) * 3))


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, str]:
    """A network, a folder of frames, a box."""
    network = tmp_path / "small.onnx"
    made().save(network)
    folder = tmp_path / "frames"
    folder.mkdir()
    clip = CLIPS["plain"].with_options(length=4)
    for index, image in enumerate(clip.images()):
        cv2.imwrite(str(folder / f"{index:03d}.png"), image)
    first = clip.truth[0]
    assert first is not None
    return network, folder, ",".join(f"{value:g}" for value in first)


def run(command: str, *words: object) -> Result:
    return CliRunner(env={"COLUMNS": "150"}).invoke(app, ["compress", command, *map(str, words)])


def test_a_network_is_pruned_for_a_target(files: tuple[Path, Path, str], tmp_path: Path) -> None:
    network, frames, box = files
    out = tmp_path / "made" / "pruned.onnx"
    words = ("--video", frames, "--box", box, "--ratio", 0.5, "--d", 4, "--frames", 3, "--out", out)
    result = run("cpt", network, *words)
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
        (("--side", 0), InputError, "side=0"),
        (("--side", 20), InputError, "between 32 and 1024"),
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
    result = run("cpt", network, "--video", frames, "--box", box, "--out", tmp_path / "pruned.onnx", *extra)
    assert isinstance(result.exception, error)
    assert match in str(result.exception)
    assert not (tmp_path / "pruned.onnx").exists()


TAPS = ("--taps", "relu1+relu3", "--side", 64)


def test_a_network_is_pruned_to_good_channels(files: tuple[Path, Path, str], tmp_path: Path) -> None:
    network, frames, box = files
    out = tmp_path / "made" / "below" / "pruned.onnx"
    words = (
        "--video",
        frames,
        "--box",
        box,
        *TAPS,
        "--keep",
        6,
        "--by",
        "count",
        "--frames",
        3,
        "--out",
        out,
    )
    result = run("cd", network, *words)
    assert result.exit_code == 0, result.output
    for part in ("small, relu1+relu3", "channels of conv3", "chosen of relu1", "chosen in all", "0.250",
                 "M multiply-adds", "target information ratio, 3 frames", "p95"):  # fmt: skip
        assert part in result.output
    for picture in ("channels.png", "maps.png", "information_ratio.png"):
        assert (out.with_suffix("") / picture).read_bytes().startswith(b"\x89PNG")
    listed = json.loads(out.with_suffix(".json").read_text())["taps"]
    assert sum(len(tap["whole"]) for tap in listed.values()) == 6
    whole, pruned = Network.load(network), Network.load(out)
    batch = whole.prepare(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    before, after = whole.run(batch, *listed), pruned.run(batch, *listed)
    for tap, at in listed.items():
        np.testing.assert_allclose(after[tap][:, at["pruned"]], before[tap][:, at["whole"]], atol=1e-5)


def test_channels_are_those_that_the_tracker_chooses(files: tuple[Path, Path, str], tmp_path: Path) -> None:
    """With the command's own level, in the tracker's window."""
    network, frames, box = files
    out = tmp_path / "pruned.onnx"
    words = ("--video", frames, "--box", box, *TAPS, "--frames", 2)
    words += ("--keep", 6, "--by", "count", "--out", out, "--overwrite")
    chosen = {}
    for level in (0, 1):
        assert run("cd", network, *words, "--level", level).exit_code == 0
        listed = json.loads(out.with_suffix(".json").read_text())["taps"]
        chosen[level] = {tap: at["whole"] for tap, at in listed.items()}
        tracker: Any = create(
            "deepcd",
            network=str(network),
            taps="relu1+relu3",
            keep=6,
            by="count",
            loss=0.0,
            max_side=64.0,
            level=float(level),
        )
        for at in (0, 1):
            image = cv2.imread(str(frames / f"{at:03d}.png"))
            at_first = parse_box(box, (image.shape[1], image.shape[0]))
            _ = tracker.update(image) if at else tracker.init(image, at_first)
        wanted = {tap: channels.tolist() for tap, channels in tracker.channels.items()}
        assert {"relu1": [], "relu3": [], **chosen[level]} == wanted
    assert chosen[0] != chosen[1]


def test_a_share_of_the_channels_is_dropped_and_inner_ones_with_them(
    files: tuple[Path, Path, str], tmp_path: Path
) -> None:
    network, frames, box = files
    out = tmp_path / "pruned.onnx"
    words = ("--video", frames, "--box", box, "--side", 64, "--ratio", 0.75, "--loss", 0.3, "--frames", 2)
    result = run("cd", network, *words, "--out", out, "--pictures", tmp_path / "pictures")
    assert result.exit_code == 0, result.output
    pruned = Network.load(out)
    assert list(pruned.taps) == ["relu3"] and pruned.tap("relu3").channels == 4
    assert pruned.layer("conv2").out_channels < 12
    assert (tmp_path / "pictures" / "channels.png").exists()


@pytest.mark.parametrize(
    ("extra", "error", "match"),
    [
        (("--taps", "relu1+relu9"), UnknownNameError, "relu9"),
        (("--ratio", 1), InputError, "ratio=1"),
        (("--ratio", -0.1), InputError, "ratio=-0.1"),
        (("--keep", 1.5), InputError, "keep=1.5"),
        (("--ratio", 0.5, "--keep", 0.5), InputError, "not both"),
        (("--loss", 2), InputError, "loss=2"),
        (("--out", "pruned.bin"), InputError, "must end in .onnx"),
        (("--box", "1,2,3"), InputError, "not four numbers"),
        (("--video", "nowhere.mp4"), SourceError, "nowhere.mp4"),
    ],
)
def test_what_cannot_be_distilled_is_said(
    extra: tuple[object, ...],
    error: type[Exception],
    match: str,
    files: tuple[Path, Path, str],
    tmp_path: Path,
) -> None:
    network, frames, box = files
    out = tmp_path / "pruned.onnx"
    result = run("cd", network, "--video", frames, "--box", box, "--side", 64, "--out", out, *extra)
    assert isinstance(result.exception, error)
    assert match in str(result.exception)
    assert not out.exists() and not out.with_suffix("").exists()


def test_networks_and_folders_that_are_not_there_are_said(
    files: tuple[Path, Path, str], tmp_path: Path
) -> None:
    network, frames, box = files
    words = ("--video", frames, "--box", box, "--side", 64)
    missing = run("cd", tmp_path / "no.onnx", *words, "--out", tmp_path / "pruned.onnx")
    assert isinstance(missing.exception, InputError) and "no.onnx" in str(missing.exception)
    unknown = run("cd", "vgg91", *words, "--out", tmp_path / "pruned.onnx")
    assert isinstance(unknown.exception, UnknownNameError) and "vgg19" in str(unknown.exception)
    inside = run("cd", network, *words, "--out", network / "pruned.onnx")
    assert isinstance(inside.exception, OutputError) and "small.onnx" in str(inside.exception)


def test_one_frame_is_too_few(files: tuple[Path, Path, str], tmp_path: Path) -> None:
    network, frames, box = files
    out = tmp_path / "pruned.onnx"
    result = run("cd", network, "--video", frames / "000.png", "--box", box, "--side", 64, "--out", out)
    assert isinstance(result.exception, InputError)
    assert "2 frames" in str(result.exception)
    assert not out.exists()


def test_a_network_that_lost_its_deepest_tap_is_compared_at_the_same_places(
    files: tuple[Path, Path, str],
) -> None:
    network, (_, folder, box) = made(pads=0), files
    image, first = cv2.imread(str(folder / "000.png")), Box(*map(float, box.split(",")))
    before = NetworkStack(network, ["relu1", "relu3"])
    view = View.around(first, before, side=64.0)
    patch = view.patch(image, first)
    after = keep_channels(network, {"relu1": np.arange(8), "relu3": np.array([], int)}, patch)
    assert after.margin == before.margin
    seen = compare(before, after, view, [(image, first)])
    wanted = view.ratio(before, before(patch)[:8])
    assert seen.after[0] == pytest.approx(wanted, rel=1e-4)  # the wrong place is 15 % off


@pytest.mark.parametrize("command", ["cpt", "cd"])
def test_neither_the_network_nor_the_frames_are_written_over(
    command: str, files: tuple[Path, Path, str], tmp_path: Path
) -> None:
    network, frames, box = files
    before = network.read_bytes()
    words = ("--video", frames, "--box", box)
    result = run(command, network, *words, "--out", network)
    assert isinstance(result.exception, OutputError) and "is the input itself" in str(result.exception)
    result = run(command, network, *words, "--out", tmp_path / "new.onnx", "--pictures", frames)
    assert isinstance(result.exception, OutputError) and "among the input's images" in str(result.exception)
    assert network.read_bytes() == before and not (tmp_path / "new.onnx").exists()


@pytest.mark.parametrize("earlier", ["pruned.onnx", "pruned/maps.png"])
def test_files_of_an_earlier_run_stay_until_they_may_be_replaced(
    earlier: str, files: tuple[Path, Path, str], tmp_path: Path
) -> None:
    network, frames, box = files
    (tmp_path / earlier).parent.mkdir(exist_ok=True)
    (tmp_path / earlier).write_bytes(b"mine")
    words = ("--video", frames, "--box", box, "--side", 64, "--out", tmp_path / "pruned.onnx")
    refused = run("cd", network, *words)
    assert isinstance(refused.exception, OutputError) and earlier in str(refused.exception)
    assert (tmp_path / earlier).read_bytes() == b"mine"
    assert run("cd", network, *words, "--overwrite").exit_code == 0
    assert (tmp_path / earlier).read_bytes() != b"mine"
