"""Loops over grid cells and their neighbours, compiled.

Arrays cannot say "the sum of those neighbours that there are" without a list of all pairs, which takes ten
times as long as the sums. Numba compiles these few lines when a grid is first too large to be transformed as
it is (`lagged.MOST_CELLS`), in about two seconds, and keeps what it made beside the package or, where that
cannot be written, in the user's cache. None of them holds the interpreter's lock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Places = NDArray[np.intp]

_Loop = TypeVar("_Loop", bound=Callable[..., object])

_U = np.uintp
"""Numba looks whether a signed index counts from the end; an unsigned one it trusts."""


def _compiled(loop: _Loop) -> _Loop:
    try:
        return cast("_Loop", numba.njit(nogil=True, cache=True)(loop))
    except RuntimeError:  # no folder to keep it in: it is compiled in every process
        return cast("_Loop", numba.njit(nogil=True)(loop))


@_compiled
def lay_out(
    row: Places,
    column: Places,
    at: Places,
    stride: int,
    wide: int,
    place: NDArray[np.int32],
    occupied: NDArray[np.uint8],
) -> None:
    """Write where cells are on the grid, and which cells twice as wide they occupy.

    Parameters
    ----------
    row, column, at : of the m cells, shape (m,)
    stride, wide : columns of the grid and of that of wider cells
    place : written to: for the number of each of the cells `at`
    occupied : written to: 1 for each wider cell
    """
    for i in range(len(at)):
        place[_U(row[i] * stride + column[i])] = at[i]
        occupied[_U((row[i] >> 1) * wide + (column[i] >> 1))] = 1


@_compiled
def near_products(
    values: Array,
    row: Places,
    column: Places,
    stride: int,
    place: NDArray[np.int32],
    steps: Places,
    ends: Places,
    batch: int,
) -> Array:
    """Σ over cells of a cell's numbers × its own, and × the sums of its neighbours in each ring.

    Parameters
    ----------
    values : a row of numbers per cell; the last row is zeros, shape (N + 1, P)
    row, column : of the m cells, shape (m,)
    stride : columns of the grid
    place : for each number on the grid its row in `values`, N where there is none
    steps : how far on the grid each lag leads, ring by ring, shape (lags,)
    ends : where each ring's lags end, shape (rings,)
    batch : cells whose neighbours are summed before they are multiplied

    Returns
    -------
    shape (P, (1 + rings) × P)
    """
    width, beside = values.shape[1], len(ends) * values.shape[1]
    own, around = np.empty((batch, width)), np.empty((batch, beside))
    itself, near = np.empty((width, width)), np.empty((width, beside))
    total, cell = np.zeros((width, width + beside)), np.empty(batch, dtype=np.intp)
    for start in range(0, len(row), batch):
        stop = min(start + batch, len(row))
        some, sums = own[: stop - start], around[: stop - start]
        for i in range(stop - start):
            cell[i] = row[start + i] * stride + column[start + i]
            at = _U(place[_U(cell[i])])
            for j in range(_U(width)):
                some[i, j] = values[at, j]
        _sums_around(values.ravel(), width, cell[: stop - start], place, steps, ends, sums.ravel())
        np.dot(some.T, some, itself)
        np.dot(some.T, sums, near)
        total[:, :width] += itself
        total[:, width:] += near
    return total


@_compiled
def _sums_around(
    numbers: Array,
    width: int,
    cell: Places,
    place: NDArray[np.int32],
    steps: Places,
    ends: Places,
    out: Array,
) -> None:
    """Write for each cell the sums of its neighbours, ring by ring: m × rings × `width` numbers."""
    to = _U(0)
    for i in range(len(cell)):
        here, begin = cell[i], 0
        for end in ends:
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
            to += _U(width)


@_compiled
def wider_sums(
    values: Array, row: Places, column: Places, at: Places, wide: int, number: NDArray[np.int32]
) -> tuple[int, Array]:
    """Sums of cells' numbers over the cells twice as wide that they lie in.

    Parameters
    ----------
    values : a row of numbers per cell, shape (N, P)
    row, column, at : of the m cells, shape (m,)
    wide : columns of the grid of wider cells
    number : for each of these which of the occupied ones it is

    Returns
    -------
    the first of the occupied wider cells that is summed, and the sums from there on, shape (some, P)
    """
    group = np.empty(len(at), dtype=np.intp)
    for i in range(len(at)):
        group[i] = number[_U((row[i] >> 1) * wide + (column[i] >> 1))]
    low = group.min()
    sums = np.zeros((group.max() + 1 - low, values.shape[1]))
    for i in range(len(at)):
        to, own = _U(group[i] - low), _U(at[i])
        for j in range(_U(values.shape[1])):
            sums[to, j] += values[own, j]
    return low, sums
