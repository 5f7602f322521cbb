"""How many threads BLAS takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """While it is open, BLAS and LAPACK work in the thread that calls them.

    Matrices of a hundred rows are done before a second thread has woken up; on a machine that is busy with
    something else, waiting for it makes 250 Cholesky factors of 144 rows take 6 s instead of 0.15 s. And
    threads of our own need no more threads below them.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
