"""Backbones, thinning, starts, the siamese network and its export."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from slimtrack.errors import InputError, SourceError  # noqa: E402
from slimtrack.learning.backbones import starts  # noqa: E402
from slimtrack.learning.backbones.inverted import (  # noqa: E402
    EFFICIENTNET_LITE0,
    MOBILENET_V2,
    Block,
    Inverted,
    Plan,
)
from slimtrack.learning.backbones.thinning import thinned  # noqa: E402
from slimtrack.learning.export import export  # noqa: E402
from slimtrack.learning.losses import best_boxes, corners, giou, iou, losses  # noqa: E402
from slimtrack.learning.siamese import DESIGNS, Answer, Siamese, Target  # noqa: E402


def lively(module):
    """Weights and statistics unlike those of a fresh network, the same each time."""
    torch.manual_seed(0)
    for value in module.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) * 0.4 + 0.1)
    return module.eval()


@pytest.mark.parametrize("plan", [MOBILENET_V2, EFFICIENTNET_LITE0, *(d.plan for d in DESIGNS.values())])
def test_a_backbone_has_the_stride_and_channels_that_it_declares(plan: Plan) -> None:
    with torch.no_grad():
        assert Inverted(plan).eval()(torch.zeros(1, 3, 64, 96)).shape == (1, plan.channels, 4, 6)


def test_thinned_to_all_channels_is_the_same() -> None:
    full = lively(Inverted(MOBILENET_V2))
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(thinned(full, MOBILENET_V2).eval()(image), full(image))


def test_thinning_drops_channels_that_say_nothing() -> None:
    """Of a network whose second half of every layer is dead, the first half is the same network."""
    full = Plan(8, (Block(8, 8), Block(16, 8, 2), Block(16, 8)))
    half = Plan(4, (Block(4, 4), Block(8, 4, 2), Block(8, 4)))
    network = lively(Inverted(full))
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            dead = slice(layer.num_features // 2, None)
            for value in (layer.weight, layer.bias):
                value.data[dead] = 0
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(thinned(network, half).eval()(image), network(image)[:, :4])


def test_another_depth_is_refused() -> None:
    with pytest.raises(InputError, match="no more channels"):
        thinned(Inverted(MOBILENET_V2), EFFICIENTNET_LITE0)


def flat(key: str) -> str:
    """Today's torchvision name as it was before 0.5."""
    parts = key.split(".")
    if parts[1] == "0":
        return key
    first = parts[1] == "1"
    layers = {("0", "0"): 0, ("0", "1"): 1, ("1", "0"): 3, ("1", "1"): 4}
    place = {"1": 3, "2": 4} if first else {"2": 6, "3": 7}
    number = layers[parts[3], parts[4]] if len(parts) == 6 else place[parts[3]]
    return f"features.{parts[1]}.conv.{number}.{parts[-1]}"


@pytest.mark.parametrize("rename", [str, flat])
def test_mobilenet_starts_from_either_naming(tmp_path: Path, rename) -> None:
    made = lively(Inverted(MOBILENET_V2))
    torch.save({rename(key): value for key, value in made.state_dict().items()}, tmp_path / "m.pt")
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(starts.mobilenet_v2(tmp_path / "m.pt").eval()(image), made(image))


def test_the_stem_takes_our_input_instead_of_its_own() -> None:
    made = lively(Inverted(EFFICIENTNET_LITE0))
    pixels = torch.rand(1, 3, 32, 32) * 255
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (starts.IMAGENET_MEAN, starts.IMAGENET_STD))
    with torch.no_grad():
        theirs = made.features[0]((pixels - 127) / 128)
        ours = starts._for_our_input(made).features[0]((pixels / 255 - mean) / std)
    torch.testing.assert_close(ours[:, :, 1:-1, 1:-1], theirs[:, :, 1:-1, 1:-1], rtol=1e-4, atol=1e-4)


def test_a_file_that_is_no_start_is_refused(tmp_path: Path) -> None:
    torch.save({"features.0.0.weight": torch.zeros(1)}, tmp_path / "m.pt")
    with pytest.raises(SourceError, match=r"lack features\.0\.0\.weight"):
        starts.mobilenet_v2(tmp_path / "m.pt")
    (tmp_path / "n.pt").write_bytes(b"no")
    with pytest.raises(SourceError, match="cannot be read"):
        starts.efficientnet_lite0(tmp_path / "n.pt")


@pytest.mark.parametrize("design", ["slim", "slim-large"])
def test_onnx_says_what_torch_says(tmp_path: Path, design: str) -> None:
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    network = Siamese(DESIGNS[design]).eval()
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.8, 1.2)
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
    for value in network.state_dict().values():  # what float16 holds exactly
        if value.is_floating_point():
            value.copy_(value.half().float())
    export(network, tmp_path)
    rng = np.random.default_rng(0)
    side = network.design.template
    image, search = (rng.uniform(0, 255, (1, 3, n, n)).astype(np.float32) for n in (side, 2 * side))
    mask = rng.uniform(0, 1, (1, 1, side // 16, side // 16)).astype(np.float32)
    once, each = (runtime.InferenceSession(str(tmp_path / f"{name}.onnx")) for name in ("template", "search"))
    cells, kernel = once.run(None, {"image": image, "mask": mask})
    scores, sides, features = each.run(None, {"image": search, "cells": cells, "kernel": kernel})
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (starts.IMAGENET_MEAN, starts.IMAGENET_STD))
    with torch.no_grad():
        target = network.target((torch.tensor(image) / 255 - mean) / std, torch.tensor(mask))
        said = network((torch.tensor(search) / 255 - mean) / std, target)
    np.testing.assert_allclose(cells, target.cells, atol=5e-3)
    np.testing.assert_allclose(scores, torch.sigmoid(said.score), atol=5e-3)
    np.testing.assert_allclose(sides, said.sides, rtol=2e-2)
    np.testing.assert_allclose(features, said.features, atol=5e-3 * float(said.features.abs().max()))


# ------------------------------------------------------------------------------------------- losses


def test_overlaps_of_known_boxes() -> None:
    a, b = torch.tensor([0.0, 0, 4, 4]), torch.tensor([2.0, 0, 6, 4])
    assert iou(a, b) == pytest.approx(8 / 24)
    assert giou(a, a + 8) == pytest.approx(-(144 - 32) / 144)
    assert iou(a, a) == giou(a, a) == 1


def said(box: list[float], cells: int = 4) -> Answer:
    """An answer whose every cell says that box, the one in its middle with the highest score."""
    centres = (torch.arange(cells) + 0.5) * 16
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    sides = torch.stack([x - box[0], y - box[1], box[2] - x, box[3] - y])[None]
    scores = torch.full((1, cells, cells), -6.0)
    scores[0, 1, 2] = 6.0
    return Answer(scores, sides, scores.clone(), torch.zeros(1, 1, cells, cells))


def test_the_true_answer_costs_next_to_nothing_and_others_more() -> None:
    box = [33.0, 17, 47, 31]
    true, here = torch.tensor([box]), torch.tensor([True])
    assert corners(said(box).sides)[0, 0, 0].tolist() == box
    assert best_boxes(said(box)).tolist() == [box]
    right = losses(said(box), true, here)
    wrong = losses(said([30.0, 17, 50, 40]), true, here)
    assert sum(right.values()) < 0.02 < sum(wrong.values())
    assert wrong["giou"] > right["giou"]
    assert losses(said(box), true, ~here)["score"] > 1


def test_target_is_a_unit_vector_a_cell() -> None:
    network = Siamese(DESIGNS["slim"])
    with torch.no_grad():
        target = network.target(torch.rand(2, 3, 112, 112), torch.ones(2, 1, 7, 7))
        answer = network(torch.rand(2, 3, 224, 224), Target(*target))
    torch.testing.assert_close(target.cells.norm(dim=2), torch.ones(2, 49), rtol=0.02, atol=0.02)
    assert answer.score.shape == (2, 14, 14)
    assert (answer.sides > 0).all()
