"""The risk detector (do two classes differ?) and the ecological detector (do two drivers?)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from drivers.stats.tails import log_p_t

Array = NDArray[np.float64]
CONFIDENCE = 0.95
"""Of the intervals of class means."""

EcologicalTest = Literal["two_sided", "gd", "gdverse"]


@dataclass(frozen=True, slots=True)
class RiskTests:
    """Welch's t of every pair of classes; each shape (K (K - 1) / 2,), pairs (0, 1), (0, 2), ..., (1, 2).

    Attributes
    ----------
    a, b : the classes of each pair
    statistic, df, p_value : of Welch's test; NaN where a class has fewer than two (effective) pixels
    """

    a: NDArray[np.intp]
    b: NDArray[np.intp]
    statistic: Array
    df: Array
    p_value: Array


def risk_tests(means: Array, variances: Array, covariance: Array) -> RiskTests:
    """Welch's t test between the means of all pairs of classes.

    Parameters
    ----------
    means, variances : of the classes, shape (K,)
    covariance : of the class means of a field of unit variance, shape (K, K); diag(1 / n_h) where pixels
        are independent

    Notes
    -----
    t = (m_a - m_b) / √(s_a² V_aa + s_b² V_bb - 2 s_a s_b V_ab), with Welch's and Satterthwaite's degrees of
    freedom for n_h = 1 / V_hh. For independent pixels this is R's `t.test`.

    Examples
    --------
    >>> found = risk_tests(np.array([1.0, 2.0]), np.array([1.0, 4.0]), np.diag([1 / 9, 1 / 16]))
    >>> found.statistic.round(6).tolist(), found.df.round(4).tolist(), found.p_value.round(6).tolist()
    ([-1.664101], [22.8378], [0.109755])
    """
    a, b = np.triu_indices(len(means), 1)
    spread = np.sqrt(variances)
    own = variances * np.diag(covariance)
    with np.errstate(invalid="ignore", divide="ignore"):
        n = 1.0 / np.diag(covariance)
        error = own[a] + own[b] - 2.0 * spread[a] * spread[b] * covariance[a, b]
        difference = means[a] - means[b]
        statistic = difference / np.sqrt(np.where(error > 0, error, np.nan))
        part = own**2 / (n - 1.0)
        df = (own[a] + own[b]) ** 2 / (part[a] + part[b])
    tested = (n[a] > 1) & (n[b] > 1) & np.isfinite(df)
    statistic, df = (np.where(tested, v, np.nan) for v in (statistic, df))
    p = np.full(len(a), np.nan)
    p[tested] = np.exp(log_p_t(statistic[tested], df[tested]))
    return RiskTests(a.astype(np.intp), b.astype(np.intp), statistic, df, p)


def holm(p: Array) -> Array:
    """p-values adjusted for their number (Holm 1979, doi:10.2307/4615733); NaN stays NaN and counts for none.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03, np.nan])).round(10).tolist()
    [0.03, 0.06, 0.06, nan]
    """
    out = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1))
    out[order] = np.minimum(steps, 1.0)
    return out


@dataclass(frozen=True, slots=True)
class EcologicalTestResult:
    """An F ratio of two drivers with its p-value."""

    f_statistic: float
    p_value: float


def ecological_test(q_a: float, q_b: float, df: float, variant: EcologicalTest) -> EcologicalTestResult:
    """Whether two drivers leave different variance within their classes.

    Parameters
    ----------
    q_a, q_b : of the two drivers on the same pixels
    df : degrees of freedom of both variances, n - 1
    variant : `two_sided`, F = (1 - q_a) / (1 - q_b) with a two-sided p; `gdverse`, the same F with the
        p of F alone; `gd`, F = q_b / q_a with the smaller tail, to be held against 0.1 as GD and the R
        package geodetector do. Ratios of q do not follow F; the variant is for comparison only.

    Examples
    --------
    >>> test = ecological_test(0.821833477502041, 0.869350477976281, 712, "gdverse")   # ndvi_40
    >>> round(test.f_statistic, 10), f"{test.p_value:.6e}"
    (1.3636982343, '1.822600e-05')
    """
    if variant == "gd":
        f = q_b / q_a if q_a > 0 else float("nan")
    else:
        f = (1.0 - q_a) / (1.0 - q_b) if q_b < 1 else float("nan")
    if not (df > 0 and np.isfinite(f)):
        return EcologicalTestResult(f, float("nan"))
    upper = float(stats.f.sf(f, df, df))
    lower = float(stats.f.cdf(f, df, df))
    if variant == "gdverse":
        return EcologicalTestResult(f, upper)
    smaller = min(upper, lower)
    return EcologicalTestResult(f, smaller if variant == "gd" else min(2.0 * smaller, 1.0))


def mean_interval(mean: float, error: float, n: float) -> tuple[float, float]:
    """The confidence interval of a class mean from n (effective) pixels; NaN for a single one.

    Examples
    --------
    >>> [round(end, 4) for end in mean_interval(5.0, 0.5, 10.0)]
    [3.8689, 6.1311]
    """
    if not n > 1:
        return float("nan"), float("nan")
    reach = float(stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1)) * error
    return mean - reach, mean + reach
