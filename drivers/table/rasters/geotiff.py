"""Maps in GeoTIFF files: bands by name, by number, by year."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from pyproj import CRS
from rasterio.enums import MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from drivers.errors import Fault, Place, TableError, propose
from drivers.spec.places import shown
from drivers.spec.table_spec import LayerSpec
from drivers.table.crs import parse_crs
from drivers.table.rasters.files import DatedFile, name_pattern
from drivers.table.rasters.grid import RasterGrid
from drivers.table.rasters.planes import Layout, Plane, Raw, Step, make_grid, make_plane, settle_crs

MONTHS = 12


def open_geotiff(path: Path) -> Any:
    """Open a file as GeoTIFF and as nothing else: other formats name files and addresses of their own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path.absolute().as_posix(), driver="GTiff")


@contextmanager
def reading(path: Path, place: Place) -> Iterator[None]:
    """Whatever GDAL says of a damaged file, as a fault with its place."""
    try:
        yield
    except RasterioError as error:
        said = " ".join(str(error.__cause__ or error).split()) or "no reason given"
        message = f"{shown(path)} cannot be read as GeoTIFF: {said}"
        raise TableError(Fault(message, place, "check the download, or make the file again")) from None


def geotiff_grid(path: Path, crs: str | None, place: Place, hint: str) -> tuple[RasterGrid, Layout]:
    """The cells of a file, north up, and how they stand in it."""
    with reading(path, place), open_geotiff(path) as file:
        transform, (rows, columns) = file.transform, file.shape
        text = file.crs.to_wkt() if file.crs else None
    if transform.is_identity:
        raise TableError(Fault(f"{shown(path)} does not say where its cells are", place))
    if transform.b != 0.0 or transform.d != 0.0 or transform.a < 0.0:
        message = f"the rows of {shown(path)} do not run from west to east"
        raise TableError(Fault(message, place, "turn it with `gdalwarp`"))
    found = settle_crs(_crs(text), crs, path, place, hint)
    upside_down = transform.e > 0.0
    north = transform.f + rows * transform.e if upside_down else transform.f
    grid, rolled = make_grid(found, transform.c, north, transform.a, abs(transform.e), rows, columns)
    return grid, Layout(upside_down, rolled)


def geotiff_planes(
    layer: LayerSpec, file: DatedFile, grid: RasterGrid, layout: Layout
) -> list[tuple[Step, Plane]]:
    """The maps of a layer in one file, with the year and month of each."""
    place = layer.place("source")
    with reading(file.path, place), open_geotiff(file.path) as held:
        names = [name or "" for name in held.descriptions]
        steps = _steps(layer, file, names)
        planes = []
        for step, band in steps:
            nodata = held.nodatavals[band - 1]
            flags = held.mask_flag_enums[band - 1]
            # Some writers leave a scale of 0, which means none.
            scale = held.scales[band - 1] or 1.0
            plane = make_plane(
                layer,
                file.path,
                grid,
                layout,
                _dtype(held.dtypes[band - 1]),
                missing=() if nodata is None else (float(nodata),),
                scale=scale,
                offset=held.offsets[band - 1],
                masked=MaskFlags.per_dataset in flags and MaskFlags.nodata not in flags,
                index=band,
                unit=held.units[band - 1] or "",
            )
            planes.append((step, plane))
    return planes


def read_geotiff(held: Any, plane: Plane, rows: slice, columns: slice) -> tuple[Raw, Any]:
    """A window of an open file as it is stored, and its mask where it has one."""
    window = Window.from_slices(rows, columns)
    raw = held.read(plane.index, window=window)
    mask = held.read_masks(plane.index, window=window) > 0 if plane.masked else None
    return raw, mask


def _crs(text: str | None) -> CRS | None:
    """A local or damaged coordinate system is as good as none."""
    if text is None:
        return None
    try:
        crs = parse_crs(text)
    except Exception:  # pyproj and PROJ disagree on what they throw
        return None
    return crs if crs.is_projected or crs.is_geographic else None


def _dtype(name: str) -> np.dtype[Any]:
    """GDAL has complex whole numbers, which numpy has not."""
    return np.dtype("complex64") if name.startswith("complex_") else np.dtype(name)


def _steps(layer: LayerSpec, file: DatedFile, names: list[str]) -> list[tuple[Step, int]]:
    """(year, month) and number of every band that belongs to the layer."""
    band, date = layer.band, (file.year, file.month)
    if isinstance(band, str) and ("{year}" in band or "{month}" in band):
        return _dated_bands(layer, band, names, date)
    if layer.time is not None and band is None and not (len(names) == 1 and file.year is not None):
        return _counted_bands(layer, file, len(names))
    if isinstance(band, int):
        if band > len(names):
            message = f"{shown(file.path)} has no band {band}: it has {_times(len(names))}"
            raise TableError(Fault(message, layer.place("band"), _named(names)))
        return [(date, band)]
    if isinstance(band, str):
        if band not in names:
            hint = propose(band, [name for name in names if name]) or "its bands have no names; give a number"
            message = f"{shown(file.path)} has no band `{band}`"
            raise TableError(Fault(message, layer.place("band"), hint))
        return [(date, names.index(band) + 1)]
    if len(names) > 1:
        hint = f"say which with `band:`  {_named(names)}".rstrip()
        message = f"{shown(file.path)} has {_times(len(names))}"
        raise TableError(Fault(message, layer.place("source"), hint))
    return [(date, 1)]


def _dated_bands(layer: LayerSpec, band: str, names: list[str], date: Step) -> list[tuple[Step, int]]:
    """Bands whose names hold their year: `lu_1997`, `lu_2011`."""
    pattern = name_pattern(band)
    steps: list[tuple[Step, int]] = []
    for number, name in enumerate(names, 1):
        match = pattern.fullmatch(name)
        if match is None:
            continue
        said = match.groupdict()
        year = int(said["year"]) if said.get("year") else date[0]
        month = int(said["month"]) if said.get("month") else date[1]
        if layer.years is None or year in layer.years:
            steps.append(((year, month), number))
    if not steps:
        hint = _named(names) or "its bands have no names"
        message = f"no band of {shown(layer.source)} matches `{band}`"
        raise TableError(Fault(message, layer.place("band"), hint))
    return steps


def _counted_bands(layer: LayerSpec, file: DatedFile, count: int) -> list[tuple[Step, int]]:
    """Bands that are years, or the months of years, in their order."""
    place = layer.place("time")
    years = (file.year,) if file.year is not None else layer.years
    if years is None:
        hint = "say which with `years: [from, to]`"
        raise TableError(Fault(f"nothing says which years the bands of {shown(file.path)} are", place, hint))
    each = MONTHS if layer.time == "month" else 1
    if count != each * len(years):
        what = f"{len(years)} year{'s' * (len(years) != 1)}" + (" of 12 months" if each > 1 else "")
        message = f"{shown(file.path)} has {_times(count)}, and {what} are wanted"
        raise TableError(Fault(message, place, "name one band with `band:`, or mend `years:`"))
    if each == 1:
        return [((year, None), number) for number, year in enumerate(years, 1)]
    months = [(year, month) for year in years for month in range(1, MONTHS + 1)]
    return [(step, number) for number, step in enumerate(months, 1)]


def _times(count: int) -> str:
    return "1 band" if count == 1 else f"{count} bands"


def _named(names: list[str]) -> str:
    known = [name for name in names if name]
    return propose("", known) if known else ""
