"""Logarithms of tail probabilities, exact where the probability itself underflows; and quantiles of t.

scipy's `t.logsf` and `f.logsf` are -inf beyond 1e-308; with 1e5 pixels that is the usual case, and
Fisher's C is a sum of these logarithms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Array = NDArray[np.float64]

NEAR_ONE = -0.7
"""Above this logarithm (p about 0.5) the complement is the smaller of the two, and the more exact."""

UNDERFLOW = -650.0
"""Below this logarithm (p about 1e-282) the direct function is no longer trusted."""

NODES, WEIGHTS = np.polynomial.laguerre.laggauss(32)
"""Gauss-Laguerre rule. In the far tail the integrand is e^-w times a function that hardly varies."""


def log_betainc_tail(a: ArrayLike, b: ArrayLike, odds: ArrayLike) -> Array:
    """ln I_x(a, b), the regularised incomplete beta function at x = 1 / (1 + odds), for a far tail.

    `odds` instead of x, because a ln x needs all digits of 1 - x when a is large and x near 1.

    Notes
    -----
    With s = x e^(-w/a) in the integral of DLMF 8.17.1 (https://dlmf.nist.gov/8.17.E1),
    I_x(a, b) = x^a (1-x)^(b-1) / (a B(a, b)) · ∫ e^-w (1 + (1 - e^(-w/a)) / odds)^(b-1) dw over w > 0.
    """
    a, b, odds = (
        v[..., None] for v in np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (a, b, odds)))
    )
    integral = (WEIGHTS * (1.0 - np.expm1(-NODES / a) / odds) ** (b - 1.0)).sum(axis=-1)
    a, b, odds = a[..., 0], b[..., 0], odds[..., 0]
    log_x = -np.log1p(odds)
    log_rest = np.log(odds) + log_x
    return np.asarray(a * log_x + (b - 1.0) * log_rest - np.log(a) - special.betaln(a, b) + np.log(integral))


def log_p_f(statistic: ArrayLike, df: ArrayLike, df_residual: ArrayLike) -> Array:
    """ln P(F > statistic) for F on `df` and `df_residual` degrees of freedom.

    Examples
    --------
    >>> float(log_p_f(4.0, 1, 10)).hex() == float(log_p_t(2.0, 10)).hex()
    True
    """
    f, d1, d2 = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (statistic, df, df_residual)))
    out = np.full(f.shape, np.nan)
    known = (d1 > 0) & (d2 > 0) & ~np.isnan(f)
    f, d1, d2 = f[known], d1[known], d2[known]
    x = d2 / (d2 + d1 * f)
    with np.errstate(divide="ignore"):
        log_p = np.log(special.betainc(d2 / 2, d1 / 2, x))
    # Near p = 1 the complement keeps the digits that 1 - x has lost.
    near = log_p > NEAR_ONE
    ratio = d1[near] * f[near]
    log_p[near] = np.log1p(-special.betainc(d1[near] / 2, d2[near] / 2, ratio / (d2[near] + ratio)))
    far = (log_p < UNDERFLOW) & np.isfinite(f)
    if far.any():
        log_p[far] = log_betainc_tail(d2[far] / 2, d1[far] / 2, d1[far] * f[far] / d2[far])
    out[known] = np.where(np.isinf(f), -np.inf, log_p)
    return out


def log_p_chi2(statistic: ArrayLike, df: ArrayLike) -> Array:
    """ln P(χ² > statistic) on `df` degrees of freedom.

    Notes
    -----
    Where it underflows, Γ(a, x) = x^(a-1) e^-x ∫ e^-w (1 + w/x)^(a-1) dw over w > 0 (DLMF 8.6.5,
    https://dlmf.nist.gov/8.6.E5).

    Examples
    --------
    >>> round(float(log_p_chi2(4.0, 1)), 12) == round(float(log_p_t(2.0, np.inf)), 12)
    True
    >>> round(float(log_p_chi2(5000.0, 3)), 6)
    -2495.966995
    """
    x, a = np.broadcast_arrays(
        np.asarray(statistic, dtype=np.float64) / 2, np.asarray(df, dtype=np.float64) / 2
    )
    with np.errstate(divide="ignore"):
        log_p = np.array(np.log(special.gammaincc(a, x)))
    far = (log_p < UNDERFLOW) & np.isfinite(x)
    x, a = x[far], a[far]
    integral = (WEIGHTS * (1.0 + NODES / x[..., None]) ** (a[..., None] - 1.0)).sum(axis=-1)
    log_p[far] = (a - 1.0) * np.log(x) - x - special.gammaln(a) + np.log(integral)
    return log_p


def log_p_t(statistic: ArrayLike, df: ArrayLike) -> Array:
    """ln of the two-sided p-value of a t statistic; `df` may be infinite (normal).

    Examples
    --------
    >>> round(float(log_p_t(2.0, 87)), 12)
    -3.023731761669
    >>> round(float(log_p_t(200.0, 1e6)), 6)   # p about 1e-8520
    -19615.8611
    """
    t, nu = np.broadcast_arrays(np.asarray(statistic, dtype=np.float64), np.asarray(df, dtype=np.float64))
    normal = np.isinf(nu)
    finite = log_p_f(t**2, 1.0, np.where(normal, 1.0, nu))
    return np.where(normal, np.log(2.0) + special.log_ndtr(-np.abs(t)), finite)


def log_p_t_or_nan(statistic: ArrayLike, df: ArrayLike) -> Array:
    """As `log_p_t`, NaN where the statistic or its `df` is not known, or `df` is not positive.

    Examples
    --------
    >>> log_p_t_or_nan([2.0, np.nan, 2.0, 2.0], [87.0, 87.0, np.nan, 0.0]).round(6).tolist()
    [-3.023732, nan, nan, nan]
    """
    t, nu = np.broadcast_arrays(np.asarray(statistic, dtype=np.float64), np.asarray(df, dtype=np.float64))
    known = ~np.isnan(t) & (nu > 0)
    found = np.full(t.shape, np.nan)
    found[known] = log_p_t(t[known], nu[known])
    return found


def t_quantile(df: ArrayLike, level: float) -> Array:
    """What |t| stays below with probability `level`; of the normal where `df` is infinite, NaN where unknown.

    Half the width of a confidence interval, in standard errors.

    Examples
    --------
    >>> t_quantile([10.0, np.inf, np.nan, 0.0], 0.95).round(6).tolist()
    [2.228139, 1.959964, nan, nan]
    """
    nu, upper = np.asarray(df, dtype=np.float64), 0.5 + level / 2
    normal = np.isinf(nu)
    with np.errstate(invalid="ignore"):
        known = np.where(normal | ~(nu > 0), 1.0, nu)
        found = np.where(normal, special.ndtri(upper), special.stdtrit(known, upper))
    return np.asarray(np.where(nu > 0, found, np.nan))
