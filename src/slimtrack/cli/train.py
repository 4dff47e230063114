"""``slimtrack train`` and ``slimtrack distill``: networks trained from annotated pictures."""

import dataclasses
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from slimtrack.cli.records import takes
from slimtrack.errors import InputError, MissingError, UnknownNameError

if TYPE_CHECKING:
    from slimtrack.learning.loop import Result
    from slimtrack.learning.recipes import Named
    from slimtrack.learning.schedule import Schedule

__all__ = ["LimitOption", "WithoutOption", "distill", "require_torch", "train"]

_INTERRUPTED = 130
"""Exit code of a run that was asked to stop, as after Ctrl-C."""

RecipeArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="The recipe: slim[design=slim-large], cf-vgg, atom, drnet, cfkd, or FILE.py:NAME of your own.",
    ),
]
DataOption: TypeAlias = Annotated[
    list[Path],
    typer.Option(
        metavar="DIR", help="Annotated pictures, in a layout listed in docs/learning.md; can be repeated."
    ),
]
OutOption: TypeAlias = Annotated[
    Path,
    typer.Option("--out", "-o", metavar="DIR", help="Folder for checkpoints, log, curves and the network."),
]
PresetOption: TypeAlias = Annotated[
    str,
    typer.Option(
        help="Length and batch size: cpu (two cores, two hours), gpu (ten minutes), paper, smoke (a minute)."
    ),
]
StartOption: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Initial weights, such as those of ImageNet.")
]
MinutesOption: TypeAlias = Annotated[
    float | None, typer.Option(min=0.01, help="Length in minutes, instead of the preset's.")
]
StepsOption: TypeAlias = Annotated[
    int | None, typer.Option(min=1, help="Length in steps; such a run is reproducible.")
]
PairsOption: TypeAlias = Annotated[int | None, typer.Option(min=1, help="Pairs per step and process.")]
RateOption: TypeAlias = Annotated[float | None, typer.Option(min=0, help="Highest learning rate.")]
SeedOption: TypeAlias = Annotated[int, typer.Option(help="Seed of all random numbers.")]
ResumeOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Continue the run in --out exactly from its last checkpoint, or start it if there is none.",
    ),
]
DevicesOption: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, help="GPUs, or processes on a CPU, per machine. Default: all GPUs."),
]
NodesOption: TypeAlias = Annotated[
    int, typer.Option("--num-nodes", min=1, help="Number of machines; start this command on each.")
]
HalfOption: TypeAlias = Annotated[
    bool,
    typer.Option("--half", help="Compute layers in bfloat16, as on a GPU: faster on a CPU that has AMX."),
]
WithoutOption: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="SOURCE", help="A source to leave out; can be repeated.")
]
SequencesOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Sequences, as for `slimtrack bench`, to track with teacher and student at the end (cfkd).",
    ),
]
LimitOption: TypeAlias = Annotated[
    int | None, typer.Option(min=1, help="Largest number of objects per split, evenly spread.")
]
MemoryOption: TypeAlias = Annotated[
    float, typer.Option(min=0.01, metavar="GIB", help="Memory for the pictures of a split.")
]
RareOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="SOURCE", help="A source to use a twentieth as often; can be repeated."),
]
TeacherOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="A larger network whose outputs are learned too: its name or place."),
]


@dataclasses.dataclass(frozen=True, slots=True)
class TrainRequest:
    """A run as the user asked for it; the help of each option says what it means."""

    recipe: RecipeArgument
    data: DataOption
    out: OutOption
    teacher: TeacherOption = None
    preset: PresetOption = "cpu"
    start: StartOption = None
    minutes: MinutesOption = None
    steps: StepsOption = None
    pairs: PairsOption = None
    rate: RateOption = None
    seed: SeedOption = 0
    resume: ResumeOption = False
    devices: DevicesOption = None
    nodes: NodesOption = 1
    half: HalfOption = False
    without: WithoutOption = None
    rare: RareOption = None
    limit: LimitOption = None
    memory: MemoryOption = 8.0
    sequences: SequencesOption = None

    @property
    def changes(self) -> dict[str, Any]:
        """What replaces the preset's values."""
        names = ("minutes", "steps", "pairs", "rate", "seed")
        changes = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if "minutes" in changes:
            changes.setdefault("steps", None)  # else the preset's own number of steps would end the run
        return changes


@takes(TrainRequest)
def train(request: TrainRequest) -> None:
    """Train a network from annotated pictures.

    Ctrl-C keeps a checkpoint, and the same command with --resume continues from there.
    A run that is killed loses a few minutes.
    On several machines, start it on each, as torchrun or a cluster does.
    """
    _run(request)


@takes(TrainRequest)
def distill(request: TrainRequest) -> None:
    """Train a network from annotated pictures and from the outputs of a larger one.

    The options are those of `slimtrack train`; here --teacher is needed.
    """
    if request.teacher is None:
        raise InputError("distill needs --teacher; `slimtrack train` learns from true boxes alone")
    _run(request)


def require_torch(purpose: str = "training", needs: tuple[str, ...] = ("torch", "lightning_fabric")) -> None:
    """Says what training needs, before anything is imported.

    Args:
        purpose: What is to be done, as the error says it.
        needs: Modules.

    Raises:
        MissingError: One is not here.
    """
    missing = [name for name in needs if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingError(
            f"{purpose} needs {' and '.join(missing)}, not installed here: `pip install 'slimtrack[torch]'`"
        )


def _run(request: TrainRequest) -> None:
    require_torch()
    from slimtrack.cli.training import bar, compare
    from slimtrack.learning import loop
    from slimtrack.learning.sources import Choice, read_sets

    named, schedule = _recipe(request)
    if request.sequences is not None:
        _check_sequences(named, request.sequences)
    begun = (request.out / loop.LAST).is_file()
    if begun and not request.resume:
        raise InputError(
            f"{request.out} holds a run already: continue it with --resume, or choose another --out"
        )
    if named.recipe.needs_start and request.start is None and not begun:
        raise InputError(
            f"the backbone of recipe {named.name} does not learn, and would keep random weights: give "
            "trained ones by --start"
        )
    fabric = loop.machine(request.devices, request.nodes, half=request.half)
    choice = Choice(request.without or (), request.rare or (), request.limit, request.memory)
    data, held_out = read_sets(request.data, choice)
    with bar(shown=fabric.is_global_zero) as watcher:
        result = loop.train(named, data, held_out, request.out, schedule, fabric, watcher)
    if fabric.is_global_zero:
        _tell(request.out, result)
        if result.whole:
            compare(named.recipe, request.out / loop.BEST, request.sequences)
    if not result.whole:
        raise typer.Exit(_INTERRUPTED)


def _check_sequences(named: "Named", sequences: Path) -> None:
    """Refuses --sequences before hours of training, not after them."""
    from slimtrack.datasets import Dataset

    if not named.recipe.compares:
        raise InputError(
            f"--sequences: recipe {named.name} ends without a table of trackers; leave it out, and after the "
            "run use `slimtrack evaluate OUT/best.pt --sequences DIR`"
        )
    Dataset.read(sequences)


def _recipe(request: TrainRequest) -> "tuple[Named, Schedule]":
    """The recipe with its start and its teacher, and its schedule with what was changed of it."""
    import torch

    from slimtrack.learning.recipes import make

    torch.manual_seed(request.seed)  # for random initial weights
    named = make(request.recipe)
    presets = named.recipe.presets
    if request.preset not in presets:
        raise UnknownNameError.of("preset", request.preset, presets)
    if request.start is not None:
        named.recipe.start(request.start)
    if request.teacher is not None:
        named.recipe.teach(request.teacher)
    return named, dataclasses.replace(presets[request.preset], **request.changes)


def _tell(out: Path, result: "Result") -> None:
    """Prints the figures of the best network and where the files are."""
    figures = ", ".join(f"{name} {value:.3f}" for name, value in result.figures.items())
    print(f"best of validation: {figures}")
    if result.whole:
        print(f"{out}: the network of step {result.steps} and the best one are there")
    else:
        print(f"stopped at step {result.steps}: the same command with --resume goes on", file=sys.stderr)
