"""Validation on the same pairs each time; they are drawn anew from one seed instead of being stored."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from slimtrack.learning.augment import CALM
from slimtrack.learning.data import TrainingSet
from slimtrack.learning.recipe import Recipe
from slimtrack.learning.views import Feed, Views

__all__ = ["Judge"]

_BATCH = 64
"""Pairs per batch."""
_SEED = 1
_ABSENT = 0.2
"""Share of pairs whose search shows another object."""


class Judge:
    """Validates the network of a recipe.

    Args:
        recipe: The recipe, whose losses and figures are computed.
        data: Pictures held out, on the device.
        pairs: How many pairs.
        precision: Number type in which the network computes.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: TrainingSet,
        pairs: int,
        precision: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._recipe, self._data, self._pairs, self._precision = recipe, data, pairs, precision

    @torch.no_grad()
    def __call__(self, network: nn.Module) -> dict[str, float]:
        """`loss`, its parts, and the recipe's figures. The run's random generators are left as they are."""
        device = self._data.pictures.pixels.device
        feed = Feed(self._data, CALM, torch.Generator(device).manual_seed(_SEED), _ABSENT)
        losses: dict[str, float] = defaultdict(float)
        figures: dict[str, list[Tensor]] = defaultdict(list)
        with torch.random.fork_rng(device_type=device.type if device.type != "cpu" else "cuda"):
            for start in range(0, self._pairs, _BATCH):
                views = feed.draw(min(_BATCH, self._pairs - start))
                self._look(network, views, losses, figures)
        parts = {name: value / self._pairs for name, value in losses.items()}
        summary = self._recipe.summary({name: torch.cat(values) for name, values in figures.items()})
        return {"loss": sum(parts.values())} | parts | summary

    def _look(
        self, network: nn.Module, views: Views, losses: dict[str, float], figures: dict[str, list[Tensor]]
    ) -> None:
        """Adds one batch."""
        with self._precision():
            for name, value in self._recipe.losses(network, views).items():
                losses[name] += float(value) * len(views)
            for name, values in self._recipe.figures(network, views).items():
                figures[name].append(values)
