"""Where the results of a run go: no file is replaced that the user has not named for it."""

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
"""The names of the annotated video and of the picture of score and speed in such a folder."""

_OUT = Path("out")
"""Where results go that were given no place."""

_OTHER_FILES = frozenset(
    [".avi", ".mkv", ".mov", ".m4v", ".webm", ".wmv", ".flv", ".mpg", ".mpeg", ".gif", ".ts", ".png", ".jpg",
     ".jpeg", ".bmp", ".tif", ".tiff", ".webp"]
)  # fmt: skip
"""What is the name of a file and not of a folder, but none that we write."""


@dataclass(frozen=True, slots=True)
class Results:
    """The files that a run shall write.

    Attributes:
        files: File -> its format.
        picture: The picture of score and speed.
        folder: The folder that holds them, where they have one of their own.
    """

    files: Mapping[Path, str] = field(default_factory=dict)
    picture: Path | None = None
    folder: Path | None = None

    @property
    def paths(self) -> list[Path]:
        """All of them."""
        return [*self.files, *([] if self.picture is None else [self.picture])]

    @property
    def table(self) -> Path:
        """The CSV, by which a run is resumed.

        Raises:
            InputError: None is written.
        """
        tables = [path for path, form in self.files.items() if form == "csv"]
        if not tables:
            raise InputError("--resume goes by the CSV of the first run: give csv among --format")
        return tables[0]

    @classmethod
    def chosen(
        cls, out: Path, formats: list[str] | None, video: bool | None = None, plot: bool | None = None
    ) -> "Results":
        """What to write for ``--out``, ``--format``, ``--video`` and ``--plot``; ``None`` is not given.

        Args:
            out: A folder; or a file, told by its suffix: a video (``result.mp4``), its table is then
                ``result.csv``; or a table alone.
            formats: Formats of the tables; a CSV when not given.
            video: Whether to write the annotated video: in a folder, if not given.
            plot: Whether to draw the picture: in a folder and with matplotlib, if not given.

        Raises:
            OutputError: ``out`` is a file of a kind that is not written.
            InputError: A video named by ``out`` and unwanted by ``video``.
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
        """Files of one stem: the one that is named, and what belongs to it."""
        stem = out.with_name(out.name[: -len(FORMATS[form])])
        if form == "mp4" and video is False:
            raise InputError(f"--out {out} is a video, and --no-video wants none: leave out one of the two")
        tables = formats if formats is not None else ["csv"] if form == "mp4" else []
        wanted = [*tables, *(["mp4"] if video else [])]
        files = {stem.with_name(stem.name + FORMATS[name]): name for name in wanted}
        return cls(files | {out: form}, stem.with_name(f"{stem.name}.png") if plot else None)


def _format_of(path: Path) -> str | None:
    """The format that a file's suffix stands for; ``None`` for what can only be a folder."""
    name = path.name.lower()
    for form, suffix in sorted(FORMATS.items(), key=lambda item: -len(item[1])):  # .mot.txt before .txt
        if name.endswith(suffix) and name != suffix:
            return form
    if path.suffix.lower() in _OTHER_FILES:
        raise OutputError(
            f"cannot write {path}: results are written as {', '.join(FORMATS.values())}; give such a file, "
            "or a folder"
        )
    return None


def has_matplotlib() -> bool:
    """Whether pictures can be drawn."""
    return importlib.util.find_spec("matplotlib") is not None


def chosen_formats(formats: str) -> list[str]:
    """The formats that ``"csv,otb"`` lists; ``none`` is none.

    Raises:
        UnknownNameError: No such format.
    """
    names = [name.strip().lower() for name in formats.split(",") if name.strip().lower() not in ("", "none")]
    for name in names:
        if name not in NAMES:
            raise UnknownNameError.of("result format", name, NAMES)
    return list(dict.fromkeys(names))


def new_folder(parent: Path, name: str) -> Path:
    """Makes a folder that was not there: ``name``, or ``name-2``, ``name-3``, .. where that is taken.

    Args:
        parent: Where; made with its parents if missing.
        name: Any text; what cannot be in a file's name on every system becomes ``_``.

    Raises:
        OutputError: It cannot be made.
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
    """The newest of the folders that `new_folder` has made.

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
    """The folders ``name``, ``name-2``, ``name-3``, .. without end."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._")[:100] or "video"
    yield parent / plain
    for number in itertools.count(2):
        yield parent / f"{plain}-{number}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user has said about the results; ``None`` is not given.

    Attributes:
        out: A folder or a file.
        formats: Formats of the tables.
        video: Whether to write the annotated video.
        plot: Whether to draw the picture of score and speed.
        overwrite: Whether earlier files of the same names may be replaced.
        resume: Whether earlier files are gone on with.
    """

    out: Path | None = None
    formats: list[str] | None = None
    video: bool | None = None
    plot: bool | None = None
    overwrite: bool = False
    resume: bool = False

    @contextmanager
    def placed(self, name: str, origin: str | None) -> Iterator[tuple[Results, list[str]]]:
        """Chooses where the results go; a folder made for them goes again where nothing came to be in it.

        Args:
            name: Of the folder in ``out/``, where none was named.
            origin: Where the frames come from.

        Returns:
            The results, which replace nothing and disturb nothing; and what the user should know about them.

        Raises:
            OutputError: The place holds the input, or earlier results; there is nothing to resume; or a
                picture was asked for in a folder of images.
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
                f"{results.folder or out.parent} holds earlier results ({what}): give another place, "
                "--overwrite to replace them, or --resume to go on with them"
            )
        notes = [f"{path} is of an earlier run" for path in others]
        if results.picture is not None and _among_images(results.picture):
            sentence = f"{results.picture} is not drawn: it would be taken for one of the images there"
            if self.plot:
                raise OutputError(f"{sentence}; give another place, or --no-plot")
            results, notes = replace(results, picture=None), [*notes, sentence]
        return results, notes


def _known(folder: Path | None) -> list[Path]:
    """All files that may be results in a folder of results."""
    return [] if folder is None else [folder / name for name in (*NAMES.values(), VIDEO, PICTURE)]


def _among_images(picture: Path) -> bool:
    folder = picture.parent
    return folder.is_dir() and any(file.name != picture.name for file in image_files(folder))
