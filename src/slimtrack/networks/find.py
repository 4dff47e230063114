"""Finding network files by name: ``SLIMTRACK_NETWORKS``, the user's own folder, what comes with slimtrack."""

import os
from pathlib import Path

from slimtrack.errors import InputError, MissingError
from slimtrack.networks.catalogue import owner

__all__ = [
    "VARIABLE",
    "add_folder",
    "find_network",
    "folder_to_fill",
    "is_there",
    "network_folders",
    "not_found",
    "user_folder",
]

VARIABLE = "SLIMTRACK_NETWORKS"
"""Environment variable: folders of networks, separated as ``PATH`` is."""
SHIPPED = Path(__file__).parent / "shipped"
"""The networks that come with slimtrack; a file of the same name in another folder is preferred."""


def network_folders() -> list[Path]:
    """The folders in which networks are looked for, in order; they need not exist."""
    return [*_named(), *([user] if (user := user_folder()) and is_there(user) else [])]


def user_folder() -> Path | None:
    """The user's own folder of networks, looked in last; ``None`` for a user without a home."""
    import platformdirs  # not needed where networks are only trained

    folder = platformdirs.user_data_path("slimtrack", appauthor=False) / "networks"
    return folder if folder.is_absolute() else None


def folder_to_fill() -> Path:
    """Where a network that is fetched is put: the first folder of ``SLIMTRACK_NETWORKS``, or the user's own.

    Raises:
        InputError: There is neither.
    """
    folder = next(iter(_named()), user_folder())
    if folder is None:
        raise InputError(f"no folder for networks: give one by --networks DIR or {VARIABLE}")
    return folder


def _named() -> list[Path]:
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
    for folder in (*network_folders(), SHIPPED):
        path = folder / relative_name
        if is_there(path):
            return path
    raise not_found(relative_name)


def is_there(path: Path) -> bool:
    """Whether a file or a folder exists; ``False`` also where this user may not look."""
    try:
        return path.exists()
    except OSError:
        return False


def not_found(relative_name: str) -> MissingError:
    """The sentence about a network file that no folder holds: where it was looked for, and what to do."""
    folders = network_folders()
    looked = f"not in {', '.join(map(str, folders))}" if folders else f"{VARIABLE} is not set"
    known = owner(relative_name)
    remedy = f"{known.remedy}, or give the folder" if known else "give the folder"
    return MissingError(
        f"network file {relative_name} was not found ({looked}): {remedy} that holds it by --networks DIR or "
        f"{VARIABLE}"
    )
