"""Estimates side by side: tests of differences, and false discoveries among many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drivers.stats.tails import log_p_chi2, log_p_f, log_p_t_or_nan

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Differences:
    """Differences of estimates, or one test of several; arrays of one shape.

    Attributes
    ----------
    estimate : first less second
    std_error : its standard error
    statistic : t, or z where df is infinite
    df : degrees of freedom
    log_p : ln of the two-sided p-value; NaN where a variance is not known or nil
    """

    estimate: Array
    std_error: Array
    statistic: Array
    df: Array
    log_p: Array


def wald_differences(
    first: ArrayLike,
    second: ArrayLike,
    first_variance: ArrayLike,
    second_variance: ArrayLike,
    first_df: ArrayLike = np.inf,
    second_df: ArrayLike = np.inf,
) -> Differences:
    """Wald tests that two independent estimates are equal; arguments broadcast against each other.

    Parameters
    ----------
    first, second : estimates
    first_variance, second_variance : their squared standard errors
    first_df, second_df : their degrees of freedom, infinite for z

    Notes
    -----
    t = (a - b) / √(v_a + v_b), on (v_a + v_b)² / (v_a²/df_a + v_b²/df_b) degrees of freedom (Satterthwaite
    1946, doi:10.2307/3002019; Welch 1947, doi:10.1093/biomet/34.1-2.28).

    Examples
    --------
    >>> test = wald_differences(1.0, 0.4, 0.04, 0.05, 20, 30)
    >>> round(float(test.statistic), 6), round(float(test.df), 6), round(float(np.exp(test.log_p)), 6)
    (2.0, 49.591837, 0.050992)
    """
    a, b, va, vb, fa, fb = np.broadcast_arrays(
        *(
            np.asarray(v, dtype=np.float64)
            for v in (first, second, first_variance, second_variance, first_df, second_df)
        )
    )
    variance = va + vb
    with np.errstate(all="ignore"):
        # Shares of the variance, not variances: squares of 1e-200 would be nil.
        df = 1.0 / ((va / variance) ** 2 / fa + (vb / variance) ** 2 / fb)
        error = np.where(variance > 0, np.sqrt(variance), np.nan)
        statistic = (a - b) / error
    # An overflow has no size that could be tested.
    log_p = log_p_t_or_nan(np.where(np.isinf(statistic), np.nan, statistic), df)
    return Differences(np.asarray(a - b), error, np.asarray(statistic), np.asarray(df), log_p)


@dataclass(frozen=True, slots=True)
class Omnibus:
    """One test per column that k strata are equal; arrays have shape (m,).

    Attributes
    ----------
    pooled : mean of the estimates weighted by 1 / variance
    statistic : F
    df : strata with an estimate, less one
    df_residual : its denominator's degrees of freedom; infinite for χ² / df
    log_p : ln p; NaN with fewer than two strata
    """

    pooled: Array
    statistic: Array
    df: Array
    df_residual: Array
    log_p: Array


def omnibus_test(estimates: Array, variances: Array, df: Array | float = np.inf) -> Omnibus:
    """Test that an estimate is the same in k independent strata.

    Parameters
    ----------
    estimates, variances : shape (k, m); strata where either is NaN or the variance nil are left out
    df : degrees of freedom of the estimates, broadcast to (k, m)

    Notes
    -----
    Q = Σ w (b - b̄)² with w = 1/v is χ² on k - 1 df where variances are known (Cochran 1954,
    doi:10.2307/3001666). With df of their own, Welch's F (1951, doi:10.1093/biomet/38.3-4.330):
    F = Q/(k-1) / (1 + 2(k-2)/(k²-1) · h) on k - 1 and (k² - 1)/(3h) df, h = Σ (1 - w/Σw)²/df. Two strata give
    the square of `wald_differences`.

    Examples
    --------
    >>> test = omnibus_test(np.array([[1.0], [0.4], [0.1]]), np.full((3, 1), 0.04))
    >>> test.statistic.round(6).tolist(), test.df.tolist(), test.log_p.round(6).tolist()
    ([5.25], [2.0], [-5.25])
    """
    free = np.broadcast_to(np.asarray(df, dtype=np.float64), estimates.shape)
    known = np.isfinite(estimates) & np.isfinite(variances) & (variances > 0) & (free > 0)
    k = known.sum(axis=0).astype(np.float64)
    with np.errstate(all="ignore"):
        least = np.where(known, variances, np.inf).min(axis=0)
        # Weights of the most exact stratum are 1, so that units cannot overflow.
        weight = np.where(known, least / variances, 0.0)
        values = np.where(known, estimates, 0.0)
        share = weight / weight.sum(axis=0)
        # Deviations from one stratum, so that a large common value loses no digits.
        anchor = values[np.argmax(known, axis=0), np.arange(values.shape[1])]
        apart = np.where(known, values - anchor, 0.0)
        centre = (share * apart).sum(axis=0)
        q = (weight * (apart - centre) ** 2).sum(axis=0) / least
        h = np.where(known, (1.0 - share) ** 2 / free, 0.0).sum(axis=0)
        statistic = q / (k - 1.0) / (1.0 + 2.0 * (k - 2.0) / (k**2 - 1.0) * h)
        residual = np.where(h > 0, (k**2 - 1.0) / (3.0 * h), np.inf)
    enough = k > 1
    statistic, residual = (np.where(enough, v, np.nan) for v in (statistic, residual))
    log_p = np.full(k.shape, np.nan)
    chi, f = enough & np.isinf(residual), enough & np.isfinite(residual)
    log_p[chi] = log_p_chi2(statistic[chi] * (k[chi] - 1.0), k[chi] - 1.0)
    log_p[f] = log_p_f(statistic[f], k[f] - 1.0, residual[f])
    pooled = np.where(k > 0, anchor + centre, np.nan)
    return Omnibus(pooled, statistic, k - 1.0, residual, log_p)


def benjamini_hochberg(log_p: ArrayLike) -> Array:
    """ln of p-values adjusted for the false discovery rate; same shape, NaN stays NaN and counts for nothing.

    Parameters
    ----------
    log_p : ln of the p-values of one family of tests

    Notes
    -----
    q_(i) = min over j >= i of m p_(j) / j, at most 1 (Benjamini & Hochberg 1995,
    doi:10.1111/j.2517-6161.1995.tb02031.x), in logarithms, so that p = 1e-5000 keeps its rank.

    Examples
    --------
    >>> np.exp(benjamini_hochberg(np.log([0.01, 0.04, 0.03, 0.5]))).round(12).tolist()
    [0.04, 0.053333333333, 0.053333333333, 0.5]
    """
    given = np.asarray(log_p, dtype=np.float64)
    flat = given.ravel()
    known = np.flatnonzero(~np.isnan(flat))
    m = len(known)
    found = np.full(flat.shape, np.nan)
    if m:
        order = known[np.argsort(flat[known], kind="stable")]
        place = np.arange(1, m + 1)
        raised = flat[order] + np.log(m / place)
        found[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 0.0)
    return found.reshape(given.shape)
