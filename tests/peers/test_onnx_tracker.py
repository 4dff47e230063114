"""The adapters run here on small generated networks, and on the published ones where those are at hand."""

import copy
import math
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from slimtrack import Box, State, create
from slimtrack.arrays import Image
from slimtrack.datasets import Dataset
from slimtrack.errors import InputError, MissingError
from slimtrack.registry import why_missing
from slimtrack.trackers import _onnx as shared

NAMES = ("nanotrack-v1", "nanotrack-v2", "nanotrack-v3", "fear-xs", "vittrack")
LEAST = dict(zip(NAMES, (0.73, 0.74, 0.73, 0.85, 0.85), strict=True))
"""Mean overlap on the first 60 frames of a sequence, a little below what is reached."""


# ------------------------------------------------------------------------------------ crops and planes


def test_a_crop_inside_the_frame_is_the_frame() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    np.testing.assert_array_equal(shared.cut(image, Box(7, 5, 16, 16), 16, (0, 0, 0)), image[5:21, 7:23])


def test_outside_the_frame_a_crop_has_the_border_colour() -> None:
    image = np.full((10, 10, 3), 200, np.uint8)
    patch = shared.cut(image, Box(-8, -8, 16, 16), 16, (1, 2, 3))
    assert patch[:8].reshape(-1, 3).tolist() == [[1, 2, 3]] * 128
    assert patch[8:, 8:].min() == 200


def test_a_crop_keeps_the_place_of_a_fraction_of_a_pixel() -> None:
    """A ramp shifted by a known fraction and enlarged is the ramp read at that place."""
    image = np.repeat(np.arange(0, 200, 4, dtype=np.uint8)[None, :, None].repeat(50, 0), 3, axis=2)
    patch = shared.cut(image, Box(10.25, 10, 20, 20), 40, (0, 0, 0))
    places = 10.25 + (np.arange(40) + 0.5) / 2 - 0.5
    np.testing.assert_allclose(patch[20, :, 0], places * 4, atol=0.51)


def test_an_enormous_area_takes_no_enormous_memory() -> None:
    patch = shared.cut(np.zeros((10, 10, 3), np.uint8), Box(-1e6, -1e6, 2e6, 2e6), 16, (5, 5, 5))
    assert patch.shape == (16, 16, 3)


def test_planes_are_in_the_order_that_the_network_wants() -> None:
    patch = np.zeros((4, 4, 3), np.uint8)
    patch[...] = (10, 20, 30)
    assert shared.planes(patch).dtype == np.float32
    assert shared.planes(patch)[0, :, 0, 0].tolist() == [10, 20, 30]
    assert shared.planes(patch, rgb=True)[0, :, 0, 0].tolist() == [30, 20, 10]


def test_the_square_with_context() -> None:
    assert shared.with_context(20, 10) == pytest.approx(math.sqrt(35 * 25))


# --------------------------------------------------------------------------------- generated networks


def save_graph(
    path: Path, nodes: list[Any], inputs: dict[str, Any], outputs: dict[str, Any], **constants: Any
) -> None:
    onnx = pytest.importorskip("onnx")
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "tiny",
        [onnx.helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [onnx.helper.make_tensor_value_info(name, kind, shape) for name, shape in outputs.items()],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())


@pytest.fixture
def brightest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A "FEAR-XS" that finds the brightest cell and answers a box of 48 x 32 search pixels around it."""
    pytest.importorskip("onnxruntime")
    node, cell = pytest.importorskip("onnx").helper.make_node, [16, 16]
    save_graph(
        tmp_path / "fear_xs" / "template.onnx",
        [node("AveragePool", ["image"], ["features"], kernel_shape=cell, strides=cell)],
        {"image": [1, 3, 128, 128]},
        {"features": [1, 3, 8, 8]},
    )
    sides = np.array([24, 16, 24, 16], np.float32).reshape(1, 4, 1, 1) * np.ones((1, 4, 16, 16), np.float32)
    save_graph(
        tmp_path / "fear_xs" / "search.onnx",
        [
            # Cell (i, j) stands for search pixel (16 j, 16 i): the pool is centred there.
            node("AveragePool", ["image"], ["pool"], kernel_shape=cell, strides=cell, pads=[8, 8, 0, 0]),
            node("ReduceMean", ["pool"], ["mean"], axes=[1], keepdims=1),
            node("Mul", ["mean", "tenth"], ["cls"]),
            node("ReduceSum", ["template_features"], ["sum"], keepdims=1),
            node("Mul", ["sum", "nothing"], ["zero"]),
            node("Add", ["sides", "zero"], ["bbox"]),
        ],
        {"image": [1, 3, 256, 256], "template_features": [1, 3, 8, 8]},
        {"bbox": [1, 4, 16, 16], "cls": [1, 1, 16, 16]},
        sides=sides,
        tenth=np.array([0.01], np.float32),
        nothing=np.array([0], np.float32),
    )  # fmt: skip
    monkeypatch.setenv("SLIMTRACK_NETWORKS", str(tmp_path))
    return tmp_path


def bright(x: int, y: int) -> Image:
    image = np.zeros((240, 320, 3), np.uint8)
    image[y : y + 16, x : x + 16] = 255
    return image


def test_a_cell_of_the_answer_becomes_the_right_place_in_the_frame(brightest: Path) -> None:
    tracker = create("fear-xs")
    tracker.init(bright(150, 100), Box(146, 96, 24, 24))
    track = tracker.update(bright(165, 92))
    # Five times 24 are 120 frame pixels on 256 search pixels; a cell is 7.5 frame pixels.
    assert track.box.cx == pytest.approx(173, abs=4.5)
    assert track.box.cy == pytest.approx(100, abs=4.5)
    assert track.box.w == pytest.approx(48 * 120 / 256, abs=1)
    assert track.box.h == pytest.approx(32 * 120 / 256, abs=1)
    assert track.state is State.TRACKED
    assert 0.5 < track.score < 1


def test_a_network_file_that_is_none_is_refused(brightest: Path) -> None:
    (brightest / "fear_xs" / "search.onnx").write_bytes(b"not a network")
    with pytest.raises(InputError, match=r"network file .*search\.onnx cannot be loaded"):
        create("fear-xs")


def test_the_files_are_not_held_open(brightest: Path) -> None:
    tracker = create("fear-xs")
    for path in (brightest / "fear_xs").iterdir():
        path.unlink()
    tracker.init(bright(150, 100), Box(146, 96, 24, 24))
    assert tracker.update(bright(150, 100)).state is State.TRACKED


# ------------------------------------------------------------------------------------- what is missing


@pytest.mark.parametrize("name", NAMES)
def test_without_its_network_the_sentence_names_the_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("SLIMTRACK_NETWORKS", str(tmp_path))
    with pytest.raises(MissingError, match=r"network file .*\.onnx was not found"):
        create(name)


def test_without_onnx_runtime_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    reason = why_missing("nanotrack-v3")
    assert reason is not None
    assert "pip install onnxruntime" in reason


def test_an_onnx_runtime_that_does_not_load_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows without the runtime libraries that it needs: the network's file is not to blame."""
    pytest.importorskip("onnxruntime")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    with pytest.raises(MissingError, match=r"ONNX Runtime is installed but cannot be imported .*eco-hc"):
        create("slim")


def test_no_thread_at_all_is_refused(brightest: Path) -> None:
    with pytest.raises(InputError, match="threads=0"):
        create("fear-xs", threads=0)


# --------------------------------------------------------------------------------- published networks


@pytest.fixture
def published(shared: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("SLIMTRACK_NETWORKS", os.fspath(shared("weights")))


@pytest.mark.guard
@pytest.mark.parametrize(("name", "least"), list(LEAST.items()))
def test_a_published_network_follows_a_real_sequence(
    name: str, least: float, published: None, shared: Callable[[str], Path]
) -> None:
    sequence = Dataset.read(shared("sequences/otb"), names=["CarScale"]).sequences[0]
    tracker = create(name)
    tracker.init(cv2.imread(str(sequence.frames[0])), Box(*sequence.truth[0]))
    overlaps = []
    for path, row in zip(sequence.frames[1:60], sequence.truth[1:60], strict=True):
        track = tracker.update(cv2.imread(str(path)))
        overlaps.append(track.box.iou(Box(*row)))
        assert track.state is not State.LOST
    assert np.mean(overlaps) > least


def moving() -> list[Image]:
    """Noise that moves three pixels a frame."""
    return [cv2.GaussianBlur(np.roll(noise(), 3 * k, 1), (9, 9), 2) for k in range(6)]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda tracker: pickle.loads(pickle.dumps(tracker))])
@pytest.mark.parametrize("name", NAMES)
def test_a_copy_goes_on_in_the_middle_of_a_sequence(
    name: str, copied: Callable[[Any], Any], published: None
) -> None:
    frames, tracker = moving(), create(name)
    tracker.init(frames[0], Box(40, 40, 40, 50))
    tracker.update(frames[1])
    tracker.update(frames[2])
    twin = copied(tracker)
    rest = [tracker.update(frame) for frame in frames[3:]]
    assert [twin.update(frame) for frame in frames[3:]] == rest
    twin.init(frames[5], Box(100, 20, 60, 30))
    assert tracker.box == rest[-1].box
    assert (twin._networks[0] is tracker._networks[0]) == (
        copied is copy.deepcopy
    )  # a copy loads nothing again


@pytest.mark.parametrize("version", [1, 2, 3])
def test_files_with_a_fixed_input_work_as_published(
    version: int, shared: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NanoTrack's backbones are published for 255 pixels; the template has 127."""
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    folder = shared(f"weights/nanotrackv{version}")
    model = onnx.load(folder / "backbone.onnx")
    for dim, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, 255, 255), strict=True):
        dim.dim_value = size
    model.graph.output[0].type.tensor_type.ClearField("shape")
    here = tmp_path / folder.name
    here.mkdir()
    onnx.save(onnx.shape_inference.infer_shapes(model), here / "backbone.onnx")
    (here / "head.onnx").write_bytes((folder / "head.onnx").read_bytes())
    tracks = []
    for place in (tmp_path, folder.parent):
        monkeypatch.setenv("SLIMTRACK_NETWORKS", str(place))
        tracker, frames = create(f"nanotrack-v{version}"), moving()
        tracker.init(frames[0], Box(40, 40, 40, 50))
        tracks.append([tracker.update(frame) for frame in frames[1:]])
    assert tracks[0] == tracks[1]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_an_earlier_target_is_kept(name: str, published: None) -> None:
    frames = moving()[:4]
    tracker, fresh = create(name), create(name)
    tracker.init(frames[3][::-1].copy(), Box(100, 20, 60, 30))
    tracker.update(frames[2])
    for each in (tracker, fresh):
        each.init(frames[0], Box(40, 40, 40, 50))
    assert [tracker.update(f) for f in frames[1:]] == [fresh.update(f) for f in frames[1:]]


def noise() -> Image:
    return np.random.default_rng(1).integers(0, 256, (180, 240, 3), dtype=np.uint8)
