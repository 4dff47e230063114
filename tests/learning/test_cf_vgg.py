"""The recipe `cf-vgg`: its students, its losses, what it publishes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import small_networks
from slimtrack.errors import InputError
from slimtrack.networks import zoo
from slimtrack.networks.build import Builder
from slimtrack.networks.card import Card
from slimtrack.networks.network import Network

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("onnxruntime")

from slimtrack.learning.backbones.vggm import WIDTHS, pruned, vgg_m  # noqa: E402
from slimtrack.learning.checkpoint import Checkpoint  # noqa: E402
from slimtrack.learning.data import read_training_set  # noqa: E402
from slimtrack.learning.loop import BEST, machine, train  # noqa: E402
from slimtrack.learning.recipes import Named, make  # noqa: E402
from slimtrack.learning.recipes.cf_vgg import resampled  # noqa: E402
from slimtrack.learning.schedule import Schedule  # noqa: E402
from slimtrack.learning.views import Feed, Views  # noqa: E402
from slimtrack.online.levels import Filtering, hit, level_loss  # noqa: E402
from slimtrack.online.torch_network import TorchNetwork  # noqa: E402

SMALL = "cf-vgg[ratio=96,side=107]"


@pytest.fixture(scope="module", autouse=True)
def networks() -> Iterator[None]:
    with small_networks.installed():
        yield


@pytest.fixture(scope="module")
def views(training_set: Path) -> Views:
    recipe = make("cf-vgg").recipe
    data = read_training_set(training_set, "train")
    return Feed(data, recipe.strength, torch.Generator().manual_seed(0)).draw(4)


def convolutions(network: Network) -> int:
    return sum(layer.parameters for layer in network.layers)


@pytest.mark.parametrize("ratio", WIDTHS)
def test_ratios_are_those_of_parameters(ratio: int) -> None:
    """Table III; the first layer has the image's three channels whatever the ratio."""
    assert convolutions(vgg_m(WIDTHS[1])) / convolutions(vgg_m(WIDTHS[ratio])) == pytest.approx(
        ratio, rel=0.05
    )


@pytest.mark.parametrize("lrn", [True, False])
def test_batch_norm_goes_into_the_filters(lrn: bool) -> None:
    torch.manual_seed(0)
    image = torch.randn(2, 3, 107, 107)
    student = TorchNetwork(vgg_m(WIDTHS[96], lrn=lrn)).train()
    student(60 * image)  # statistics
    with torch.no_grad():
        expected = student.eval()(image)
    folded = student.network().fold_batch_norm()
    assert not [node for node in folded.graph.nodes if node.op == "BatchNormalization"]
    for name, values in folded.run(image.numpy()).items():
        np.testing.assert_allclose(values, expected[name].numpy(), atol=1e-4, err_msg=name)


def test_it_can_be_tapped_where_trackers_tap_it() -> None:
    for lrn in (True, False):
        for name in ("norm1", "relu1", "relu3", "relu5"):
            stride = vgg_m(WIDTHS[64], lrn=lrn).tap(name).stride
            assert stride == zoo.find("cf_vggm").tap(name).stride


def test_a_start_gives_its_filters_as_far_as_they_fit() -> None:
    """Drawn at random, the next layer reads just those; colours and scale are brought to ours."""
    rng = np.random.default_rng(0)
    builder = Builder()
    filters = [rng.normal(size=shape).astype(np.float32) for shape in ((20, 3, 7, 7), (40, 20, 5, 5))]
    builder.conv("conv1", filters[0], np.arange(20, dtype=np.float32), stride=2)
    builder.conv("conv2", filters[1], stride=2)
    builder.conv("conv3", np.ones((9, 40, 1, 1), np.float32))
    start = Network(builder.graph(), builder.taps, Card("start", colors="bgr", scale=(2.0, 2.0, 2.0)))
    found = pruned(start, WIDTHS[96])
    assert list(found) == ["conv1", "conv2"]
    kept = found["conv1"][1].astype(int)
    np.testing.assert_allclose(found["conv1"][0], 2 * filters[0][kept][:, ::-1])
    rows = [np.flatnonzero((filters[1][:, kept] == row).all((1, 2, 3))) for row in found["conv2"][0]]
    assert len(np.unique(np.concatenate(rows))) == 26
    np.testing.assert_array_equal(vgg_m(WIDTHS[96], start=start).weights("conv1")[0].shape, (10, 3, 7, 7))


def test_teachers_features_are_taken_where_the_students_cells_lie() -> None:
    """Maps that say where they are: a ramp over the image."""
    teacher, student = zoo.find("resnet18").tap("layer3"), vgg_m(WIDTHS[96]).tap("relu5")

    def ramp(tap, cells: int) -> "torch.Tensor":
        return (tap.offset + tap.stride * torch.arange(cells)).expand(1, 1, cells, cells)

    like = ramp(student, 9)
    np.testing.assert_allclose(resampled(ramp(teacher, 11), teacher, like, student), like, atol=1e-3)


def test_a_level_is_judged_by_where_its_response_peaks() -> None:
    """What moved by a known share of the patch is found there and nowhere else."""
    template = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(0)) + 1
    blob = torch.zeros(2, 3, 24, 24)
    blob[:, :, 9:15, 9:15] = 5 * template[:, :, 9:15, 9:15]
    maps, there = [blob, torch.roll(blob, (3, -2), (2, 3))], torch.ones(2, dtype=torch.bool)
    right, wrong = torch.tensor([[-2.0, 3.0]] * 2) / 24, torch.tensor([[4.0, -4.0]] * 2) / 24
    settings = Filtering()
    assert hit(maps, right, settings).tolist() == [1, 1]
    assert hit(maps, wrong, settings).tolist() == [0, 0]
    losses = [float(level_loss(maps, at, there, settings)) for at in (right, wrong)]
    assert losses[0] < 0.5 < 1 < losses[1]
    assert float(level_loss(maps, right, ~there, settings)) > losses[0]
    scaled = [each / 1000 for each in maps]
    assert float(level_loss(scaled, right, there, settings)) == pytest.approx(losses[0], rel=1e-3)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("", {"fidelity", "tracking"}),
        (",beta=0", {"fidelity"}),
        (",fidelity=0,levels=1,context=2", {"tracking"}),
    ],
)
def test_losses_can_be_had_one_by_one(options: str, names: set[str], views: Views) -> None:
    """The rows of table IV."""
    recipe = make(SMALL.replace("]", f"{options}]")).recipe
    recipe.teach(Path("resnet18"))
    assert set(recipe.losses(recipe.network, views)) == names


def test_a_fourth_level_is_relu3(views: Views) -> None:
    """The tracking loss is the sum over the levels that are asked for."""
    sums: dict[int, float] = {}
    for levels in (1, 3, 4):
        torch.manual_seed(0)
        recipe = make(SMALL.replace("]", f",levels={levels}]")).recipe
        sums[levels] = recipe.losses(recipe.network, views)["tracking"].item()
        patches = recipe._patches(views)
    maps = recipe.network(torch.cat(patches))
    (left, top, right, bottom), present = views.batch.box(1).T, views.batch.present
    shift = torch.stack([(left + right) / 2, (top + bottom) / 2], 1) - 0.5
    alone = {tap: level_loss(maps[tap].chunk(2), shift, present, recipe._filtering).item() for tap in maps}
    assert sums[4] - sums[3] == pytest.approx(alone["relu3"], rel=1e-4)
    assert sums[3] - sums[1] == pytest.approx(alone["norm1"] + alone["norm2"], rel=1e-4)


def test_a_perfect_lift_costs_nothing(views: Views) -> None:
    """A teacher that is the student itself."""
    recipe = make(SMALL).recipe
    itself = recipe.network.small.network()
    recipe.network.eval()
    recipe._teacher = TorchNetwork(itself, ["relu5"]).eval()
    recipe.network.lifted_to(52)
    with torch.no_grad():
        looked = recipe.network(torch.cat(recipe._patches(views)[:2]))["relu5"]
        spread = (looked - looked.mean((0, 2, 3), keepdim=True)).square().mean().sqrt()
        recipe.network.lift.weight.copy_(torch.eye(52)[:, :, None, None] / spread)
        recipe.network.lift.bias.zero_()
        assert float(recipe.losses(recipe.network, views)["fidelity"]) < 1e-8


def test_a_run_gives_a_network_that_trackers_take(training_set: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    named: Named = make(SMALL)
    named.recipe.start(Path("resnet18"))
    named.recipe.teach(Path("cf_vggm"))
    sets = (read_training_set(training_set, split) for split in ("train", "val"))
    schedule = Schedule(steps=3, pairs=4, judged=8, every=9.0)
    train(named, *sets, tmp_path, schedule, machine(accelerator="cpu"))
    best = Checkpoint.read(tmp_path / BEST).restored()  # the lift is in it, and no teacher is needed
    assert best.recipe.network.lift.weight.shape[:2] == (24, 52)
    published = Network.load(tmp_path / "cf-vgg.onnx")
    assert "resnet18" in published.card.origin and "relu5 of cf_vggm" in published.card.origin
    assert best.recipe.tracker(best.recipe.network, tmp_path) == "feco[network=cf-vgg]"


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ratio=5 is not one of 1, 16, 32, 64, 96"):
        make("cf-vgg[ratio=5]")
    (tmp_path / "vgg.mat").touch()
    with pytest.raises(InputError, match="network import"):
        make("cf-vgg").recipe.teach(tmp_path / "vgg.mat")
