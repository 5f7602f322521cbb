"""Trend of every pixel over years: Theil-Sen slope and Mann-Kendall test, and classes of both.

Theil 1950 (Proc. KNAW 53); Sen 1968, doi:10.1080/01621459.1968.10480934; Mann 1945, doi:10.2307/1907187;
Kendall 1975 (Rank Correlation Methods) for the variance with ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Array = NDArray[np.float64]
Floats = NDArray[np.floating]
Counts = NDArray[np.int64]

FEWEST_YEARS = 10
"""Below this the normal approximation of S is poor (Gilbert 1987, Statistical Methods for Environmental
Pollution Monitoring, section 16.4)."""

LEVELS = (1.65, 1.96, 2.58)
"""|Z| of 90, 95 and 99 % confidence, as the papers of this field print them."""

CHUNK_BYTES = 400_000
"""Differences of a chunk of pixels (240 of 21 years): two such arrays stay in the second-level cache."""


@dataclass(frozen=True, slots=True)
class Trend:
    """Trends of n pixels; every array has shape (n,) and is NaN where a pixel has too few years.

    Attributes
    ----------
    slope : median of all pairwise slopes, units of the values per unit of the years
    intercept : median of y - slope t, the level at year 0
    s : Mann-Kendall S
    variance : of S, corrected for ties
    z : with continuity correction; 0 where all values are equal
    log_p : ln of the two-sided p-value of z, finite where p itself underflows
    tau : Kendall's tau-b; NaN where all values are equal
    n_years : years with a value, also where they are too few
    """

    slope: Array
    intercept: Array
    s: Array
    variance: Array
    z: Array
    log_p: Array
    tau: Array
    n_years: Counts


def series_years(years: ArrayLike, n: int) -> Array:
    """The years of n rows as numbers.

    Raises
    ------
    ValueError
        years are not n finite numbers, each later than the one before
    """
    found = np.asarray(years, dtype=np.float64)
    if found.shape != (n,):
        raise ValueError(f"{found.size} years for {n} rows of values; one row is one year")
    if not np.isfinite(found).all():
        raise ValueError("years must be finite numbers")
    steps = np.diff(found)
    if (steps == 0).any():
        twice = ", ".join(f"{year:g}" for year in np.unique(found[1:][steps == 0]))
        raise ValueError(f"years occur more than once: {twice}")
    if (steps < 0).any():
        raise ValueError("years must increase; sort them, and the rows of values with them")
    return found


def refuse_infinite(values: Floats) -> None:
    """Infinite values are what a division by nil or an overflow left, and no missing years.

    Raises
    ------
    ValueError
        any value is infinite
    """
    if np.isinf(values).any():
        raise ValueError("values hold infinite numbers; a missing year is NaN")


def fit_trend(values: Floats, years: ArrayLike, *, min_years: int = FEWEST_YEARS) -> Trend:
    """Theil-Sen slope and Mann-Kendall test of every pixel.

    Parameters
    ----------
    values : shape (m, n), a row per year and a column per pixel, NaN where a year is missing; rows are what
        rasters and columns of a table are, and make pixels the fast axis of every difference
    years : shape (m,), increasing, at any distances
    min_years : pixels with fewer values get NaN

    Raises
    ------
    ValueError
        years that do not increase or are not one per row, infinite values, `min_years` below 2

    Notes
    -----
    slope = median over i < j of (y_j - y_i) / (t_j - t_i), both years present; S = Σ sign(y_j - y_i);
    Var S = [k (k-1) (2k+5) - Σ g (g-1) (2g+5)] / 18 over k years and groups of g tied values;
    z = (S ∓ 1) / √Var S, nil for S = 0; tau = S / √[(pairs - tied pairs) pairs]. Differences of a missing
    year are NaN, no comparison counts them and sorting puts them last, so that pixels with gaps need no
    path of their own. Memory beyond the results does not grow with n.

    Examples
    --------
    >>> y = np.array([[1.0, 2, 2, 3, 3, 3, 4, 5], [1, 2, np.nan, 3, 4, np.nan, np.nan, np.nan]]).T
    >>> trend = fit_trend(y, range(2001, 2009), min_years=4)
    >>> trend.slope.round(6).tolist(), trend.s.tolist(), trend.z.round(4).tolist()
    ([0.5, 0.708333], [24.0, 6.0], [2.9529, 1.6984])
    """
    y = np.asarray(values)
    if y.ndim != 2:
        raise ValueError(f"values have shape {y.shape}; need (years, pixels)")
    m, n = y.shape
    t = series_years(years, m)
    if min_years < 2:
        raise ValueError(f"min_years is {min_years}; a slope needs at least 2")
    pairs = m * (m - 1) // 2
    found, n_years = np.full((5, n), np.nan), np.zeros(n, dtype=np.int64)
    size = max(CHUNK_BYTES // (8 * max(pairs, 1)), 16)
    later, earlier = np.tril_indices(m, -1)
    spans = (t[later] - t[earlier])[:, None]
    differences, by_pixel = np.empty((pairs, size)), np.empty((size, pairs))
    for start in range(0, n, size):
        chunk = np.ascontiguousarray(y[:, start : start + size], dtype=np.float64)
        here = slice(start, start + chunk.shape[1])
        n_years[here] = _years_with_value(chunk)
        if m >= min_years:
            work = (differences[:, : chunk.shape[1]], by_pixel[: chunk.shape[1]])
            found[:, here] = _fit_chunk(chunk, t, spans, n_years[here], work)
    found[:, n_years < min_years] = np.nan
    slope, intercept, s, variance, tau = found
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.sign(s) * np.maximum(np.abs(s) - 1.0, 0.0) / np.sqrt(variance)
    z[variance == 0.0] = 0.0
    return Trend(slope, intercept, s, variance, z, np.log(2.0) + special.log_ndtr(-np.abs(z)), tau, n_years)


def _years_with_value(chunk: Array) -> Counts:
    """Years with a value of every pixel, shape (n,)."""
    known = np.isfinite(chunk)
    if not known.all():  # most are, and then the second look can be spared
        refuse_infinite(chunk)
    return np.asarray(known.sum(axis=0, dtype=np.int64))


def _fit_chunk(y: Array, t: Array, spans: Array, n_years: Counts, work: tuple[Array, Array]) -> Array:
    """Slope, intercept, S, its variance and tau of a chunk, shape (5, pixels)."""
    differences, by_pixel = work
    start = 0
    for j in range(1, len(y)):
        np.subtract(y[j], y[:j], out=differences[start : start + j])
        start += j
    rising, falling = _count(differences > 0), _count(differences < 0)
    s, untied = rising - falling, rising + falling
    pairs = n_years * (n_years - 1) // 2
    k = n_years.astype(np.float64)
    variance = k * (k - 1.0) * (2.0 * k + 5.0)
    if (untied < pairs).any():
        variance -= _tie_terms(differences == 0, len(y))
    np.divide(differences, spans, out=differences)
    # A sort wants the slopes of a pixel side by side; dividing and transposing at once is slower.
    by_pixel[:] = differences.T
    slope = _row_medians(by_pixel, pairs)
    intercept = _row_medians(np.ascontiguousarray((y - slope * t[:, None]).T), n_years)
    with np.errstate(invalid="ignore", divide="ignore"):
        tau = s / np.sqrt(untied * pairs)
    return np.stack([slope, intercept, s, variance / 18.0, tau])


def _count(which: NDArray[np.bool_]) -> Array:
    """How many are true in each column, summed in the narrowest integers that hold it, which is fastest."""
    narrow = np.min_scalar_type(len(which))
    return np.asarray(np.add.reduce(which.view(np.uint8), axis=0, dtype=narrow), dtype=np.float64)


def _row_medians(rows: Array, counts: Counts) -> Array:
    """Median of each row, which is sorted in place; all but `counts` of its numbers are NaN.

    A sort, not a partition: NumPy sorts rows of this length with vector instructions, in half the time that
    two order statistics take.
    """
    rows.sort(axis=1)
    length = rows.shape[1]
    if (counts == length).all():
        return np.asarray((rows[:, (length - 1) // 2] + rows[:, length // 2]) / 2.0)
    lower, upper = np.maximum(counts - 1, 0) // 2, np.minimum(counts // 2, length - 1)
    each = np.arange(len(rows))
    return np.asarray((rows[each, lower] + rows[each, upper]) / 2.0)


def _tie_terms(equal: NDArray[np.bool_], years: int) -> Array:
    """Σ g (g-1) (2g+5) over groups of g equal values of every pixel, shape (n,).

    `equal` tells of each pair of years, ordered by the later one, whether their values are. The sum grows by
    6 (g² - 1) when a group grows to g, so it is enough to count for every year its equals before it.
    """
    size, start = np.ones((years - 1, equal.shape[1])), 0
    for j in range(1, years):
        size[j - 1] += _count(equal[start : start + j])
        start += j
    return np.asarray(6.0 * (np.einsum("ij,ij->j", size, size) - len(size)))


@dataclass(frozen=True, slots=True)
class TrendClasses:
    """Classes of trends, from the surest decrease over no slope to the surest increase.

    Attributes
    ----------
    codes : class of every pixel, 0 to K - 1, or -1 without a trend; shape (n,)
    signs : -1, 0 or 1 of each class, shape (K,)
    bounds : least |Z| of each class, 0 for the one below all levels; NaN for no slope; shape (K,)
    """

    codes: NDArray[np.int8]
    signs: NDArray[np.int8]
    bounds: Array


def trend_classes(
    slope: Array, z: Array, levels: Sequence[float] = LEVELS, *, inclusive: bool = True
) -> TrendClasses:
    """Classes from the sign of the slope and |Z|: 2 (L + 1) + 1 of them for L levels.

    Three levels make the nine classes of the literature, (1.96, 2.58) seven, and (1.96,) five. A slope of
    exactly 0 is its own class whatever its Z, which ties can make large.

    Parameters
    ----------
    slope, z : shape (n,); NaN in either is no class
    levels : increasing positive |Z|
    inclusive : |Z| equal to a level has reached it (>=), else it must exceed it (>)

    Raises
    ------
    ValueError
        levels that are not positive and increasing, or more than 60

    Examples
    --------
    >>> found = trend_classes(np.array([-0.2, 0.0, 0.1, 0.3, np.nan]), np.array([-2.0, 0, 1, 2.7, 1]))
    >>> found.codes.tolist()
    [1, 4, 5, 8, -1]
    >>> found.signs.tolist()
    [-1, -1, -1, -1, 0, 1, 1, 1, 1]
    >>> found.bounds.tolist()
    [2.58, 1.96, 1.65, 0.0, nan, 0.0, 1.65, 1.96, 2.58]
    """
    edges = np.asarray(levels, dtype=np.float64)
    if edges.ndim != 1 or not (np.isfinite(edges).all() and (np.diff(edges, prepend=0.0) > 0).all()):
        raise ValueError(f"levels of |Z| must be positive and increase, not {list(levels)}")
    if len(edges) > 60:
        raise ValueError(f"{len(edges)} levels of |Z|; at most 60")
    none = len(edges) + 1
    reached = np.searchsorted(edges, np.abs(z), side="right" if inclusive else "left")
    known = ~(np.isnan(slope) | np.isnan(z))
    signs = np.sign(np.where(known, slope, 0.0)).astype(np.int64)
    codes = np.where(known, none + signs * (reached + 1), -1).astype(np.int8)
    side = np.concatenate([[0.0], edges])
    return TrendClasses(
        codes,
        np.sign(np.arange(2 * none + 1) - none).astype(np.int8),
        np.concatenate([side[::-1], [np.nan], side]),
    )
