"""The layout of LaSOT (Fan et al.: CVPR 2019)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from slimtrack.datasets.reader import Reader, folders_with
from slimtrack.datasets.rows import read_flags, read_truth
from slimtrack.datasets.sequence import Sequence, frames_in

__all__ = ["Lasot"]


class Lasot(Reader):
    """One folder per sequence, possibly inside one folder per class.

    Boxes are 1-based (github.com/HengLan/LaSOT_Evaluation_Toolkit, issue 14). As in its toolkit, a target is
    absent where ``full_occlusion.txt`` or ``out_of_view.txt`` has a 1.
    """

    layout = "[CLASS/]NAME/img/*.jpg and [CLASS/]NAME/groundtruth.txt"

    def find(self, folder: Path) -> Mapping[str, Path]:
        """The annotation files that have a folder ``img`` beside them."""
        found = folders_with(folder, "groundtruth.txt") or [
            entry
            for each in folders_with(folder, "*/groundtruth.txt")
            for entry in folders_with(each, "groundtruth.txt")
        ]
        return {entry.name: entry / "groundtruth.txt" for entry in found if (entry / "img").is_dir()}

    def read(self, name: str, file: Path) -> Sequence:
        """The images of a folder and their boxes."""
        truth = read_truth(file)
        frames = frames_in(file.parent / "img")
        for flags in (file.with_name("full_occlusion.txt"), file.with_name("out_of_view.txt")):
            if flags.is_file():
                truth[read_flags(flags, len(truth))] = np.nan
        return Sequence.checked(name, frames, truth, file)
