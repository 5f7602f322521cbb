"""Maps in NetCDF and Zarr files, by the CF conventions."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from drivers.errors import Fault, Place, TableError, propose
from drivers.spec.places import shown
from drivers.spec.table_spec import LayerSpec, RasterFormat
from drivers.table.rasters.files import DatedFile, name_pattern
from drivers.table.rasters.grid import RasterGrid
from drivers.table.rasters.planes import Layout, Plane, Raw, Step, make_grid, make_plane, settle_crs
from drivers.table.rasters.time_axis import time_steps

if TYPE_CHECKING:
    import xarray as xr

UNEVEN = 0.02
"""Share of a cell by which a coordinate may be off; single-precision degrees at 1 km miss by 0.002."""

DEFAULT_FILL = {"f4": 9.969209968386869e36, "f8": 9.969209968386869e36, "i2": -32767.0, "i4": -2147483647.0}
"""What the NetCDF library writes into cells that nobody wrote; counts where the file names no fill value."""

_Y_NAMES = ("lat", "latitude", "y", "northing", "nav_lat")
_X_NAMES = ("lon", "longitude", "long", "x", "easting", "nav_lon")
_T_NAMES = ("time", "t", "year", "years", "date")
_DEGREES = ("degrees_north", "degree_north", "degrees_east", "degree_east")


@dataclass(frozen=True, slots=True)
class _Axes:
    y: str
    x: str
    time: str | None
    others: tuple[str, ...]


def open_dataset(path: Path, format: RasterFormat) -> Any:
    """Open a file with its numbers as they are stored; nothing is read yet."""
    import xarray as xr  # takes a moment, and GeoTIFF needs none of it

    plainly: dict[str, Any] = {"mask_and_scale": False, "decode_times": False, "cache": False}
    if format == "zarr":
        _refuse_pickles(path)
        return xr.open_dataset(path.absolute(), engine="zarr", chunks=None, **plainly)
    _refuse_cut_off(path)
    return xr.open_dataset(path.absolute(), engine="netcdf4", **plainly)


@contextmanager
def reading(path: Path, place: Place) -> Iterator[None]:
    """Whatever the libraries throw at a damaged file, as a fault with its place."""
    try:
        yield
    except TableError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError, IndexError, TypeError, AttributeError) as error:
        said = " ".join(str(error).split())
        message = f"{shown(path)} cannot be read as {'Zarr' if path.suffix == '.zarr' else 'NetCDF'}: {said}"
        raise TableError(Fault(message, place, "check the download, or make the file again")) from None


def netcdf_grid(
    path: Path, format: RasterFormat, crs: str | None, place: Place, hint: str
) -> tuple[RasterGrid, Layout]:
    """The cells of the first variable that is a map."""
    with reading(path, place), open_dataset(path, format) as data:
        for name in data.data_vars:
            axes = _axes(data, str(name))
            if axes is not None:
                return _grid(data, str(name), axes, crs, path, place, hint)
    raise TableError(Fault(f"{shown(path)} holds no variable with two directions", place))


def netcdf_planes(layer: LayerSpec, file: DatedFile, crs: str | None, hint: str) -> list[tuple[Step, Plane]]:
    """The maps of a layer in one file, with the year and month of each."""
    planes: list[tuple[Step, Plane]] = []
    place = layer.place("source")
    with reading(file.path, place), open_dataset(file.path, layer.format) as data:
        for name, date in _variables(layer, file, data):
            axes = _axes(data, name)
            if axes is None:
                said = ", ".join(map(str, data[name].dims))
                message = f"`{name}` of {shown(file.path)} is no map: its dimensions are ({said})"
                raise TableError(Fault(message, layer.place("variable", "source")))
            grid, layout = _grid(data, name, axes, crs, file.path, layer.place("crs", "source"), hint)
            for step, index in _steps(layer, data, name, axes, date, file):
                planes.append((step, _plane(layer, file.path, data[name], grid, layout, index)))
    return planes


def read_netcdf(held: Any, plane: Plane, rows: slice, columns: slice) -> Raw:
    """A window of an open file as it is stored."""
    array = held[plane.variable]
    axes = _axes(held, plane.variable)
    assert axes is not None
    assert not isinstance(plane.index, int)
    part = array.isel({**dict(plane.index), axes.y: rows, axes.x: columns}).transpose(axes.y, axes.x)
    raw = np.asarray(part.values)
    raw = raw.astype(raw.dtype.newbyteorder("="), copy=False)
    return raw.view(plane.dtype) if raw.dtype != plane.dtype else raw


def _plane(
    layer: LayerSpec,
    path: Path,
    array: xr.DataArray,
    grid: RasterGrid,
    layout: Layout,
    index: tuple[tuple[str, int], ...],
) -> Plane:
    said = array.attrs
    dtype = array.dtype.newbyteorder("=")
    if str(said.get("_Unsigned", "")).lower() == "true" and dtype.kind == "i":
        dtype = np.dtype(f"u{dtype.itemsize}")
    codes = [float(v) for key in ("_FillValue", "missing_value") for v in _numbers(said.get(key))]
    if dtype.kind == "u":
        codes = [code % 2 ** (8 * dtype.itemsize) for code in codes]
    if "_FillValue" not in said and dtype.str[1:] in DEFAULT_FILL:
        codes.append(DEFAULT_FILL[dtype.str[1:]])
    low, high = -np.inf, np.inf
    if len(_numbers(said.get("valid_range"))) == 2:
        low, high = _numbers(said["valid_range"])
    low = _numbers(said.get("valid_min"), low)[0]
    high = _numbers(said.get("valid_max"), high)[0]
    scale, offset = _numbers(said.get("scale_factor"), 1.0)[0], _numbers(said.get("add_offset"), 0.0)[0]
    return make_plane(
        layer,
        path,
        grid,
        layout,
        dtype,
        missing=tuple(codes),
        scale=scale,
        offset=offset,
        valid=(low, high),
        variable=str(array.name),
        index=index,
        unit=str(said.get("units", "")),
    )


def _numbers(value: object, *otherwise: float) -> list[float]:
    if value is None:
        return list(otherwise)
    return [float(v) for v in np.atleast_1d(np.asarray(value)).ravel()]


def _variables(layer: LayerSpec, file: DatedFile, data: Any) -> Iterator[tuple[str, Step]]:
    """The variables of a layer, with what names say about the date."""
    maps = [str(name) for name in data.data_vars if _axes(data, str(name)) is not None]
    wanted, date = layer.variable, (file.year, file.month)
    if wanted is None:
        if len(maps) != 1:
            hint = f"say which with `variable:`  {propose('', maps)}" if maps else ""
            message = f"{shown(file.path)} has {len(maps) or 'no'} variables that are maps"
            raise TableError(Fault(message, layer.place("source"), hint))
        yield maps[0], date
    elif "{year}" in wanted or "{month}" in wanted:
        pattern = name_pattern(wanted)
        found = [(name, match) for name in maps if (match := pattern.fullmatch(name)) is not None]
        if not found:
            message = f"no variable of {shown(file.path)} matches `{wanted}`"
            raise TableError(Fault(message, layer.place("variable"), propose("", maps)))
        for name, match in found:
            said = match.groupdict()
            year = int(said["year"]) if said.get("year") else file.year
            month = int(said["month"]) if said.get("month") else file.month
            if layer.years is None or year in layer.years:
                yield name, (year, month)
    elif wanted not in data.variables:
        message = f"{shown(file.path)} has no variable `{wanted}`"
        raise TableError(Fault(message, layer.place("variable"), propose(wanted, maps)))
    else:
        yield wanted, date


def _steps(
    layer: LayerSpec, data: Any, name: str, axes: _Axes, date: Step, file: DatedFile
) -> Iterator[tuple[Step, tuple[tuple[str, int], ...]]]:
    """(year, month) of every map of a variable, and its place along the dimensions."""
    sizes = data[name].sizes
    for other in axes.others:
        if sizes[other] > 1:
            message = f"`{name}` of {shown(file.path)} has {sizes[other]} steps along `{other}`"
            raise TableError(Fault(message, layer.place("variable", "source"), "take one of them out first"))
    fixed = tuple((other, 0) for other in axes.others)
    if axes.time is None or layer.time is None:
        if axes.time is not None and sizes[axes.time] > 1:
            message = f"`{name}` of {shown(file.path)} has {sizes[axes.time]} steps along `{axes.time}`"
            hint = "say what they are: `time: year` or `time: month`"
            raise TableError(Fault(message, layer.place("variable", "source"), hint))
        if layer.time is not None and date[0] is None:
            message = f"`{name}` of {shown(file.path)} has no time axis"
            raise TableError(Fault(message, layer.place("time"), "leave `time:` out"))
        yield date, fixed + (() if axes.time is None else ((axes.time, 0),))
        return
    for index, (year, month) in enumerate(time_steps(data, axes.time, file.path, layer.place("time"))):
        if (date[0] is not None and year != date[0]) or (layer.years is not None and year not in layer.years):
            continue
        if layer.time == "month" and month is None:
            message = f"`{axes.time}` of {shown(file.path)} has years and no months"
            raise TableError(Fault(message, layer.place("time"), "say `time: year`"))
        step = (year, month if layer.time == "month" else None)
        yield step, (*fixed, (axes.time, index))


def _axes(data: Any, name: str) -> _Axes | None:
    """Which dimension of a variable is which; None for what is no map."""
    found: dict[str, str] = {}
    others = []
    for dimension in map(str, data[name].dims):
        kind = _direction(data, dimension)
        if kind and kind not in found:
            found[kind] = dimension
        else:
            others.append(dimension)
    if not {"y", "x"} <= found.keys():
        return None
    return _Axes(found["y"], found["x"], found.get("t"), tuple(others))


def _direction(data: Any, dimension: str) -> str:
    said = data[dimension].attrs if dimension in data.variables else {}
    axis, standard = str(said.get("axis", "")).lower(), str(said.get("standard_name", ""))
    units, name = str(said.get("units", "")), dimension.lower()
    if standard in ("latitude", "projection_y_coordinate") or units in _DEGREES[:2]:
        return "y"
    if standard in ("longitude", "projection_x_coordinate") or units in _DEGREES[2:]:
        return "x"
    if standard == "time" or " since " in units:
        return "t"
    if axis in ("y", "x", "t"):
        return axis
    return "y" if name in _Y_NAMES else "x" if name in _X_NAMES else "t" if name in _T_NAMES else ""


def _grid(
    data: Any, name: str, axes: _Axes, crs: str | None, path: Path, place: Place, hint: str
) -> tuple[RasterGrid, Layout]:
    sides = [_spacing(data, dimension, path, place) for dimension in (axes.y, axes.x)]
    steps = [step for _, step, _ in sides]
    if not all(steps):
        if not any(steps):
            raise TableError(Fault(f"`{name}` of {shown(path)} has one cell, of unknown size", place))
        steps = [step or abs(steps[0] or steps[1]) for step in steps]
    (first_y, _, rows), (first_x, _, columns) = sides
    if steps[1] < 0:
        raise TableError(Fault(f"`{axes.x}` of {shown(path)} runs from east to west", place))
    upside_down = steps[0] > 0
    top = first_y + (rows - 1) * steps[0] if upside_down else first_y
    found = settle_crs(_crs_of(data, name, axes), crs, path, place, hint)
    height, width = abs(steps[0]), steps[1]
    grid, rolled = make_grid(found, first_x - width / 2, top + height / 2, width, height, rows, columns)
    return grid, Layout(upside_down, rolled)


def _spacing(data: Any, dimension: str, path: Path, place: Place) -> tuple[float, float, int]:
    """First coordinate, step (0 for a single cell) and number of cells along a dimension."""
    if dimension not in data.variables:
        raise TableError(Fault(f"{shown(path)} has no coordinates for `{dimension}`", place))
    values: NDArray[np.float64] = np.asarray(data[dimension].values, dtype=np.float64)
    if len(values) == 1:
        return float(values[0]), 0.0, 1
    step = (values[-1] - values[0]) / (len(values) - 1)
    missed = np.abs(values - (values[0] + np.arange(len(values)) * step)).max()
    if not missed <= UNEVEN * abs(step) or step == 0.0:
        message = f"`{dimension}` of {shown(path)} is not evenly spaced"
        raise TableError(Fault(message, place, "put it on a regular grid first, as with `cdo remapbil`"))
    return float(values[0]), float(step), len(values)


def _crs_of(data: Any, name: str, axes: _Axes) -> CRS | None:
    """By `grid_mapping`; degrees of latitude and longitude without one are WGS 84, as CF has it."""
    from pyproj.exceptions import CRSError

    mapping = str(data[name].attrs.get("grid_mapping", data[name].encoding.get("grid_mapping", "")))
    candidates = [mapping.split(":")[0].strip(), "spatial_ref", "crs"]
    for candidate in candidates:
        if candidate in data.variables:
            said = data[candidate].attrs
            try:
                text = said.get("crs_wkt") or said.get("spatial_ref")
                return CRS.from_wkt(text) if text else CRS.from_cf(dict(said))
            except (CRSError, KeyError, ValueError):
                continue
    units = [str(data[dimension].attrs.get("units", "")) for dimension in (axes.y, axes.x)]
    names = axes.y.lower() in _Y_NAMES[:2] and axes.x.lower() in _X_NAMES[:3]
    return CRS.from_epsg(4326) if set(units) <= set(_DEGREES) or names else None


def _refuse_cut_off(path: Path) -> None:
    """Of the classic format the library reads what is cut off as zeros; scipy fails, which is better."""
    with path.open("rb") as stream:
        head = stream.read(4)
    if head not in (b"CDF\x01", b"CDF\x02"):
        return
    from scipy.io import netcdf_file

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of arrays that outlive the file
        try:
            netcdf_file(str(path), "r", mmap=True).close()
        except (TypeError, ValueError) as error:
            # Whatever else scipy may not know is no fault of the file.
            if "buffer" in str(error) or "larger dtype" in str(error):
                raise OSError("it is cut off") from None


def _refuse_pickles(path: Path) -> None:
    """Zarr can hold pickled objects, which run code when they are read."""
    for found in (*path.rglob(".z*"), *path.rglob("zarr.json")):
        if found.is_file() and "pickle" in json.dumps(json.loads(found.read_text(encoding="utf-8"))):
            raise ValueError("it holds pickled objects, which could run code")
