"""The base class of training recipes; those that come with slimtrack are in `recipes/`, one file each."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from slimtrack.errors import InputError
from slimtrack.learning.augment import STRONG, Strength
from slimtrack.learning.schedule import PRESETS, Schedule
from slimtrack.learning.views import Views

__all__ = ["Contender", "Group", "Recipe"]


class Group(NamedTuple):
    """Parameters that learn at the same share of the learning rate."""

    share: float
    parameters: list[nn.Parameter]


class Contender(NamedTuple):
    """A row of the table of a distillation: a network before or after it.

    Attributes:
        label: Which network it is.
        tracker: The tracker that runs it, with its options.
        numbers: Parameters.
        operations: Multiply-adds per frame.
    """

    label: str
    tracker: str
    numbers: int
    operations: int


class Recipe(ABC):
    """A network, the losses it learns from, and the figures of its validation.

    A subclass makes its network in the constructor, whose keyword-only parameters are its options
    (numbers and texts, so that a checkpoint can store them), and returns losses. All else has a default::

        class Mine(Recipe):
            def __init__(self, *, width: Annotated[int, "Channels."] = 16) -> None:
                self.network = nn.Sequential(nn.Conv2d(3, width, 3, stride=2), ..)

            def losses(self, network, views):
                return {"box": functional.l1_loss(network(views.search(64)), views.batch.box(64))}

    A recipe must draw random numbers from ``views.generator`` or torch's own generators, because only these
    are in a checkpoint.

    Attributes:
        options_of_a: What it is, in sentences about its options.
        network: What learns, parts that only training needs included. Its running average is judged and kept.
        presets: Schedules by name.
        strength: Of the augmentation.
        kept: How many batches are drawn and given again and again, so that what a recipe computes with
            `Views.once` serves often; 0: new ones each time.
    """

    options_of_a: ClassVar = "recipe"
    network: nn.Module
    presets: ClassVar[Mapping[str, Schedule]] = PRESETS
    strength: ClassVar[Strength] = STRONG
    kept: int = 0

    @abstractmethod
    def losses(self, network: nn.Module, views: Views) -> dict[str, Tensor]:
        """The weighted parts of the loss, as scalars; their sum is minimised.

        Args:
            network: `network` in its present state, or its running average.
            views: A batch of pairs.
        """

    def start(self, path: Path) -> None:
        """Loads the weights to start from.

        Raises:
            InputError: This recipe starts from random weights.
        """
        raise InputError(f"--start {path}: this recipe starts from random weights; leave it out")

    @property
    def needs_start(self) -> bool:
        """Whether a run has to begin with `start`, because a part of the network does not learn."""
        return False

    def teach(self, path: Path) -> None:
        """Loads a teacher, given by name, file or folder.

        Raises:
            InputError: This recipe learns from true boxes alone.
        """
        raise InputError(f"--teacher {path}: this recipe learns from true boxes alone; use `slimtrack train`")

    def prepare(self, device: torch.device) -> None:
        """Called before the first step: moves what does not learn, such as a teacher, to the device."""
        del device

    def groups(self) -> list[Group]:
        """The trained parameters, grouped by their share of the learning rate."""
        return [Group(1.0, list(self.network.parameters()))]

    def figures(self, network: nn.Module, views: Views) -> dict[str, Tensor]:
        """Validation figures: name -> ``(N,)``, one value per pair; nan where it does not apply."""
        del network, views
        return {}

    def summary(self, figures: dict[str, Tensor]) -> dict[str, float]:
        """One number per figure for the whole validation; by default the mean over pairs."""
        return {name: float(values.float().nanmean()) for name, values in figures.items()}

    def grade(self, figures: Mapping[str, float]) -> float:
        """The figure by which the best network is chosen (higher is better); by default minus the loss."""
        return -figures["loss"]

    def publish(self, network: nn.Module, folder: Path) -> None:
        """Writes the trained network in the form in which it is used; by default does nothing."""
        del network, folder

    @property
    def compares(self) -> bool:
        """Whether it has rows for the table at the end."""
        return type(self).compared is not Recipe.compared

    def compared(self, network: nn.Module, folder: Path) -> list[Contender]:
        """Writes teacher and student into folders and returns a row for each; by default none."""
        del network, folder
        return []

    def tracker(self, network: nn.Module, folder: Path) -> str:
        """Writes the network into a folder of networks and returns the name of the tracker that runs it.

        Raises:
            InputError: No tracker does.
        """
        del network, folder
        raise InputError("this recipe names no tracker that runs its network: leave out --sequences")
