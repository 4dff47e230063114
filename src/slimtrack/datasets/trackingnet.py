"""The layout of TrackingNet (Mueller et al.: ECCV 2018)."""

from collections.abc import Mapping
from pathlib import Path

from slimtrack.datasets.reader import Reader, folders_with
from slimtrack.datasets.rows import read_truth
from slimtrack.datasets.sequence import Sequence, frames_in

__all__ = ["TrackingNet"]


class TrackingNet(Reader):
    """One chunk such as ``TRAIN_0``, or a folder of several; boxes are 0-based."""

    layout = "[TRAIN_0/]frames/NAME/*.jpg and [TRAIN_0/]anno/NAME.txt"

    def find(self, folder: Path) -> Mapping[str, Path]:
        """The files in ``anno`` of every chunk that has ``frames`` beside it."""
        chunks = (chunk for chunk in folders_with(folder, "anno/*.txt") if (chunk / "frames").is_dir())
        files = (file for chunk in chunks for file in sorted(chunk.glob("anno/*.txt")))
        return {file.stem: file for file in files}

    def read(self, name: str, file: Path) -> Sequence:
        """The images of one name and their boxes."""
        frames = frames_in(file.parent.parent / "frames" / name)
        return Sequence.checked(name, frames, read_truth(file, origin=0), file)
