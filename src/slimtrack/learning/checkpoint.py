"""Checkpoints: a network, the recipe that made it, and what a run needs to continue exactly."""

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from slimtrack.errors import SourceError
from slimtrack.files import atomic_write
from slimtrack.learning.recipes import Named, make

__all__ = ["Checkpoint"]


@dataclass(frozen=True)
class Checkpoint:
    """A file of a run.

    Attributes:
        recipe: The recipe's name.
        options: Its options.
        weights: Running average of the network's weights.
        figures: Figures of its validation; empty before the first one.
        run: What a run needs to continue; empty in a network that is only used.
    """

    recipe: str
    options: dict[str, Any]
    weights: dict[str, Tensor]
    figures: dict[str, float] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Writes the file; an earlier one is replaced once the new one is complete."""
        with atomic_write(path, "wb") as file:
            torch.save(vars(self), file)

    @classmethod
    def read(cls, path: Path) -> "Checkpoint":
        """Reads without executing anything.

        Raises:
            SourceError: It is not a checkpoint.
        """
        try:
            return cls(**torch.load(path, map_location="cpu", weights_only=True))
        except pickle.UnpicklingError as error:  # its own text is advice for programmers
            raise SourceError(f"checkpoint {path} was not written by `slimtrack train`") from error
        except (OSError, RuntimeError, TypeError, EOFError) as error:
            reason = " ".join(str(error).split())[:200]
            raise SourceError(f"checkpoint {path} cannot be read ({reason})") from error

    def restored(self) -> Named:
        """The recipe with this network, ready for inference.

        Raises:
            SourceError: The weights are not of the recipe's network.
        """
        named = make(self.recipe, self.options)
        try:
            named.recipe.network.load_state_dict(self.weights)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise SourceError(f"the weights do not fit recipe {self.recipe!r} ({reason})") from error
        named.recipe.network.eval()
        return named
