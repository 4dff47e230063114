"""Boxes around DAVIS's masks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from slimtrack._cv2 import cv2
from slimtrack.errors import SourceError
from slimtrack.learning.sources.shot import Labelled, Shot, Source, split_of, spread

__all__ = ["Davis"]


class Davis(Source):
    """DAVIS 2016 and 2017 (Perazzi et al., CVPR 2016; Pont-Tuset et al., 2017); each colour is an object."""

    layout = "Annotations/480p/NAME/*.png and JPEGImages/480p/NAME/*.jpg"

    def recognises(self, folder: Path) -> bool:
        """Whether there are masks."""
        return bool(_resolutions(folder))

    def shots(self, folder: Path) -> Iterator[Shot]:
        """Some frames of each sequence; the lists in ``ImageSets`` say what is held out."""
        held_out = _listed(folder)
        top = _resolutions(folder)[0]
        for sequence in sorted(entry for entry in top.iterdir() if entry.is_dir()):
            name = sequence.name
            for file in spread(sorted(sequence.glob("*.png"))):
                picture = folder / "JPEGImages" / top.name / name / f"{file.stem}.jpg"
                split = split_of("val" if name in held_out else "train") if held_out else None
                yield Shot(picture, tuple(_objects(file, name)), name, split)


def _resolutions(folder: Path) -> list[Path]:
    """Folders of masks, the smallest pictures first."""
    found = (folder / "Annotations").glob("*p")
    return sorted(entry for entry in found if (folder / "JPEGImages" / entry.name).is_dir())


def _listed(folder: Path) -> set[str]:
    """Names of the held-out sequences."""
    files = folder.glob("ImageSets/20*/val.txt")
    return {line.strip() for file in files for line in file.read_text().splitlines() if line.strip()}


def _objects(file: Path, name: str) -> Iterator[Labelled]:
    """One object per colour except black.

    Raises:
        SourceError: The mask cannot be read.
    """
    mask = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if mask is None:
        raise SourceError(f"mask {file} cannot be read")
    labels = mask.astype(np.int64) @ np.array([1, 256, 65536])
    for label in np.unique(labels[labels > 0]).tolist():
        rows, columns = np.nonzero((labels == label).any(1))[0], np.nonzero((labels == label).any(0))[0]
        left, top = float(columns[0]), float(rows[0])
        box = left, top, float(columns[-1]) + 1 - left, float(rows[-1]) + 1 - top
        yield Labelled(box, track=f"{name}/{label}")
