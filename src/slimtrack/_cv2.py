"""Imports OpenCV from whichever of its packages is installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from slimtrack.errors import MissingError

__all__ = ["cv2", "silent_cv2"]

if TYPE_CHECKING:
    cv2: Any
else:

    class _Cv2:
        """Imports OpenCV on first use, so that ``import slimtrack`` works without it."""

        def __getattr__(self, name):
            try:
                import cv2 as module
            except ImportError as error:
                message = "OpenCV is not installed: run `pip install opencv-python-headless`"
                raise MissingError(f"{message} (or any other OpenCV package). {error}") from error
            value = getattr(module, name)
            setattr(self, name, value)  # the next access is a plain attribute
            return value

    cv2 = _Cv2()


@contextmanager
def silent_cv2() -> Iterator[None]:
    """Suppresses OpenCV's own lines on the terminal; our error message holds what matters."""
    log = cv2.utils.logging
    before = log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(before)
