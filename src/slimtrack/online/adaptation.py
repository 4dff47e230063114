"""A network fine-tuned to one target in its first frame (paper 002, section IV-B).

Positives are patches around the target (shifted, mirrored, blurred, with other light), negatives are patches
without it. The filter learned from the template's features should respond to positives with a Gaussian on the
target and to negatives with zero (equation 10), while features stay close to the original ones (equation 11).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from slimtrack._cv2 import cv2
from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.networks.network import Network
from slimtrack.online.levels import Filtering, level_loss
from slimtrack.online.torch_network import TorchNetwork
from slimtrack.search import extract

__all__ = ["Adaptation", "adapted"]


@dataclass(frozen=True)
class Adaptation:
    """How a network is fine-tuned.

    Attributes:
        iterations: Steps, each over all patches.
        patches: Number of positives, and of negatives.
        rate: Learning rate of Adam as a share of each layer's own weights (their root mean square): what
            suits one network suits the others.
        beta: Weight of the tracking loss relative to that of the features.
        side: Side of a patch in pixels.
        extent: Side of a patch in sides of the target.
        shift: Largest shift of a positive, in sides of the target.
        seed: Seed of the random numbers.
    """

    iterations: int = 8
    patches: int = 32
    rate: float = 0.003
    beta: float = 1.0
    side: int = 107
    extent: float = 2.5
    shift: float = 0.5
    seed: int = 0


class _Lesson(NamedTuple):
    """Patches of a frame.

    Attributes:
        images: ``(1 + N, side, side, 3)`` uint8: the template, then the search patches.
        shift: ``(N, 2)``: how far the target is off the middle, in sides of the patch.
        present: ``(N,)`` bool: whether it is there.
    """

    images: Image
    shift: Tensor
    present: Tensor


def adapted(
    network: Network, taps: Sequence[str], image: Image, box: Box, plan: Adaptation | None = None
) -> Network:
    """The network, cut to these taps and fine-tuned on the first frame; the given one is not changed.

    Departs from the paper in its levels, which are the taps that a tracker reads, in Adam instead of SGD, and
    in drawing the patches once. The features' teacher is the network as it was given.

    Args:
        network: A network that `TorchNetwork` can run.
        taps: What the tracker reads.
        image: The frame, ``(H, W, 3)`` uint8 BGR.
        box: The target.
        plan: How it is fine-tuned; the paper's numbers if ``None``.

    Raises:
        InputError: Torch cannot run the network.
    """
    plan = plan or Adaptation()
    with _one_thread(), torch.inference_mode(mode=False), torch.enable_grad():
        learning = TorchNetwork(network, taps).eval()
        lesson = _lesson(image, box, plan)
        batch = torch.from_numpy(learning.taken.prepare(lesson.images))
        with torch.no_grad():
            before = learning(batch)
        optimiser = _optimiser(learning, plan.rate)
        for _ in range(plan.iterations):
            optimiser.zero_grad()
            _loss(learning(batch), before, lesson, plan).backward()
            optimiser.step()
        return learning.network()


def _optimiser(learning: TorchNetwork, rate: float) -> torch.optim.Optimizer:
    sizes = ((each, float(each.detach().square().mean().sqrt())) for each in learning.parameters())
    return torch.optim.Adam([{"params": [each], "lr": rate * size} for each, size in sizes], lr=rate)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Limits torch to one thread, so that the result is the same on every machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _loss(maps: dict[str, Tensor], before: dict[str, Tensor], lesson: _Lesson, plan: Adaptation) -> Tensor:
    """Equation 11, without weight decay, which matters little in eight steps."""
    deepest = list(maps)[-1]
    spread = (before[deepest] - before[deepest].mean((0, 2, 3), keepdim=True)).square().mean()
    fidelity = (maps[deepest] - before[deepest]).square().mean() / spread.clamp(min=1e-12)
    filtering = Filtering(extent=plan.extent)
    tracking = [
        level_loss([each[:1], each[1:]], lesson.shift, lesson.present, filtering) for each in maps.values()
    ]
    return fidelity + plan.beta * torch.stack(tracking).sum()


def _lesson(image: Image, box: Box, plan: Adaptation) -> _Lesson:
    rng = np.random.default_rng(plan.seed)
    side = plan.extent * box.area**0.5
    images, shifts = [_cut(image, box.cx, box.cy, side, plan)], []
    for _ in range(plan.patches):
        dx, dy = rng.uniform(-plan.shift, plan.shift, 2) / plan.extent
        patch = _cut(image, box.cx - dx * side, box.cy - dy * side, side, plan)
        mirrored = rng.random() < 0.5
        images.append(_changed(patch[:, ::-1] if mirrored else patch, rng))
        shifts.append((-dx if mirrored else dx, dy))
    beside = _beside(image, box, side, plan.patches, rng)
    images += [_cut(image, x, y, side, plan) for x, y in beside]
    shifts += [(0.0, 0.0)] * len(beside)
    present = torch.arange(len(shifts)) < plan.patches
    return _Lesson(np.stack(images), torch.tensor(shifts, dtype=torch.float32), present)


def _cut(image: Image, cx: float, cy: float, side: float, plan: Adaptation) -> Image:
    return extract(image, cx, cy, side, side, (plan.side, plan.side))


def _changed(patch: Image, rng: np.random.Generator) -> Image:
    """The patch with other light, and blurred half of the time."""
    lit = np.clip(patch * rng.uniform(0.7, 1.3) + rng.uniform(-20, 20), 0, 255).astype(np.uint8)
    blur = rng.uniform(0.3, 1.5)
    return cv2.GaussianBlur(lit, (0, 0), blur) if rng.random() < 0.5 else lit


def _beside(
    image: Image, box: Box, side: float, count: int, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Centres of windows without any of the target; fewer or none where the frame has no room for them."""
    height, width = image.shape[:2]
    drawn = rng.uniform((0, 0), (width, height), (64 * count, 2))
    apart = np.abs(drawn - (box.cx, box.cy)) > (side + np.array([box.w, box.h])) / 2
    return [(float(x), float(y)) for x, y in drawn[apart.any(1)][:count]]
