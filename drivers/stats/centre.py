"""Centre of gravity of a map, year by year, and how it moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from drivers.stats.trend import refuse_infinite

Array = NDArray[np.float64]
Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class CentreSums:
    """Sums that a centre is made of, over m years; those of two parts of a region add up (`+`).

    Attributes
    ----------
    weight, easting, northing : Σ w, Σ w x and Σ w y of every year, shape (m,)
    n : pixels counted
    missing : pixels left out, because some year of theirs is missing
    """

    weight: Array
    easting: Array
    northing: Array
    n: int
    missing: int

    def __add__(self, other: CentreSums) -> CentreSums:
        return CentreSums(
            self.weight + other.weight,
            self.easting + other.easting,
            self.northing + other.northing,
            self.n + other.n,
            self.missing + other.missing,
        )


@dataclass(frozen=True, slots=True)
class CentreTrack:
    """Centres of m years and the m - 1 steps between them.

    Attributes
    ----------
    easting, northing : of each year, shape (m,), in units of the coordinates; NaN where all weights are 0
    distance : of each step, shape (m - 1,), in units of the coordinates
    azimuth : direction of each step, shape (m - 1,), in degrees clockwise from north, 0 to 360; NaN for a
        step of length 0
    """

    easting: Array
    northing: Array
    distance: Array
    azimuth: Array


def centre_sums(
    values: Floats,
    easting: Array,
    northing: Array,
    areas: Array | None = None,
    *,
    weights: Literal["all", "positive"] = "all",
) -> CentreSums:
    """What the centres of m years are made of, from n pixels or a part of them.

    Parameters
    ----------
    values : what each pixel weighs in each year, shape (m, n); pixels with a NaN in any year are left out of
        all years and counted, so that a hole in one year is no move of the centre
    easting, northing : projected coordinates, shape (n,), finite; degrees would make steps of unequal length
    areas : of the pixels, shape (n,), if values are per area and cells not equal
    weights : "all" takes values as they are and refuses negative ones, with which the centre can lie
        anywhere; "positive" counts them as 0

    Raises
    ------
    ValueError
        negative or infinite values, negative areas, coordinates that are not finite, or shapes that differ

    Notes
    -----
    X_t = Σ w_it x_i / Σ w_it, with w = value · area, and so for Y.

    Examples
    --------
    >>> values = np.array([[1.0, 1.0, 2.0], [1.0, 1.0, 6.0]])
    >>> sums = centre_sums(values, np.array([0.0, 4.0, 0.0]), np.array([0.0, 0.0, 4.0]))
    >>> track = centre_track(sums)
    >>> track.easting.tolist(), track.northing.tolist()
    ([1.0, 0.5], [2.0, 3.0])
    >>> track.distance.round(6).tolist(), track.azimuth.round(6).tolist()
    ([1.118034], [333.434949])
    """
    rows = np.asarray(values)
    if rows.ndim != 2:
        raise ValueError(f"values have shape {rows.shape}; need (years, pixels)")
    m, n = rows.shape
    area = np.ones(n) if areas is None else np.asarray(areas, dtype=np.float64)
    x, y = (np.asarray(v, dtype=np.float64) for v in (easting, northing))
    for name, array in (("easting", x), ("northing", y), ("areas", area)):
        if array.shape != (n,):
            raise ValueError(f"{name} has shape {array.shape}; need ({n},), one number per pixel")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite numbers")
    if (area < 0).any():
        raise ValueError("areas must not be negative")
    gone = np.isnan(rows).any(axis=0)
    sums = np.zeros((3, m))
    negative = 0
    for i in range(m):
        own = np.where(gone, 0.0, rows[i])
        refuse_infinite(own)
        negative += int((own < 0).sum())
        own = np.maximum(own, 0.0) * area
        sums[:, i] = own.sum(), own @ x, own @ y
    if negative and weights == "all":
        raise ValueError(
            f"{negative} of {(n - int(gone.sum())) * m} values are negative, and a centre of gravity with "
            "negative weights can lie anywhere; `weights: positive` counts them as 0"
        )
    return CentreSums(sums[0], sums[1], sums[2], n - int(gone.sum()), int(gone.sum()))


def centre_track(sums: CentreSums) -> CentreTrack:
    """The centres of all years and the distance and direction of every step."""
    held = sums.weight > 0
    x, y = (
        np.divide(part, sums.weight, out=np.full(len(held), np.nan), where=held)
        for part in (sums.easting, sums.northing)
    )
    east, north = np.diff(x), np.diff(y)
    distance = np.hypot(east, north)
    azimuth = np.where(distance > 0, np.degrees(np.arctan2(east, north)) % 360.0, np.nan)
    return CentreTrack(x, y, distance, azimuth)
