"""How large each pixel is: from the table's own areas, from the size of a cell, or from its latitude."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.errors import Fault, TableError
from drivers.stats.cell_area import cell_areas
from drivers.table import PixelTable

Array = NDArray[np.float64]

CELL_AREA = "cell_area"
"""The column of areas that `drivers table` writes, in m2."""

SQUARE_KM = 1e6
"""Square metres of a square kilometre."""

KM2 = "km2"
SQUARED = "squared units of the coordinates"


@dataclass(frozen=True, eq=False)
class PixelAreas:
    """What pixels weigh against each other, and in which unit.

    Attributes
    ----------
    unit : `km2`, squared units of the coordinates, or empty: then weights are relative and no area is known
    column : areas by pixel, in m2, shape (n,); or
    latitude : of each pixel in degrees, shape (n,), of cells of `size` degrees; or
    size : else the area of every pixel alike
    """

    unit: str
    size: float
    column: NDArray[np.generic] | None = None
    latitude: NDArray[np.generic] | None = None

    def of(self, rows: slice) -> Array:
        """The weights of some pixels, shape (rows,)."""
        if self.column is not None:
            return np.asarray(self.column[rows], dtype=np.float64) / SQUARE_KM
        if self.latitude is None:
            return np.full(rows.stop - rows.start, self.size)
        latitude = np.asarray(self.latitude[rows], dtype=np.float64)
        if not self.unit:
            return np.asarray(np.cos(np.radians(latitude)))
        return cell_areas(latitude, self.size, self.size) / SQUARE_KM

    def area(self, weight: float) -> float:
        """A sum of weights as an area; NaN where areas are not known."""
        return weight if self.unit else float("nan")


def pixel_areas(table: PixelTable) -> PixelAreas:
    """The areas of a table's pixels.

    They are those of the column `cell_area`; or the square of the cell's size, in km2 where the coordinate
    system has a unit of length; or, of longitude and latitude, that of the cell on the ellipsoid. Without
    the size of a cell pixels weigh alike, or with the cosine of their latitude, and no area is known.

    Raises
    ------
    TableError
        areas that are missing, negative or nil
    """
    if CELL_AREA in table.columns:
        column = table.frame[CELL_AREA].to_numpy()
        sound = np.asarray(column > 0)
        if not sound.all():
            row = int(np.argmin(sound)) + 1
            message = f"column `{CELL_AREA}` of {table.source} is missing, negative or nil in row {row}"
            raise TableError(Fault(message, hint="an area is in m2, of every pixel"))
        return PixelAreas(KM2, 1.0, column=column)
    size = table.cell_size
    if table.northing is not None and table.geographic:
        latitude = table.frame[table.northing].to_numpy()
        return PixelAreas(KM2 if size else "", size or 1.0, latitude=latitude)
    if not size:
        return PixelAreas("", 1.0)
    metres = _metres(table.crs)
    if metres is None:
        return PixelAreas(SQUARED, size**2)
    return PixelAreas(KM2, (size * metres) ** 2 / SQUARE_KM)


def _metres(crs: str | None) -> float | None:
    """Metres of a unit of a coordinate system; None where there is none."""
    if not crs:
        return None
    from pyproj import CRS  # it takes a tenth of a second, and many tables have none

    return float(CRS.from_user_input(crs).axis_info[0].unit_conversion_factor)
