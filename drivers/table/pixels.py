"""A pixel table: one row per grid cell, read once, never changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.errors import Fault, TableError, propose
from drivers.table.columns import Role, faults_of, plain, row_number
from drivers.table.levels import Codes, encode

LONGITUDES = frozenset({"lon", "long", "longitude", "lng"})
LATITUDES = frozenset({"lat", "latitude"})
"""What columns of degrees are called, in lower case."""


@dataclass(frozen=True, eq=False)
class PixelTable:
    """A table of pixels with what a spec says about its columns.

    The frame holds numbers as they were read, text as categories, and NaN (or no category) for
    missing. Arrays that the methods hand out are read-only: several models look at the same ones.
    """

    frame: pd.DataFrame
    source: str
    """Where the table comes from, as messages name it: a file name, `data frame`, or a simulated world."""
    units: dict[str, str] = field(default_factory=dict)
    easting: str | None = None
    northing: str | None = None
    crs: str | None = None
    cell_size: float | None = None
    """The side of a pixel in units of the CRS."""
    categorical: frozenset[str] = frozenset()
    missing: dict[str, int] = field(default_factory=dict)
    """Missing values per column."""
    sha256: str = ""
    """Of the file's bytes; of the content where the table was never a file."""
    simulated: str = ""
    """The note that a simulated table carries wherever it is shown; empty for real pixels."""
    planted: pd.DataFrame | None = None
    """The effects that were planted in a simulated table."""
    _values_of: dict[str, NDArray[np.float64]] = field(default_factory=dict, repr=False)
    _levels_of: dict[str, tuple[tuple[str, ...], Codes]] = field(default_factory=dict, repr=False)

    @property
    def n(self) -> int:
        """The number of pixels."""
        return len(self.frame)

    @property
    def geographic(self) -> bool:
        """Whether the coordinates are longitude and latitude, in degrees.

        The coordinate system says so; without one, columns that are called longitude and latitude do.
        """
        if self.crs:
            from pyproj import CRS  # it takes a tenth of a second, and few commands need it
            from pyproj.exceptions import CRSError

            try:
                return bool(CRS.from_user_input(self.crs).is_geographic)
            except CRSError:
                hint = "write it as `EPSG:32651`"
                raise TableError(Fault(f"`{self.crs}` is not a coordinate system", hint=hint)) from None
        names = (str(self.easting).lower(), str(self.northing).lower())
        return names[0] in LONGITUDES and names[1] in LATITUDES

    @property
    def crs_name(self) -> str:
        """The coordinate system as a spec would name it; of one without a code its own name."""
        if not self.crs or "[" not in self.crs:
            return self.crs or ""
        from drivers.table.crs import crs_label, parse_crs  # only what is written out in full needs it

        return crs_label(parse_crs(self.crs))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in the table's order."""
        return tuple(str(name) for name in self.frame.columns)

    def values(self, name: str) -> NDArray[np.float64]:
        """A column as float64, shape (n,), NaN where missing; a view where it is float64 already."""
        if name not in self._values_of:
            self._values_of[name] = self._as_numbers(name)
        return self._values_of[name]

    def levels(self, name: str) -> tuple[str, ...]:
        """The levels of a column that occur, as labels in natural order."""
        return self._encoded(name)[0]

    def codes(self, name: str) -> Codes:
        """The position in `levels` of every pixel, int32 of shape (n,), -1 where missing."""
        return self._encoded(name)[1]

    def holds_text(self, name: str) -> bool:
        """Whether a column holds text (categories), which has no numeric value."""
        dtype = self._column(name).dtype
        return isinstance(dtype, pd.CategoricalDtype) or not pd.api.types.is_numeric_dtype(dtype)

    def complete(self, names: Iterable[str]) -> NDArray[np.bool_]:
        """Which pixels have a value in all of these columns, shape (n,)."""
        complete = np.ones(self.n, dtype=np.bool_)
        for name in names:
            if self.missing.get(name) == 0:
                continue
            if self.holds_text(name):
                complete &= self.codes(name) >= 0
            else:
                complete &= ~np.isnan(self.values(name))
        return complete

    def _column(self, name: str) -> pd.Series:
        if name not in self.frame.columns:
            raise TableError(missing_column(name, self.source, self.columns))
        return self.frame[name]

    def _as_numbers(self, name: str) -> NDArray[np.float64]:
        column = self._column(name)
        if self.holds_text(name):
            column, kind = plain(column)
            raise TableError(faults_of(column, kind, Role(name), self.source, row_number))
        values = column.to_numpy(dtype=np.float64, na_value=np.nan).view()
        values.setflags(write=False)
        return values

    def _encoded(self, name: str) -> tuple[tuple[str, ...], Codes]:
        if name not in self._levels_of:
            labels, codes = encode(self._column(name))
            codes.setflags(write=False)
            self._levels_of[name] = labels, codes
        return self._levels_of[name]

    def __repr__(self) -> str:
        where = f", coordinates {self.easting}, {self.northing}" if self.easting else ""
        note = ", simulated" if self.simulated else ""
        return f"<PixelTable {self.source}: {self.n} pixels, {len(self.columns)} columns{where}{note}>"


def missing_column(name: str, source: str, known: Iterable[str]) -> Fault:
    """The fault of a column that is not there, with a proposal."""
    return Fault(f"{source} has no column `{name}`", hint=propose(name, list(known)))
