"""Agreement of several rankings of the same items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from drivers.stats.tails import log_p_chi2

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Concordance:
    """Agreement of m rankings of n items; shape of what comes before (m, n).

    Attributes
    ----------
    w : Kendall's W, 0 for none to 1 for full agreement; NaN where a rank is missing or all are ties
    statistic : Friedman's χ² = m (n - 1) W
    df : n - 1
    log_p : ln p of no agreement
    """

    w: Array
    statistic: Array
    df: int
    log_p: Array


def kendalls_w(scores: Array) -> Concordance:
    """Kendall's coefficient of concordance, corrected for ties.

    Parameters
    ----------
    scores : ranks or anything that ranks n items, by m raters, shape (..., m, n); leading axes are draws of a
        bootstrap

    Raises
    ------
    ValueError
        fewer than two raters or items

    Notes
    -----
    W = 12 Σ (R - R̄)² / (m² (n³ - n) - m Σ (t³ - t)), R the rank sums, t the sizes of ties (Kendall &
    Babington Smith 1939, doi:10.1214/aoms/1177732186). The χ² is rough for fewer than 8 items.

    Examples
    --------
    >>> round(float(kendalls_w(np.array([[1.0, 2, 3, 4], [1, 3, 2, 4], [2, 1, 3, 4]])).w), 6)
    0.777778
    """
    m, n = scores.shape[-2:]
    if m < 2 or n < 2:
        raise ValueError(f"agreement needs two raters and two items, not {m} and {n}")
    ranks = stats.rankdata(scores, axis=-1, nan_policy="propagate")
    sums = ranks.sum(axis=-2)
    squares = ((sums - m * (n + 1) / 2.0) ** 2).sum(axis=-1)
    # Σ (r - r̄)² of one rater is (n³ - n)/12 less Σ (t³ - t)/12.
    spread = ((ranks - (n + 1) / 2.0) ** 2).sum(axis=(-2, -1))
    with np.errstate(all="ignore"):
        w = np.asarray(squares / (m * spread))
    statistic = m * (n - 1.0) * w
    log_p = np.full(w.shape, np.nan)
    known = np.isfinite(w)
    log_p[known] = log_p_chi2(statistic[known], n - 1.0)
    return Concordance(w, statistic, n - 1, log_p)


@dataclass(frozen=True, slots=True)
class ConcordanceInterval:
    """Kendall's W with its bootstrap interval; `failed` draws had none."""

    w: float
    low: float
    high: float
    failed: int


def concordance_interval(scores: Array, draws: Array, level: float = 0.95) -> ConcordanceInterval:
    """Percentile interval of Kendall's W.

    Parameters
    ----------
    scores : shape (m, n)
    draws : the same found anew in B draws of blocks, shape (B, m, n); the same blocks for all m, shape
    level : two-sided

    Notes
    -----
    Noise can only lower an agreement that is full, so the interval of W = 1 lies below it and is one-sided.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> truth = np.tile(np.arange(6.0), (3, 1))
    >>> found = concordance_interval(truth, truth + rng.normal(size=(999, 3, 6)))
    >>> found.w, 0.5 < found.low < found.high <= 1.0
    (1.0, True)
    """
    w = kendalls_w(draws).w
    known = w[np.isfinite(w)]
    tails = np.array([(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    low, high = np.quantile(known, tails, method="weibull") if len(known) else (np.nan, np.nan)
    return ConcordanceInterval(float(kendalls_w(scores).w), float(low), float(high), len(w) - len(known))
