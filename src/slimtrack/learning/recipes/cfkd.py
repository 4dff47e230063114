"""`cfkd`: a small network of the ATOM family learns from a large one (paper 003, sections 3.3 to 3.5)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from slimtrack.errors import InputError, SourceError
from slimtrack.learning.checkpoint import Checkpoint
from slimtrack.learning.losses import iou
from slimtrack.learning.overlap.blocks import aligned, blocks
from slimtrack.learning.overlap.cost import cost
from slimtrack.learning.overlap.distilling import (
    BOX_BEND,
    adaptive_hard,
    correlation,
    fidelity,
    smooth,
    stacked,
    target_response,
    weighted_response,
)
from slimtrack.learning.overlap.export import export
from slimtrack.learning.overlap.geometry import EXTENT, SIDE, Geometry
from slimtrack.learning.overlap.network import Kind, OverlapNetwork
from slimtrack.learning.overlap.proposals import candidates
from slimtrack.learning.overlap.recipe import OverlapRecipe, halves, ours
from slimtrack.learning.overlap.sight import Sight, answer, average, difference
from slimtrack.learning.recipe import Contender, Group
from slimtrack.learning.schedule import PRESETS, Schedule
from slimtrack.learning.views import FORMAT, Views
from slimtrack.online.levels import Filtering, level_loss
from slimtrack.options import Range

__all__ = ["Cfkd"]

Features = Literal["cfkd", "fidelity", "wang", "liu", "none", "frozen"]
Labels = Literal["both", "soft", "true", "none"]

_TAUGHT = ("cfkd", "fidelity", "liu")
"""The backbone's losses that need a teacher."""

_BENDS: Mapping[Kind, float] = {"atom": 1.0, "drnet": BOX_BEND}
"""Where smooth L1 becomes a line: the paper's 1 for overlaps; for boxes as their teacher is trained."""

_POOL = 64
"""Number of boxes per pair for which the teacher's answers are stored; each step draws from them."""


class Cfkd(OverlapRecipe):
    """Fidelity and correlation filter loss on the backbone, soft and adaptive hard labels on the predictor.

    The teacher's answers to fixed views are computed once and kept: with the views themselves, in bfloat16,
    16 MB a batch of 32 pairs. Departs from the paper in AdamW with a cosine instead of Adam by steps, and as
    `overlap/distilling.py` says.
    """

    presets: ClassVar[Mapping[str, Schedule]] = {
        "paper": replace(PRESETS["paper"], steps=50 * 1000, pairs=32, rate=1e-2, decay=0.0),
        "cpu": replace(
            PRESETS["cpu"], minutes=60.0, pairs=32, rate=2e-3, decay=0.01, average=0.98, judged=192
        ),
        "gpu": replace(PRESETS["gpu"], pairs=128, rate=2e-3, decay=0.01),
        "smoke": replace(PRESETS["smoke"], steps=8, pairs=4, judged=8),
    }

    def __init__(  # noqa: PLR0913  # an option each
        self,
        *,
        kind: Annotated[Kind, "Kind of the teacher: atom or drnet."] = "atom",
        backbone: Annotated[str, "Backbone: mobilenetv2, resnet18-m, -s or -t."] = "mobilenetv2",
        head: Annotated[
            int, Range(8), "Channels of the predictor: 64; 128, 64, 32 for resnet18-m, -s, -t."
        ] = 64,
        features: Annotated[
            Features,
            "Losses of the backbone in addition to the predictor's: cfkd, fidelity alone, wang (paper 002), "
            "liu (2.7-2.10) or none; frozen: the backbone is not trained.",
        ] = "cfkd",
        labels: Annotated[Labels, "Labels of the predictor: both, soft, true or none."] = "both",
        fidelity: Annotated[float, Range(0), "Weight of the teacher's features (3.6)."] = 100.0,
        correlation: Annotated[float, Range(0), "Weight of the correlation filter loss (3.7)."] = 0.1,
        soft: Annotated[float, Range(0), "Weight of the teacher's answers (3.8)."] = 1.0,
        hard: Annotated[float, Range(0), "Weight of the true labels (3.10)."] = 0.1,
        margin: Annotated[
            float, "Margin by which the student must be better before true labels are left out (t in 3.10)."
        ] = 0.0,
        side: Annotated[int, Range(64, 288), "Side of both views in pixels; the target has 57.6."] = 192,
        boxes: Annotated[int, Range(1, _POOL), "Boxes per pair."] = 16,
        kept: Annotated[int, Range(0), "Number of batches that are stored and reused; 0: none."] = 256,
    ) -> None:
        self.network = OverlapNetwork(blocks(backbone), head, kind)
        self.geometry, self.name, self.kept = Geometry(side, side), f"m{kind}", kept
        self._features, self._labels, self._boxes, self._margin = features, labels, boxes, margin
        self._weights = _Weights(fidelity, correlation, soft, hard)
        self._teacher: OverlapNetwork | None = None
        self.network.backbone.requires_grad_(features != "frozen")

    def start(self, path: Path) -> None:
        """Takes ImageNet weights of the backbone; or all weights of an earlier run, its `best.pt`.

        Of a run of the other kind, whose last layer has other outputs, all but that layer.

        Raises:
            InputError: The file holds another network.
        """
        try:
            before = Checkpoint.read(path)
        except SourceError:
            self.network.backbone.start(path)
            return
        network = before.restored().recipe.network
        weights = network.state_dict()
        if isinstance(network, OverlapNetwork) and network.kind != self.network.kind:
            last = self.network.predictor.last.state_dict()
            weights |= {f"predictor.last.{name}": value for name, value in last.items()}
        try:
            self.network.load_state_dict(weights)
        except RuntimeError as error:
            raise InputError(
                f"--start {path} is of recipe {before.recipe} with {before.options or 'no options'}, whose "
                "network has other layers: choose the same backbone and head, or give ImageNet weights"
            ) from error

    @property
    def needs_start(self) -> bool:
        """With `features=frozen` the backbone does not learn."""
        return self._features == "frozen"

    def teach(self, path: Path) -> None:
        """Takes the `best.pt` of a run of `atom` or `drnet`.

        Raises:
            SourceError: It is not a checkpoint.
            InputError: It is one of another kind of network.
        """
        network = Checkpoint.read(path).restored().recipe.network
        kind = getattr(network, "kind", "network without a predictor")
        if not isinstance(network, OverlapNetwork) or kind != self.network.kind:
            raise InputError(
                f"--teacher {path} is of the kind {kind}, the student of the kind {self.network.kind}: give "
                f"the best.pt of `slimtrack train {self.network.kind}`, or choose cfkd[kind=..]"
            )
        self._teacher = network.eval().requires_grad_(False)

    def prepare(self, device: torch.device) -> None:
        """The teacher goes to the device.

        Raises:
            InputError: There is none, and the losses need one.
        """
        if self._teacher is not None:
            self._teacher = self._teacher.to(device, memory_format=FORMAT)
        elif self._features in _TAUGHT or self._labels in ("both", "soft"):
            raise InputError(
                f"cfkd[features={self._features},labels={self._labels}] learns from a teacher: use "
                "`slimtrack distill` with --teacher, or choose features=none,labels=true"
            )

    def compared(self, network: nn.Module, folder: Path) -> list[Contender]:
        """Teacher and student (paper 003, table 4.1)."""
        student = ours(network)
        rows = [] if self._teacher is None else [_row("teacher", student.kind, self._teacher, folder)]
        return [*rows, _row("student", f"m{student.kind}", student, folder)]

    def groups(self) -> list[Group]:
        """The backbone, which has its start, learns more slowly."""
        inner = list(self.network.backbone.parameters())
        known = set(inner)
        heads = [p for p in self.network.parameters() if p not in known]
        return [Group(1.0, heads)] + ([Group(0.3, inner)] if self._features != "frozen" else [])

    def grade(self, figures: Mapping[str, float]) -> float:
        """By its losses where the predictor learns nothing, otherwise by what it predicts."""
        return -figures["loss"] if self._labels == "none" else super().grade(figures)

    def maps(self, network: OverlapNetwork, views: Views) -> list[list[Tensor]]:
        """Blocks 3 and 4 of the student."""
        return [each[2:] for each in self._blocks(network, views)]

    def losses(self, network: nn.Module, views: Views) -> dict[str, Tensor]:
        """`fidelity`, `correlation`, `soft`, `hard` (equation 3.11), or what the options ask for instead.

        Of a network that is judged without its teacher, `true` alone: how far its answers are from the truth.
        """
        student = ours(network)
        template, search = self._blocks(student, views)
        sight = self.seen(template[2:], search[2:], views)
        with torch.autocast(sight.target.device.type, enabled=False):  # maps are summed and transformed
            found = self._of_features(template, search, sight, views)
        if self._labels != "none":
            found |= self._of_answers(student, sight, views)
        return found

    def _blocks(self, network: OverlapNetwork, views: Views) -> list[list[Tensor]]:
        """All four blocks of the templates, and of the searches."""
        if self._features == "frozen":
            network.backbone.eval()
        pictures = self._pictures(views)
        maps = network.backbone(torch.cat(pictures))
        halves = zip(*(each.chunk(2) for each in maps), strict=True)
        return [[aligned(each) for each in half] for half in halves]

    def _pictures(self, views: Views) -> list[Tensor]:
        pictures = views.once("pictures", lambda: halves(list(self.geometry.pictures(views))))
        halved = torch.is_autocast_enabled(pictures[0].device.type)
        return pictures if halved else [each.float() for each in pictures]

    def _of_features(
        self, template: list[Tensor], search: list[Tensor], sight: Sight, views: Views
    ) -> dict[str, Tensor]:
        """The losses of the backbone alone."""
        weights, kind = self._weights, self._features
        if kind in ("none", "frozen") or (kind in _TAUGHT and self._teacher is None):
            return {}
        if kind == "wang":
            return {"tracking": weights.correlation * self._tracking(template, search, sight)}
        goal = self._taught(views)[2:]
        if kind == "liu":
            return {
                "response": weights.fidelity * fidelity(_responses(template, search, sight.reference), goal)
            }
        own = [stacked(each) for each in (*template[2:], *search[2:])]
        found = {"fidelity": weights.fidelity * fidelity(own, goal)}
        if kind == "cfkd":
            found["correlation"] = weights.correlation * correlation(
                template, search, sight.reference, sight.target, sight.present
            )
        return found

    def _tracking(self, template: list[Tensor], search: list[Tensor], sight: Sight) -> Tensor:
        """The tracking loss of paper 002 on all blocks (equations 2.4-2.6)."""
        side = self.geometry.search
        shift = (sight.target[:, :2] + sight.target[:, 2:]) / (2 * side) - 0.5
        filtering = Filtering(extent=EXTENT * side / SIDE)
        parts = [
            level_loss([own, there], shift, sight.present, filtering)
            for own, there in zip(template, search, strict=True)
        ]
        return torch.stack(parts).sum()

    def _of_answers(self, student: OverlapNetwork, sight: Sight, views: Views) -> dict[str, Tensor]:
        """The losses of the predictor, which train the backbone as well."""
        target, weights, bend = sight.target[:, None], self._weights, _BENDS[self.network.kind]
        if self._labels == "true" or self._teacher is None:
            boxes = candidates(sight.target, self._boxes, views.generator)
            said = answer(student, sight, boxes).float()
            return {"true": average(smooth(said, self._truth(boxes, target), bend), sight.present)}
        boxes, taught = self._lesson(views)
        said = answer(student, sight, boxes).float()
        found = {"soft": weights.soft * average(smooth(said, taught, bend), sight.present)}
        if self._labels == "both":
            hard = adaptive_hard(said, taught, self._truth(boxes, target), self._margin, bend)
            found["hard"] = weights.hard * average(hard, sight.present)
        return found

    def _truth(self, boxes: Tensor, target: Tensor) -> Tensor:
        """What a network of the kind should answer: ``(N, K, outputs)``."""
        return iou(boxes, target)[..., None] if self.network.kind == "atom" else difference(boxes, target)

    def _lesson(self, views: Views) -> tuple[Tensor, Tensor]:
        """Boxes ``(N, K, 4)`` and the teacher's answers to them, drawn from those that are kept."""
        boxes, taught = self._taught(views)[:2]
        order = torch.rand(boxes.shape[:2], generator=views.generator, device=boxes.device).argsort(1)
        chosen = order[:, : self._boxes, None]
        return boxes.take_along_dim(chosen, 1), taught.take_along_dim(chosen, 1)

    def _taught(self, views: Views) -> list[Tensor]:
        """Of the teacher: boxes, its answers to them, and what the student's features shall become."""

        def make() -> list[Tensor]:
            assert self._teacher is not None
            maps = [self._teacher.backbone(each)[2:] for each in self._pictures(views)]
            sight = self.seen(maps[0], maps[1], views)
            boxes = candidates(sight.target, _POOL, views.own)
            answers = answer(self._teacher, sight, boxes).float()
            if self._features == "liu":
                return [boxes, answers, *_responses(maps[0], maps[1], sight.reference)]
            return [boxes, answers, *(stacked(each) for each in (*sight.template, *sight.search))]

        return views.once("taught", make)


class _Weights(NamedTuple):
    """The weights of equation 3.11."""

    fidelity: float
    correlation: float
    soft: float
    hard: float


def _row(label: str, tracker: str, network: OverlapNetwork, folder: Path) -> Contender:
    export(network, folder / label, name=label)
    own = cost(network)
    return Contender(
        label,
        f"{tracker}[network={folder / label}]",
        own.backbone + own.predictor,
        own.features + own.search,
    )


def _responses(template: Sequence[Tensor], search: Sequence[Tensor], reference: Tensor) -> list[Tensor]:
    """Of blocks 3 and 4, the last two given: of the target alone, and of the search weighted by it."""
    found = []
    for block, own, there in zip((2, 3), template[-2:], search[-2:], strict=True):
        found.append(target_response(own, reference, block))
        found.append(weighted_response(own, there, reference, block))
    return found
