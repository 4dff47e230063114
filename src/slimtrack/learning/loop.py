"""The training loop: one recipe, in one or several processes, resumed exactly from its checkpoint.

Everything that a step depends on is in the checkpoint: network, running average, optimiser, the random
generators of every process (which include the position in the stream of pairs) and the share of the run done.
"""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor

from slimtrack.errors import InputError, SlimtrackError
from slimtrack.learning.checkpoint import Checkpoint
from slimtrack.learning.curves import draw_curves
from slimtrack.learning.data import TrainingSet
from slimtrack.learning.journal import Journal, Watcher
from slimtrack.learning.judge import Judge
from slimtrack.learning.learner import Learner
from slimtrack.learning.recipes import Named
from slimtrack.learning.schedule import Schedule
from slimtrack.learning.stopping import Stop, listening
from slimtrack.learning.views import Feed

__all__ = ["BEST", "CURVES", "LAST", "LOG", "Result", "machine", "train"]

LAST, BEST, LOG, CURVES = "last.pt", "best.pt", "log.jsonl", "curves.png"
"""Files of a run: the checkpoint it resumes from, the best network, losses and figures, a plot of them."""


class Result(NamedTuple):
    """The result of a run.

    Attributes:
        figures: Figures of the best network so far.
        steps: Steps done.
        whole: Whether the run reached its end; if not, it was asked to stop.
    """

    figures: dict[str, float]
    steps: int
    whole: bool


def machine(
    devices: int | None = None, nodes: int = 1, accelerator: str = "auto", *, half: bool = False
) -> Fabric:
    """Starts the processes of a run, one per device; this process becomes the first of them.

    Args:
        devices: GPUs, or processes on a CPU, of each machine; ``None``: all GPUs, or one process.
        nodes: Number of machines; `torchrun` or a cluster starts the same command on each.
        accelerator: ``"cpu"``, ``"gpu"``, or whatever there is.
        half: Compute in bfloat16 on a CPU as well; on a GPU, layers always do.
    """
    gpu = accelerator != "cpu" and torch.cuda.is_available()
    count = devices or (torch.cuda.device_count() if gpu else 1)
    fabric = Fabric(
        accelerator="gpu" if gpu else "cpu", devices=count, num_nodes=nodes,
        strategy="ddp_find_unused_parameters_true" if count * nodes > 1 else "auto",
        precision="bf16-mixed" if gpu or half else "32-true",
    )  # fmt: skip
    fabric.launch()
    return fabric


def train(
    named: Named,
    data: TrainingSet,
    held_out: TrainingSet,
    out: Path,
    schedule: Schedule,
    fabric: Fabric,
    watcher: Watcher | None = None,
) -> Result:
    """Trains a recipe's network; continues the run in the folder, if there is one.

    Args:
        named: The recipe.
        data: Training pictures.
        held_out: Validation pictures.
        out: The folder: `last.pt`, `best.pt`, `log.jsonl`, `curves.png`, and what the recipe publishes.
        schedule: Length of the run, learning rates and the like.
        fabric: From `machine`.
        watcher: Progress callbacks.

    Raises:
        InputError: The folder holds a run of another recipe.
        SlimtrackError: A loss became infinite or not a number.
    """
    data, held_out = data.to(fabric.device), held_out.to(fabric.device)
    named.recipe.prepare(fabric.device)
    judge = Judge(named.recipe, held_out, schedule.judged, fabric.autocast)
    run = _Run(named, data, judge, out, schedule, fabric)
    with listening() as stop:
        return run.go(watcher or Watcher(), stop)


@dataclass(frozen=True)
class _Plan:
    """What comes next; the first process decides for all."""

    share: float
    keep: bool
    judge: bool
    stop: bool


class _Run:
    """A run of `train`."""

    def __init__(
        self, named: Named, data: TrainingSet, judge: Judge, out: Path, schedule: Schedule, fabric: Fabric
    ) -> None:
        self._named, self._judge, self._out, self._schedule = named, judge, out, schedule
        self._fabric = fabric
        seed = schedule.seed + 1_000_003 * fabric.global_rank
        torch.manual_seed(seed)
        generator = torch.Generator(fabric.device).manual_seed(seed)
        self._feed = Feed(data, named.recipe.strength, generator, kept=named.recipe.kept)
        self._learner = Learner(named.recipe, schedule, fabric)
        self._clock = _Clock(schedule)
        self._best: dict[str, float] = {}
        self._losses: dict[str, Tensor] = {}
        if (out / LAST).is_file():
            self._resume(Checkpoint.read(out / LAST))

    def go(self, watcher: Watcher, stop: Stop) -> Result:
        """Steps until the end, or until it is asked to stop."""
        first = self._fabric.is_global_zero
        if first:
            watcher = Journal(self._out / LOG, watcher, self._learner.steps)
            for half in self._out.glob(f".{LAST}.*.part"):  # a run was killed while writing
                half.unlink(missing_ok=True)
        while True:
            plan = self._fabric.broadcast(self._clock.plan(self._learner.steps, stop))
            if plan.keep:
                self._keep()
            if plan.judge and first:
                self._look(watcher)
            if plan.stop or plan.share >= 1:
                break
            self._step(plan.share, watcher)
        if first and not plan.stop:
            self._publish()
        return Result(self._best, self._learner.steps, not plan.stop)

    def _step(self, share: float, watcher: Watcher) -> None:
        self._losses = self._learner.learn(self._feed.draw(self._schedule.pairs), share)
        step = self._learner.steps
        if step % self._schedule.told == 0:
            watcher.learned(share, step, _numbers(self._losses, step))

    def _look(self, watcher: Watcher) -> None:
        """Validates the running average, and writes it if it is the best so far."""
        figures = self._judge(self._learner.average)
        grade = self._named.recipe.grade
        if not self._best or grade(figures) > grade(self._best):
            self._best = figures
            self._checkpoint(figures, {}).write(self._out / BEST)
        watcher.judged(figures, self._best)
        draw_curves(self._out / LOG, self._out / CURVES)

    def _keep(self) -> None:
        """Writes the checkpoint, with the random generators of every process."""
        _numbers(self._losses, self._learner.steps)
        states = self._fabric.all_gather(self._generators())
        if not self._fabric.is_global_zero:
            return
        run = self._learner.state() | {
            "minutes": self._clock.minutes,
            "generators": {
                name: list(value.reshape(-1, value.shape[-1]).cpu()) for name, value in states.items()
            },
        }
        self._checkpoint({}, run).write(self._out / LAST)

    def _checkpoint(self, figures: dict[str, float], run: dict[str, Any]) -> Checkpoint:
        weights = self._learner.average.state_dict()
        return Checkpoint(self._named.name, self._named.options, weights, figures, run)

    def _generators(self) -> dict[str, Tensor]:
        """States of this process's generators."""
        device = self._fabric.device
        states = {"pairs": self._feed.generator.get_state(), "torch": torch.get_rng_state()}
        if device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(device)
        return {name: state.to(device) for name, state in states.items()}

    def _resume(self, found: Checkpoint) -> None:
        if (found.recipe, found.options) != (self._named.name, self._named.options):
            raise InputError(
                f"{self._out / LAST} is of recipe {found.recipe} with {found.options or 'no options'}: "
                "continue that run, or choose another --out"
            )
        self._learner.restore(found.run, found.weights)
        self._clock.earlier = found.run["minutes"]
        if (self._out / BEST).is_file():
            self._best = Checkpoint.read(self._out / BEST).figures
        self._set_generators(found.run["generators"])

    def _set_generators(self, states: dict[str, list[Tensor]]) -> None:
        """Restores this process's generators; a process that is new starts from its own seed."""
        rank, device = self._fabric.global_rank, self._fabric.device
        if rank >= len(states["pairs"]) or (device.type == "cuda") != ("cuda" in states):
            return
        self._feed.generator.set_state(states["pairs"][rank])
        torch.set_rng_state(states["torch"][rank])
        if "cuda" in states:
            torch.cuda.set_rng_state(states["cuda"][rank], device)

    def _publish(self) -> None:
        """Lets the recipe write the best network in the form in which it is used."""
        best = Checkpoint.read(self._out / BEST)
        self._named.recipe.publish(best.restored().recipe.network, self._out)


class _Clock:
    """Decides when to validate, to write a checkpoint and to end.

    Attributes:
        earlier: Minutes of the run before it was stopped.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.earlier = 0.0
        self._schedule = schedule
        self._began = self._judged = self._kept = time.monotonic()
        self._steps: int | None = None

    @property
    def minutes(self) -> float:
        """Minutes of the run so far."""
        return self.earlier + (time.monotonic() - self._began) / 60

    def plan(self, steps: int, stop: Stop) -> _Plan:
        """What comes next."""
        now, schedule = time.monotonic(), self._schedule
        share = self.minutes / schedule.minutes if schedule.steps is None else steps / schedule.steps
        ends, begins = share >= 1, self._steps is None and steps == 0
        self._steps = steps
        judge = begins or ends or now - self._judged >= 60 * schedule.every
        keep = begins or ends or stop.asked or now - self._kept >= 60 * schedule.keep
        self._judged = now if judge else self._judged
        self._kept = now if keep else self._kept
        return _Plan(share, keep, judge and not (stop.asked and not ends), stop.asked and not ends)


def _numbers(losses: dict[str, Tensor], step: int) -> dict[str, float]:
    """The losses for the log.

    Raises:
        SlimtrackError: One is infinite or not a number.
    """
    values = {name: float(value) for name, value in losses.items()}
    for name, value in values.items():
        if not math.isfinite(value):
            raise SlimtrackError(
                f"the loss {name!r} is {value} at step {step}: lower the learning rate (--rate); {LAST} was "
                "written before that"
            )
    return values
