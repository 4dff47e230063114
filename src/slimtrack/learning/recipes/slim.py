"""`slim`: a siamese tracker network learns from true boxes and, where there is one, a teacher's answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor, nn

from slimtrack.errors import InputError
from slimtrack.learning.backbones.inverted import MOBILENET_V2
from slimtrack.learning.backbones.starts import efficientnet_lite0, mobilenet_v2
from slimtrack.learning.backbones.thinning import thinned
from slimtrack.learning.export import export
from slimtrack.learning.losses import Lesson, best_boxes, iou, losses
from slimtrack.learning.recipe import Group, Recipe
from slimtrack.learning.siamese import STRIDE, Answer, Siamese, design
from slimtrack.learning.teacher import FearTeacher
from slimtrack.learning.views import FORMAT, Views
from slimtrack.networks.find import find_network
from slimtrack.options import Range
from slimtrack.registry import list_trackers

__all__ = ["Slim"]


class Slim(Recipe):
    """A small siamese network (`siamese.py`); its losses are those of `losses.py`."""

    network: Siamese

    def __init__(
        self,
        *,
        design: Annotated[str, "Which network: slim, slim-large or slim-lite."] = "slim",
        backbone: Annotated[float, Range(0), "Learning rate of the backbone as a share of the heads'."] = 0.3,
    ) -> None:
        self.design, self._backbone = design, backbone
        self.network = _network(design)
        self._teacher: FearTeacher | None = None

    def start(self, path: Path) -> None:
        """Takes the strongest channels of a backbone with ImageNet weights (`backbones/starts.py`)."""
        numbers = self.network.design
        full = (mobilenet_v2 if numbers.full == MOBILENET_V2 else efficientnet_lite0)(path)
        self.network.backbone = thinned(full, numbers.plan)

    def teach(self, path: Path) -> None:
        """Takes FEAR-XS by its name, ``fear_xs``, or its folder of `template.onnx` and `search.onnx`."""
        self._teacher = FearTeacher(path if path.is_dir() else find_network(f"{path}/template.onnx").parent)

    def prepare(self, device: torch.device) -> None:
        """The teacher goes to the device; on a GPU it computes in bfloat16."""
        if self._teacher is not None:
            number = torch.bfloat16 if device.type == "cuda" else torch.float32
            self._teacher = self._teacher.to(device, dtype=number, memory_format=FORMAT).eval()

    def groups(self) -> list[Group]:
        """The backbone, which has its start, learns more slowly."""
        inner = set(self.network.backbone.parameters())
        heads = [p for p in self.network.parameters() if p not in inner]
        return [Group(self._backbone, list(self.network.backbone.parameters())), Group(1.0, heads)]

    def losses(self, network: nn.Module, views: Views) -> dict[str, Tensor]:
        """Score, box and, with a teacher, its answers."""
        side, drawn = self.network.design.search, views.batch
        predicted = answer(network, views)
        return losses(predicted, drawn.box(side), drawn.present, self._lesson(views))

    def _lesson(self, views: Views) -> Lesson | None:
        if self._teacher is None:
            return None
        seen = self._teacher(views.pictures, views.batch, views.generator)
        return self._teacher.lesson(seen, views.batch, self.network.design.search)

    def figures(self, network: nn.Module, views: Views) -> dict[str, Tensor]:
        """Overlap of the best box where the target is there; its score; whether it is there."""
        predicted, drawn = answer(network, views), views.batch
        overlap = iou(best_boxes(predicted), drawn.box(self.network.design.search))
        return {
            "overlap": torch.where(drawn.present, overlap, torch.nan),
            "score": predicted.score.flatten(1).amax(1),
            "present": drawn.present,
        }

    def summary(self, figures: dict[str, Tensor]) -> dict[str, float]:
        """`overlap`: mean over pairs with the target; `auroc`: of the best score against absence."""
        return {
            "overlap": float(figures["overlap"].nanmean()),
            "auroc": _auroc(figures["score"], figures["present"]),
        }

    def grade(self, figures: Mapping[str, float]) -> float:
        """The overlap."""
        return figures["overlap"]

    def publish(self, network: nn.Module, folder: Path) -> None:
        """Two ONNX files (`export.py`)."""
        export(_plain(network), folder)

    def tracker(self, network: nn.Module, folder: Path) -> str:
        """The tracker of the design's name takes it from a folder of that name.

        Raises:
            InputError: There is none: the design is one that was tried.
        """
        if self.design not in list_trackers(missing=True):
            raise InputError(f"no tracker runs the design {self.design}: leave out --sequences")
        export(_plain(network), folder / self.design)
        return self.design


def _network(name: str) -> Siamese:
    return Siamese(design(name))


def _plain(network: nn.Module) -> Siamese:
    assert isinstance(network, Siamese)
    return network.cpu()


def answer(network: nn.Module, views: Views) -> Answer:
    """What a network says about a batch."""
    assert isinstance(network, Siamese)
    numbers = network.design
    mask = views.batch.mask(numbers.template // STRIDE)
    target = network.target(views.template(numbers.template), mask)
    predicted: Answer = network(views.search(numbers.search), target)
    return predicted


def _auroc(scores: Tensor, positive: Tensor) -> float:
    """Chance that a positive scores above a negative."""
    above = scores[positive][:, None] > scores[~positive][None]
    return float(above.float().mean())
