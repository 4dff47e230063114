"""The input of a recipe in each step: a batch of pairs, rendered at any size it asks for."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from slimtrack.learning.augment import SEARCH, TEMPLATE, Batch, Strength, batch
from slimtrack.learning.backbones.starts import IMAGENET_MEAN, IMAGENET_STD
from slimtrack.learning.data import PairSampler, Pictures, TrainingSet
from slimtrack.learning.scenes import render

__all__ = ["FORMAT", "Feed", "Views"]

FORMAT = torch.channels_last
"""Layout of images and weights in memory."""


class Views:
    """Normalised views of a batch, rendered once for each size that is asked for.

    Args:
        pictures: The pictures of the scenes.
        drawn: The batch.
        generator: For the random numbers of the recipe.
        own: Of what is drawn once and kept, the pictures' noise too, if it is another one.
    """

    def __init__(
        self,
        pictures: Pictures,
        drawn: Batch,
        generator: torch.Generator,
        own: torch.Generator | None = None,
    ) -> None:
        self.pictures, self.batch, self.generator = pictures, drawn, generator
        self.own = own or generator
        self._done: dict[tuple[object, ...], Tensor] = {}
        self._once: dict[str, list[Tensor]] = {}

    def __len__(self) -> int:
        return len(self.batch.present)

    def template(
        self, side: int, extent: float = TEMPLATE, moved: tuple[float, float] = (0.0, 0.0)
    ) -> Tensor:
        """``(N, 3, side, side)`` of the templates.

        Args:
            side: Pixels.
            extent: Side of the window, in sides of the target.
            moved: Shift of the window away from the target, in its own sides, in x and in y.
        """
        window = _beside(self.batch.template_window, extent / TEMPLATE, moved)
        return self._view("template", side, window, extent, moved)

    def search(self, side: int, extent: float = SEARCH) -> Tensor:
        """``(N, 3, side, side)`` of the searches; the arguments are those of `template`."""
        window = _beside(self.batch.search_window, extent / SEARCH, (0.0, 0.0))
        return self._view("search", side, window, extent)

    @torch.no_grad()
    def once(self, name: str, make: Callable[[], list[Tensor]]) -> list[Tensor]:
        """What a recipe computes from these views the first time, and finds again whenever it gets them.

        The rendered pictures are let go: they are rendered again if they are asked for.

        Args:
            name: Of what is computed.
            make: Computes it, without gradients.
        """
        if name not in self._once:
            self._once[name] = make()
            self._done.clear()
        return self._once[name]

    def _view(self, which: str, side: int, window: Tensor, *place: object) -> Tensor:
        key = which, side, *place
        if key not in self._done:
            scene = getattr(self.batch, which)
            with torch.autocast(window.device.type, enabled=False):  # colours need more digits than layers
                view = _normalised(render(self.pictures, scene, window, side, self.own))
            self._done[key] = view.contiguous(memory_format=FORMAT)
        return self._done[key]


def _beside(window: Tensor, factor: float, moved: tuple[float, float]) -> Tensor:
    """Windows ``(N, 4)`` enlarged about their centres by ``factor``, then moved by shares of their sides."""
    corner, size = window[:, :2], window[:, 2:]
    share = window.new_tensor(moved)
    return torch.cat([corner - (factor - 1) / 2 * size + factor * share * size, factor * size], 1)


@cache
def _planes(values: tuple[float, ...], device: torch.device) -> Tensor:
    """One value per colour; cached, because a copy to a GPU makes it wait."""
    return torch.tensor(values, device=device).reshape(1, -1, 1, 1)


def _normalised(image: Tensor) -> Tensor:
    mean, std = _planes(IMAGENET_MEAN, image.device), _planes(IMAGENET_STD, image.device)
    return (image / 255 - mean) / std


class Feed:
    """Draws batches; its position in the stream of pairs is the state of its generator alone.

    Args:
        data: Pictures on the device that trains.
        strength: Strength of the augmentation.
        generator: A random generator on the same device.
        absent: Share of pairs whose search shows another object.
        kept: Draw that many batches, each when its turn comes first, and give these again and again, each as
            often; 0 for new ones each time. They depend on the first state of the generator alone.
    """

    def __init__(
        self,
        data: TrainingSet,
        strength: Strength,
        generator: torch.Generator,
        absent: float = 0.1,
        kept: int = 0,
    ) -> None:
        self.generator = generator
        self._data, self._strength = data, strength
        self._sampler = PairSampler(data.objects, absent=absent)
        device = generator.device
        self._seeds = torch.randint(2**31, (kept,), generator=generator, device=device).tolist()
        self._kept: dict[int, Views] = {}

    def draw(self, pairs: int) -> Views:
        """Draws the next pairs."""
        if not self._seeds:
            return self._new(pairs, self.generator)
        which = int(
            torch.randint(len(self._seeds), (), generator=self.generator, device=self.generator.device)
        )
        if which not in self._kept:
            own = torch.Generator(self.generator.device).manual_seed(self._seeds[which])
            self._kept[which] = self._new(pairs, own)
        return self._kept[which]

    def _new(self, pairs: int, generator: torch.Generator) -> Views:
        pictures, objects = self._data
        drawn = self._sampler.draw(pairs, generator)
        scenes = batch(pictures, objects, drawn, self._strength, generator)
        return Views(pictures, scenes, self.generator, generator)
