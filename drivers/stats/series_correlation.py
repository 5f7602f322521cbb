"""Correlation of two series over years, of every pixel for itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.stats.tails import log_p_t
from drivers.stats.trend import refuse_infinite

Array = NDArray[np.float64]
Floats = NDArray[np.floating]
Counts = NDArray[np.int64]

FEWEST_YEARS = 4
"""Pairs of values that a correlation needs: with three its t test has a single degree of freedom."""

CHUNK_PIXELS = 4096
"""Pixels at a time: two series of 21 years and their products stay in the second-level cache."""

ROUNDINGS = 8
"""A sum of squares below this many roundings of its terms is what rounding leaves of a constant."""


@dataclass(frozen=True, slots=True)
class SeriesCorrelation:
    """Correlations of n pixels; every array has shape (n,).

    Attributes
    ----------
    r : Pearson's; NaN with too few years, or where either series is constant
    log_p : ln of the two-sided p-value of t = r √(df / (1 - r²)) on df = n_years - 2; NaN as r
    n_years : years with both values
    """

    r: Array
    log_p: Array
    n_years: Counts


def series_correlation(first: Floats, second: Floats, *, min_years: int = FEWEST_YEARS) -> SeriesCorrelation:
    """Pearson's r of two series of every pixel, over the years that have both.

    The t test takes the years as independent; two series with trends of their own correlate through them.

    Parameters
    ----------
    first, second : shape (m, n), a row per year and a column per pixel, NaN where missing
    min_years : pixels with fewer pairs get NaN

    Raises
    ------
    ValueError
        shapes that differ or are not (m, n), infinite values, or `min_years` below 3

    Notes
    -----
    Sums are of deviations from the means of the paired years, so a large common value loses no digits.
    Memory beyond the results does not grow with n.

    Examples
    --------
    >>> x = np.array([[1.0, 2, 3, 4, 5, np.nan]]).T
    >>> y = np.array([[1.0, 3, 2, 5, 4, 9]]).T
    >>> found = series_correlation(x, y)
    >>> found.r.round(6).tolist(), np.exp(found.log_p).round(6).tolist(), found.n_years.tolist()
    ([0.8], [0.104088], [5])
    """
    a, b = np.asarray(first), np.asarray(second)
    if a.ndim != 2 or a.shape != b.shape:
        raise ValueError(f"series have shapes {a.shape} and {b.shape}; both need (years, pixels)")
    if min_years < 3:
        raise ValueError(f"min_years is {min_years}; the test of a correlation needs at least 3")
    n = a.shape[1]
    r, n_years = np.full(n, np.nan), np.zeros(n, dtype=np.int64)
    for start in range(0, n, CHUNK_PIXELS):
        here = slice(start, start + CHUNK_PIXELS)
        x, y = (series[:, here].astype(np.float64) for series in (a, b))
        refuse_infinite(x)
        refuse_infinite(y)
        r[here], n_years[here] = _correlate(x, y)
    r[n_years < min_years] = np.nan
    df = n_years - 2.0
    with np.errstate(invalid="ignore", divide="ignore"):
        t = r * np.sqrt(df / ((1.0 - r) * (1.0 + r)))
    return SeriesCorrelation(r, log_p_t(t, np.where(np.isnan(r), np.nan, df)), n_years)


def _correlate(x: Array, y: Array) -> tuple[Array, Counts]:
    """r and paired years of a chunk; x and y are its own copies and are overwritten."""
    gone = np.isnan(x) | np.isnan(y)
    k = len(x) - gone.sum(axis=0, dtype=np.int64)
    some = np.maximum(k, 1)
    squares = []
    for series in (x, y):
        series[gone] = 0.0
        level = np.abs(series).max(axis=0, initial=0.0)
        series -= series.sum(axis=0) / some
        series[gone] = 0.0
        # A second pass takes off what rounding left of the mean.
        series -= series.sum(axis=0) / some
        series[gone] = 0.0
        square = np.einsum("ij,ij->j", series, series)
        nil = square <= some * (ROUNDINGS * np.finfo(np.float64).eps * level) ** 2
        squares.append(np.where(nil, np.nan, square))
    product = np.einsum("ij,ij->j", x, y)
    # Roots one by one, since the product of two sums of squares can underflow.
    r = product / (np.sqrt(squares[0]) * np.sqrt(squares[1]))
    return np.clip(r, -1.0, 1.0), k
