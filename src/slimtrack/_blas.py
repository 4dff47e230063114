"""Limits BLAS to one thread while a tracker works."""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["one_blas_thread"]

_SET = threading.Lock()
"""Held by the block that set one thread and will restore the earlier number."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Matrix products inside the block run on one BLAS thread.

    A tracker's matrix products are so small that threads would wait for each other longer than they compute.
    The limit applies to the whole process. If blocks overlap in several Python threads, the first one sets
    it, and the others may get more threads when that one ends.
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
    """The BLAS libraries of numpy and scipy, one each; found once, because that takes milliseconds."""
    import scipy.linalg  # noqa: F401  (so that its BLAS is loaded and found)
    import threadpoolctl  # type: ignore[import-untyped]  # it ships no types

    return threadpoolctl.ThreadpoolController()
