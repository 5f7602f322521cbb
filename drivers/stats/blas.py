"""How many threads BLAS takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


class _Open:
    """How many blocks are open in all threads together, and what ends the limit when the last one closes.

    BLAS has one number of threads for the whole process: if each block set back what it had found, the one
    that began second would leave the first one's limit behind.
    """

    def __init__(self) -> None:
        self._lock, self._blocks, self._limit = threading.Lock(), 0, ExitStack()

    def begin(self) -> None:
        with self._lock:
            self._blocks += 1
            if self._blocks == 1:
                self._limit.enter_context(_controller().limit(limits=1, user_api="blas"))

    def end(self) -> None:
        with self._lock:
            self._blocks -= 1
            if not self._blocks:
                self._limit.close()


_open = _Open()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """While it is open in any thread, BLAS and LAPACK work in the thread that calls them.

    Matrices of a hundred rows are done before a second thread has woken up; on a machine that is busy with
    something else, waiting for it makes 250 Cholesky factors of 144 rows take 6 s instead of 0.15 s. And
    threads of our own need no more threads below them.
    """
    _open.begin()
    try:
        yield
    finally:
        _open.end()


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
