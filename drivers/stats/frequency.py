"""How many years a pixel, or the mean of a region, rose, fell or stood still."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drivers.stats.trend import refuse_infinite, series_years

Array = NDArray[np.float64]
Floats = NDArray[np.floating]
Counts = NDArray[np.int64]

LONGER_STEP = 1.5
"""A step of the years this much longer than the shortest one jumps over a year; leap years and uneven months
do not reach it."""


@dataclass(frozen=True, slots=True)
class Frequency:
    """Years by the direction of their change, of n pixels; every array has shape (n,).

    Attributes
    ----------
    increases, decreases, unchanged : years that lie above, below or level with the year before
    pairs : their sum: years whose year before has a value too; 0 without any
    """

    increases: Counts
    decreases: Counts
    unchanged: Counts
    pairs: Counts


def adjacent_years(years: ArrayLike, n: int) -> NDArray[np.bool_]:
    """Whether each of n years but the first directly follows the one before, shape (n - 1,).

    The shortest step is the step of the series: 2000, 2005, 2010 are neighbours, 2000, 2001, 2003 hold a gap.

    Raises
    ------
    ValueError
        years are not n finite, increasing numbers

    Examples
    --------
    >>> adjacent_years([2000, 2001, 2003, 2004], 4).tolist()
    [True, False, True]
    """
    steps = np.diff(series_years(years, n))
    if not len(steps):
        return np.zeros(0, dtype=np.bool_)
    return np.asarray(steps < LONGER_STEP * steps.min())


def change_frequency(values: Floats, years: ArrayLike, *, tolerance: float = 0.0) -> Frequency:
    """Count the years that rose above, fell below or equalled the year before, for every pixel.

    A gap breaks the pair: the year after it is compared with nothing, since a change over several years is
    not one year's.

    Parameters
    ----------
    values : shape (m, n), a row per year, NaN where missing
    years : shape (m,), increasing
    tolerance : changes up to this size are none, in units of the values

    Raises
    ------
    ValueError
        years that do not increase or are not one per row, infinite values, or a tolerance below 0

    Examples
    --------
    >>> y = np.array([[1.0, 2.0, 2.0, 1.5, 3.0], [1.0, 2.0, np.nan, 3.0, 1.0]]).T
    >>> found = change_frequency(y, range(2001, 2006))
    >>> found.increases.tolist(), found.decreases.tolist(), found.unchanged.tolist(), found.pairs.tolist()
    ([2, 1], [1, 1], [1, 0], [4, 2])
    """
    rows = np.asarray(values)
    follows = adjacent_years(years, len(rows))
    _check_tolerance(tolerance)
    n = rows.shape[1]
    increases, decreases, pairs = (np.zeros(n, dtype=np.int64) for _ in range(3))
    # Year by year, so that no copy of the whole series is made.
    for i in np.flatnonzero(follows).tolist():
        change = _change(rows, i)
        increases += change > tolerance
        decreases += change < -tolerance
        pairs += ~np.isnan(change)
    return Frequency(increases, decreases, pairs - increases - decreases, pairs)


@dataclass(frozen=True, slots=True)
class RegionChanges:
    """Sums of a region's changes from year to year; those of two parts of a region add up (`+`).

    Each change is of the pixels with a value in both years, so that pixels that come and go do not look like
    one. Arrays have a number per step of the years, shape (m - 1,).

    Attributes
    ----------
    weight : of the pixels with both years; 0 where the years are no neighbours
    change : weighted sum of their changes
    rising, falling : weight of the pixels that rose, fell
    """

    weight: Array
    change: Array
    rising: Array
    falling: Array

    def __add__(self, other: RegionChanges) -> RegionChanges:
        return RegionChanges(
            self.weight + other.weight,
            self.change + other.change,
            self.rising + other.rising,
            self.falling + other.falling,
        )

    @property
    def mean_change(self) -> Array:
        """Change of the region's mean at every step, NaN where no pixel has both years; shape (m - 1,)."""
        return _share(self.change, self.weight)

    @property
    def rising_share(self) -> Array:
        """Share of the region that rose at every step, shape (m - 1,)."""
        return _share(self.rising, self.weight)

    @property
    def falling_share(self) -> Array:
        """Share of the region that fell at every step, shape (m - 1,)."""
        return _share(self.falling, self.weight)

    def frequency(self, *, tolerance: float = 0.0) -> Frequency:
        """Years in which the region's mean rose, fell and stood still, as arrays of shape (1,).

        Raises
        ------
        ValueError
            a tolerance below 0
        """
        _check_tolerance(tolerance)
        change = self.mean_change
        up, down = int((change > tolerance).sum()), int((change < -tolerance).sum())
        pairs = int(np.isfinite(change).sum())
        return Frequency(*(np.array([v], dtype=np.int64) for v in (up, down, pairs - up - down, pairs)))


def region_changes(
    values: Floats, years: ArrayLike, weights: Array | None = None, *, tolerance: float = 0.0
) -> RegionChanges:
    """Changes of a region's weighted mean from each year to the next.

    Parameters
    ----------
    values : shape (m, n), a row per year, NaN where missing
    years : shape (m,), increasing; no change is taken across a gap
    weights : area of the pixels, shape (n,)
    tolerance : a pixel whose change is up to this neither rose nor fell

    Raises
    ------
    ValueError
        years that do not increase or are not one per row, infinite values, or a tolerance below 0

    Examples
    --------
    >>> y = np.array([[1.0, 2.0, 4.0], [10.0, 9.0, np.nan]]).T
    >>> found = region_changes(y, [2001, 2002, 2003])
    >>> found.mean_change.tolist(), found.rising_share.tolist()
    ([0.0, 2.0], [0.5, 1.0])
    """
    rows = np.asarray(values)
    follows = adjacent_years(years, len(rows))
    _check_tolerance(tolerance)
    weight = np.ones(rows.shape[1]) if weights is None else np.asarray(weights, dtype=np.float64)
    sums = np.zeros((4, len(follows)))
    for i in np.flatnonzero(follows).tolist():
        change = _change(rows, i)
        known = ~np.isnan(change)
        change, own = change[known], weight[known]
        sums[:, i] = (
            own.sum(),
            own @ change,
            own[change > tolerance].sum(),
            own[change < -tolerance].sum(),
        )
    return RegionChanges(*sums)


def _change(rows: Floats, i: int) -> Array:
    """Change from row i to the next, shape (n,)."""
    refuse_infinite(rows[i : i + 2])
    return np.asarray(rows[i + 1].astype(np.float64) - rows[i])


def _share(part: Array, whole: Array) -> Array:
    """part / whole, NaN where whole is nil."""
    return np.asarray(np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0))


def _check_tolerance(tolerance: float) -> None:
    """A tolerance below 0 (or NaN) is an error."""
    if not tolerance >= 0.0:
        raise ValueError(f"tolerance must not be negative, not {tolerance:g}")
