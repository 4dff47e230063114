"""Training of a recipe's network: the optimiser, one step, and the running average of the weights."""

import copy
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from slimtrack.learning.recipe import Recipe
from slimtrack.learning.schedule import Schedule, factor
from slimtrack.learning.views import FORMAT, Views

__all__ = ["Learner"]

_CLIP = 5.0
"""Norm to which longer gradients are clipped."""


class _Step(nn.Module):
    """Computes the losses of a batch in one call, because gradients of several processes are joined there."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.network = recipe.network
        self._losses = recipe.losses

    def forward(self, views: Views) -> dict[str, Tensor]:
        return self._losses(self.network, views)


class Learner:
    """Trains one network.

    Args:
        recipe: Network and losses.
        schedule: Learning rates and the like.
        fabric: Devices and processes.

    Attributes:
        average: The running average of the network, ready for inference.
        steps: Number of steps done.
    """

    def __init__(self, recipe: Recipe, schedule: Schedule, fabric: Fabric) -> None:
        self._schedule, self._fabric = schedule, fabric
        self._network = recipe.network.to(fabric.device, memory_format=FORMAT)
        groups, self._rates = _groups(recipe, schedule)
        optimiser = torch.optim.AdamW(groups, lr=schedule.rate, fused=fabric.device.type == "cuda")
        self._step, self._wrapped = fabric.setup(_Step(recipe), optimiser)
        self._optimiser = optimiser
        self.average = copy.deepcopy(self._network).eval()
        self._followers, self._leaders = _moving(self.average), _moving(self._network)
        self.steps = 0

    def learn(self, views: Views, share: float) -> dict[str, Tensor]:
        """Does one step and returns the losses before it; ``share`` of the run is done."""
        self._set(share)
        parts: dict[str, Tensor] = self._step(views)
        self._optimiser.zero_grad(set_to_none=True)
        self._fabric.backward(torch.stack(list(parts.values())).sum())
        self._fabric.clip_gradients(self._step, self._wrapped, max_norm=_CLIP, error_if_nonfinite=False)
        self._wrapped.step()
        self.steps += 1
        self._follow(min(self._schedule.average, self.steps / (self.steps + 9)))
        return {name: value.detach() for name, value in parts.items()}

    def _set(self, share: float) -> None:
        """Sets the learning rates; late in the run, batch norms keep their statistics, as in tracking."""
        for group, rate in zip(self._optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor(share)
        self._network.train()
        for module in self._network.modules():
            if share > self._schedule.settle and isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()

    @torch.no_grad()
    def _follow(self, decay: float) -> None:
        """Moves the running average towards the network."""
        torch._foreach_lerp_(self._followers, self._leaders, 1 - decay)

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on, except the average."""
        return {
            "network": self._network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "steps": self.steps,
        }

    def restore(self, state: dict[str, Any], average: dict[str, Tensor]) -> None:
        """Restores what `state` returned."""
        self._network.load_state_dict(state["network"])
        self.average.load_state_dict(average)
        self._optimiser.load_state_dict(state["optimiser"])
        self.steps = state["steps"]


def _moving(network: nn.Module) -> list[Tensor]:
    """Weights and statistics that are averaged; counters of batches are not."""
    return [value for value in network.state_dict().values() if value.is_floating_point()]


def _groups(recipe: Recipe, schedule: Schedule) -> tuple[list[dict[str, Any]], list[float]]:
    """The optimiser's groups, vectors and numbers without decay, and the highest rate of each."""
    groups, rates = [], []
    for share, parameters in recipe.groups():
        for decay, chosen in (
            (schedule.decay, [p for p in parameters if p.ndim > 1]),
            (0.0, [p for p in parameters if p.ndim <= 1]),
        ):
            groups.append({"params": chosen, "weight_decay": decay})
            rates.append(schedule.rate * share)
    return groups, rates
