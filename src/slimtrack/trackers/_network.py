"""What the trackers on a network's features share."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slimtrack.errors import MissingError
from slimtrack.networks import zoo
from slimtrack.networks.network import Network
from slimtrack.options import options_of
from slimtrack.tracker import Tracker

__all__ = ["NetworkTracker", "network_of"]


def network_of(name: str) -> Network:
    """A network by its name or file, for a tracker.

    Raises:
        MissingError: Its file or a package was not found; one sentence says what to do.
        UnknownNameError: There is no network of that name.
    """
    _check_packages()
    return zoo.find(name)


def _check_packages() -> None:
    for package in ("onnx", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise MissingError(f"networks need the package {package}: run `pip install onnx onnxruntime`")


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
