"""The losses of paper 003 by definition and by finite differences, and the recipe that adds them up."""

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slimtrack.cli import app
from slimtrack.errors import InputError
from slimtrack.evaluation import runner

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("onnxruntime")

from slimtrack.learning import loop  # noqa: E402
from slimtrack.learning.augment import CALM  # noqa: E402
from slimtrack.learning.checkpoint import Checkpoint  # noqa: E402
from slimtrack.learning.data import read_training_set  # noqa: E402
from slimtrack.learning.journal import Watcher, read_log  # noqa: E402
from slimtrack.learning.judge import Judge  # noqa: E402
from slimtrack.learning.loop import BEST, LAST, LOG, machine, train  # noqa: E402
from slimtrack.learning.overlap import distilling  # noqa: E402
from slimtrack.learning.overlap.cost import cost  # noqa: E402
from slimtrack.learning.overlap.sight import Sight  # noqa: E402
from slimtrack.learning.recipes import Named, make  # noqa: E402
from slimtrack.learning.recipes.cfkd import Cfkd  # noqa: E402
from slimtrack.learning.schedule import Schedule  # noqa: E402
from slimtrack.learning.views import Feed  # noqa: E402

SMALL = "backbone=resnet18-t,head=8,side=64,boxes=4,kept=2"
SCHEDULE = Schedule(steps=4, pairs=4, judged=8, rate=2e-3, decay=0.0, average=0.5, every=9.0, told=1)
REFERENCE = torch.tensor([[20.0, 26.0, 76.0, 84.0], [30.0, 18.0, 70.0, 90.0]], dtype=torch.float64)
TARGET = REFERENCE + torch.tensor([8.0, -4.0, 8.0, -4.0], dtype=torch.float64)


def maps(channels: int, block: int, seed: int = 0) -> "torch.Tensor":
    """Features of two views of 96 pixels, away from zero, where the absolute value has a corner."""
    generator = torch.Generator().manual_seed(seed)
    cells = 96 // distilling.STRIDES[block]
    values = torch.randn(2, channels, cells, cells, generator=generator, dtype=torch.float64)
    return values + 0.2 * values.sign()


def check(loss, *inputs: "torch.Tensor") -> None:
    """Autograd against finite differences in float64, of which the pooling keeps every digit."""
    wanted = [each.clone().requires_grad_(True) for each in inputs]
    loss(*wanted).backward()
    generator = torch.Generator().manual_seed(1)
    for index, value in enumerate(wanted):
        direction = torch.randn(value.shape, generator=generator, dtype=torch.float64)
        step = 1e-4
        moved = [
            [each + step * sign * direction if i == index else each for i, each in enumerate(inputs)]
            for sign in (1, -1)
        ]
        slope = (float(loss(*moved[0])) - float(loss(*moved[1]))) / (2 * step)
        assert float((value.grad * direction).sum()) == pytest.approx(slope, rel=2e-3, abs=1e-6)


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than these runs."""
    monkeypatch.setattr(loop, "draw_curves", lambda log, picture: False)


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> None:
    """The losses compute in float32; finite differences need more."""
    monkeypatch.setattr(
        torch.Tensor, "float", lambda self: self if self.dtype == torch.float64 else self.to(torch.float32)
    )


def test_maps_are_stacked_whatever_their_scale_and_sign(double: None) -> None:
    """Equation 3.5, of length 1."""
    own = maps(5, 3)
    stacked = distilling.stacked(own)
    torch.testing.assert_close(stacked, distilling.stacked(-7 * own))
    by_hand = sum(own[0, c].abs() for c in range(5))
    torch.testing.assert_close(stacked[0], by_hand / by_hand.square().sum().sqrt())


def test_correlation_is_that_of_the_definition(double: None) -> None:
    search, kernel = maps(3, 3), torch.randn(2, 3, 3, 3, dtype=torch.float64)
    by_hand = torch.cat(
        [
            torch.nn.functional.conv2d(s[None], k[None], padding=1)[:, 0]
            for s, k in zip(search, kernel, strict=True)
        ]
    )
    torch.testing.assert_close(distilling.correlated(search, kernel), by_hand)


def test_correlation_is_least_where_the_target_is(double: None) -> None:
    there = torch.ones(2, dtype=torch.bool)
    right = distilling.correlation(*blobs(), REFERENCE, TARGET, there)
    wrong = distilling.correlation(*blobs(), REFERENCE, TARGET - 16, there)
    assert float(right) < 0.05 < 0.1 < float(wrong)
    assert float(distilling.correlation(*blobs(), REFERENCE, TARGET, ~there)) == 0


def blobs() -> "list[list[torch.Tensor]]":
    """Features that are one bright spot on the target, in every block: of the template and of the search."""
    found = []
    for boxes in (REFERENCE, TARGET):
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        levels = []
        for stride in distilling.STRIDES:
            at = stride * torch.arange(96 // stride, dtype=torch.float64)
            off = [((at - middles[:, axis, None]) / 10).square() for axis in (0, 1)]
            levels.append(torch.exp(-(off[1][:, :, None] + off[0][:, None, :]) / 2)[:, None])
        found.append(levels)
    return found


def test_wangs_loss_is_least_where_the_target_is() -> None:
    recipe = make("cfkd[features=wang,side=96]").recipe
    there = torch.ones(2, dtype=torch.bool)
    moved = [(0.0, 0.0), (16.0, 0.0), (-16.0, 0.0), (0.0, 16.0), (0.0, -16.0)]
    losses = [
        float(recipe._tracking(*blobs(), Sight([], [], REFERENCE, TARGET + torch.tensor([*by, *by]), there)))
        for by in moved
    ]
    assert losses[0] < 0.5 * min(losses[1:])


def test_gradients_of_fidelity(double: None) -> None:
    goal = distilling.stacked(maps(7, 3, seed=3))
    check(lambda own: distilling.fidelity([distilling.stacked(own)], [goal]), maps(4, 3))


def test_gradients_of_correlation(double: None) -> None:
    there = torch.tensor([True, True])

    def loss(*levels: "torch.Tensor") -> "torch.Tensor":
        return distilling.correlation(levels[:4], levels[4:], REFERENCE, TARGET, there)

    check(loss, *(maps(3, block, seed) for seed in (0, 1) for block in range(4)))


def test_gradients_of_lius_responses(double: None) -> None:
    goals = [distilling.target_response(maps(6, 3, 5), REFERENCE, 3)]
    goals.append(distilling.weighted_response(maps(6, 3, 5), maps(6, 3, 6), REFERENCE, 3))

    def loss(template: "torch.Tensor", search: "torch.Tensor") -> "torch.Tensor":
        own = [distilling.target_response(template, REFERENCE, 3)]
        own.append(distilling.weighted_response(template, search, REFERENCE, 3))
        return distilling.fidelity(own, goals)

    check(loss, maps(4, 3), maps(4, 3, 1))


def test_labels_are_hard_until_the_student_is_better() -> None:
    """Equations 3.8 to 3.10 by hand: better than the teacher, as good as it, worse."""
    goal = torch.tensor([[[0.5], [0.5], [0.5]]])
    said, taught = torch.tensor([[[0.6], [0.8], [2.5]]]), torch.tensor([[[0.7], [0.2], [0.5]]])
    torch.testing.assert_close(distilling.smooth(said, goal), torch.tensor([[0.005, 0.045, 1.5]]))
    hard = distilling.adaptive_hard(said, taught, goal, 0.0)
    torch.testing.assert_close(hard, torch.tensor([[0.0, 0.0, 1.5]]), atol=1e-6, rtol=0)
    hard = distilling.adaptive_hard(said, taught, goal, 0.01)
    torch.testing.assert_close(hard, torch.tensor([[0.0, 0.045, 1.5]]))


def test_losses_have_the_weights_of_the_paper(training_set: Path, teachers: Path) -> None:
    """Equation 3.11; section 4.1.1 gives 100, 0.1, 1 and 0.1."""
    found = []
    for options in ("", "fidelity=1,correlation=1,soft=1,hard=1,"):
        torch.manual_seed(0)
        recipe = make(f"cfkd[{options}{SMALL}]").recipe
        recipe.teach(teachers / "atom.pt")
        feed = Feed(read_training_set(training_set, "train"), CALM, torch.Generator().manual_seed(0))
        losses = recipe.losses(recipe.network, feed.draw(4))
        found.append({name: part.item() for name, part in losses.items()})
    weights = {"fidelity": 100, "correlation": 0.1, "soft": 1, "hard": 0.1}
    expected = {name: weights[name] * part for name, part in found[1].items()}
    assert found[0] == pytest.approx(expected, rel=1e-4)
    assert all(part > 0 for part in found[0].values())


def test_answers_of_boxes_bend_earlier() -> None:
    """Smooth L1 by its definition: a square over twice the bend, then a line."""
    goal = torch.zeros(1, 2, 4)
    said = torch.tensor([[[0.05, 0.0, 0.0, 0.0], [0.3, 0.0, 0.0, 0.0]]])
    wanted = torch.tensor([[0.0125, 0.25]])
    torch.testing.assert_close(distilling.smooth(said, goal, 0.1), wanted)
    taught = torch.tensor([[[0.0, 0.0, 0.0, 0.0], [0.2, 0.2, 0.0, 0.0]]])  # the second, 0.3, is no better
    hard = distilling.adaptive_hard(said, taught, goal, 0.0, 0.1)
    torch.testing.assert_close(hard, wanted * torch.tensor([1.0, 0.0]))


def test_a_student_starts_from_one_of_the_other_kind_but_for_the_last_layer(tmp_path: Path) -> None:
    first = make(f"cfkd[{SMALL}]")
    torch.nn.init.normal_(first.recipe.network.predictor.last.weight)
    Checkpoint(first.name, first.options, first.recipe.network.state_dict()).write(tmp_path / "first.pt")
    second = make(f"cfkd[{SMALL},kind=drnet]").recipe
    second.start(tmp_path / "first.pt")
    before, after = first.recipe.network.state_dict(), second.network.state_dict()
    assert before.keys() == after.keys()
    last = {"predictor.last.weight", "predictor.last.bias"}
    for name, value in after.items():
        assert bool(value.any()) is False if name in last else torch.equal(value, before[name])


def test_a_student_of_another_size_is_no_start(tmp_path: Path) -> None:
    first = make("cfkd[backbone=resnet18-s,head=8]")
    Checkpoint(first.name, first.options, first.recipe.network.state_dict()).write(tmp_path / "first.pt")
    with pytest.raises(
        InputError, match=r"first.pt is of recipe cfkd with .*resnet18-s.* choose the same backbone and head"
    ):
        make(f"cfkd[{SMALL}]").recipe.start(tmp_path / "first.pt")


def test_a_backbone_alone_is_judged_by_its_losses() -> None:
    """The first of two stages: its predictor has learned nothing that could be judged."""
    better, worse = {"loss": 1.0, "error": 0.3, "overlap": 0.5}, {"loss": 2.0, "error": 0.2, "overlap": 0.6}
    alone, both = (make(f"cfkd[{SMALL},labels={labels}]").recipe for labels in ("none", "both"))
    assert alone.grade(better) > alone.grade(worse)
    assert both.grade(better) < both.grade(worse)


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained ones, of both kinds."""
    folder = tmp_path_factory.mktemp("teachers")
    for kind in ("atom", "drnet"):
        named = make(f"{kind}[backbone=resnet18-t,head=16]")
        torch.nn.init.normal_(named.recipe.network.predictor.last.weight, std=0.1)
        Checkpoint(named.name, named.options, named.recipe.network.state_dict()).write(folder / f"{kind}.pt")
    return folder


def trained(named: Named, training_set: Path, out: Path) -> list[dict[str, float]]:
    data, held_out = (read_training_set(training_set, split) for split in ("train", "val"))
    assert train(named, data, held_out, out, SCHEDULE, machine(accelerator="cpu")).whole
    return [line["losses"] for line in read_log(out / LOG) if "losses" in line]


@pytest.mark.parametrize(
    ("options", "losses"),
    [
        ("", {"fidelity", "correlation", "soft", "hard"}),
        ("kind=drnet,", {"fidelity", "correlation", "soft", "hard"}),
        ("features=fidelity,", {"fidelity", "soft", "hard"}),
        ("features=none,labels=soft,", {"soft"}),
        ("features=none,labels=true,", {"true"}),
        ("features=wang,", {"tracking", "soft", "hard"}),
        ("features=liu,labels=none,", {"response"}),
    ],
)
def test_each_way_of_table_4_2_and_4_4_learns(
    training_set: Path, tmp_path: Path, teachers: Path, options: str, losses: set[str]
) -> None:
    named = make(f"cfkd[{options}{SMALL}]")
    named.recipe.teach(teachers / ("drnet.pt" if "drnet" in options else "atom.pt"))
    before = named.recipe.network.backbone.body.conv1.weight.clone()
    told = trained(named, training_set, tmp_path)
    assert all(set(parts) == losses for parts in told)
    assert not torch.equal(before, named.recipe.network.backbone.body.conv1.weight)
    assert (tmp_path / LAST).is_file()
    assert (tmp_path / "head.npz").is_file()


def test_the_second_of_two_stages_leaves_the_backbone(
    training_set: Path, tmp_path: Path, teachers: Path
) -> None:
    first = make(f"cfkd[labels=none,{SMALL}]")
    first.recipe.teach(teachers / "atom.pt")
    trained(first, training_set, tmp_path / "first")
    second = make(f"cfkd[features=frozen,{SMALL}]")
    second.recipe.start(tmp_path / "first" / BEST)
    second.recipe.teach(teachers / "atom.pt")
    before = {name: value.clone() for name, value in second.recipe.network.state_dict().items()}
    told = trained(second, training_set, tmp_path / "second")
    assert set(told[0]) == {"soft", "hard"}
    for name, value in second.recipe.network.state_dict().items():
        if name.startswith("backbone."):
            assert torch.equal(value, before[name]), name
    assert not torch.equal(before["predictor.last.weight"], second.recipe.network.predictor.last.weight)


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(
    training_set: Path, tmp_path: Path, teachers: Path
) -> None:
    """What is kept is computed anew, the same."""
    told = {}
    for name, stops in (("whole", [0]), ("parts", [3, 0])):
        for stop in stops:
            named = make(f"cfkd[{SMALL}]")
            torch.manual_seed(0)
            for value in named.recipe.network.parameters():
                torch.nn.init.normal_(value, std=0.1)
            named.recipe.teach(teachers / "atom.pt")
            sets = (read_training_set(training_set, split) for split in ("train", "val"))
            schedule = replace(SCHEDULE, steps=8)
            result = train(
                named, *sets, tmp_path / name, schedule, machine(accelerator="cpu"), Stopping(stop)
            )
            assert result.whole == (not stop)
        told[name] = [line["losses"]["soft"] for line in read_log(tmp_path / name / LOG) if "losses" in line]
    assert len(told["whole"]) == 8
    assert told["parts"] == pytest.approx(told["whole"], abs=1e-5)


def test_the_command_ends_with_a_table_of_teacher_and_student(
    training_set: Path,
    tmp_path: Path,
    teachers: Path,
    write_sequence: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "peak_memory", lambda spec, sequence, *, threads: 100.0)
    sequences = write_sequence("still", [[20, 12, 24, 24]] * 9)
    words = ["distill", f"cfkd[{SMALL}]", "--teacher", teachers / "atom.pt", "--data", training_set]
    words += ["--out", tmp_path / "out", "--preset", "smoke", "--steps", 1]
    cli = CliRunner(env={"COLUMNS": "120"})
    first = cli.invoke(app, [str(word) for word in words])
    assert first.exit_code == 0, first.output
    assert "--resume --sequences DIR" in first.output
    more = [*words, "--resume", "--sequences", sequences]
    second = cli.invoke(app, [str(word) for word in more])
    assert second.exit_code == 0, second.output
    rows = [line.split("│")[1:-1] for line in second.output.splitlines() if "│" in line]
    cells = {row[0].strip(): [float(cell.strip(" ~")) for cell in row[1:]] for row in rows}
    network = Checkpoint.read(tmp_path / "out" / BEST).restored().recipe.network
    own = cost(network)
    assert cells["student"][:2] == pytest.approx(
        [2e-6 * (own.backbone + own.predictor), 1e-9 * (own.features + own.search)], abs=0.005
    )
    assert cells["teacher"][0] > cells["student"][0]
    assert all(row[2] > 0 and row[3] > 0.5 for row in cells.values())  # fps; nothing moves


class Stopping(Watcher):
    """Asks the run to stop at a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def learned(self, share: float, step: int, losses: Mapping[str, float]) -> None:
        if step == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_teacher_of_another_kind_is_refused(teachers: Path) -> None:
    with pytest.raises(InputError, match=r"drnet.pt is of the kind drnet, the student of the kind atom"):
        make("cfkd").recipe.teach(teachers / "drnet.pt")
    recipe = make("cfkd").recipe
    assert isinstance(recipe, Cfkd)
    with pytest.raises(InputError, match="learns from a teacher"):
        recipe.prepare(torch.device("cpu"))


def test_a_student_is_judged_without_its_teacher(training_set: Path) -> None:
    """As `slimtrack evaluate` does with a `best.pt`."""
    recipe = make(f"cfkd[{SMALL}]").recipe
    figures = Judge(recipe, read_training_set(training_set, "val"), 4)(recipe.network.eval())
    assert set(figures) == {"loss", "true", "before", "error", "overlap"}
