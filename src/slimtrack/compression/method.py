"""What all ways to make a network smaller have in common: look at frames, choose, say what was chosen."""

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
"""Called with what is done next, how many steps are done and how many there are."""

_Whole = TypeVar("_Whole", bound=PlacedFeature)


def silent(what: str, done: int, steps: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Compressed:
    """A network made smaller for one target.

    Attributes:
        network: The smaller network.
        feature: Its maps, in the place of the whole network's.
        kept: Layer or tap -> the channels kept, as the whole network counts them.
    """

    network: Network
    feature: PlacedFeature
    kept: Mapping[str, Indices]

    def lines(self, whole: Network) -> list[tuple[str, int, int]]:
        """For a table: what, how many before, how many after."""
        old = {layer.name: layer.out_channels for layer in whole.layers}
        new = {layer.name: layer.out_channels for layer in self.network.layers}
        return [(f"channels of {name}", old.get(name, 0), new.get(name, 0)) for name in old | new]


class Method(ABC, Generic[_Whole], metaclass=CheckedOptions):
    """One way to make a network smaller for one target; a file of its own each.

    Options are the constructor's keyword-only parameters, annotated as those of trackers are. A method knows
    no target: what it needs to know is handed to `compress`, so one object serves for many.
    """

    options_of_a: ClassVar[str] = "compression method"
    name: ClassVar[str]
    """Its name on the command line."""
    frames: ClassVar[int] = 1
    """In how many frames it has to see the target."""

    @abstractmethod
    def features(self, network: Network) -> _Whole:
        """The maps of the whole network that it works on.

        Raises:
            UnknownNameError: The network has no such tap.
        """

    @abstractmethod
    def compress(
        self, whole: _Whole, patches: Sequence[Image], target: Box, progress: Progress = silent
    ) -> Compressed:
        """Makes a network smaller for the target that some frames show.

        Args:
            whole: What `features` gave.
            patches: ``(H, W, 3)`` uint8 BGR: the target with its surroundings in each of `frames` frames.
            target: The target in the patches' pixels.
            progress: Is told what is being done.

        Raises:
            InputError: Nothing would be left, or a patch is too small.
        """

    def record(self, found: Compressed, whole: _Whole, patches: Sequence[Image], out: Path) -> list[Path]:
        """Writes what else is worth keeping beside the network; nothing unless a method says so.

        Args:
            found: What `compress` gave.
            whole: What it was given.
            patches: The same.
            out: The network's file.

        Returns:
            The files written.

        Raises:
            OutputError: They cannot be written.
        """
        return []

    def draw(self, found: Compressed, whole: _Whole, patches: Sequence[Image], folder: Path) -> list[Path]:
        """Pictures of its own, into a folder; needs matplotlib. None unless a method says so.

        Args:
            found: What `compress` gave.
            whole: What it was given.
            patches: The same.
            folder: Where to.

        Returns:
            The files written.

        Raises:
            OutputError: They cannot be written.
        """
        return []
