"""Sums of columns over the pixels of grid cells: small enough to keep, and all that wider cells need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class CellSums:
    """Sums of the columns over the pixels of each occupied cell of a grid.

    Attributes
    ----------
    row, column : of the cell, shape (u,)
    sums : number of pixels, then the sum of each column, shape (u, 1 + p)
    height, width : of a cell, in units of the coordinates
    """

    row: Places
    column: Places
    sums: Array
    height: float
    width: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return int(self.row.max()) + 1, int(self.column.max()) + 1

    def coarser(self, down: int, right: int) -> CellSums:
        """The same sums over blocks of `down` × `right` cells."""
        row, column, which = wider_cells(self.row, self.column, down, right)
        n = len(which)
        members = sparse.csc_array((np.ones(n), which, np.arange(n + 1)), shape=(len(row), n))
        sums = np.asarray(members @ self.sums)
        return CellSums(row, column, sums, self.height * down, self.width * right)


def wider_cells(row: Places, column: Places, down: int, right: int) -> tuple[Places, Places, Places]:
    """Row and column of the occupied blocks of `down` × `right` cells, and the block of each cell."""
    row, column = row // down, column // right
    width = int(column.max()) + 1
    blocks, which = np.unique(row * width + column, return_inverse=True)
    return blocks // width, blocks % width, which
