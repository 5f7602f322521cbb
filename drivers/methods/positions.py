"""Where pixels lie: coordinates of some rows of a table, and the grid they make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.errors import Fault, TableError
from drivers.stats.lattice import Lattice, make_lattice
from drivers.table import PixelTable

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Positions:
    """Where pixels lie."""

    easting: Array
    northing: Array
    geographic: bool
    """Whether they are longitude and latitude in degrees."""
    cell_size: float | None


def positions_of(table: PixelTable, rows: NDArray[np.intp]) -> Positions | None:
    """Where some pixels lie; None where the table does not say so for all of them."""
    if table.easting is None or table.northing is None:
        return None
    easting, northing = (table.values(name) for name in (table.easting, table.northing))
    if len(rows) < table.n:
        easting, northing = easting[rows], northing[rows]
    if np.isnan(easting).any() or np.isnan(northing).any():
        return None
    return Positions(easting, northing, table.geographic, table.cell_size)


def lattice_of(at: Positions) -> Lattice:
    """The grid that pixels lie on."""
    # A cell size in degrees says nothing in km; the coordinates themselves show the grid.
    size = None if at.geographic else at.cell_size
    return make_lattice(at.easting, at.northing, geographic=at.geographic, cell_size=size)


def check_positions(table: PixelTable) -> None:
    """Refuse degrees that are none.

    Raises
    ------
    TableError
        If a latitude lies beyond 90 degrees or a longitude beyond 360.
    """
    if table.easting is None or table.northing is None or not table.geographic:
        return
    for name, most, what in ((table.northing, 90.0, "latitude"), (table.easting, 360.0, "longitude")):
        largest = np.nanmax(np.abs(table.values(name)), initial=0.0)
        if largest > most:
            message = (
                f"`{name}` of {table.source} holds {largest:g}, and no {what} is beyond {most:g} degrees"
            )
            hint = "are easting and northing exchanged, or is `crs` not that of the columns?"
            raise TableError(Fault(message, hint=hint))
