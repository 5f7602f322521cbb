"""Centre of gravity of a series by year, in every stratum, on a plane or on the sphere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.change.ground import Ground, Plain, Rows, some
from drivers.change.years import YearSeries
from drivers.errors import Fault, Place, TableError
from drivers.spec.change_shapes import CentreOptions
from drivers.stats.centre import CentreSums, centre_track
from drivers.stats.lattice import EARTH_RADIUS
from drivers.table import PixelTable, Stratum

Array = NDArray[np.float64]


def check_coordinates(table: PixelTable, place: Place) -> None:
    """A centre of gravity needs to know where pixels are.

    Raises
    ------
    TableError
        a table without coordinates
    """
    if table.easting is None or table.northing is None:
        hint = "add `pixel: {easting: NAME, northing: NAME}`"
        raise TableError(Fault("`centre` needs the coordinates of the pixels", place, hint))


NOTHING_WEIGHS = "no value is above 0 in this year"
"""Why a single year has no centre."""


@dataclass(frozen=True, slots=True)
class Track:
    """Centres of m years; every array has shape (m,).

    Attributes
    ----------
    easting, northing : of each year, in the table's coordinates
    distance, azimuth : of the step from the year before, NaN for the first
    offset, offset_azimuth : of each centre, from that of the area of the same pixels
    """

    easting: Array
    northing: Array
    distance: Array
    azimuth: Array
    offset: Array
    offset_azimuth: Array


class CentreWork(Plain):
    """Centres of gravity of one series.

    Parameters
    ----------
    ground : the pixels, with coordinates
    series : the series
    options : of the centre

    Notes
    -----
    Longitude and latitude are summed as points in space, weighted, and the centre is where the line from the
    Earth's middle through the weighted mean leaves the sphere; degrees themselves are of unequal length, and
    break off at a meridian. Its distances are in km along the sphere.
    """

    def __init__(self, ground: Ground, series: YearSeries, options: CentreOptions) -> None:
        self._ground, self.of_series, self.options = ground, series, options
        table = ground.table
        self._on_sphere = table.geographic
        # Views of the coordinates, which the table has checked.
        self._east = table.frame[str(table.easting)].to_numpy()
        self._north = table.frame[str(table.northing)].to_numpy()
        axes = 3 if self._on_sphere else 2
        # Weight and weighted coordinates by year (last: of the area alone) and cell.
        self._sums = np.zeros((axes + 1, len(series.years) + 1, ground.cells))
        self._n, self._missing, self._negative = np.zeros((3, ground.cells), dtype=np.int64)

    @property
    def series(self) -> tuple[str, ...]:
        """The series."""
        return (self.of_series.name,)

    def take(self, rows: slice, values: Mapping[str, Array]) -> None:
        """Some pixels; those with a hole in any year are left out of all years."""
        y = values[self.of_series.name]
        whole = ~np.isnan(y).any(axis=0)
        y, codes = y[:, whole], self._ground.codes[rows][whole]
        area, cells = self._ground.areas.of(rows)[whole], self._ground.cells
        points = self._points(rows)[:, whole]
        self._missing += np.bincount(self._ground.codes[rows][~whole], minlength=cells)
        self._n += np.bincount(codes, minlength=cells)
        self._negative += np.bincount(codes, (y < 0).sum(axis=0), minlength=cells).astype(np.int64)
        for i, row in enumerate((*np.maximum(y, 0.0), np.ones(len(area)))):
            weight = row * area
            self._sums[0, i] += np.bincount(codes, weight, minlength=cells)
            for sums, coordinate in zip(self._sums[1:, i], points, strict=True):
                sums += np.bincount(codes, weight * coordinate, minlength=cells)

    def _points(self, rows: slice) -> Array:
        east, north = (np.asarray(v[rows], dtype=np.float64) for v in (self._east, self._north))
        if not self._on_sphere:
            return np.stack([east, north])
        east, north = np.radians(east), np.radians(north)
        return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])

    def tables(self) -> Mapping[str, Rows]:
        """centre.csv: a row per stratum and year; a single one, with the reason, where there is no centre."""
        rows: Rows = []
        for stratum in self._ground.strata:
            cells = list(stratum.cells)
            key = {
                "stratum": stratum.label,
                "series": self.of_series.name,
                "n": int(self._n[cells].sum()),
                "missing": int(self._missing[cells].sum()),
            }
            why = self._refusal(stratum)
            if why:
                rows.append({**key, "note": why})
                continue
            track = self._track(cells)
            rows += [
                {
                    **key,
                    "year": year,
                    "easting": track.easting[i],
                    "northing": track.northing[i],
                    "distance": track.distance[i],
                    "azimuth": track.azimuth[i],
                    "offset": track.offset[i],
                    "offset_azimuth": track.offset_azimuth[i],
                    "note": "" if np.isfinite(track.easting[i]) else NOTHING_WEIGHS,
                }
                for i, year in enumerate(self.of_series.years)
            ]
        return {"centre": rows}

    def _refusal(self, stratum: Stratum) -> str:
        """Why a stratum has no centre; empty if it has one."""
        cells = list(stratum.cells)
        n, negative = int(self._n[cells].sum()), int(self._negative[cells].sum())
        if not n:
            return "no pixel with a value in every year" if stratum.rows else "no pixels"
        if negative and self.options.weights == "all":
            return (
                f"{negative} of {n * len(self.of_series.years)} values are negative, and a centre of gravity "
                "with negative weights can lie anywhere; `weights: positive` counts them as 0"
            )
        if not self._sums[0, :-1, cells].any():
            return "no value is above 0 in any year, and nothing weighs"
        return ""

    def _track(self, cells: list[int]) -> Track:
        sums = self._sums[:, :, cells].sum(axis=2)
        if self._on_sphere:
            return _sphere_track(sums)
        whole = centre_track(CentreSums(sums[0, :-1], sums[1, :-1], sums[2, :-1], 0, 0))
        middle = sums[1:, -1] / sums[0, -1]
        east, north = whole.easting - middle[0], whole.northing - middle[1]
        offset = np.hypot(east, north)
        return Track(
            whole.easting,
            whole.northing,
            np.concatenate([[np.nan], whole.distance]),
            np.concatenate([[np.nan], whole.azimuth]),
            offset,
            np.where(offset > 0, np.degrees(np.arctan2(east, north)) % 360.0, np.nan),
        )

    def warnings(self) -> list[str]:
        """Strata without a centre, and pixels with holes."""
        name = self.of_series.name
        refused = {s.label: why for s in self._ground.strata if (why := self._refusal(s))}
        found = []
        if refused:
            first = next(iter(refused.values()))
            why = f"in the first {first}" if len(refused) > 1 else first
            found.append(f"`{name}` has no centre of gravity in {some(list(refused))}: {why}")
        missing = int(self._missing.sum())
        if missing:
            found.append(f"{missing} pixels with a hole in `{name}` are left out of its centre in all years")
        return found


def _sphere_track(sums: Array) -> Track:
    """Centres on the sphere from weight and weighted points by year, the last of them of the area alone."""
    x, y, z = sums[1:]
    with np.errstate(invalid="ignore"):
        length = np.sqrt(x * x + y * y + z * z)
    held = (sums[0] > 0) & (length > 0)
    longitude = np.where(held, np.arctan2(y, x), np.nan)
    latitude = np.where(held, np.arctan2(z, np.hypot(x, y)), np.nan)
    years = (longitude[:-1], latitude[:-1])
    first = np.array([np.nan])
    distance, azimuth = great_circle(years[0][:-1], years[1][:-1], years[0][1:], years[1][1:])
    offset, towards = great_circle(longitude[-1:], latitude[-1:], *years)
    return Track(
        np.degrees(years[0]),
        np.degrees(years[1]),
        np.concatenate([first, distance]),
        np.concatenate([first, azimuth]),
        offset,
        towards,
    )


def great_circle(lon_a: Array, lat_a: Array, lon_b: Array, lat_b: Array) -> tuple[Array, Array]:
    """Distance in km along the sphere and initial azimuth in degrees, of points in radians.

    The azimuth of no distance is NaN. Distances by the haversine, which keeps its digits for short ones.

    Examples
    --------
    >>> points = np.radians([[0.0], [0.0], [90.0], [0.0]])
    >>> [v.round(3).tolist() for v in great_circle(*points)]
    [[10007.557], [90.0]]
    """
    across, up = lon_b - lon_a, lat_b - lat_a
    root = np.sin(up / 2.0) ** 2 + np.cos(lat_a) * np.cos(lat_b) * np.sin(across / 2.0) ** 2
    distance = 2.0 * EARTH_RADIUS * np.arcsin(np.sqrt(np.minimum(root, 1.0)))
    east = np.sin(across) * np.cos(lat_b)
    north = np.cos(lat_a) * np.sin(lat_b) - np.sin(lat_a) * np.cos(lat_b) * np.cos(across)
    return distance, np.where(distance > 0, np.degrees(np.arctan2(east, north)) % 360.0, np.nan)
