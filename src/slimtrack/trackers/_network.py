"""What the trackers on a network's features share."""

import importlib.util
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slimtrack.arrays import Image
from slimtrack.box import Box
from slimtrack.errors import MissingError
from slimtrack.networks import zoo
from slimtrack.networks.network import Network
from slimtrack.options import options_of
from slimtrack.tracker import Tracker

__all__ = ["AdaptingTracker", "NetworkTracker", "network_of"]


def network_of(name: str) -> Network:
    """A network by its name or file, for a tracker.

    Raises:
        MissingError: Its file or a package was not found; one sentence says what to do.
        UnknownNameError: There is no network of that name.
    """
    _check_packages()
    return zoo.find(name)


def _check_packages() -> None:
    missing = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingError(f"networks need {' and '.join(missing)}: run `pip install {' '.join(missing)}`")


class NetworkTracker(Tracker):
    """A tracker that cannot do without a network: its option ``network``."""

    @classmethod
    def require(cls) -> None:
        """Refuses where a package is not here.

        Raises:
            MissingError: What is missing and how to get it.
        """
        _check_packages()

    @classmethod
    def reads(cls, options: Mapping[str, Any]) -> list[Path]:
        """The network's file.

        Raises:
            MissingError: It is not here.
            UnknownNameError: There is no network of that name.
        """
        default = next(option.default for option in options_of(cls) if option.name == "network")
        return [zoo.locate(str(options.get("network", default)))[1]]


class AdaptingTracker(NetworkTracker):
    """One whose network may be fine-tuned to the target in the first frame (paper 002, section IV-B)."""

    def _reads_from(self, name: str, taps: Sequence[str], *, adapt: bool) -> None:
        """To be called by the constructor.

        Args:
            name: The network.
            taps: What is read of it.
            adapt: Whether it is fine-tuned.

        Raises:
            MissingError: It is, and torch is not installed.
        """
        if adapt and importlib.util.find_spec("torch") is None:
            raise MissingError("adapt=true needs torch: run `pip install 'slimtrack[torch]'`")
        self._given, self._taps, self._adapt = network_of(name), tuple(taps), adapt
        self._read(self._given)

    @abstractmethod
    def _read(self, network: Network) -> None:
        """Takes features from a network."""

    def _start(self, image: Image, box: Box) -> None:
        if self._adapt:
            from slimtrack.online.adaptation import adapted

            self._read(adapted(self._given, self._taps, image, box))
        super()._start(image, box)  # type: ignore[safe-super]  # what is composed with this
