"""One thread of BLAS while a tracker works."""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["one_blas_thread"]

_SET = threading.Lock()
"""Held by the block that has set one thread, and will set again what was before."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Matrix products inside the block run on one thread of BLAS, in this process.

    Those of a tracker are so small that threads would wait for each other longer than they compute. The
    number is the process's: of blocks that overlap in several threads of Python the first one sets it, and
    the others may get more threads when that one ends.
    """
    if not _SET.acquire(blocking=False):
        yield
        return
    try:
        with _pools().limit(limits=1, user_api="blas"):
            yield
    finally:
        _SET.release()


@functools.cache
def _pools() -> Any:
    """Those of numpy and scipy, which each bring a BLAS of their own; looking for them takes milliseconds."""
    import scipy.linalg  # noqa: F401  (so that its BLAS is loaded and found)
    import threadpoolctl  # type: ignore[import-untyped]  # it ships no types

    return threadpoolctl.ThreadpoolController()
