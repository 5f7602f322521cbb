"""How many rows of the grid are in memory at once."""

from __future__ import annotations

from collections.abc import Iterable

from drivers.table.rasters.grid import RasterGrid
from drivers.table.rasters.resample import MAP_CELLS, Fit

CACHE_MB = 128
"""What GDAL keeps of blocks it has unpacked, for the next rows of the same blocks."""

TABLE_BYTES = 256_000_000
"""Of all columns on the rows at hand, in double precision; what is written is a copy of part of it."""

MOST_CELLS = 1_048_576
"""Of the rows at hand: enough for the price of a call to vanish."""

DOUBLE = 8


def row_chunks(target: RasterGrid, columns: int, fits: Iterable[Fit]) -> list[tuple[int, int]]:
    """First and last-but-one row of each piece, from north to south; the same for the same spec and files.

    Parameters
    ----------
    target : the grid
    columns : of the table
    fits : how the maps lie on the grid; one that is finer than the grid needs more room
    """
    cells = min(MOST_CELLS, TABLE_BYTES // (DOUBLE * max(columns, 1)))
    rows = max(cells // target.columns, 1)
    finest = max((fit.ratio[0] * fit.ratio[1] for fit in fits), default=1.0)
    room = MAP_CELLS / (max(finest, 1.0) * target.columns)
    rows = max(min(rows, int(room)), 1)
    return [(start, min(start + rows, target.rows)) for start in range(0, target.rows, rows)]
