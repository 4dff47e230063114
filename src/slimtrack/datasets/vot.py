"""The layout of VOT (Kristan et al.), short and long term, with boxes or polygons."""

from collections.abc import Mapping
from pathlib import Path

from slimtrack.datasets.reader import Reader, folders_with
from slimtrack.datasets.rows import hull_row, read_truth
from slimtrack.datasets.sequence import Sequence, frames_in
from slimtrack.image_files import image_files

__all__ = ["Vot"]


class Vot(Reader):
    """Images in ``color``, or beside the boxes as until 2017; several targets become ``NAME-TARGET``.

    A polygon is read as the upright box around it: larger than the rotated one that VOT scores. Rows are
    0-based, as its toolkit hands them to trackers; ``nan`` where the target is absent. Masks are not read.
    """

    layout = "NAME/color/*.jpg (or NAME/*.jpg) and NAME/groundtruth.txt"

    def find(self, folder: Path) -> Mapping[str, Path]:
        """The annotation files that have images with them."""
        folders = [entry for entry in folders_with(folder, "groundtruth*.txt") if _images(entry)]
        files = (file for entry in folders for file in sorted(entry.glob("groundtruth*.txt")))
        return {
            file.parent.name + file.stem.removeprefix("groundtruth").replace("_", "-", 1): file
            for file in files
        }

    def read(self, name: str, file: Path) -> Sequence:
        """The images and the boxes of one target."""
        frames = frames_in(_images(file.parent) or file.parent)
        return Sequence.checked(name, frames, read_truth(file, origin=0, row=hull_row), file)


def _images(folder: Path) -> Path | None:
    """Where a sequence's images are."""
    if (folder / "color").is_dir():
        return folder / "color"
    return folder if image_files(folder) else None
