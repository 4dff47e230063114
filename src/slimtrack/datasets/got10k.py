"""The layout of GOT-10k (Huang, Zhao, Huang: TPAMI 2021)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from slimtrack.datasets.reader import Reader, folders_with
from slimtrack.datasets.rows import read_flags, read_truth
from slimtrack.datasets.sequence import Sequence, frames_in

__all__ = ["Got10k"]


class Got10k(Reader):
    """``train``, ``val`` or one sequence; ``absence.label`` has a 1 for each frame without the target.

    Boxes are 1-based (github.com/got-10k/toolkit, issue 6). Some frames that lack the target have a row of
    -1 instead of a flag (issue 10).
    """

    layout = "NAME/*.jpg, NAME/groundtruth.txt and NAME/meta_info.ini"

    def find(self, folder: Path) -> Mapping[str, Path]:
        """The annotation files of folders that have GOT-10k's ``meta_info.ini``."""
        folders = folders_with(folder, "meta_info.ini")
        return {entry.name: entry / "groundtruth.txt" for entry in folders}

    def read(self, name: str, file: Path) -> Sequence:
        """The images beside the file, and its boxes."""
        truth = read_truth(file)
        frames = frames_in(file.parent)
        flags = file.with_name("absence.label")
        absent = (truth == [-2, -2, -1, -1]).all(axis=1)
        if flags.is_file():
            absent |= read_flags(flags, len(truth))
        truth[absent] = np.nan
        return Sequence.checked(name, frames, truth, file)
