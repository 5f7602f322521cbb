"""The grid of a table: the cells of a raster, or those that bounds and a resolution make."""

from __future__ import annotations

import math

from drivers.errors import Fault, TableError
from drivers.spec.places import shown
from drivers.spec.table_grid import GridSpec
from drivers.spec.table_spec import RASTER_FORMATS
from drivers.table.crs import crs_label, parse_crs, unit_name
from drivers.table.rasters.geotiff import geotiff_grid
from drivers.table.rasters.grid import RasterGrid
from drivers.table.rasters.netcdf import netcdf_grid

WHOLE = 1e-6
"""Share of a cell by which bounds may miss whole cells before one more is added."""

BYTES = 8
"""Of a number."""

GIGA = 1e9

AREA_ERROR = 0.01
"""Cells whose flat area differs by more from the true one are worth a word."""


def target_grid(grid: GridSpec) -> RasterGrid:
    """The cells that become pixels.

    Raises
    ------
    TableError
        If the raster cannot be read or has no coordinate system, or the bounds hold no cell.
    """
    return _of_raster(grid) if grid.like is not None else _of_bounds(grid)


def _of_raster(grid: GridSpec) -> RasterGrid:
    assert grid.like is not None
    path, place = grid.like, grid.place("like")
    format = RASTER_FORMATS.get(path.suffix.lower())
    if format is None:
        raise TableError(
            Fault(f"{shown(path)} is no raster that is read", place, "it is GeoTIFF, NetCDF or Zarr")
        )
    if not path.exists():
        raise TableError(Fault(f"there is no file {shown(path)}", place))
    hint = f"add it: `grid: {{like: {path.name}, crs: EPSG:...}}`"
    if format == "geotiff":
        return geotiff_grid(path, grid.crs, grid.place("crs", "like"), hint)[0]
    return netcdf_grid(path, format, grid.crs, grid.place("crs", "like"), hint)[0]


def _of_bounds(grid: GridSpec) -> RasterGrid:
    """Cells begin in the north-west; those on the other edges may reach beyond the bounds."""
    assert grid.crs is not None
    assert grid.bounds is not None
    assert grid.resolution is not None
    crs, (west, south, east, north), (width, height) = parse_crs(grid.crs), grid.bounds, grid.resolution
    unit = unit_name(crs)
    if crs.is_geographic and not (west >= -180.0 and east <= 180.0 and south >= -90.0 and north <= 90.0):
        message = f"`bounds` are no longitudes and latitudes, which {crs_label(crs)} wants"
        raise TableError(
            Fault(message, grid.place("bounds"), "[west, south, east, north], -180 to 180, -90 to 90")
        )
    if (east - west) < width * (1.0 - WHOLE) or (north - south) < height * (1.0 - WHOLE):
        message = (
            f"`bounds` hold no whole cell: they are {east - west:g} x {north - south:g} {unit}s, "
            f"and a cell is {width:g} x {height:g} {unit}s"
        )
        hint = f"bounds and resolution are in the unit of {crs_label(crs)}, which is the {unit}"
        raise TableError(Fault(message, grid.place("bounds"), hint))
    columns = math.ceil((east - west) / width - WHOLE)
    rows = math.ceil((north - south) / height - WHOLE)
    return RasterGrid(crs, west, north, width, height, rows, columns)


def check_size(grid: GridSpec, target: RasterGrid, columns: int, finest: RasterGrid | None) -> Fault | None:
    """Whether the table would be far larger than anyone means; before anything is read.

    Parameters
    ----------
    grid, target : what the spec says, and the cells it makes
    columns : of the table
    finest : the map with the smallest cells, for comparison
    """
    size = float(target.rows) * float(target.columns) * columns * BYTES / GIGA
    if size <= grid.max_gb:
        return None
    unit = unit_name(target.crs)
    message = (
        f"the grid has {target.rows:,} x {target.columns:,} cells of {target.width:g} x {target.height:g} "
        f"{unit}s: {size:,.0f} GB of numbers in {columns} columns"
    )
    hint = "take a coarser `resolution` or narrower `bounds`, "
    hint += f"or put `max_gb: {size:.0f}` into `grid` if this is meant"
    if finest is not None and target.width < finest.width / 2.0:
        hint += f"; the finest layer has cells of {finest.width:g}"
    return Fault(message, grid.place("resolution", "like"), hint)


def area_note(target: RasterGrid) -> str | None:
    """A word about `cell_area` where the projection does not keep areas."""
    error = target.area_error()
    if error <= AREA_ERROR:
        return None
    return (
        f"`cell_area` is width times height, and {crs_label(target.crs)} does not keep areas: "
        f"it is off by up to {error:.1%}"
    )
