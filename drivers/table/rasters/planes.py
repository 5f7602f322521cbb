"""One map in a file: which cells it has, how its numbers are stored, and which of them are missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from drivers.errors import Fault, Place, TableError
from drivers.spec.places import shown
from drivers.spec.table_spec import LayerSpec
from drivers.table.crs import crs_label, parse_crs, same_crs
from drivers.table.rasters.grid import RasterGrid

Raw = NDArray[Any]
"""Numbers as a file stores them."""
Floats = NDArray[np.floating]
Step = tuple[int | None, int | None]
"""(year, month); None where a map has none."""

HUGE = 1e30
"""Fill values beyond are compared up to rounding: people type -3.4e38 for -3.4028234663852886e38."""

EXACT_IN_SINGLE = 16
"""Integers of so many bits are exact in single precision."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the cells stand in the file, when not north up from west to east.

    Attributes
    ----------
    upside_down : the first row is the southernmost
    rolled : the column of the file that comes first, for longitudes that run to 360
    """

    upside_down: bool = False
    rolled: int = 0

    def rows(self, rows: slice, of: int) -> slice:
        """Rows of the file."""
        return slice(of - rows.stop, of - rows.start) if self.upside_down else rows

    def columns(self, columns: slice, of: int) -> Iterator[slice]:
        """Columns of the file, in one or two pieces."""
        start, stop = columns.start + self.rolled, columns.stop + self.rolled
        if start >= of:
            yield slice(start - of, stop - of)
        elif stop <= of:
            yield slice(start, stop)
        else:
            yield slice(start, of)
            yield slice(0, stop - of)


@dataclass(frozen=True, slots=True)
class Plane:
    """One map in a file.

    Attributes
    ----------
    path : the file
    grid : its cells, north up
    layout : how they stand in the file
    dtype : of the stored numbers
    missing : stored numbers that mean no data: the file's own and those of the spec
    valid : least and largest stored number that is a value
    scale, offset : value = stored · scale + offset
    masked : whether the file has a mask of its own beside the numbers
    variable : name of the variable; empty for GeoTIFF
    index : number of the band, from 1; or the place along each further dimension, by name
    unit : as the file says it
    """

    path: Path
    grid: RasterGrid
    layout: Layout
    dtype: np.dtype[Any]
    missing: tuple[float, ...]
    valid: tuple[float, float]
    scale: float
    offset: float
    masked: bool
    variable: str
    index: int | tuple[tuple[str, int], ...]
    unit: str = ""

    @property
    def label(self) -> str:
        """The file as messages name it."""
        return shown(self.path)

    @property
    def scaled(self) -> bool:
        """Whether stored numbers are not the values themselves."""
        return (self.scale, self.offset) != (1.0, 0.0)

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.dtype.kind in "iub" and not self.scaled

    @property
    def single(self) -> bool:
        """Whether single precision holds its values exactly."""
        small = self.dtype.kind in "iub" and self.dtype.itemsize * 8 <= EXACT_IN_SINGLE
        return not self.scaled and (small or (self.dtype.kind == "f" and self.dtype.itemsize <= 4))

    def known(self, raw: Raw, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        """Which stored numbers are values."""
        good = np.isfinite(raw) if raw.dtype.kind == "f" else np.ones(raw.shape, dtype=np.bool_)
        if mask is not None:
            good &= mask
        for code in self.missing:
            good &= ~_equal(raw, code)
        low, high = self.valid
        if low > -np.inf or high < np.inf:
            good &= (raw >= low) & (raw <= high)
        return good

    def values(self, raw: Raw, known: NDArray[np.bool_], *, double: bool) -> Floats:
        """What the stored numbers mean; NaN where missing."""
        wide = np.dtype(np.float64) if double or not self.single else np.dtype(np.float32)
        found: Floats = raw.astype(wide)
        if self.scaled:
            with np.errstate(over="ignore", invalid="ignore"):
                found *= self.scale
                found += self.offset
        found[~known] = np.nan
        return found


def _equal(raw: Raw, code: float) -> NDArray[np.bool_]:
    """Where a stored number is a code, compared in the type in which it is stored."""
    if raw.dtype.kind == "f":
        if abs(code) >= HUGE:
            with np.errstate(over="ignore"):
                return np.asarray(np.isclose(raw, raw.dtype.type(code), rtol=1e-2, atol=0.0))
        return np.asarray(raw == raw.dtype.type(code))
    if not can_hold(raw.dtype, code):
        return np.zeros(raw.shape, dtype=np.bool_)
    return np.asarray(raw == raw.dtype.type(int(code)))


def can_hold(dtype: np.dtype[Any], code: float) -> bool:
    """Whether a code can occur among numbers of a type."""
    if dtype.kind == "b":
        return code in (0.0, 1.0)
    if dtype.kind not in "iu":
        return True
    limits = np.iinfo(dtype)
    return float(code).is_integer() and limits.min <= code <= limits.max


def make_plane(
    layer: LayerSpec,
    path: Path,
    grid: RasterGrid,
    layout: Layout,
    dtype: np.dtype[Any],
    *,
    missing: tuple[float, ...],
    scale: float,
    offset: float,
    valid: tuple[float, float] = (-np.inf, np.inf),
    masked: bool = False,
    variable: str = "",
    index: int | tuple[tuple[str, int], ...] = (),
    unit: str = "",
) -> Plane:
    """A plane from what the file says, where the spec does not say otherwise.

    Raises
    ------
    TableError
        If the file holds no numbers, or fractions where the spec says classes.
    """
    place = layer.place("source")
    if dtype.kind not in "iufb":
        raise TableError(Fault(f"{shown(path)} holds {dtype.name}, and not real numbers", place))
    own = layer.scale is not None or layer.offset is not None
    if own:
        scale = 1.0 if layer.scale is None else layer.scale
        offset = 0.0 if layer.offset is None else layer.offset
    if layer.categorical:
        scale, offset = 1.0, 0.0
    codes = tuple(code for code in dict.fromkeys((*missing, *layer.nodata)) if np.isfinite(code))
    said = "" if own else unit
    return Plane(
        path, grid, layout, dtype, codes, valid, scale, offset, masked, variable, index, layer.unit or said
    )


def make_grid(
    crs: CRS, west: float, north: float, width: float, height: float, rows: int, columns: int
) -> tuple[RasterGrid, int]:
    """A grid whose longitudes end at 180 where they can, and the column of the file that then comes first.

    Climate models count longitudes from 0 to 360; a whole turn is cut anew, and a piece that lies beyond 180
    is moved by a turn.
    """
    rolled = 0
    if crs.is_geographic and west + columns * width > 180.0 + width:
        if abs(columns * width - 360.0) < width / 2.0:
            rolled = int(np.ceil((180.0 - west) / width - 1e-6)) % columns
            west = west + rolled * width - 360.0 if rolled else west
        elif west >= 180.0 - width:
            west -= 360.0
    return RasterGrid(crs, west, north, width, height, rows, columns), rolled


def settle_crs(found: CRS | None, given: str | None, path: Path, place: Place, hint: str) -> CRS:
    """The coordinate system of a file, which the file or the spec says; they may not contradict.

    Parameters
    ----------
    found : as the file says it
    given : as the spec says it
    path : the file
    place : where the spec names the file, or its `crs`
    hint : what to write where nobody says it
    """
    if given is None:
        if found is None:
            raise TableError(Fault(f"{shown(path)} does not say its coordinate system", place, hint))
        return found
    wanted = parse_crs(given)
    if found is not None and not same_crs(found, wanted):
        message = f"{shown(path)} is in {crs_label(found)}, not in {crs_label(wanted)}"
        raise TableError(Fault(message, place, "leave `crs:` out, or mend the file with `gdal_edit -a_srs`"))
    return wanted
