"""`cf-vgg`: a small network for correlation filters, trained by a teacher and a tracking loss (paper 002)."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from slimtrack.errors import InputError
from slimtrack.learning.augment import Strength
from slimtrack.learning.backbones.starts import IMAGENET_MEAN, IMAGENET_STD
from slimtrack.learning.backbones.vggm import WIDTHS, vgg_m
from slimtrack.learning.recipe import Recipe
from slimtrack.learning.schedule import PRESETS, Schedule
from slimtrack.learning.views import Views
from slimtrack.networks import zoo
from slimtrack.networks.layers import Tap
from slimtrack.networks.network import Network
from slimtrack.online.levels import Filtering, hit, level_loss
from slimtrack.online.torch_network import TorchNetwork
from slimtrack.options import Range

__all__ = ["CfVgg", "Student", "resampled"]

_LEVELS = ("relu3", "norm1", "norm2", "relu5")
"""Taps on which a tracking loss can be computed: the paper's three, and `relu3`, which `fdeepstrcf` reads."""
_BESIDE = ((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0))
"""Context patches: right, left, below, above, by a whole side of the patch."""


class Student(nn.Module):
    """A small network, and a 1x1 convolution from its last layer to as many channels as the teacher has.

    Attributes:
        small: The network.
        lift: The 1x1 convolution, discarded after training; ``None`` without a teacher.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.small = TorchNetwork(network)
        self.lift: nn.Conv2d | None = None

    def lifted_to(self, channels: int) -> None:
        """Makes the 1x1 convolution, with random weights."""
        last = list(self.small.taken.taps.values())[-1]
        self.lift = nn.Conv2d(last.channels, channels, 1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """All taps of normalised RGB."""
        taps: dict[str, Tensor] = self.small(self.small.prepared(_pixels(image)))
        return taps

    def _load_from_state_dict(self, state: Mapping[str, Tensor], prefix: str, *rest: Any) -> None:
        """Makes the 1x1 convolution for as many channels as that of the checkpoint has."""
        weight = state.get(f"{prefix}lift.weight")
        if weight is not None and (self.lift is None or len(self.lift.weight) != len(weight)):
            self.lifted_to(len(weight))
        super()._load_from_state_dict(state, prefix, *rest)


class _Looked(NamedTuple):
    """The maps of a batch, by tap: of its P kinds of patches one after the other, ``(P N, C, h, w)``."""

    taps: dict[str, Tensor]
    patches: int

    def level(self, tap: str) -> list[Tensor]:
        """One tap: template, search, context, each ``(N, C, h, w)``."""
        return list(self.taps[tap].chunk(self.patches))


class CfVgg(Recipe):
    """A network of VGG-M's shape imitates a teacher's features, with a tracking loss on three levels (eq. 4).

    A correlation filter is solved on the maps of each level; `online/levels.py` says how these are prepared.
    Departs from the paper in batch norm during training, in AdamW with a cosine schedule instead of SGD with
    an exponential one, and in dividing each level's loss by its label's energy.
    """

    network: Student
    strength: ClassVar[Strength] = Strength(
        shift=0.8, scale=0.1, aspect=0.04, jitter=0.0, patched=0.3, noise=6.0, blurred=0.2, grey=0.1
    )
    presets: ClassVar[Mapping[str, Schedule]] = {
        "paper": replace(PRESETS["paper"], steps=50 * 1000, pairs=64, rate=1e-3, decay=0.005),
        "cpu": replace(PRESETS["cpu"], pairs=16, rate=2e-3, decay=0.005, average=0.998, judged=256),
        "gpu": replace(PRESETS["gpu"], pairs=128, rate=2e-3, decay=0.005),
        "smoke": replace(PRESETS["smoke"], steps=40, pairs=6, judged=24),
    }

    def __init__(  # noqa: PLR0913  # an option each
        self,
        *,
        ratio: Annotated[
            int, "Size of VGG-M over that of the network, in parameters: 1, 16, 32, 64 or 96 (table III)."
        ] = 64,
        lrn: Annotated[bool, "Local response normalisation after the first two layers, as in VGG-M."] = True,
        batch_norm: Annotated[
            bool, "Batch norm during training; at the end it is folded into the filters."
        ] = True,
        fidelity: Annotated[
            float, Range(0), "Weight of the fidelity loss, which compares with the teacher's features."
        ] = 1.0,
        beta: Annotated[float, Range(0), "Weight of the tracking loss (equation 4)."] = 1.0,
        levels: Annotated[
            int,
            Range(1, 4),
            "Levels of the tracking loss: 1 is the last level alone, 3 are the paper's, 4 adds relu3.",
        ] = 3,
        ridge: Annotated[
            float,
            Range(1e-8),
            "Regularisation of the filter, as a share of the features' mean energy per frequency.",
        ] = 0.01,
        context: Annotated[
            int, Range(0, 4), "Context patches beside the target, with desired response 0 (equation 9)."
        ] = 0,
        suppression: Annotated[float, Range(0), "Weight of the context patches in the filter."] = 0.5,
        side: Annotated[
            int,
            Range(75, 400),
            "Side of the patches in pixels, four times the target's; 155 gives maps of 75, 18 and 9 cells.",
        ] = 155,
        tap: Annotated[str, "The teacher's layer; its last if empty."] = "",
    ) -> None:
        if ratio not in WIDTHS:
            raise InputError(f"ratio={ratio} is not one of {', '.join(map(str, WIDTHS))}")
        self._lrn, self._batch_norm, self._side = lrn, batch_norm, side
        self._ratio, self._fidelity, self._beta, self._tap = ratio, fidelity, beta, tap
        self._filtering = Filtering(ridge=ridge, suppression=suppression)
        self._context = context
        self._teacher: TorchNetwork | None = None
        self._origin = ["random start"]
        self.network = self._student()
        known = self.network.small.taken
        self._levels = [known.tap(name).name for name in _LEVELS[-levels:]]

    def _student(self, start: Network | None = None) -> Student:
        widths = WIDTHS[self._ratio]
        return Student(vgg_m(widths, lrn=self._lrn, batch_norm=self._batch_norm, start=start))

    def start(self, path: Path) -> None:
        """Begins with filters chosen at random from a network's first layers, where its kernels fit."""
        network = _named(path, "--start")
        self.network = self._student(network)
        self._origin[0] = f"filters of {_of(network)} as far as they fit, else a random start"

    def teach(self, path: Path) -> None:
        """Imitates the features of a network, given by its name or file."""
        network = _named(path, "--teacher")
        tap = network.tap(self._tap) if self._tap else list(network.taps.values())[-1]
        self._teacher = TorchNetwork(network, [tap.name]).eval().requires_grad_(False)
        self.network.lifted_to(tap.channels)
        self._origin.append(f"features {tap.name} of {_of(network)}")

    def prepare(self, device: torch.device) -> None:
        """The teacher goes to the device."""
        if self._teacher is not None:
            self._teacher = self._teacher.to(device)

    def losses(self, network: nn.Module, views: Views) -> dict[str, Tensor]:
        """`fidelity` (equation 5, a share of the teacher's variance) and `tracking` (equations 6, 8)."""
        assert isinstance(network, Student)
        patches = self._patches(views)
        looked = _looked(network, patches)
        found: dict[str, Tensor] = {}
        if self._teacher is not None and self._fidelity:
            found["fidelity"] = self._fidelity * self._unlike(network, looked, torch.cat(patches[:2]))
        if self._beta:
            shift, present = _shift(views), views.batch.present
            parts = [level_loss(looked.level(tap), shift, present, self._filtering) for tap in self._levels]
            found["tracking"] = self._beta * torch.stack(parts).sum()
        return found

    def _patches(self, views: Views) -> list[Tensor]:
        """Template, search, context."""
        extent = self._filtering.extent
        beside = [views.template(self._side, extent, moved) for moved in _BESIDE[: self._context]]
        return [views.template(self._side, extent), views.search(self._side), *beside]

    def _unlike(self, network: Student, looked: _Looked, patches: Tensor) -> Tensor:
        """Mean square difference to the teacher's features, which are scaled to variance 1 (equation 5)."""
        assert self._teacher is not None and network.lift is not None
        with torch.no_grad():
            (name, maps), *_ = self._teacher(self._teacher.prepared(_pixels(patches))).items()
            tap = list(network.small.taken.taps.values())[-1]
            goal = resampled(maps, self._teacher.taken.tap(name), looked.taps[tap.name], tap)
            spread = goal - goal.mean((0, 2, 3), keepdim=True)
            goal = goal / spread.square().mean().sqrt().clamp(min=1e-12)
        said = network.lift(looked.taps[tap.name][: len(patches)])
        return (said - goal).square().mean()

    def figures(self, network: nn.Module, views: Views) -> dict[str, Tensor]:
        """Whether each level's response peaks on the target, where that is there."""
        assert isinstance(network, Student)
        looked = _looked(network, self._patches(views)[:2])
        shift, present = _shift(views), views.batch.present
        found = {tap: hit(looked.level(tap), shift, self._filtering) for tap in self._levels}
        return {f"hit_{tap}": torch.where(present, value, torch.nan) for tap, value in found.items()}

    def publish(self, network: nn.Module, folder: Path) -> None:
        """Writes `cf-vgg.onnx`, float16."""
        assert isinstance(network, Student)
        small = network.small.cpu().network().fold_batch_norm()
        text = f"CF-VGG's shape (paper 002), trained by slimtrack's recipe cf-vgg: {'; '.join(self._origin)}"
        small.with_card(replace(small.card, origin=text)).save(folder / "cf-vgg.onnx", half=True)

    def tracker(self, network: nn.Module, folder: Path) -> str:
        """The tracker fECO, with this network."""
        self.publish(network, folder)
        return "feco[network=cf-vgg]"


def _pixels(image: Tensor) -> Tensor:
    """RGB in 0..255 from what `Views` gives."""
    mean, std = (image.new_tensor(v).reshape(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return 255 * (image * std + mean)


def _looked(network: Student, patches: list[Tensor]) -> _Looked:
    return _Looked(network(torch.cat(patches)), len(patches))


def _shift(views: Views) -> Tensor:
    """How far the target's middle is off that of the search, in sides of the patch: ``(N, 2)``."""
    left, top, right, bottom = views.batch.box(1).unbind(1)
    return torch.stack([(left + right) / 2, (top + bottom) / 2], 1) - 0.5


def resampled(maps: Tensor, of: Tap, like: Tensor, tap: Tap) -> Tensor:
    """Maps ``(N, C, ..)`` at the places of another tap's cells, bilinear: ``(N, C, h, w)`` as the other's."""
    if (of.stride, of.offset, maps.shape[-2:]) == (tap.stride, tap.offset, like.shape[-2:]):
        return maps
    axes = []
    for cells, there in zip(like.shape[-2:], maps.shape[-2:], strict=True):
        at = tap.offset + tap.stride * torch.arange(cells, device=maps.device, dtype=maps.dtype)
        axes.append((2 * (at - of.offset) / of.stride + 1) / there - 1)
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], -1).expand(len(maps), -1, -1, -1)
    return functional.grid_sample(maps, grid, padding_mode="border", align_corners=False)


def _named(path: Path, option: str) -> Network:
    """A network by its name or from a file of ours."""
    if path.suffix and path.suffix != ".onnx" and path.exists():
        raise InputError(
            f"{option} {path}: give a network's name, or a file that `slimtrack network import` made of it"
        )
    return zoo.find(str(path))


def _of(network: Network) -> str:
    card = network.card
    return f"{card.name} ({', '.join(text for text in (card.licence, card.sha256[:16]) if text)})"
