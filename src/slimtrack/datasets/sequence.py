"""One annotated sequence: its images and the true box in each."""

from collections.abc import Sequence as Several
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from slimtrack.box import Box
from slimtrack.errors import SourceError
from slimtrack.image_files import image_files

__all__ = ["Sequence", "frames_from", "frames_in"]


@dataclass(frozen=True, slots=True)
class Sequence:
    """Frames with the true box in each.

    Attributes:
        name: Its name in tables.
        frames: Image files, in order of time.
        truth: ``(N, 4)`` float64 x, y, w, h, 0-based outer edges as `Box`; ``nan`` where the target is
            absent. Read-only.
        attributes: Short names of its difficulties, such as ``"OCC"`` (occlusion).
    """

    name: str
    frames: tuple[Path, ...]
    truth: npt.NDArray[np.float64] = field(repr=False)
    attributes: tuple[str, ...] = ()

    @classmethod
    def checked(
        cls,
        name: str,
        frames: Several[Path],
        truth: npt.NDArray[np.float64],
        file: Path,
        attributes: tuple[str, ...] = (),
    ) -> "Sequence":
        """Makes a sequence after checking that images and rows fit.

        Args:
            name: Its name.
            frames: The annotated images, one per row.
            truth: ``(N, 4)``; ``nan`` where the target is absent.
            file: Where the rows come from, for errors.
            attributes: Short names of its difficulties.

        Raises:
            SourceError: There are no rows, more or fewer images than rows, or rows that are no boxes.
        """
        if len(truth) == 1 < len(frames):
            raise SourceError(f"sequence {name}: {file} has only the first box, so nothing can be measured")
        if len(frames) != len(truth):
            place = frames[0].parent if frames else file.parent
            raise SourceError(
                f"sequence {name}: {len(frames)} images in {place} but {len(truth)} rows in {file}"
            )
        if len(truth) == 0:
            raise SourceError(f"sequence {name}: there is no image with a row in {file}")
        if truth.shape[1:] != (4,):
            raise SourceError(
                f"sequence {name}: the rows of {file} are an array of {truth.shape}, not (N, 4)"
            )
        if not np.isfinite(truth[0]).all() or (truth[0, 2:] <= 0).any():
            raise SourceError(f"{file}, line 1: the first frame has no box to start from")
        truth.flags.writeable = False
        return cls(name, tuple(frames), truth, attributes)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def first_box(self) -> Box:
        """The box of the first frame."""
        return Box(*map(float, self.truth[0]))

    @property
    def absent(self) -> npt.NDArray[np.bool_]:
        """``(N,)``: whether the target is absent."""
        return np.asarray(np.isnan(self.truth).any(axis=1))


def frames_in(folder: Path) -> list[Path]:
    """The images in a folder, in natural order.

    Raises:
        SourceError: The folder does not exist or holds none.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder} does not exist: it should hold the images of the sequence")
    images = image_files(folder)
    if not images:
        raise SourceError(f"{folder} holds no images (jpg, png, tif ..)")
    return images


def frames_from(frames: Several[Path], first: int, count: int) -> list[Path]:
    """At most ``count`` images, from the one numbered ``first`` (the number in its name) on."""
    return [file for file in frames if file.stem.isdigit() and int(file.stem) >= first][:count]
