"""Networks of the ATOM family: blocks, predictor, its files, the recipes that train it."""

from pathlib import Path

import numpy as np
import pytest

from slimtrack.box import Box
from slimtrack.errors import InputError
from slimtrack.online.roi import precise_roi_pool
from slimtrack.registry import create

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
onnxruntime = pytest.importorskip("onnxruntime")

from slimtrack.learning.augment import CALM  # noqa: E402
from slimtrack.learning.data import read_training_set  # noqa: E402
from slimtrack.learning.journal import read_log  # noqa: E402
from slimtrack.learning.loop import LAST, LOG, machine, train  # noqa: E402
from slimtrack.learning.losses import iou  # noqa: E402
from slimtrack.learning.overlap.blocks import BACKBONES, blocks  # noqa: E402
from slimtrack.learning.overlap.export import export  # noqa: E402
from slimtrack.learning.overlap.geometry import EXTENT, SIDE, Geometry  # noqa: E402
from slimtrack.learning.overlap.network import OverlapNetwork, Predictor, moved  # noqa: E402
from slimtrack.learning.overlap.proposals import around, candidates  # noqa: E402
from slimtrack.learning.overlap.refine import refined  # noqa: E402
from slimtrack.learning.overlap.sight import difference  # noqa: E402
from slimtrack.learning.recipes import make  # noqa: E402
from slimtrack.learning.schedule import Schedule  # noqa: E402
from slimtrack.learning.views import Feed  # noqa: E402

SMALL = "[backbone=resnet18-t,head=16,template=64,search=96,boxes=8,kept=4]"
BOX = torch.tensor([[20.0, 30.0, 80.0, 70.0]])


def feed(folder: Path, **options: object) -> Feed:
    data = read_training_set(folder, "train")
    return Feed(data, CALM, torch.Generator().manual_seed(0), **options)


def lively(module: "torch.nn.Module") -> "torch.nn.Module":
    """Weights and statistics as of a trained network: nothing is zero or one."""
    torch.manual_seed(0)
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            spread = 1.4 / value[0].numel() ** 0.5 if value.ndim > 1 else 0.2
            value.copy_(spread * torch.randn_like(value))
            if value.ndim == 1 and name.endswith(("weight", "running_var")):
                value.abs_().add_(0.8)
    return module.eval()


@pytest.mark.parametrize("name", BACKBONES)
def test_blocks_have_the_strides_of_figure_3_5(name: str) -> None:
    backbone = blocks(name).eval()
    with torch.no_grad():
        maps = backbone(torch.zeros(1, 3, 64, 96))
    assert [each.shape for each in maps] == [
        (1, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(backbone.channels, (2, 4, 8, 16), strict=True)
    ]


def test_blocks_are_those_of_the_paper() -> None:
    assert blocks("resnet18").channels == (64, 64, 128, 256)
    assert blocks("resnet18-s").channels == (16, 16, 32, 64)
    assert blocks("resnet50").channels == (64, 256, 512, 1024)
    assert blocks("mobilenetv2").channels == (16, 24, 32, 96)
    with pytest.raises(InputError, match="backbone=vgg is not one of resnet18, "):
        blocks("vgg")


def test_the_predictor_has_the_layers_of_atom() -> None:
    """5.6 million numbers, counted by hand from the article's figure."""
    pooled = 128 * 9 * 256 + 2 * 512 * 256 + 256 * 256 * (25 + 9) + 512 + 1
    convolutions = 9 * (128 * 128 + 256 * 256 + 128 * 256 + 256 * 256 + 2 * 256 * 256)
    norms = 2 * (128 + 256 + 256 + 2 * 256 + 4 * 256 + 2 * 256)
    assert sum(p.numel() for p in Predictor((128, 256)).parameters()) == pooled + convolutions + norms


def test_drnets_numbers_lead_to_the_target() -> None:
    proposals = torch.tensor([[[10.0, 10.0, 50.0, 30.0]]])
    torch.testing.assert_close(moved(proposals, difference(proposals, BOX[:, None])), BOX[:, None])
    shifted = moved(proposals, torch.tensor([[[0.5, -0.25, 0.0, 0.0]]]))
    torch.testing.assert_close(shifted, torch.tensor([[[30.0, 5.0, 70.0, 25.0]]]))


def test_candidates_overlap_in_every_degree() -> None:
    found = candidates(BOX.expand(200, 4), 16, torch.Generator().manual_seed(0))
    overlaps = iou(found, BOX[:, None])
    assert overlaps.min() >= 0.1
    assert ((overlaps > 0.1) & (overlaps < 0.5)).float().mean() > 0.05
    assert (overlaps > 0.9).float().mean() > 0.15


def test_proposals_are_the_box_and_others_near_it() -> None:
    found = around(BOX, 500, torch.Generator().manual_seed(0))
    assert torch.equal(found[:, 0], BOX)
    middle, size = (found[..., :2] + found[..., 2:]) / 2 - BOX[:, None, :2], found[..., 2:] - found[..., :2]
    side = (60 * 40) ** 0.5
    assert (middle - torch.tensor([30.0, 20.0])).abs().amax((0, 1)).tolist() == pytest.approx(
        [side / 20] * 2, rel=0.03
    )
    assert (size - torch.tensor([60.0, 40.0])).abs().amax((0, 1)).tolist() == pytest.approx(
        [side / 4] * 2, rel=0.03
    )


def test_refinement_climbs_to_where_the_overlap_is_largest() -> None:
    """Of the true overlap, from a box that is off by a sixth."""
    start = BOX[:, None] + torch.tensor([8.0, -6.0, 10.0, -4.0])
    after = refined(lambda places: iou(places, BOX[:, None]), start, steps=60, length=0.3)
    assert iou(start, BOX[:, None]) < 0.8 < 0.95 < iou(after, BOX[:, None])


@pytest.mark.parametrize("side", [160, 224])
def test_views_show_the_target_as_large_as_tracking_does(training_set: Path, side: int) -> None:
    """57.6 pixels a side, whatever the view's own; the box is where the bright object is seen."""
    data = read_training_set(training_set, "train")
    views = Feed(
        data, CALM._replace(shift=0.0, scale=0.0, aspect=0.0), torch.Generator().manual_seed(0)
    ).draw(8)
    template, search = (
        scene._replace(plain=torch.ones(8, dtype=torch.bool))
        for scene in (views.batch.template, views.batch.search)
    )
    views.batch = views.batch._replace(template=template, search=search)
    geometry = Geometry(side, side)
    for box in (geometry.reference(views), geometry.target(views)):
        size = box[:, 2:] - box[:, :2]
        torch.testing.assert_close(size.prod(1).sqrt(), torch.full((8,), SIDE / EXTENT))
    for picture, box in zip(
        geometry.pictures(views), (geometry.reference(views), geometry.target(views)), strict=True
    ):
        assert picture.shape == (8, 3, side, side)
        for image, (left, top, right, bottom) in zip(picture, box.round().long().tolist(), strict=True):
            inside = image[1, top + 3 : bottom - 3, left + 3 : right - 3]
            assert inside.min() > image[1, top - 3].max()


def test_a_kept_feed_gives_the_same_batches_again(training_set: Path) -> None:
    """So what a recipe computes of them once is computed once; and a new feed draws the same."""
    first, second = feed(training_set, kept=2), feed(training_set, kept=2)
    seen = [first.draw(3) for _ in range(12)]
    assert len({id(views) for views in seen}) == 2
    counted: list[int] = []

    def make() -> list[torch.Tensor]:
        counted.append(1)
        return [views.search(32)]

    for views in seen:
        views.once("pictures", make)
    assert len(counted) == 2
    for views in seen:
        again = second.draw(3)
        torch.testing.assert_close(views.once("pictures", make)[0], again.search(32))


@pytest.mark.parametrize("kind", ["atom", "drnet"])
@pytest.mark.parametrize("backbone", ["resnet18-t", "mobilenetv2"])
def test_the_files_compute_what_torch_does(tmp_path: Path, kind: str, backbone: str) -> None:
    """ONNX Runtime and the head's arrays by hand, on another size than it was exported with."""
    network = lively(OverlapNetwork(blocks(backbone), 16, kind))
    export(network, tmp_path, name="small")
    reference, search = np.random.default_rng(0).uniform(0, 255, (2, 1, 3, 128, 96)).astype(np.float32)
    boxes = torch.tensor([[[8.0, 20.0, 60.0, 90.0], [30.0, 10.0, 80.0, 50.0]]])
    plain = export_input(reference), export_input(search)
    with torch.no_grad():
        seen = [network.backbone(each)[2:] for each in plain]
        modulation = network.predictor.modulation(*seen[0], boxes[:, 0])
        expected = network.predictor.answer(network.predictor.search(*seen[1]), modulation, boxes)
    assert float(expected.std()) > 1e-3
    said = by_hand(tmp_path, reference, search, boxes.numpy(), "iou" if kind == "atom" else "box")
    np.testing.assert_allclose(said, expected.numpy(), atol=0.01 * float(expected.abs().max()))


def export_input(image: np.ndarray) -> "torch.Tensor":
    mean, std = ([[[v]] for v in values] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    return (torch.from_numpy(image) / 255 - torch.tensor(mean)) / torch.tensor(std)


def by_hand(
    folder: Path, reference: np.ndarray, search: np.ndarray, boxes: np.ndarray, last: str
) -> np.ndarray:
    """The answer of the files alone, as a tracker computes it."""
    run = {
        name: onnxruntime.InferenceSession(folder / f"{name}.onnx", providers=["CPUExecutionProvider"])
        for name in ("backbone", "search", "reference")
    }
    arrays = {key: value.astype(np.float32) for key, value in np.load(folder / "head.npz").items()}

    def dense(name: str, x: np.ndarray) -> np.ndarray:
        return np.maximum(x @ arrays[f"{name}_w"].T + arrays[f"{name}_b"], 0)

    def maps(image: np.ndarray, name: str) -> list[np.ndarray]:
        blocks_ = run["backbone"].run(["block3", "block4"], {"image": image})
        return run[name].run(None, dict(zip(("block3", "block4"), blocks_, strict=True)))

    strides = np.float32([8, 16])
    pooled = [
        precise_roi_pool(each, boxes[:, :1] / stride, size)[0, 0].reshape(-1)
        for each, stride, size in zip(maps(reference, "reference"), strides, (3, 1), strict=True)
    ]
    both = np.concatenate([dense("reference3", pooled[0]), pooled[1]])
    parts = []
    for each, stride, size, block in zip(maps(search, "search"), strides, (5, 3), "34", strict=True):
        factor = dense(f"modulation{block}", both)
        bins = precise_roi_pool(each, boxes / stride, size) * factor[:, None, None]
        parts.append(dense(f"overlap{block}", bins.reshape(boxes.shape[1], -1)))
    return (np.concatenate(parts, 1) @ arrays[f"{last}_w"].T + arrays[f"{last}_b"])[None]


@pytest.mark.parametrize("name", ["atom", "drnet"])
def test_a_predictor_learns_on_a_frozen_backbone(training_set: Path, tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    named = make(name + SMALL)
    before = {key: value.clone() for key, value in named.recipe.network.backbone.state_dict().items()}
    data, held_out = (read_training_set(training_set, split) for split in ("train", "val"))
    schedule = Schedule(steps=80, pairs=8, judged=16, rate=1e-2, decay=0.0, average=0.9, every=9.0, told=1)
    result = train(named, data, held_out, tmp_path, schedule, machine(accelerator="cpu"))
    assert result.whole
    for key, value in named.recipe.network.backbone.state_dict().items():
        assert torch.equal(value, before[key]), key
    told = [sum(line["losses"].values()) for line in read_log(tmp_path / LOG) if "losses" in line]
    assert np.mean(told[-15:]) < 0.7 * np.mean(told[:5])
    assert {path.name for path in tmp_path.iterdir()} >= {LAST, "backbone.onnx", "head.npz", "card.json"}


@pytest.mark.parametrize(("spec", "tracker"), [("atom", "atom"), ("cfkd[kind=drnet", "mdrnet")])
def test_the_tracker_of_its_name_takes_the_network(tmp_path: Path, spec: str, tracker: str) -> None:
    recipe = make(f"{spec}{',' if '[' in spec else '['}backbone=resnet18-t,head=8]").recipe
    assert recipe.tracker(recipe.network, tmp_path) == tracker
    follower = create(tracker, network=str(tmp_path / tracker))
    image = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    follower.init(image, Box(60, 40, 40, 30))
    box = follower.update(image).box
    assert all(np.isfinite([box.x, box.y, box.w, box.h]))
