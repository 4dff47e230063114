"""Finding network files by name in the folders of ``SLIMTRACK_NETWORKS``."""

import os
from pathlib import Path

from slimtrack.errors import InputError, MissingError

__all__ = ["VARIABLE", "add_folder", "find_network", "network_folders"]

VARIABLE = "SLIMTRACK_NETWORKS"
"""Environment variable: folders of networks, separated as ``PATH`` is."""


def network_folders() -> list[Path]:
    """The folders in which networks are looked for, in order; they need not exist."""
    return [
        Path(text).expanduser() for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text.strip()
    ]


def add_folder(folder: Path | str) -> None:
    """Puts a folder before the others, for this process and those it starts from now on.

    Raises:
        InputError: It is not a folder.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise InputError(f"networks folder {path} does not exist or is not a folder")
    others = os.environ.get(VARIABLE, "")
    os.environ[VARIABLE] = os.pathsep.join(filter(None, (str(path.resolve()), others)))


def find_network(relative_name: str) -> Path:
    """The file of a network.

    Args:
        relative_name: Its path inside a folder of networks, such as ``"nanotrackv3/head.onnx"``.

    Raises:
        MissingError: No folder holds it; the sentence says where it was looked for and what to do.
    """
    folders = network_folders()
    for folder in folders:
        path = folder / relative_name
        if path.is_file():
            return path
    looked = f"not in {', '.join(map(str, folders))}" if folders else f"{VARIABLE} is not set"
    raise MissingError(
        f"network file {relative_name} was not found ({looked}): "
        f"put the folder that holds it into {VARIABLE}, or give --networks DIR"
    )
