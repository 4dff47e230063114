"""Compiles loops with numba, once per machine if the compiled code can be stored, and logs it."""

import contextlib
import glob
import inspect
import logging
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import config, event
from numba.core.caching import FunctionCache

__all__ = ["compiled"]

_log = logging.getLogger(__name__)


def compiled(*, fastmath: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compiles the decorated function when it is first called, and stores the result for later processes.

    It is stored where numba stores compiled code: in ``NUMBA_CACHE_DIR``, beside the source file, or in the
    user's cache folder. If none of these can be written to (a service, a container), a folder inside the
    system's temporary folder is used; if that fails too, every process compiles anew. Code that another user
    compiled beside the source file, for example while a container was built, is used from there.

    Args:
        fastmath: Whether sums may be reordered and nothing is infinite or ``nan``.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher: Any = njit(nogil=True, fastmath=fastmath)(function)
        cache = _cache(function)
        if cache is not None:
            with contextlib.suppress(OSError):
                _take_over(function, cache)
            dispatcher._cache = cache  # like `njit(cache=True)`, but a broken cache does not end the run
        return dispatcher

    return decorate


class _Cache(FunctionCache):
    """Compiled code on disk. If a file is truncated or unreadable, or the disk full, it is compiled anew."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # pickle can raise anything for a truncated file
            with contextlib.suppress(Exception):
                self.flush()  # otherwise the broken file would hide the next one
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with contextlib.suppress(Exception):
            super().save_overload(sig, data)


def _cache(function: Callable[..., Any]) -> _Cache | None:
    """The cache of a function; ``None`` if there cannot be one."""
    with contextlib.suppress(RuntimeError):  # numba found no folder that can be written to
        return _Cache(function)
    folder = _temporary_folder()
    if folder is None:
        return None
    with _caching_in(folder), contextlib.suppress(RuntimeError):
        return _Cache(function)
    return None


def _take_over(function: Callable[..., Any], cache: _Cache) -> None:
    """Copies compiled code from beside the source file, where nothing can be added, into the cache."""
    beside, own = Path(inspect.getfile(function)).parent / "__pycache__", Path(cache.cache_path)
    if beside == own:
        return
    name = glob.escape(cache._impl.filename_base)
    index_last = (
        *beside.glob(f"{name}.*nbc"),
        *beside.glob(f"{name}.nbi"),
    )  # the index, which names the others
    for file in index_last:
        copy = own / file.name
        if not copy.exists() or copy.stat().st_mtime < file.stat().st_mtime:
            part = copy.with_name(f"{copy.name}.{os.getpid()}")
            shutil.copy2(file, part)
            part.replace(copy)  # so that another process never reads half a file


@contextlib.contextmanager
def _caching_in(folder: Path) -> Iterator[None]:
    """Sets numba's cache folder while a cache is created, and restores it for other users of numba."""
    settings: Any = config
    before, settings.CACHE_DIR = settings.CACHE_DIR, str(folder)
    try:
        yield
    finally:
        settings.CACHE_DIR = before


def _temporary_folder() -> Path | None:
    """A folder that only this user can write to, as its content is executed; ``None`` if there is none."""
    user = (
        os.getuid() if hasattr(os, "getuid") else None
    )  # Windows: the temporary folder belongs to the user already
    try:
        folder = Path(tempfile.gettempdir()) / (f"slimtrack-{user}" if user is not None else "slimtrack")
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.lstat()
    except OSError:
        return None
    alone = user is None or (about.st_uid == user and not about.st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    return folder if stat.S_ISDIR(about.st_mode) and alone else None


class _Teller(event.Listener):
    """Logs that a loop is being compiled, and how long it took."""

    def __init__(self) -> None:
        self._depth = 0  # a loop compiles the loops that it calls
        self._start = 0.0
        self._said: set[bool] = set()

    def on_start(self, event: Any) -> None:
        if not _is_ours(event):
            return
        self._depth += 1
        if self._depth == 1:
            self._start = time.monotonic()
            self._say(kept=event.data["dispatcher"].stats.cache_path is not None)

    def on_end(self, event: Any) -> None:
        if not _is_ours(event):
            return
        self._depth -= 1
        if self._depth == 0:
            name = event.data["dispatcher"].py_func.__module__.removeprefix("slimtrack.")
            _log.info("compiled %s in %.1f s", name, time.monotonic() - self._start)

    def _say(self, kept: bool) -> None:
        """Logs once per process; code that cannot be stored is a warning, as it slows down every process."""
        if kept in self._said:
            return
        self._said.add(kept)
        if kept:
            _log.info("compiling for this machine, once: this can take a minute")
        else:
            _log.warning(
                "compiling, as every process will have to: compiled code can be kept nowhere here; "
                "set NUMBA_CACHE_DIR to a folder that can be written"
            )


def _is_ours(event: Any) -> bool:
    return str(event.data["dispatcher"].py_func.__module__).startswith("slimtrack.")


_TELLER = _Teller()
event.register("numba:compile", _TELLER)
