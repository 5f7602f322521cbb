"""Tests of directed separation: claims, Fisher's C, and how large the misfit is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from drivers.stats.tails import log_p_t, t_quantile

Array = NDArray[np.float64]

FIELD_C_PER_DF = 2.0
"""The field accepts a model with C/df in [0, 2] (Xu & Zhang 2026, doi:10.1016/j.jaridl.2026.01.008)."""

FIELD_P = 0.05
"""The field accepts a model with P in [0.05, 1] (same source)."""

CONFIDENCE = 0.95
"""Two-sided level of every interval in the tables."""


@dataclass(frozen=True, slots=True)
class PartialTests:
    """t tests of partial correlations; every array has shape (claims,)."""

    statistic: Array
    df: Array
    log_p: Array


def partial_tests(r: Array, df: Array) -> PartialTests:
    """Two-sided tests of r = 0: t = r √(df / (1 - r²)), the t of the coefficient in its own model.

    Examples
    --------
    >>> t = partial_tests(np.array([0.2]), np.array([87.0]))
    >>> t.statistic.round(6).tolist()
    [1.903943]
    """
    with np.errstate(divide="ignore"):
        statistic = r * np.sqrt(df / (1.0 - r**2))
    return PartialTests(statistic, df, log_p_t(statistic, df))


@dataclass(frozen=True, slots=True)
class FishersC:
    """Fisher's C, its degrees of freedom (2 per claim) and p-value; NaN without claims or without their p."""

    c: float
    df: int
    p_value: float

    @property
    def c_per_df(self) -> float:
        """C / df, the field's second criterion."""
        return self.c / self.df if self.df else float("nan")

    @property
    def verdict(self) -> str:
        """`accepted` or `rejected` by the field, `saturated` without claims, `undecided` without their p."""
        if not self.df:
            return "saturated"
        if np.isnan(self.p_value):
            return "undecided"
        return "accepted" if self.p_value >= FIELD_P and self.c_per_df <= FIELD_C_PER_DF else "rejected"


def fishers_c(log_p: Array) -> FishersC:
    """C = -2 Σ ln p on 2k degrees of freedom (Shipley 2000, doi:10.1207/S15328007SEM0702_4).

    Summed from ln p, so it is exact where p underflows.

    Examples
    --------
    >>> c = fishers_c(np.log([0.0750343744675685, 0.0470335390093977, 0.0538767665122441]))
    >>> round(c.c, 7), c.df, round(c.p_value, 9), c.verdict
    (17.1355184, 6, 0.008797888, 'rejected')
    """
    if len(log_p) == 0:
        return FishersC(float("nan"), 0, float("nan"))
    c = float(-2.0 * np.sum(log_p))
    df = 2 * len(log_p)
    return FishersC(c, df, float(special.chdtrc(df, c)))


@dataclass(frozen=True, slots=True)
class PartialIntervals:
    """Confidence intervals of partial correlations and the test that they are negligible; shape (claims,)."""

    low: Array
    high: Array
    equivalence_p: Array


def partial_intervals(r: Array, df: Array, bound: float) -> PartialIntervals:
    """Fisher's z interval of a partial correlation and two one-sided tests of |r| >= bound.

    Parameters
    ----------
    r : partial correlations, shape (claims,)
    df : their residual degrees of freedom n - 2 - |given|, shape (claims,)
    bound : |r| below this is negligible

    Notes
    -----
    z = atanh r with standard error 1/√(n - |given| - 3) = 1/√(df - 1) (Fisher 1924). The equivalence
    p-value is the larger of the two one-sided ones (Schuirmann 1987, doi:10.1007/BF01068419).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.arctanh(np.clip(r, -1.0, 1.0))
        se = 1.0 / np.sqrt(np.maximum(df - 1.0, 0.0))
        half = special.ndtri(0.5 + CONFIDENCE / 2) * se
        below = special.ndtr((z - np.arctanh(bound)) / se)
        above = special.ndtr(-(z + np.arctanh(bound)) / se)
    return PartialIntervals(np.tanh(z - half), np.tanh(z + half), np.maximum(below, above))


def df_of_equal_width(df: Array, classical: Array, statistic: Array, own_df: Array) -> Array:
    """Degrees of freedom that independent pixels with an interval of the same width have; shape (claims,).

    Parameters
    ----------
    df, classical : residual degrees of freedom and t as if pixels were independent
    statistic, own_df : the t of errors of another kind, and its degrees of freedom

    Notes
    -----
    Errors that are classical / statistic times as large, with the quantile q(own_df) of t instead of q(∞),
    make an interval as wide as that of df (statistic / classical · q(∞) / q(own_df))² independent pixels.

    Examples
    --------
    >>> df_of_equal_width(np.array([87.0]), np.array([4.0]), np.array([2.0]), np.array([12.0])).round(6)
    array([17.600119])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        narrower = statistic / classical * t_quantile(np.inf, CONFIDENCE) / t_quantile(own_df, CONFIDENCE)
        return np.asarray(df * narrower**2)


def multiple_interval(r: float, df: int, df_residual: float, bound: float) -> tuple[float, float, float]:
    """Interval and equivalence p-value of a multiple partial correlation (a factor's claim).

    Parameters
    ----------
    r : √(partial R²) of `df` columns
    df, df_residual : degrees of freedom of the F test
    bound : |r| below this is negligible

    Notes
    -----
    df·F is noncentral χ² with λ = N ρ²/(1 - ρ²), N = df_residual, to first order; λ is found for each
    limit and turned back into ρ.
    """
    statistic = df_residual * r**2 / max(1.0 - r**2, 1e-300)

    def limit(probability: float) -> float:
        if special.chdtr(df, statistic) <= probability:
            return 0.0
        top = 4.0 * statistic + 50.0
        root = optimize.brentq(lambda lam: special.chndtr(statistic, df, lam) - probability, 1e-12, top)
        return float(np.sqrt(root / (root + df_residual)))

    tail = (1.0 - CONFIDENCE) / 2
    margin = df_residual * bound**2 / (1.0 - bound**2)
    return limit(1.0 - tail), limit(tail), float(special.chndtr(statistic, df, margin))
