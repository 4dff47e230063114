"""The layout of UAV123, UAV123_10fps and UAV20L (Mueller, Smith, Ghanem: ECCV 2016)."""

import re
from collections.abc import Mapping
from pathlib import Path

from slimtrack.datasets.reader import Reader
from slimtrack.datasets.rows import read_truth, text_of
from slimtrack.datasets.sequence import Sequence, frames_from, frames_in
from slimtrack.errors import SourceError

__all__ = ["Uav123"]

_ENTRY = re.compile(
    r"'name','(?P<name>\w+)','path','(?P<path>[^']*)','startFrame',(?P<start>\d+),'endFrame',(?P<end>\d+)"
)


class Uav123(Reader):
    """The folder that holds ``anno`` and ``data_seq``; for UAV20L give ``anno/UAV20L`` in it.

    Several sequences are parts of one film: ``configSeqs.m``, which comes with the set, says which folder
    each one is in and on which images it begins and ends. Boxes are 1-based; ``NaN`` where the target is
    hidden or outside the frame.
    """

    layout = "anno/SET/NAME.txt, data_seq/SET/FILM/*.jpg and configSeqs.m"

    def find(self, folder: Path) -> Mapping[str, Path]:
        """The files in ``anno/UAV123`` or whichever set is the first one there."""
        sets = [folder] if folder.resolve().parent.name == "anno" else sorted(folder.glob("anno/UAV*"))
        files = sorted(sets[0].resolve().glob("*.txt")) if sets else []
        return {file.stem: file for file in files if (file.parents[2] / "data_seq").is_dir()}

    def read(self, name: str, file: Path) -> Sequence:
        """The part of a film and its boxes."""
        config = file.parents[2] / "configSeqs.m"
        text = re.sub(r"\s", "", text_of(config))
        _, _, block = text.partition(f"seq{file.parent.name}={{")
        entries = {entry["name"]: entry for entry in _ENTRY.finditer(block.partition("};")[0])}
        if name not in entries:
            raise SourceError(f"{config} does not list which images of seq{file.parent.name} {name} is")
        entry = entries[name]
        *_, kind, film = [part for part in re.split(r"[\\/]", entry["path"]) if part]
        first, last = int(entry["start"]), int(entry["end"])
        frames = frames_from(frames_in(file.parents[2] / "data_seq" / kind / film), first, last - first + 1)
        return Sequence.checked(name, frames, read_truth(file), file)
