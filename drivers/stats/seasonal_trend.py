"""Seasonal Mann-Kendall test and Sen slope: years compared season by season, so that the season itself is no
trend.

Hirsch, Slack & Smith 1982, doi:10.1029/WR018i001p00107.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from drivers.stats.trend import fit_trend

Array = NDArray[np.float64]
Floats = NDArray[np.floating]

FEWEST_YEARS = 2
"""Years of a season that make a pair."""


@dataclass(frozen=True, slots=True)
class SeasonalTrend:
    """Trends of n pixels over years, the seasons apart; every array has shape (n,) unless it says otherwise.

    Attributes
    ----------
    slope : median of the slopes between all pairs of years of the same season, units of the values per year;
        NaN without any pair
    s : sum of the seasons' Mann-Kendall S
    variance : sum of their variances, each corrected for ties
    z : with continuity correction; 0 where the variance is
    log_p : ln of the two-sided p-value of z
    tau : S over the square root of the untied pairs times all pairs, each summed over the seasons as R's
        Kendall does; NaN where all values of every season are equal
    season_s : S of each season, shape (seasons, n)
    """

    slope: Array
    s: Array
    variance: Array
    z: Array
    log_p: Array
    tau: Array
    season_s: Array


def fit_seasonal_trend(values: Floats) -> SeasonalTrend:
    """Seasonal Mann-Kendall test of every pixel.

    Parameters
    ----------
    values : shape (years, seasons, n), NaN where a value is missing; years one after the other

    Raises
    ------
    ValueError
        values of another shape, or infinite

    Notes
    -----
    S = Σ S_g and Var S = Σ Var S_g over the seasons g, which are taken as independent of each other; z =
    (S ∓ 1) / √Var S. The slope is the median of all slopes of all seasons together, as R's
    `trend::sea.sens.slope` has it.

    Examples
    --------
    >>> season = np.array([0.0, 50.0])
    >>> year = np.array([1.0, 2, 3, 5, 4])
    >>> found = fit_seasonal_trend((year[:, None] + season)[:, :, None])
    >>> found.s.tolist(), found.slope.tolist(), found.z.round(4).tolist()
    ([16.0], [1.0], [2.5981])
    """
    y = np.asarray(values, dtype=np.float64)
    if y.ndim != 3:
        raise ValueError(f"values have shape {y.shape}; need (years, seasons, pixels)")
    years, seasons, n = y.shape
    of_seasons = [fit_trend(y[:, g], np.arange(years), min_years=FEWEST_YEARS) for g in range(seasons)]
    # A season with a single year has no pair and adds nothing.
    season_s = np.nan_to_num(np.stack([found.s for found in of_seasons]))
    s = season_s.sum(axis=0)
    variance = np.nan_to_num(np.stack([found.variance for found in of_seasons])).sum(axis=0)
    later, earlier = np.tril_indices(years, -1)
    rise = y[later] - y[earlier]
    slopes = rise / (later - earlier)[:, None, None]
    pairs = (~np.isnan(rise)).sum(axis=0)
    untied = (np.abs(rise) > 0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.sign(s) * np.maximum(np.abs(s) - 1.0, 0.0) / np.sqrt(variance)
        tau = s / np.sqrt(untied * pairs).sum(axis=0)
    z[variance == 0.0] = 0.0
    return SeasonalTrend(
        _median(slopes.reshape(-1, n)),
        s,
        variance,
        z,
        np.log(2.0) + special.log_ndtr(-np.abs(z)),
        tau,
        season_s,
    )


def _median(slopes: Array) -> Array:
    """Median down the rows without the NaN among them, shape (n,); NaN where nothing is left."""
    found = np.full(slopes.shape[1], np.nan)
    known = ~np.isnan(slopes).all(axis=0)
    found[known] = np.nanmedian(slopes[:, known], axis=0)
    return found
