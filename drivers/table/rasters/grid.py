"""A grid of cells: north up, columns from west to east; where they are and how large."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.transform import Affine

from drivers.stats.cell_area import cell_areas
from drivers.table.crs import metres_per_unit, same_crs

Array = NDArray[np.float64]

OFF_CELL = 0.01
"""Two grids are the same cells when no corner is off by more than this share of a cell: coordinates that
were typed with four digits are, grids shifted on purpose are not."""

CORNERS = 5
"""Points along each side at which the true area of a cell is compared with the flat one."""


@dataclass(frozen=True)
class RasterGrid:
    """Cells of one size in rows from north to south.

    Attributes
    ----------
    crs : the coordinate system
    west, north : the outer corner of the first cell
    width, height : sides of a cell in units of the CRS, both positive
    rows, columns : how many
    """

    crs: CRS
    west: float
    north: float
    width: float
    height: float
    rows: int
    columns: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.columns

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        return (
            self.west,
            self.north - self.rows * self.height,
            self.west + self.columns * self.width,
            self.north,
        )

    @property
    def transform(self) -> Affine:
        """As rasterio and GDAL want it."""
        return self.window(0, 0)

    def window(self, row: int, column: int) -> Affine:
        """The transform of a window that begins at this cell."""
        west, north = self.west + column * self.width, self.north - row * self.height
        return Affine(self.width, 0.0, west, 0.0, -self.height, north)

    def part(self, rows: slice, columns: slice) -> RasterGrid:
        """Some of the cells as a grid of their own."""
        return replace(
            self,
            west=self.west + columns.start * self.width,
            north=self.north - rows.start * self.height,
            rows=rows.stop - rows.start,
            columns=columns.stop - columns.start,
        )

    @property
    def eastings(self) -> Array:
        """Of the centres of the columns, shape (columns,)."""
        return np.asarray(self.west + (np.arange(self.columns) + 0.5) * self.width)

    def northings(self, start: int, stop: int) -> Array:
        """Of the centres of some rows, shape (stop - start,)."""
        return np.asarray(self.north - (np.arange(start, stop) + 0.5) * self.height)

    def areas(self, start: int, stop: int) -> Array:
        """Square metres of a cell in each of some rows, shape (stop - start,).

        A geographic grid: exactly the area between two parallels and two meridians of the ellipsoid. A
        projected one: width times height, which is the true area only where the projection keeps areas.
        """
        if not self.crs.is_geographic:
            side = metres_per_unit(self.crs)
            return np.full(stop - start, self.width * self.height * side**2)
        return cell_areas(self.northings(start, stop), self.width, self.height, self._axes)

    def sides(self, start: int, stop: int) -> tuple[Array, Array]:
        """Width and height in metres of the cells of some rows, each of shape (stop - start,)."""
        if not self.crs.is_geographic:
            side = metres_per_unit(self.crs)
            return np.full(stop - start, self.width * side), np.full(stop - start, self.height * side)
        a, b = self._axes
        squared = 1.0 - (b / a) ** 2
        latitude = np.radians(self.northings(start, stop))
        curve = 1.0 - squared * np.sin(latitude) ** 2
        east = a * np.cos(latitude) / np.sqrt(curve) * math.radians(self.width)
        return east, a * (1.0 - squared) / curve**1.5 * math.radians(self.height)

    @cached_property
    def _axes(self) -> tuple[float, float]:
        shape = self.crs.ellipsoid
        assert shape is not None  # pyproj says so of systems that are neither geographic nor projected
        return float(shape.semi_major_metre), float(shape.semi_minor_metre)

    def cells(self, easting: Array, northing: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Row and column of the cells that hold these points, each of shape (n,).

        Examples
        --------
        >>> grid = RasterGrid(CRS.from_epsg(32651), 500000.0, 4000000.0, 1000.0, 1000.0, 2, 3)
        >>> grid.cells(np.array([502500.0]), np.array([3998500.0]))
        (array([1]), array([2]))
        """
        row = np.floor((self.north - np.asarray(northing)) / self.height).astype(np.intp)
        column = np.floor((np.asarray(easting) - self.west) / self.width).astype(np.intp)
        return row, column

    def offset_in(self, other: RasterGrid) -> tuple[int, int] | None:
        """Where this grid's first cell is in another (row, column), if they are the same cells; else None."""
        if not same_crs(self.crs, other.crs):
            return None
        column, row = (self.west - other.west) / other.width, (other.north - self.north) / other.height
        spans = (self.columns * self.width / other.width, self.rows * self.height / other.height)
        for start, span, cells in ((column, spans[0], self.columns), (row, spans[1], self.rows)):
            first = round(start)
            if abs(start - first) > OFF_CELL or abs(start + span - (first + cells)) > OFF_CELL:
                return None
        return round(row), round(column)

    def area_error(self) -> float:
        """The largest share by which a projected cell's true area differs from width times height."""
        if self.crs.is_geographic:
            return 0.0
        from pyproj import Transformer

        down = Transformer.from_crs(self.crs, self.crs.geodetic_crs, always_xy=True)
        geod = self.crs.get_geod()
        assert geod is not None
        flat = self.areas(0, 1)[0]
        worst = 0.0
        for row in np.linspace(0, self.rows - 1, CORNERS):
            for column in np.linspace(0, self.columns - 1, CORNERS):
                west, north = self.west + column * self.width, self.north - row * self.height
                x = [west, west + self.width, west + self.width, west]
                y = [north, north, north - self.height, north - self.height]
                lon, lat = down.transform(x, y)
                true = abs(geod.polygon_area_perimeter(lon, lat)[0])
                if math.isfinite(true) and true > 0:
                    worst = max(worst, abs(flat / true - 1.0))
        return worst
