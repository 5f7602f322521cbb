"""Sums over pairs of cells a few cells apart, lag by lag, and the same cells made wider.

What is within `NEAR` cells is summed exactly on each grid; what is farther, on one of wider cells.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.stats.cell_sums import LANES, Rows, empty_rows

Array = NDArray[np.float64]
Places = NDArray[np.intp]

Lag = tuple[int, int]
"""Cells down and cells right, neither negative: a lag and all that lie at the same distance for the same
reason, that is its mirror images, and where cells are square those with rows and columns exchanged."""

NEAR = 3
"""Lags of up to three cells are summed on each grid before it is made coarser. Each coarsening then moves
Σ ρ(d) S(d) by up to 3 % of itself (15 correlograms, 5 columns, 2 masks), with two cells by up to 5 %."""

SPAN = 8192
"""Cells of a task: 1 MB for 15 columns. What a task adds depends on no other, and tasks are added in order,
so the number of threads changes no bit."""

SMALL = 1_000_000
"""Multiplications of a product of matrices that OpenBLAS makes without copying them first: twice as fast."""


class Grid(NamedTuple):
    """Occupied cells in row order.

    row, column : of the cells, shape (u,)
    height, width : of a cell
    rows : numbers per cell
    at : which of these rows each cell has, shape (u,)
    """

    row: Places
    column: Places
    height: float
    width: float
    rows: Rows
    at: Places

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return int(self.row[-1]) + 1, int(self.column.max()) + 1

    @property
    def square(self) -> bool:
        """Whether cells are as wide as high."""
        return self.height == self.width

    def sums(self) -> Array:
        """The numbers of all cells, shape (u, size)."""
        return np.ascontiguousarray(self.rows.values[self.at, : self.rows.size])


class NearLags(NamedTuple):
    """Cross-products of the cells' numbers by lag, (0, 0) first; and the cells twice as wide."""

    sums: dict[Lag, Array]
    wider: Grid


def near_lags(grid: Grid, pool: ThreadPoolExecutor) -> NearLags:
    """Cross-products of the cells' numbers by lag, all lags of a ring together; and the cells twice as wide.

    A cell's neighbours of one ring are added up before they are multiplied with it.
    """
    # Imported only for grids that need it: numba takes a third of a second to load.
    from drivers.stats.neighbour_sums import lay_out, near_products, wider_sums

    rings = _rings(grid.square)
    lags = np.array([lag for members in rings.values() for lag in members])
    ends = np.cumsum([len(members) for members in rings.values()])
    height, width = grid.shape
    # Empty columns beyond the last one, so that no lag runs into the next row.
    stride, wide = width + NEAR, (width + 1) // 2
    steps = np.asarray(lags @ [stride, 1], dtype=np.intp)
    values, size = grid.rows.values, grid.rows.size
    padded = values.shape[1]
    batch = max(SMALL // (padded * len(rings) * padded), LANES)
    place = np.full((height + NEAR) * stride, len(values) - 1, dtype=np.int32)
    occupied = np.zeros((height + 1) // 2 * wide, dtype=np.uint8)

    def lay(start: int) -> None:
        part = slice(start, start + SPAN)
        lay_out(grid.row[part], grid.column[part], grid.at[part], stride, wide, place, occupied)

    def task(start: int) -> tuple[Array, int, Array]:
        part = slice(start, start + SPAN)
        row, column, at = grid.row[part], grid.column[part], grid.at[part]
        products = near_products(values, row, column, stride, place, steps, ends, batch)
        return products, *wider_sums(values, row, column, at, wide, number)

    spans = range(0, len(grid.at), SPAN)
    for _ in pool.map(lay, spans):
        pass
    blocks = np.flatnonzero(occupied)
    number = np.cumsum(occupied, dtype=np.int32) - 1
    total, wider = np.zeros((padded, (1 + len(rings)) * padded)), empty_rows(len(blocks), size)
    for products, low, sums in pool.map(task, spans):
        total += products
        wider.values[low : low + len(sums)] += sums
    itself, *half = (part[:size, :size] for part in np.split(total, 1 + len(rings), axis=1))
    both = {ring: one + one.T for ring, one in zip(rings, half, strict=True)}
    row, column = np.divmod(blocks, wide)
    coarser = Grid(row, column, 2.0 * grid.height, 2.0 * grid.width, wider, np.arange(len(blocks)))
    return NearLags({(0, 0): itself} | both, coarser)


def on_wider_cells(near: dict[Lag, Array], square: bool) -> dict[Lag, Array]:
    """The near lags' sums, shared out among the lags of cells twice as wide."""
    shared: dict[Lag, Array] = {}
    for (down, right), sums in near.items():
        rows = {down // 2, -(-down // 2)}
        columns = {right // 2, -(-right // 2)}
        for row in rows:
            for column in columns:
                lag = ring_of(row, column, square)
                shared[lag] = shared.get(lag, 0.0) + sums / (len(rows) * len(columns))
    return shared


def ring_of(down: int, right: int, square: bool) -> Lag:
    """The lag that stands for all that are as far for the same reason."""
    down, right = abs(down), abs(right)
    return (min(down, right), max(down, right)) if square else (down, right)


def lag_distance(lag: Lag, height: float, width: float, wider: bool) -> float:
    """Distance of a lag; on wider cells, that of what the finer lags left of it.

    There it is the distance d at which exp(-d / s) is its mean over the lags left, with s one wider cell: the
    plain mean distance makes correlations that bend upwards too small, most where the range is about s.
    """
    down, right = lag
    nominal = float(np.hypot(down * height, right * width))
    if not wider:
        return nominal
    off = np.array([-1.0, 0.0, 1.0])
    share = np.outer([0.5, 1.0, 0.5], [0.5, 1.0, 0.5])
    row, column = (2 * down + off)[:, None], 2 * right + off
    left = np.where(row**2 + column**2 > NEAR**2, share, 0.0)
    if not left.any():
        return nominal
    apart = np.hypot(row * height, column * width) / 2.0
    unit = np.sqrt(height * width)
    return float(-unit * np.log((left * np.exp(-apart / unit)).sum() / left.sum()))


def _rings(square: bool) -> dict[Lag, list[tuple[int, int]]]:
    """Lags within `NEAR` cells, one of each two opposite ones, by distance."""
    rings: dict[Lag, list[tuple[int, int]]] = {}
    for down in range(NEAR + 1):
        for right in range(-NEAR, NEAR + 1):
            if 0 < down**2 + right**2 <= NEAR**2 and (down, right) > (0, 0):
                rings.setdefault(ring_of(down, right, square), []).append((down, right))
    return rings
