"""Loops over grid cells and their neighbours, compiled.

Arrays cannot say "the sum of those neighbours that there are" without a list of all pairs, which takes ten
times as long as the sums (`near_sums`). Numba compiles these loops when a table is first large enough
(`near_lags.COMPILED`), in eight seconds, and keeps what it made beside the package or, where that cannot be
written, in the user's cache. None of them holds the interpreter's lock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Places = NDArray[np.intp]
Codes = NDArray[np.int32]

_Loop = TypeVar("_Loop", bound=Callable[..., object])

_U = np.uintp
"""Numba looks whether a signed index counts from the end; an unsigned one it trusts."""

MOST_LEVELS = 40
"""Times that cells are made twice as wide: more than any grid of 2⁶³ cells needs."""


def _compiled(loop: _Loop) -> _Loop:
    try:
        return cast("_Loop", numba.njit(nogil=True, cache=True)(loop))
    except RuntimeError:  # no folder to keep it in: it is compiled in every process
        return cast("_Loop", numba.njit(nogil=True)(loop))


@_compiled
def pick(
    row: Places, column: Places, codes: Codes, inside: NDArray[np.bool_]
) -> tuple[Codes, Codes, Codes, bool]:
    """Which of n pixels are inside, their rows and columns counted from the first of each, shape (m,), and
    whether two share a cell."""
    m, top, left = 0, row.max(), column.max()
    for i in range(len(codes)):
        if inside[_U(codes[i])]:
            m, top, left = m + 1, min(top, row[i]), min(left, column[i])
    at, down, right = np.empty(m, dtype=np.int32), np.empty(m, dtype=np.int32), np.empty(m, dtype=np.int32)
    j, shared = 0, False
    for i in range(len(codes)):
        if inside[_U(codes[i])]:
            at[j], down[j], right[j] = i, row[i] - top, column[i] - left
            shared |= j > 0 and down[j] == down[j - 1] and right[j] == right[j - 1]
            j += 1
    return at, down, right, shared


@_compiled
def merge(
    values: Array, at: Codes, row: Codes, column: Codes, batch: int
) -> tuple[Array, Codes, Codes, Array]:
    """Sums of pixels that share a cell, shape (cells + 1, P), the cells' rows and columns, and the products
    of single pixels, shape (P, P). Pixels of one cell follow each other."""
    width, cells = values.shape[1], 1
    for i in range(1, len(at)):
        cells += row[i] != row[i - 1] or column[i] != column[i - 1]
    sums = np.zeros((cells + 1, width))
    down, right = np.empty(cells, dtype=np.int32), np.empty(cells, dtype=np.int32)
    own, itself, total = np.empty((batch, width)), np.empty((width, width)), np.zeros((width, width))
    cell = -1
    for start in range(0, len(at), batch):
        stop = min(start + batch, len(at))
        for i in range(start, stop):
            if i == 0 or row[i] != row[i - 1] or column[i] != column[i - 1]:
                cell += 1
                down[cell], right[cell] = row[i], column[i]
            for j in range(width):
                own[i - start, j] = values[at[i], j]
                sums[cell, j] += values[at[i], j]
        some = own[: stop - start]
        np.dot(some.T, some, itself)
        total += itself
    return sums, down, right, total


@_compiled
def near_products(
    values: Array,
    row: Codes,
    column: Codes,
    stride: int,
    place: Codes,
    lags: Places,
    ends: Places,
    batch: int,
) -> Array:
    """Σ over cells of a cell's numbers × its own, and × the sums of its neighbours in each ring.

    Parameters
    ----------
    values : a row of numbers per cell; the last row is zeros, shape (N + 1, P)
    row, column : of the m cells, shape (m,)
    stride : columns of the grid, so many that no lag leads from one row into the next
    place : for each number on the grid its row in `values`, N where there is none
    lags : cells down and right, ring by ring, shape (lags, 2)
    ends : where each ring's lags end, shape (rings,)
    batch : cells whose neighbours are summed before they are multiplied

    Returns
    -------
    shape (1 + rings, P, P)
    """
    rings, width = 1 + len(ends), values.shape[1]
    around, cell = np.empty((rings, batch, width)), np.empty(batch, dtype=np.intp)
    product, total = np.empty((width, width)), np.zeros((rings, width, width))
    steps = lags[:, 0] * stride + lags[:, 1]
    for start in range(0, len(row), batch):
        m = min(batch, len(row) - start)
        for i in range(m):
            cell[i] = row[start + i] * stride + column[start + i]
            at = _U(place[_U(cell[i])])
            for j in range(_U(width)):
                around[0, i, j] = values[at, j]
        _sums_around(values.ravel(), width, cell[:m], place, steps, ends, around.ravel(), batch)
        own = around[0, :m].T
        for ring in range(rings):
            np.dot(own, around[ring, :m], product)
            for i in range(width):
                for j in range(width):
                    total[ring, i, j] += product[i, j]
    return total


@_compiled
def _sums_around(
    numbers: Array,
    width: int,
    cell: Places,
    place: Codes,
    steps: Places,
    ends: Places,
    out: Array,
    batch: int,
) -> None:
    """Write for each cell the sums of its neighbours: (1 + rings) × batch × `width`, the first one left."""
    far = _U(batch * width)
    for i in range(len(cell)):
        here, begin, to = cell[i], 0, _U(i * width)
        for end in ends:
            to += far
            # Most rings are of two lags or of four: their sums are written once and not read again.
            if end - begin == 4:
                a = _U(place[_U(here + steps[begin])]) * _U(width)
                b = _U(place[_U(here + steps[begin + 1])]) * _U(width)
                c = _U(place[_U(here + steps[begin + 2])]) * _U(width)
                d = _U(place[_U(here + steps[begin + 3])]) * _U(width)
                for j in range(_U(width)):
                    near = numbers[a + j] + numbers[b + j]
                    out[to + j] = near + (numbers[c + j] + numbers[d + j])
            elif end - begin == 2:
                a = _U(place[_U(here + steps[begin])]) * _U(width)
                b = _U(place[_U(here + steps[begin + 1])]) * _U(width)
                for j in range(_U(width)):
                    out[to + j] = numbers[a + j] + numbers[b + j]
            else:
                for j in range(_U(width)):
                    out[to + j] = 0.0
                for lag in range(begin, end):
                    a = _U(place[_U(here + steps[lag])]) * _U(width)
                    for j in range(_U(width)):
                        out[to + j] += numbers[a + j]
            begin = end


@_compiled
def widen(values: Array, at: Codes, row: Codes, column: Codes) -> tuple[Array, Codes, Codes]:
    """Sums over cells twice as wide and high, then a row of zeros; the occupied ones' rows and columns."""
    wide = int(column.max() >> 1) + 1
    number = np.zeros((int(row[-1] >> 1) + 1) * wide, dtype=np.int32)
    for i in range(len(at)):
        number[_U((row[i] >> 1) * wide + (column[i] >> 1))] = 1
    occupied = number.sum()
    down, right = np.empty(occupied, dtype=np.int32), np.empty(occupied, dtype=np.int32)
    j = 0
    for i in range(len(number)):
        if number[i]:
            down[j], right[j], number[i] = i // wide, i % wide, j
            j += 1
    sums = np.zeros((occupied + 1, values.shape[1]))
    for i in range(len(at)):
        to, own = _U(number[_U((row[i] >> 1) * wide + (column[i] >> 1))]), _U(at[i])
        for j in range(_U(values.shape[1])):
            sums[to, j] += values[own, j]
    return sums, down, right


@_compiled
def cells_of(
    values: Array, row: Places, column: Places, codes: Codes, inside: NDArray[np.bool_], batch: int
) -> tuple[Array, Codes, Codes, Codes, Array]:
    """The occupied cells of the pixels inside: numbers of cells and which of them each has, their rows and
    columns, and the products of single pixels, shape (P, P), or (0, 0) where no two share a cell."""
    at, down, right, shared = pick(row, column, codes, inside)
    if not shared:
        return values, at, down, right, np.zeros((0, 0))
    values, down, right, single = merge(values, at, down, right, batch)
    return values, np.arange(len(down), dtype=np.int32), down, right, single


@_compiled
def grid_products(
    values: Array,
    at: Codes,
    row: Codes,
    column: Codes,
    reach: int,
    lags: Places,
    ends: Places,
    batch: int,
    part: int,
    parts: int,
) -> Array:
    """`near_products` of one of several parts of the cells of a grid, with all cells around."""
    # Empty columns beyond the last one, so that no lag runs into the next row.
    stride = int(column.max()) + 1 + reach
    place = np.full((int(row[-1]) + 1 + reach) * stride, len(values) - 1, dtype=np.int32)
    for i in range(len(at)):
        place[_U(row[i] * stride + column[i])] = at[i]
    mine = slice(len(at) * part // parts, len(at) * (part + 1) // parts)
    return near_products(values, row[mine], column[mine], stride, place, lags, ends, batch)


@_compiled
def near_sums(
    values: Array,
    at: Codes,
    row: Codes,
    column: Codes,
    most_cells: int,
    reach: int,
    lags: Places,
    ends: Places,
    batch: int,
    skipped: int,
) -> tuple[Array, Array, Places, Places]:
    """Products of near cells on grids that become coarser until one has no more than `most_cells`.

    Parameters
    ----------
    values, at, row, column : as `cells_of` gives them
    reach : the farthest of the lags, in cells
    lags, ends, batch : as `near_products` has them
    skipped : grids whose products are left out, for others to make

    Returns
    -------
    the products of each grid, shape (grids, 1 + rings, P, P); and the last grid's sums, shape (cells, P),
    rows and columns
    """
    width = values.shape[1]
    products, level = np.zeros((MOST_LEVELS, 1 + len(ends), width, width)), 0
    while (int(row[-1]) + 1) * (int(column.max()) + 1) > most_cells:
        if level >= skipped:
            products[level] = grid_products(values, at, row, column, reach, lags, ends, batch, 0, 1)
        values, row, column = widen(values, at, row, column)
        at = np.arange(len(row), dtype=np.int32)
        level += 1
    last = np.empty((len(at), width))
    for i in range(len(at)):
        last[i] = values[at[i]]
    return products[:level].copy(), last, row.astype(np.intp), column.astype(np.intp)
