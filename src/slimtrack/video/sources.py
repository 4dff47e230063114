"""Finds out what the name of a source means: a file, folder, pattern, camera or URL."""

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path

from slimtrack.arrays import AnyArray
from slimtrack.errors import SourceError
from slimtrack.image_files import IMAGE_SUFFIXES
from slimtrack.video.cameras import camera
from slimtrack.video.feed import Feed, Mark
from slimtrack.video.images import arrays, folder, matching, one_image
from slimtrack.video.stacks import layout_of, stack
from slimtrack.video.videos import url, video

__all__ = ["feed_of"]


def feed_of(source: str | int | os.PathLike[str] | Iterable[AnyArray], start: Mark) -> Feed:
    """The feed of a path, pattern, camera number, URL, or of images, from ``start`` on.

    Raises:
        SourceError: The source does not exist, or is of no known kind.
    """
    first = start if isinstance(start, int) else 0
    if isinstance(source, int):
        return camera(source)
    if isinstance(source, (str, os.PathLike)):
        return _named(os.fspath(source), start, first)
    if isinstance(source, Iterable):
        return arrays(source, first)
    raise SourceError(
        f"source is a {type(source).__name__}, not a path, URL, camera number or list of images"
    )


def _named(text: str, start: Mark, first: int) -> Feed:
    """The feed of a text: a file or folder of that name if it exists, otherwise what the text looks like."""
    path = _existing(text)
    if path.is_dir():
        return folder(path, first)
    if path.exists():
        return _file(path, start, first)
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", text):
        return url(text, start)
    if text.strip().isdecimal():
        return camera(int(text))
    if any(sign in text for sign in "*?["):
        return _pattern(text, start, first)
    near = f", nor does its folder {path.parent}" if not path.parent.exists() else ""
    raise SourceError(
        f"{text!r} does not exist{near}: give a video, a folder of images, a glob, a camera or a URL"
    )


def _existing(text: str) -> Path:
    """The existing path of a text, taken literally or with the user's home folder expanded.

    Raises:
        SourceError: The system cannot tell whether the path exists.
    """
    path = Path(text)
    try:
        if not path.exists() and text.startswith("~"):
            path = path.expanduser()
            path.exists()
    except (
        OSError,
        ValueError,
        RuntimeError,
    ) as error:  # too long, no permission, a null byte; an unknown user's home
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise SourceError(f"{text!r} cannot be opened: {reason}") from error
    return path


def _file(path: Path, start: Mark, first: int) -> Feed:
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return video(path, start)
    kind = layout_of(path)
    if kind == "one":
        return one_image(path, first)
    return video(path, start) if kind == "film" else stack(path, kind, first)


def _pattern(text: str, start: Mark, first: int) -> Feed:
    pattern = str(_existing(text))
    matches = [Path(match) for match in glob.glob(pattern, recursive=True)]  # noqa: PTH207  (any root)
    feed = matching(text, pattern, matches, first)
    if feed is not None:
        return feed
    if len(matches) == 1:
        return _named(str(matches[0]), start, first)
    raise SourceError(f"no image matches {text!r}: check the pattern and the folder it starts from")
