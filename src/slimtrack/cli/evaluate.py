"""``slimtrack evaluate``: what a trained network is worth, whatever recipe made it."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from slimtrack.cli.progress import progress
from slimtrack.cli.train import LimitOption, WithoutOption, require_torch
from slimtrack.errors import InputError

if TYPE_CHECKING:
    from slimtrack.learning.recipes import Named
    from slimtrack.learning.sources import Choice

__all__ = ["evaluate_checkpoint"]


def evaluate_checkpoint(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="best.pt or last.pt of a training run.")
    ],
    data: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Data set whose held-out pairs are used.")
    ] = None,
    sequences: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Sequences to track with it, as `slimtrack bench` does."),
    ] = None,
    pairs: Annotated[int, typer.Option(min=1, help="Number of pairs from --data.")] = 1024,
    without: WithoutOption = None,
    limit: LimitOption = None,
) -> None:
    """Evaluate a trained network on held-out pairs (--data) and by tracking (--sequences)."""
    require_torch()
    if not data and sequences is None:
        raise InputError("evaluate needs --data (held-out pictures), --sequences (clips to track), or both")
    from slimtrack.learning.checkpoint import Checkpoint
    from slimtrack.learning.sources import Choice

    named = Checkpoint.read(checkpoint).restored()
    if data:
        _judge(named, data, pairs, Choice(without or (), limit=limit))
    if sequences is not None:
        _track(named, sequences)


def _judge(named: "Named", data: list[Path], pairs: int, choice: "Choice") -> None:
    """Prints the figures of the held-out pairs."""
    from slimtrack.learning.judge import Judge
    from slimtrack.learning.sources import read_sets

    (held_out,) = read_sets(data, choice, ["val"])
    figures = Judge(named.recipe, held_out, pairs)(named.recipe.network)
    for name, value in figures.items():
        print(f"{name:12} {value:.4f}")


def _track(named: "Named", sequences: Path) -> None:
    """Prints the table of a benchmark of the tracker that runs the network."""
    from slimtrack.evaluation import Dataset, Running, evaluate, summarise
    from slimtrack.evaluation.protocols import OTB
    from slimtrack.evaluation.report.tables import accuracy_table
    from slimtrack.networks.find import add_folder

    dataset = Dataset.read(sequences)
    with tempfile.TemporaryDirectory() as folder:
        spec = named.recipe.tracker(named.recipe.network, Path(folder))
        add_folder(Path(folder))
        with progress(OTB, starts=1) as watcher:
            result = evaluate([spec], dataset, running=Running(repeats=0), watcher=watcher)
    Console().print(accuracy_table(summarise(result)))
