"""Trains tracker networks on annotated pictures: one or several at once, on the same pairs.

Several networks in one run share the pictures, their augmentation and the teacher's answers, which cost more
than a small network does. The length of a run is a time: learning rates fall along a cosine over it.
"""

import json
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from slimtrack.files import atomic_write
from slimtrack.learning.augment import CALM, STRONG, Batch, Strength, batch, render
from slimtrack.learning.backbones.starts import IMAGENET_MEAN, IMAGENET_STD
from slimtrack.learning.data import PairSampler, Pictures, TrainingSet
from slimtrack.learning.losses import Lesson, best_boxes, iou, losses
from slimtrack.learning.siamese import STRIDE, Answer, Siamese
from slimtrack.learning.teacher import FearTeacher

__all__ = ["Judge", "Schedule", "Student", "Views", "answer", "train"]


_FORMAT = torch.channels_last
"""Layout of images and weights in memory."""


@dataclass(frozen=True)
class Schedule:
    """How a run goes.

    Attributes:
        minutes: How long it lasts, everything but the reading of pictures included.
        pairs: Pairs in a step.
        rate: Highest learning rate of the heads.
        backbone_rate: The backbone's, as a share of it.
        decay: Weight decay.
        settle: From this share of the run on, batch norms keep their statistics.
        average: Decay of the running average of the weights, a step.
        every: Minutes between validations, each of which writes the networks.
        steps: So many steps instead, whatever the time they take: such a run is the same each time.
        judged: Pairs in a validation.
        seed: Of all that is drawn.
    """

    minutes: float
    pairs: int = 256
    rate: float = 2e-3
    backbone_rate: float = 0.3
    decay: float = 0.05
    settle: float = 0.85
    average: float = 0.998
    every: float = 1.0
    steps: int | None = None
    judged: int = 1024
    seed: int = 0


@dataclass
class Student:
    """A network in training, the running average of its weights, its optimiser."""

    name: str
    network: Siamese
    average: Siamese
    optimiser: torch.optim.Optimizer
    rates: list[float]
    followers: list[Tensor]
    leaders: list[Tensor]
    parts: dict[str, Tensor] = field(default_factory=dict)

    def set(self, factor: float, *, settled: bool) -> None:
        """Sets the learning rates; settled batch norms keep their statistics, as they will in tracking."""
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        self.network.train()
        for module in self.network.modules():
            if settled and isinstance(module, nn.BatchNorm2d):
                module.eval()

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """Moves the running average towards the network."""
        torch._foreach_lerp_(self.followers, self.leaders, 1 - decay)


def _student(name: str, network: Siamese, schedule: Schedule, device: torch.device) -> Student:
    network = network.to(device, memory_format=_FORMAT)
    average = Siamese(network.design).to(device, memory_format=_FORMAT).eval()
    average.load_state_dict(network.state_dict())
    backbone = set(network.backbone.parameters())
    groups: list[dict[str, Any]] = []
    rates = []
    for share, parameters in (
        (schedule.backbone_rate, [p for p in network.parameters() if p in backbone]),
        (1.0, [p for p in network.parameters() if p not in backbone]),
    ):
        for decay, chosen in (
            (schedule.decay, [p for p in parameters if p.ndim > 1]),
            (0.0, [p for p in parameters if p.ndim <= 1]),
        ):
            groups.append({"params": chosen, "weight_decay": decay})
            rates.append(schedule.rate * share)
    optimiser = torch.optim.AdamW(groups, lr=schedule.rate, fused=device.type == "cuda")
    followers, leaders = (
        [value for value in module.state_dict().values() if value.is_floating_point()]
        for module in (average, network)
    )
    return Student(name, network, average, optimiser, rates, followers, leaders)


class Views:
    """Normalised views of a batch, rendered once for each size that is asked for.

    Args:
        pictures: What the batch's scenes show.
        drawn: The batch.
        generator: Of the noise.
    """

    def __init__(self, pictures: Pictures, drawn: Batch, generator: torch.Generator) -> None:
        self.pictures, self.batch, self.generator = pictures, drawn, generator
        self._done: dict[tuple[str, int], Tensor] = {}

    def template(self, side: int) -> Tensor:
        """``(N, 3, side, side)`` of the templates."""
        return self._view("template", side, self.batch.template_window)

    def search(self, side: int) -> Tensor:
        """``(N, 3, side, side)`` of the searches."""
        return self._view("search", side, self.batch.search_window)

    def _view(self, which: str, side: int, window: Tensor) -> Tensor:
        if (which, side) not in self._done:
            scene = getattr(self.batch, which)
            view = _normalised(render(self.pictures, scene, window, side, self.generator))
            self._done[which, side] = view.contiguous(memory_format=_FORMAT)
        return self._done[which, side]


@cache
def _planes(values: tuple[float, ...], device: torch.device) -> Tensor:
    """One value a colour; kept, because a copy to a GPU makes all wait."""
    return torch.tensor(values, device=device).reshape(1, -1, 1, 1)


def _normalised(image: Tensor) -> Tensor:
    mean, std = _planes(IMAGENET_MEAN, image.device), _planes(IMAGENET_STD, image.device)
    return (image / 255 - mean) / std


def answer(network: Siamese, views: Views) -> Answer:
    """What a network says about a batch."""
    design = network.design
    mask = views.batch.mask(design.template // STRIDE)
    target = network.target(views.template(design.template), mask)
    said: Answer = network(views.search(design.search), target)
    return said


def train(
    networks: dict[str, Siamese],
    data: TrainingSet,
    held_out: TrainingSet,
    out: Path,
    schedule: Schedule,
    *,
    teacher: FearTeacher | None = None,
    strength: Strength = STRONG,
    device: torch.device | None = None,
) -> dict[str, Siamese]:
    """Trains networks and writes them (`NAME.pt`) and a log (`log-NAMES.jsonl`) into a folder.

    Args:
        networks: By name; they start from the weights they have.
        data: What they learn from.
        held_out: What they are judged by.
        out: The folder; networks are replaced at every validation, so that a run cut short loses little.
        schedule: How long, how fast.
        teacher: A tracker whose answers are learned as well.
        strength: Of the augmentation.
        device: Where; the first GPU if there is one.

    Returns:
        The running averages, which are what was judged and written.
    """
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    began = time.monotonic()
    generator = torch.Generator(device).manual_seed(schedule.seed)
    data, held_out = data.to(device), held_out.to(device)
    students = [_student(name, network, schedule, device) for name, network in networks.items()]
    sampler = PairSampler(data.objects)
    judge = Judge(held_out, device, schedule.judged)
    if teacher is not None:
        teacher = teacher.to(device, dtype=_number(device), memory_format=_FORMAT).eval()
    step, judged = 0, began
    log = _Log(out / f"log-{'-'.join(networks)}.jsonl")
    while True:
        now = time.monotonic()
        share = (now - began) / (60 * schedule.minutes)
        if schedule.steps is not None:
            share = step / schedule.steps
        if now - judged > 60 * schedule.every or share >= 1:
            judged = now
            log.add(step=step, minutes=(now - began) / 60, **_judged(students, judge, out))
        if share >= 1:
            return {student.name: student.average for student in students}
        drawn = batch(
            data.pictures, data.objects, sampler.draw(schedule.pairs, generator), strength, generator
        )
        views = Views(data.pictures, drawn, generator)
        lessons = _lessons(teacher, views, {student.network.design.search for student in students})
        for student in students:
            student.set(_factor(share), settled=share > schedule.settle)
            _learn(student, views, lessons)
            student.follow(min(schedule.average, (step + 1) / (step + 10)))
        step += 1


def _factor(share: float) -> float:
    """A short rise, then a cosine down to a hundredth."""
    return min(share / 0.02 + 0.02, 0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)


def _lessons(teacher: FearTeacher | None, views: Views, sides: Iterable[int]) -> dict[int, Lesson]:
    """The teacher's answers in the views of every size."""
    if teacher is None:
        return {}
    with _precision(views.batch.present.device):
        seen = teacher(views.pictures, views.batch, views.generator)
    return {side: teacher.lesson(seen, views.batch, side) for side in sides}


def _number(device: torch.device) -> torch.dtype:
    """What layers compute in."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def _precision(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def _learn(student: Student, views: Views, lessons: dict[int, Lesson]) -> None:
    """One step of one network."""
    side, drawn = student.network.design.search, views.batch
    with _precision(drawn.present.device):
        said = answer(student.network, views)
    student.parts = losses(said, drawn.box(side), drawn.present, lessons.get(side))
    student.optimiser.zero_grad(set_to_none=True)
    torch.stack(list(student.parts.values())).sum().backward()
    nn.utils.clip_grad_norm_(student.network.parameters(), 5.0, foreach=True)
    student.optimiser.step()


class Judge:
    """Judges networks by pairs that stay the same: overlap of the best box, and whether absence is seen.

    Args:
        data: Pictures held out.
        device: Where.
        pairs: How many pairs.
        seed: Of their choice.
    """

    def __init__(self, data: TrainingSet, device: torch.device, pairs: int, seed: int = 1) -> None:
        generator = torch.Generator(device).manual_seed(seed)
        sampler = PairSampler(data.objects, absent=0.2)
        self._views = []
        for start in range(0, pairs, 256):
            drawn = sampler.draw(min(256, pairs - start), generator)
            scene = batch(data.pictures, data.objects, drawn, CALM, generator)
            self._views.append(Views(data.pictures, scene, generator))

    @torch.no_grad()
    def __call__(self, network: Siamese) -> dict[str, float]:
        """`overlap`: mean IoU where the target is there; `auroc` of the best score against absence."""
        overlaps, scores, present = [], [], []
        for views in self._views:
            drawn = views.batch
            with _precision(drawn.present.device):
                said = answer(network, views)
            overlaps.append(iou(best_boxes(said), drawn.box(network.design.search))[drawn.present])
            scores.append(said.score.flatten(1).amax(1))
            present.append(drawn.present)
        there = torch.cat(present)
        return {
            "overlap": float(torch.cat(overlaps).mean()),
            "auroc": _auroc(torch.cat(scores), there),
        }


def _auroc(scores: Tensor, positive: Tensor) -> float:
    """Chance that a positive scores above a negative."""
    above = scores[positive][:, None] > scores[~positive][None]
    return float(above.float().mean())


def _judged(students: list[Student], judge: Judge, out: Path) -> dict[str, dict[str, float]]:
    """Judges and writes every network."""
    found = {}
    for student in students:
        write(student.average, student.name, out / f"{student.name}.pt")
        parts = {key: float(value.detach()) for key, value in student.parts.items()}
        found[student.name] = judge(student.average) | parts
    return found


def write(network: Siamese, design: str, path: Path) -> None:
    """Writes a network's weights and the name of its design."""
    with atomic_write(path, "wb") as file:
        torch.save({"design": design, "state": network.state_dict()}, file)


class _Log:
    """One JSON object a line, and the same on standard output."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path

    def add(self, **values: Any) -> None:
        line = json.dumps(values, default=float)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(line, flush=True)
