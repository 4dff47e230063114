"""What a recipe is given in each step: a batch of pairs, rendered at whatever size it asks for."""

from functools import cache

import torch
from torch import Tensor

from slimtrack.learning.augment import Batch, Strength, batch
from slimtrack.learning.backbones.starts import IMAGENET_MEAN, IMAGENET_STD
from slimtrack.learning.data import PairSampler, Pictures, TrainingSet
from slimtrack.learning.scenes import render

__all__ = ["FORMAT", "Feed", "Views"]

FORMAT = torch.channels_last
"""Layout of images and weights in memory."""


class Views:
    """Normalised views of a batch, rendered once for each size that is asked for.

    Args:
        pictures: What the batch's scenes show.
        drawn: The batch.
        generator: Of the noise, and of whatever else a recipe draws.
    """

    def __init__(self, pictures: Pictures, drawn: Batch, generator: torch.Generator) -> None:
        self.pictures, self.batch, self.generator = pictures, drawn, generator
        self._done: dict[tuple[object, ...], Tensor] = {}

    def __len__(self) -> int:
        return len(self.batch.present)

    def template(self, side: int, extent: float = 2.0, moved: tuple[float, float] = (0.0, 0.0)) -> Tensor:
        """``(N, 3, side, side)`` of the templates.

        Args:
            side: Pixels.
            extent: Side of the window in sides of the target.
            moved: By how many of its own sides the window lies beside the target, in x and in y.
        """
        window = _beside(self.batch.template_window, extent / 2, moved)
        return self._view("template", side, window, extent, moved)

    def search(self, side: int) -> Tensor:
        """``(N, 3, side, side)`` of the searches: four sides of the target."""
        return self._view("search", side, self.batch.search_window)

    def _view(self, which: str, side: int, window: Tensor, *place: object) -> Tensor:
        key = which, side, *place
        if key not in self._done:
            scene = getattr(self.batch, which)
            with torch.autocast(window.device.type, enabled=False):  # colours need more digits than layers
                view = _normalised(render(self.pictures, scene, window, side, self.generator))
            self._done[key] = view.contiguous(memory_format=FORMAT)
        return self._done[key]


def _beside(window: Tensor, factor: float, moved: tuple[float, float]) -> Tensor:
    """Windows ``(N, 4)`` about the same middle, so many times larger, moved by so many of their sides."""
    corner, size = window[:, :2], window[:, 2:]
    share = window.new_tensor(moved)
    return torch.cat([corner - (factor - 1) / 2 * size + factor * share * size, factor * size], 1)


@cache
def _planes(values: tuple[float, ...], device: torch.device) -> Tensor:
    """One value a colour; kept, because a copy to a GPU makes all wait."""
    return torch.tensor(values, device=device).reshape(1, -1, 1, 1)


def _normalised(image: Tensor) -> Tensor:
    mean, std = _planes(IMAGENET_MEAN, image.device), _planes(IMAGENET_STD, image.device)
    return (image / 255 - mean) / std


class Feed:
    """Draws batches. Its place in the stream of pairs is the state of its generator, and nothing else.

    Args:
        data: Pictures on the device that trains.
        strength: Of the augmentation.
        generator: On the same device.
        absent: Share of pairs whose search shows another object.
    """

    def __init__(
        self, data: TrainingSet, strength: Strength, generator: torch.Generator, absent: float = 0.1
    ) -> None:
        self.generator = generator
        self._data, self._strength = data, strength
        self._sampler = PairSampler(data.objects, absent=absent)

    def draw(self, pairs: int) -> Views:
        """The next so many pairs."""
        pictures, objects = self._data
        drawn = self._sampler.draw(pairs, self.generator)
        return Views(
            pictures, batch(pictures, objects, drawn, self._strength, self.generator), self.generator
        )
