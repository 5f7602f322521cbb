"""How many threads BLAS takes: one while it is asked for, and then as many as before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from drivers.stats.blas import one_blas_thread

BEFORE = 2
"""More than one, whatever the machine and its environment say."""


@pytest.fixture(autouse=True)
def several_threads() -> Iterator[None]:
    with threadpool_limits(BEFORE, user_api="blas"):
        if threads() != {BEFORE}:
            pytest.skip("a BLAS whose threads cannot be set")
        yield


def threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_one_thread_inside_and_all_of_them_after() -> None:
    with one_blas_thread():
        assert threads() == {1}
        with one_blas_thread():
            assert threads() == {1}
        assert threads() == {1}
    assert threads() == {BEFORE}


def test_an_exception_gives_the_threads_back() -> None:
    @one_blas_thread()
    def fails() -> None:
        assert threads() == {1}
        np.linalg.inv(np.zeros((2, 2)))

    with pytest.raises(np.linalg.LinAlgError):
        fails()
    assert threads() == {BEFORE}


def test_a_function_can_be_wrapped_and_called_again() -> None:
    @one_blas_thread()
    def inside(left: int) -> list[set[int]]:
        return [threads(), *(inside(left - 1) if left else [])]

    for _ in range(2):
        assert inside(1) == [{1}, {1}]
        assert threads() == {BEFORE}
