"""The interface of compression methods: look at frames, choose, return a smaller network."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, TypeAlias, TypeVar

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.compression.channels import Indices
from slimtrack.compression.view import PlacedFeature
from slimtrack.networks.network import Network
from slimtrack.options import CheckedOptions

__all__ = ["Compressed", "Method", "Progress", "silent"]

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with the next step's name, the number of finished steps and the total."""

_Whole = TypeVar("_Whole", bound=PlacedFeature)


def silent(what: str, done: int, steps: int) -> None:
    """A progress callback that does nothing."""


@dataclass(frozen=True, slots=True)
class Compressed:
    """A network pruned for one target.

    Attributes:
        network: The smaller network.
        feature: Its maps, which replace those of the whole network.
        kept: Layer or tap -> the kept channels, as indices in the whole network.
    """

    network: Network
    feature: PlacedFeature
    kept: Mapping[str, Indices]

    def lines(self, whole: Network) -> list[tuple[str, int, int]]:
        """Lines of a table: name, number before, number after."""
        old = {layer.name: layer.out_channels for layer in whole.layers}
        new = {layer.name: layer.out_channels for layer in self.network.layers}
        return [(f"channels of {name}", old.get(name, 0), new.get(name, 0)) for name in old | new]


class Method(ABC, Generic[_Whole], metaclass=CheckedOptions):
    """A method that prunes a network for one target; one file each.

    Options are the constructor's keyword-only parameters, annotated as those of trackers. A method holds no
    target: `compress` gets everything it needs, so one object can be used for many targets.
    """

    options_of_a: ClassVar[str] = "compression method"
    name: ClassVar[str]
    """Its name on the command line."""
    frames: ClassVar[int] = 1
    """Number of frames in which it has to see the target."""

    @abstractmethod
    def features(self, network: Network) -> _Whole:
        """The maps of the whole network on which it works.

        Raises:
            UnknownNameError: The network has no such tap.
        """

    @abstractmethod
    def compress(
        self, whole: _Whole, patches: Sequence[Image], target: Box, progress: Progress = silent
    ) -> Compressed:
        """Prunes a network for the target in some frames.

        Args:
            whole: The result of `features`.
            patches: ``(H, W, 3)`` uint8 BGR: the target with its surroundings in each of `frames` frames.
            target: The target in the patches' pixels.
            progress: Progress callback.

        Raises:
            InputError: Nothing would be left, or a patch is too small.
        """

    def record(self, found: Compressed, whole: _Whole, patches: Sequence[Image], out: Path) -> list[Path]:
        """Writes further results beside the network; by default none.

        Args:
            found: The result of `compress`.
            whole: The argument of `compress`.
            patches: The argument of `compress`.
            out: The network's file.

        Returns:
            The files written.

        Raises:
            OutputError: A file cannot be written.
        """
        return []

    def draw(self, found: Compressed, whole: _Whole, patches: Sequence[Image], folder: Path) -> list[Path]:
        """Draws pictures into a folder, with matplotlib; by default none.

        Args:
            found: The result of `compress`.
            whole: The argument of `compress`.
            patches: The argument of `compress`.
            folder: The folder.

        Returns:
            The files written.

        Raises:
            OutputError: A file cannot be written.
        """
        return []
