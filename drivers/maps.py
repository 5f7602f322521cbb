"""Pixels back on their grid: classes as pictures for the report, and every column of change as a GeoTIFF."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.stats.lattice import EARTH_RADIUS, find_steps, on_grid
from drivers.table import PixelTable

if TYPE_CHECKING:
    from rasterio.crs import CRS

MAPS = "maps"
"""The folder of a report with GeoTIFFs."""

SPARSEST = 50
"""Most cells per pixel of a grid: scattered points written with few decimals lie on a grid too."""

SMALL_GRID = 65_536
"""A grid of no more cells is kept whatever its share of pixels."""

OUTSIDE = -32768
"""In a GeoTIFF of whole numbers: no pixel of the table; its `nodata`."""

METRES = 1000.0


@dataclass(frozen=True, eq=False)
class Grid:
    """The regular grid that the pixels of a table lie on.

    Attributes
    ----------
    row, column : cell of each pixel, from the north-west corner, shape (n,)
    shape : rows and columns
    west, north : the outer corner, in units of the coordinates
    width, height : of a cell
    crs : as the spec names it; empty without one
    """

    row: NDArray[np.intp]
    column: NDArray[np.intp]
    shape: tuple[int, int]
    west: float
    north: float
    width: float
    height: float
    crs: str = ""

    def spread(self, values: NDArray[Any], fill: float) -> NDArray[Any]:
        """Values of the pixels as a raster, `fill` where there is no pixel."""
        found = np.full(self.shape, fill, dtype=values.dtype)
        found[self.row, self.column] = values
        return found


@dataclass(frozen=True, eq=False)
class ClassMap:
    """Classes of pixels as a picture needs them.

    Attributes
    ----------
    name : of the column, `NEP_trend_class`
    codes : index of the class in `names`, `UNKNOWN` without one, `OUTSIDE` without a pixel; (rows, columns)
    names : of the classes
    cell : width and height of a cell, in km where `in_km`, else in units of the coordinates
    in_km : whether the length of a unit is known
    """

    OUTSIDE: ClassVar[int] = -2
    UNKNOWN: ClassVar[int] = -1

    name: str
    codes: NDArray[np.int16]
    names: tuple[str, ...]
    cell: tuple[float, float]
    in_km: bool


def grid_of(table: PixelTable) -> Grid | None:
    """The grid of a table; None without coordinates, where pixels are scattered, or where two share a cell.

    The side of a cell is that of the spec where the coordinates fit it, else it is found from them.
    """
    if table.easting is None or table.northing is None or not table.n:
        return None
    x, y = table.values(table.easting), table.values(table.northing)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    size = table.cell_size
    if size and on_grid(np.unique(x), size) and on_grid(np.unique(y), size):
        steps = (size, size)
    else:
        steps, exact = find_steps(x, y)
        if not exact:
            return None
    width, height = steps
    shape = (round(float(np.ptp(y)) / height) + 1, round(float(np.ptp(x)) / width) + 1)
    if shape[0] * shape[1] > max(SMALL_GRID, SPARSEST * table.n):
        return None
    row = np.rint((y.max() - y) / height).astype(np.intp)
    column = np.rint((x - x.min()) / width).astype(np.intp)
    if len(np.unique(row * shape[1] + column)) < table.n:
        return None
    west, north = float(x.min()) - width / 2, float(y.max()) + height / 2
    return Grid(row, column, shape, west, north, float(width), float(height), table.crs or "")


def metres_of(table: PixelTable) -> float | None:
    """Metres of a unit of the coordinates; None for degrees, and where the coordinate system is not known."""
    if not table.crs or table.geographic:
        return None
    from pyproj import CRS  # it takes a tenth of a second, and many tables have none

    return float(CRS.from_user_input(table.crs).axis_info[0].unit_conversion_factor)


def class_maps(table: PixelTable, columns: pd.DataFrame) -> tuple[ClassMap, ...]:
    """The classes among some columns by pixel, for the pictures of the report; none without a grid."""
    named = [str(name) for name in columns if isinstance(columns[name].dtype, pd.CategoricalDtype)]
    grid = grid_of(table) if named else None
    if grid is None:
        return ()
    metres = metres_of(table)
    cell = (grid.width, grid.height)
    if table.geographic:
        degree = float(np.deg2rad(EARTH_RADIUS))
        middle = grid.north - grid.height * grid.shape[0] / 2
        cell = (grid.width * degree * float(np.cos(np.deg2rad(middle))), grid.height * degree)
    elif metres is not None:
        cell = (grid.width * metres / METRES, grid.height * metres / METRES)
    return tuple(
        ClassMap(
            name,
            grid.spread(columns[name].cat.codes.to_numpy(dtype=np.int16), ClassMap.OUTSIDE),
            tuple(str(level) for level in columns[name].cat.categories),
            cell,
            metres is not None or table.geographic,
        )
        for name in named
    )


def write_maps(table: PixelTable, columns: pd.DataFrame, folder: Path) -> None:
    """Columns by pixel as GeoTIFFs on the table's grid, one a file: `folder/maps/NEP_trend_class.tif`.

    Classes and whole numbers are int16 with nodata -32768, others float32 with nodata NaN. Beside a map of
    classes lies `NAME.csv` with the code of each class; -1 are pixels without a class.

    Nothing is written without a coordinate system or where pixels lie on no regular grid.
    """
    grid = grid_of(table) if table.crs and len(columns.columns) else None
    if grid is None:
        return
    from rasterio.crs import CRS

    (folder / MAPS).mkdir(exist_ok=True)
    crs = CRS.from_user_input(grid.crs)
    listed = [str(name) for name in columns]
    for name, file in zip(listed, _file_names(listed), strict=True):
        values, names = _raster_values(columns[name])
        path = folder / MAPS / f"{file}.tif"
        _write(path, grid, crs, values, name, names)
        if names:
            with path.with_suffix(".csv").open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream, lineterminator="\n").writerows([("code", "class"), *names.items()])


def _raster_values(column: pd.Series[Any]) -> tuple[NDArray[Any], Mapping[int, str]]:
    """Numbers as a GeoTIFF holds them, and the names of their classes where they are classes."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        names = {k: str(level) for k, level in enumerate(column.cat.categories)}
        return column.cat.codes.to_numpy(dtype=np.int16), names
    if pd.api.types.is_integer_dtype(column.dtype):
        return column.astype("Int16").to_numpy(dtype=np.int16, na_value=OUTSIDE), {}
    return column.to_numpy(dtype=np.float32, na_value=np.nan), {}


def _write(
    path: Path, grid: Grid, crs: CRS, values: NDArray[Any], name: str, names: Mapping[int, str]
) -> None:
    import rasterio  # it takes half a second, and most studies write no maps
    from rasterio.transform import Affine

    whole = values.dtype == np.int16
    nodata = float(OUTSIDE) if whole else float("nan")
    with rasterio.open(
        path.absolute().as_posix(),
        "w",
        driver="GTiff",
        height=grid.shape[0],
        width=grid.shape[1],
        count=1,
        dtype=values.dtype.name,
        crs=crs,
        transform=Affine(grid.width, 0.0, grid.west, 0.0, -grid.height, grid.north),
        nodata=nodata,
        compress="deflate",
        predictor=2 if whole else 3,
    ) as out:
        out.write(grid.spread(values, nodata), 1)
        out.set_band_description(1, name)
        if names:
            out.update_tags(1, **{f"class_{code}": words for code, words in names.items()})


def _file_names(names: list[str]) -> list[str]:
    """Names of columns as every disk takes them; those that would be the same are told apart by a number.

    >>> _file_names(["NEP_hurst", "a/b", "A?b"])
    ['NEP_hurst', 'a_b', 'A_b-2']
    """
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        plain = "".join(letter if letter.isalnum() or letter in "_-." else "_" for letter in name).lstrip(".")
        one, k = plain, 2
        while one.casefold() in taken:
            one, k = f"{plain}-{k}", k + 1
        taken.add(one.casefold())
        found.append(one)
    return found
