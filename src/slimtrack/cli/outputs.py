"""Chooses the files that a run writes, and refuses to replace existing ones unless the user asks for it."""

import importlib.util
import itertools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from slimtrack.errors import InputError, OutputError, UnknownNameError
from slimtrack.files import writing
from slimtrack.image_files import image_files
from slimtrack.video.guard import guard_folder
from slimtrack.video.results import FORMATS

__all__ = ["Results", "Wanted", "chosen_formats", "has_matplotlib", "new_folder", "last_folder"]

NAMES = {"csv": "track.csv", "otb": "boxes.txt", "json": "track.json", "mot": "track.mot.txt"}
"""Format -> name of its file in a folder of results."""

VIDEO, PICTURE = "annotated.mp4", "timeline.png"
"""Names of the annotated video and of the plot of score and speed in a folder of results."""

_OUT = Path("out")
"""Parent of the folders of results if --out is not given."""

_OTHER_FILES = frozenset(
    [".avi", ".mkv", ".mov", ".m4v", ".webm", ".wmv", ".flv", ".mpg", ".mpeg", ".gif", ".ts", ".png", ".jpg",
     ".jpeg", ".bmp", ".tif", ".tiff", ".webp"]
)  # fmt: skip
"""Suffixes of files that slimtrack does not write; a name with another suffix is a folder."""


@dataclass(frozen=True, slots=True)
class Results:
    """The files that a run writes.

    Attributes:
        files: File -> its format.
        picture: The plot of score and speed.
        folder: The folder that holds them, if they have one of their own.
    """

    files: Mapping[Path, str] = field(default_factory=dict)
    picture: Path | None = None
    folder: Path | None = None

    @property
    def paths(self) -> list[Path]:
        """All files."""
        return [*self.files, *([] if self.picture is None else [self.picture])]

    @property
    def table(self) -> Path:
        """The CSV file, from which a run is resumed.

        Raises:
            InputError: No CSV file is written.
        """
        tables = [path for path, form in self.files.items() if form == "csv"]
        if not tables:
            raise InputError("--resume reads the CSV file of the first run: add csv to --format")
        return tables[0]

    @classmethod
    def chosen(
        cls, out: Path, formats: list[str] | None, video: bool | None = None, plot: bool | None = None
    ) -> "Results":
        """The files for ``--out``, ``--format``, ``--video`` and ``--plot``; ``None``: not given.

        Args:
            out: A folder, or a file, recognised by its suffix: a video (``result.mp4``, with the table
                ``result.csv`` beside it) or a table alone.
            formats: Formats of the tables. Default: CSV.
            video: Whether to write the annotated video. Default: yes, if ``out`` is a folder.
            plot: Whether to draw the plot. Default: yes, if ``out`` is a folder and matplotlib is installed.

        Raises:
            OutputError: slimtrack does not write files of the kind of ``out``.
            InputError: ``out`` is a video, and ``video`` is false.
        """
        form = None if out.is_dir() else _format_of(out)
        if form is not None:
            return cls._beside(out, form, formats, video, plot)
        files = {out / NAMES[name]: name for name in (["csv"] if formats is None else formats)}
        if video is not False:
            files[out / VIDEO] = "mp4"
        drawn = has_matplotlib() if plot is None else plot
        return cls(files, out / PICTURE if drawn else None, out)

    @classmethod
    def _beside(
        cls, out: Path, form: str, formats: list[str] | None, video: bool | None, plot: bool | None
    ) -> "Results":
        """The named file, and those with the same stem that belong to it."""
        stem = out.with_name(out.name[: -len(FORMATS[form])])
        if form == "mp4" and video is False:
            raise InputError(f"--out {out} is a video, but --no-video is given too: leave out one of the two")
        tables = formats if formats is not None else ["csv"] if form == "mp4" else []
        wanted = [*tables, *(["mp4"] if video else [])]
        files = {stem.with_name(stem.name + FORMATS[name]): name for name in wanted}
        return cls(files | {out: form}, stem.with_name(f"{stem.name}.png") if plot else None)


def _format_of(path: Path) -> str | None:
    """The format that a file's suffix stands for; ``None`` if it can only be a folder."""
    name = path.name.lower()
    for form, suffix in sorted(FORMATS.items(), key=lambda item: -len(item[1])):  # .mot.txt before .txt
        if name.endswith(suffix) and name != suffix:
            return form
    if path.suffix.lower() in _OTHER_FILES:
        raise OutputError(
            f"cannot write {path}: results are written as {', '.join(FORMATS.values())}; give such a "
            "file name, or a folder"
        )
    return None


def has_matplotlib() -> bool:
    """Whether matplotlib is installed, so that plots can be drawn."""
    return importlib.util.find_spec("matplotlib") is not None


def chosen_formats(formats: str) -> list[str]:
    """The formats in a text such as ``"csv,otb"``; ``none`` gives an empty list.

    Raises:
        UnknownNameError: No such format.
    """
    names = [name.strip().lower() for name in formats.split(",") if name.strip().lower() not in ("", "none")]
    for name in names:
        if name not in NAMES:
            raise UnknownNameError.of("result format", name, NAMES)
    return list(dict.fromkeys(names))


def new_folder(parent: Path, name: str) -> Path:
    """Makes a new folder: ``name``, or ``name-2``, ``name-3``, .. if it exists.

    Args:
        parent: The folder to make it in; created if missing.
        name: Any text; characters that some system does not allow in file names become ``_``.

    Raises:
        OutputError: The folder cannot be made.
    """
    for folder in _numbered(parent, name):
        try:
            with writing(folder):
                folder.mkdir(parents=True)
        except OutputError as error:
            if not isinstance(error.__cause__, FileExistsError):
                raise
        else:
            return folder
    raise AssertionError("there is always a next number")


def last_folder(parent: Path, name: str) -> Path:
    """The last of the folders that `new_folder` has made.

    Raises:
        OutputError: There is none.
    """
    made = list(itertools.takewhile(Path.is_dir, _numbered(parent, name)))
    if not made:
        raise OutputError(
            f"there is nothing to resume: {next(_numbered(parent, name))} does not exist; give --out, or "
            "leave out --resume"
        )
    return made[-1]


def _numbered(parent: Path, name: str) -> Iterator[Path]:
    """The folders ``name``, ``name-2``, ``name-3`` and so on, endlessly."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._")[:100] or "video"
    yield parent / plain
    for number in itertools.count(2):
        yield parent / f"{plain}-{number}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for; ``None``: not given.

    Attributes:
        out: A folder or a file.
        formats: Formats of the tables.
        video: Whether to write the annotated video.
        plot: Whether to draw the plot of score and speed.
        overwrite: Whether existing files of the same names may be replaced.
        resume: Whether an earlier run is continued.
    """

    out: Path | None = None
    formats: list[str] | None = None
    video: bool | None = None
    plot: bool | None = None
    overwrite: bool = False
    resume: bool = False

    @contextmanager
    def placed(self, name: str, origin: str | None) -> Iterator[tuple[Results, list[str]]]:
        """Chooses the files to write. A folder made for them is removed again if it stays empty.

        Args:
            name: Name of the folder in ``out/``, if the user gave none.
            origin: Where the frames come from.

        Yields:
            The files, none of which replaces anything without permission, and notes for the user.

        Raises:
            OutputError: The folder holds the input or earlier results, there is nothing to resume, or a plot
                was asked for in a folder of images.
        """
        if self.out is not None or self.resume:
            yield self._checked(self.out or last_folder(_OUT, name), origin)
            return
        fresh = not _OUT.exists()
        folder = new_folder(_OUT, name)
        try:
            yield self._chosen(folder), []
        finally:
            with suppress(OSError):  # what is not empty stays
                folder.rmdir()
                if fresh:
                    _OUT.rmdir()

    def _chosen(self, out: Path) -> Results:
        return Results.chosen(out, self.formats, self.video, self.plot)

    def _checked(self, out: Path, origin: str | None) -> tuple[Results, list[str]]:
        results = self._chosen(out)
        if results.folder is not None:
            guard_folder(origin, results.folder)
        earlier = [path for path in results.paths if path.exists()]
        others = [path for path in _known(results.folder) if path.exists() and path not in earlier]
        if not (self.overwrite or self.resume) and (earlier or others):
            what = ", ".join(path.name for path in earlier + others)
            raise OutputError(
                f"{results.folder or out.parent} holds earlier results ({what}): choose another --out, "
                "replace them with --overwrite, or continue them with --resume"
            )
        notes = [f"{path} is from an earlier run" for path in others]
        if results.picture is not None and _among_images(results.picture):
            sentence = f"{results.picture} is not drawn: it would become one of the images in that folder"
            if self.plot:
                raise OutputError(f"{sentence}: choose another --out, or give --no-plot")
            results, notes = replace(results, picture=None), [*notes, sentence]
        return results, notes


def _known(folder: Path | None) -> list[Path]:
    """All files that a run may have written into its folder."""
    return [] if folder is None else [folder / name for name in (*NAMES.values(), VIDEO, PICTURE)]


def _among_images(picture: Path) -> bool:
    folder = picture.parent
    return folder.is_dir() and any(file.name != picture.name for file in image_files(folder))
