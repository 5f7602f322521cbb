"""Products of near cells on grids that become coarser, in numpy: what `neighbour_sums` does, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from drivers.stats.cell_sums import wider_cells

Array = NDArray[np.float64]
Places = NDArray[np.intp]

SMALL = 262_144
"""Multiplications of a product of matrices for which OpenBLAS starts no threads: ours are threads already."""


def near_sums(
    values: Array,
    row: Places,
    column: Places,
    codes: NDArray[np.int32],
    inside: NDArray[np.bool_],
    most_cells: int,
    reach: int,
    lags: Places,
    ends: Places,
) -> tuple[Array, Array, Array, Places, Places]:
    """Products of near cells on grids that become coarser until one has no more than `most_cells`.

    Parameters
    ----------
    values : a row of numbers per pixel, in order of cells; the last row is zeros, shape (n + 1, P)
    row, column, codes : of the pixels, shape (n,)
    inside : which codes take part
    reach : the farthest of the lags, in cells
    lags : cells down and right, ring by ring, shape (lags, 2)
    ends : where each ring's lags end, shape (rings,)

    Returns
    -------
    for each grid the products of the cells' numbers with themselves and with the sums of each ring, shape
    (grids, 1 + rings, P, P); those of single pixels, shape (P, P), or (0, 0) where no two share a cell;
    and the last grid's sums, shape (cells, P), rows and columns
    """
    at = np.flatnonzero(inside[codes])
    row, column = row[at] - row[at].min(), column[at] - column[at].min()
    single = np.zeros((0, 0))
    first = np.flatnonzero(np.concatenate([[True], (np.diff(row) != 0) | (np.diff(column) != 0)]))
    if len(first) < len(at):
        own = values[at]
        single = own.T @ own
        values = _with_nothing(np.add.reduceat(own, first, axis=0))
        row, column, at = row[first], column[first], np.arange(len(first))
    products = [np.zeros((0, 1 + len(ends), values.shape[1], values.shape[1]))]
    while (row[-1] + 1) * (column.max() + 1) > most_cells:
        # Empty columns beyond the last one, so that no lag runs into the next row.
        stride = column.max() + 1 + reach
        cell = row * stride + column
        place = np.full((row[-1] + 1 + reach) * stride, len(values) - 1, dtype=np.int32)
        place[cell] = at
        products.append(_near_products(values, at, cell, place, lags @ [stride, 1], ends)[None])
        row, column, which = wider_cells(row, column, 2, 2)
        members = sparse.csr_array((np.ones(len(at)), (which, at)), shape=(len(row), len(values)))
        values = _with_nothing(np.asarray(members @ values))
        at = np.arange(len(row))
    return np.concatenate(products), single, values[at], row, column


def _near_products(
    values: Array, at: Places, cell: Places, place: NDArray[np.int32], steps: Places, ends: Places
) -> Array:
    """As `neighbour_sums.near_products`: of cells by their numbers on the grid."""
    width, rings = values.shape[1], len(ends)
    total, chunk = np.zeros((1 + rings, width, width)), cells_at_a_time(width)
    for start in range(0, len(cell), chunk):
        some = cell[start : start + chunk]
        partner = place[some[:, None] + steps]
        starts = np.concatenate([[0], np.cumsum(np.tile(np.diff(ends, prepend=0), len(some)))])
        around = (_summed(starts, partner.ravel(), len(values)) @ values).reshape(-1, rings, width)
        own = values[at[start : start + chunk]]
        total[0] += own.T @ own
        total[1:] += own.T @ around.swapaxes(0, 1)
    return total


def cells_at_a_time(width: int) -> int:
    """Cells of so many numbers whose neighbours are summed before they are multiplied."""
    return max(SMALL // width**2, 1)


def _summed(starts: Places, of: NDArray[np.integer], n: int) -> sparse.csr_array:
    """The matrix whose row i sums those of n rows that `of[starts[i]:starts[i + 1]]` names."""
    return sparse.csr_array((np.ones(len(of)), of, starts), shape=(len(starts) - 1, n))


def _with_nothing(values: Array) -> Array:
    """With a row of zeros at the end."""
    return np.concatenate([values, np.zeros((1, values.shape[1]))])
