"""Maps on the cells of the table: cell by cell where they are the same cells, by GDAL's warper elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from rasterio.crs import CRS as RasterioCRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT

from drivers.errors import Fault, TableError
from drivers.spec.places import shown
from drivers.spec.table_spec import LayerSpec
from drivers.table.crs import crs_label, same_crs
from drivers.table.rasters.grid import RasterGrid
from drivers.table.rasters.planes import Floats, Plane
from drivers.table.rasters.reader import Reader
from drivers.table.rasters.suspected import Watch

ALONG, ACROSS = 65, 9
"""Points of a piece of the grid that are looked up in a map to find which part of it is needed."""

Bounds = tuple[float, float, float, float]
"""West, south, east, north."""

MARGIN = 8
"""Cells around that part: between two such points an edge of the grid bends by less."""

MAP_CELLS = 16_000_000
"""Of a map that are in memory at once, in double precision and twice for the warper."""

EXACT = 1e-6
"""Cells of a map by which the warper may miss its place: with less than none it approximates by an eighth."""

WARP_MB = 64
"""What GDAL's warper may take for itself."""

PICKS = ("nearest", "mode")
"""Ways of resampling that give a stored value as it is."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How a map lies on the grid.

    Attributes
    ----------
    offset : the cell of the map at which the grid begins (row, column), where both have the same cells
    ratio : cells of the map to a cell of the grid, down and across
    """

    offset: tuple[int, int] | None
    ratio: tuple[float, float]


def fit_map(layer: LayerSpec, plane: Plane, target: RasterGrid) -> Fit:
    """How a map lies on the grid.

    Raises
    ------
    TableError
        If they do not overlap, or are not the same cells and the spec does not say how to resample.
    """
    offset = target.offset_in(plane.grid)
    if offset is not None:
        row, column = offset
        overlap = min(target.rows, plane.grid.rows - row) > max(0, -row) and min(
            target.columns, plane.grid.columns - column
        ) > max(0, -column)
        if not overlap:
            raise TableError(_apart(layer, plane, target))
        return Fit(offset, (1.0, 1.0))
    try:
        apart = source_window(plane.grid, target, 0) is None
        ratio = cell_ratio(plane.grid, target)
    except ProjError as error:
        message = f"{shown(plane.path)} cannot be put on the grid: {' '.join(str(error).split())}"
        raise TableError(Fault(message, layer.place("source"))) from None
    if apart:
        raise TableError(_apart(layer, plane, target))
    if layer.resample is None:
        raise TableError(_unsaid(layer, plane, ratio))
    return Fit(None, ratio)


def on_grid(
    reader: Reader,
    layer: LayerSpec,
    plane: Plane,
    fit: Fit,
    target: RasterGrid,
    start: int,
    stop: int,
    watch: Watch,
) -> Floats:
    """The values of a map on some rows of the grid, shape (stop - start, columns); NaN without any."""
    place = layer.place("source")
    if fit.offset is not None:
        row, column = fit.offset
        top, bottom = max(start, -row), min(stop, plane.grid.rows - row)
        left, right = max(0, -column), min(target.columns, plane.grid.columns - column)
        shape = (stop - start, target.columns)
        if top >= bottom:
            return np.full(shape, np.nan, dtype=np.float32 if plane.single else np.float64)
        rows, columns = slice(top + row, bottom + row), slice(left + column, right + column)
        raw, known = reader.read(plane, rows, columns, place)
        watch.see(raw, known)
        values = plane.values(raw, known, double=False)
        if values.shape == shape:
            return values
        held = np.full(shape, np.nan, dtype=values.dtype)
        held[top - start : bottom - start, left:right] = values
        return held
    kind = np.float32 if layer.resample in PICKS and plane.single else np.float64
    held = np.full((stop - start, target.columns), np.nan, dtype=kind)
    # A map that is far finer than the grid is taken in pieces of these rows, too.
    each = max(int(MAP_CELLS / (max(fit.ratio[0] * fit.ratio[1], 1.0) * (stop - start))), 1)
    for left in range(0, target.columns, each):
        columns = slice(left, min(left + each, target.columns))
        piece = target.part(slice(start, stop), columns)
        held[:, columns] = _resampled(reader, layer, plane, fit, piece, kind, watch)
    return held


def _resampled(
    reader: Reader,
    layer: LayerSpec,
    plane: Plane,
    fit: Fit,
    piece: RasterGrid,
    kind: type[np.floating],
    watch: Watch,
) -> Floats:
    """The values of a map on a piece of the grid, shape (rows, columns)."""
    held = np.full(piece.shape, np.nan, dtype=kind)
    finest = math.ceil(max(fit.ratio))
    window = source_window(plane.grid, piece, MARGIN + 2 * finest)
    if window is None:
        return held
    raw, known = reader.read(plane, window[0], window[1], layer.place("source"))
    watch.see(raw, known)
    if not known.any():
        return held
    values = plane.values(raw, known, double=layer.resample not in PICKS)
    corner = (window[0].start, window[1].start)
    if layer.resample not in ("nearest", "bilinear"):
        # Where a pixel reaches beyond a map, GDAL counts the map's last cells for what is not there.
        rim = 2 + finest
        values = np.pad(values, rim, constant_values=np.nan)
        corner = (corner[0] - rim, corner[1] - rim)
    _warp(values, plane.grid, corner, held, piece, layer, fit)
    return held


def _warp(
    values: Floats,
    source: RasterGrid,
    corner: tuple[int, int],
    held: Floats,
    piece: RasterGrid,
    layer: LayerSpec,
    fit: Fit,
) -> None:
    # rasterio.warp.reproject approximates by lines whose ends are the piece's; WarpedVRT can do without.
    same = same_crs(source.crs, piece.crs)
    more: dict[str, Any] = {}
    if layer.resample == "bilinear":
        # By itself GDAL widens the kernel by the sizes of this piece; pieces would then not meet.
        more = {"XSCALE": 1.0 / max(fit.ratio[1], 1.0), "YSCALE": 1.0 / max(fit.ratio[0], 1.0)}
    profile = {
        "driver": "GTiff",
        "height": values.shape[0],
        "width": values.shape[1],
        "count": 1,
        "dtype": values.dtype.name,
        "transform": source.window(*corner),
    }
    try:
        with MemoryFile() as memory:
            with memory.open(**profile) as made:
                made.write(values, 1)
            with (
                memory.open() as part,
                WarpedVRT(
                    part,
                    src_crs=_for_gdal(piece.crs if same else source.crs),
                    src_nodata=np.nan,
                    crs=_for_gdal(piece.crs),
                    transform=piece.transform,
                    height=held.shape[0],
                    width=held.shape[1],
                    nodata=np.nan,
                    resampling=Resampling[layer.resample or "nearest"],
                    tolerance=EXACT,
                    warp_mem_limit=WARP_MB,
                    **more,
                ) as warped,
            ):
                warped.read(1, out=held)
    except RasterioError as error:
        said = " ".join(str(error).split())
        message = f"layer `{layer.name}` cannot be put on the grid: {said}"
        raise TableError(Fault(message, layer.place("source"))) from None


def source_window(source: RasterGrid, piece: RasterGrid, margin: int) -> tuple[slice, slice] | None:
    """Rows and columns of a map that a piece of the grid needs; None where it has nothing there."""
    west, south, east, north = extent_in(source, piece)
    if not math.isfinite(west + south + east + north):
        return None
    top = math.floor((source.north - north) / source.height) - margin
    bottom = math.ceil((source.north - south) / source.height) + margin
    left = math.floor((west - source.west) / source.width) - margin
    right = math.ceil((east - source.west) / source.width) + margin
    rows = slice(max(top, 0), min(bottom, source.rows))
    columns = slice(max(left, 0), min(right, source.columns))
    return None if rows.start >= rows.stop or columns.start >= columns.stop else (rows, columns)


def cell_ratio(source: RasterGrid, target: RasterGrid) -> tuple[float, float]:
    """How many cells of a map the cell in the middle of the grid holds, down and across."""
    row, column = target.rows // 2, target.columns // 2
    middle = target.part(slice(row, row + 1), slice(column, column + 1))
    west, south, east, north = extent_in(source, middle)
    if not math.isfinite(west + south + east + north):
        return 1.0, 1.0
    return (north - south) / source.height, (east - west) / source.width


def extent_in(source: RasterGrid, piece: RasterGrid) -> Bounds:
    """Where a piece of the grid lies, in the coordinates of a map; NaN where it has none there."""
    west, south, east, north = piece.bounds
    x, y = np.meshgrid(np.linspace(west, east, ALONG), np.linspace(north, south, ACROSS))
    if same_crs(source.crs, piece.crs):
        return west, south, east, north
    there = _transformer(piece.crs, source.crs)
    u, v = (np.asarray(side) for side in there.transform(x.ravel(), y.ravel()))
    good = np.isfinite(u) & np.isfinite(v)
    u, v = u[good], v[good]
    if not len(u):
        return math.nan, math.nan, math.nan, math.nan
    low, high = float(v.min()), float(v.max())
    if source.crs.is_geographic:
        middle = source.west + source.columns * source.width / 2.0
        u = u + 360.0 * np.rint((middle - u) / 360.0)
        for pole in (-90.0, 90.0):
            px, py = _transformer(source.crs, piece.crs).transform(0.0, pole)
            if west <= px <= east and south <= py <= north:
                low, high = min(low, pole), max(high, pole)
                u = np.array([source.west, source.west + source.columns * source.width])
    return float(u.min()), low, float(u.max()), high


@lru_cache(maxsize=64)
def _transformer(one: CRS, other: CRS) -> Transformer:
    return Transformer.from_crs(one, other, always_xy=True)


@lru_cache(maxsize=64)
def _for_gdal(crs: CRS) -> Any:
    return RasterioCRS.from_wkt(crs.to_wkt())


def _unsaid(layer: LayerSpec, plane: Plane, ratio: tuple[float, float]) -> Fault:
    finer = max(ratio)
    if layer.categorical:
        hint = "add `resample: mode` (the commonest class in a pixel) or `nearest`"
    elif finer > 1.5:
        hint = f"add `resample: average`: {finer:.3g} of its cells make a pixel's side; `sum` for counts"
    else:
        hint = "add `resample: bilinear`, or `nearest` to keep its values as they are"
    message = f"the cells of {shown(plane.path)} are not those of the grid; `{layer.name}` has no `resample`"
    return Fault(message, layer.place("source"), hint)


def _apart(layer: LayerSpec, plane: Plane, target: RasterGrid) -> Fault:
    message = f"{shown(plane.path)} (layer `{layer.name}`) does not overlap the grid"
    return Fault(message, layer.place("source"), f"it covers {covers(plane.grid)}; the grid {covers(target)}")


def covers(grid: RasterGrid) -> str:
    """Where a grid is, in degrees where that can be said."""
    geographic = grid.crs.geodetic_crs
    if geographic is None:
        return "no known place"
    west, south, east, north = grid.bounds
    if not grid.crs.is_geographic:
        try:
            west, south, east, north = _transformer(grid.crs, geographic).transform_bounds(*grid.bounds)
        except Exception:  # PROJ: a corner that has no longitude
            return f"{west:.6g} to {east:.6g}, {south:.6g} to {north:.6g} in {crs_label(grid.crs)}"
    across = f"{_degrees(west, 'EW')} to {_degrees(east, 'EW')}"
    return f"{across}, {_degrees(south, 'NS')} to {_degrees(north, 'NS')}"


def _degrees(value: float, signs: str) -> str:
    return f"{abs(value):.2f}{signs[value < 0]}"
