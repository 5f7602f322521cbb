"""Sums over near cells: compiled and in numpy the same, and compiled where nothing can be kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest

from drivers.stats import neighbour_sums
from drivers.stats.near_lags import NEAR, rings_of
from drivers.stats.near_sums import cells_at_a_time, near_sums

ATOL = 1e-9
"""Sums of a few thousand products of order one."""


@pytest.mark.parametrize("square", [True, False])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("columns", [2, 7, 19])
def test_compiled_loops_make_what_numpy_makes(square: bool, shared: bool, columns: int) -> None:
    rng = np.random.default_rng(columns)
    row, column = np.nonzero(rng.random((60, 45)) < 0.6)
    if shared:
        again = np.sort(rng.integers(0, len(row), 300))
        order = np.sort(np.concatenate([np.arange(len(row)), again]), kind="stable")
        row, column = row[order], column[order]
    n, width = len(row), -(-(1 + columns) // 8) * 8
    values = np.zeros((n + 1, width))
    values[:n, 0], values[:n, 1 : 1 + columns] = 1.0, rng.normal(size=(n, columns))
    codes, inside = rng.integers(0, 3, n).astype(np.int32), np.array([True, False, True])
    rings = rings_of(square).values()
    lags, ends = np.array([lag for ring in rings for lag in ring]), np.cumsum([len(ring) for ring in rings])
    plain = near_sums(values, row, column, codes, inside, 200, NEAR, lags, ends)
    batch = cells_at_a_time(width) // 100 + 3
    *cells, single = neighbour_sums.cells_of(values, row, column, codes, inside, batch)
    parts = [neighbour_sums.grid_products(*cells, NEAR, lags, ends, batch, part, 3) for part in range(3)]
    products, *last = neighbour_sums.near_sums(*cells, 200, NEAR, lags, ends, batch, 1)
    products[0] = sum(parts)
    assert products.shape == (len(plain[0]), 1 + len(ends), width, width)
    for one, other in zip([products, single, *last], plain, strict=True):
        np.testing.assert_allclose(one, other, atol=ATOL)
    assert (single.size > 0) == shared


def test_where_nothing_can_be_kept_it_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba refuses to keep what it makes where neither the package nor the user's cache can be written."""
    plain = numba.njit

    def njit(**options: Any) -> Callable[[Any], Any]:
        if options.pop("cache", False):
            raise RuntimeError("cannot cache function: no locator available")
        made: Callable[[Any], Any] = plain(**options)
        return made

    monkeypatch.setattr(neighbour_sums.numba, "njit", njit)

    def double(values: np.ndarray) -> float:
        return float(2.0 * values.sum())

    assert neighbour_sums._compiled(double)(np.ones(3)) == 6.0
