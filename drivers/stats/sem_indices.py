"""How well a structural model fits: the indices that lavaan reports, by its definitions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from drivers.stats.sem_fit import Fit
from drivers.stats.sem_scaling import ChiSquare, plain_test

Array = NDArray[np.float64]

CLOSE = 0.05
"""RMSEA of a close fit (Browne & Cudeck 1993)."""

CONFIDENCE = 0.90
"""Of the interval of RMSEA."""


@dataclass(frozen=True, slots=True)
class Approximation:
    """Root mean square error of approximation: value, 90 % interval, ln p of RMSEA <= 0.05."""

    rmsea: float
    low: float
    high: float
    log_p_close: float


@dataclass(frozen=True, slots=True)
class FitMeasures:
    """Indices of fit; names as in lavaan.

    Attributes
    ----------
    npar, fmin, chisq, df, log_p : free parameters, F/2, the test
    baseline_chisq, baseline_df, baseline_log_p : of the independence model
    cfi, tli, nfi, ifi, rni : against that model
    logl, unrestricted_logl, aic, bic, bic2 : given fixed exogenous variables; bic2 is adjusted for size
    ntotal : rows
    rmsea : with its interval
    rmr, srmr, srmr_mplus, gfi, agfi, mfi, ecvi : of residual moments, and of χ²
    """

    npar: int
    fmin: float
    chisq: float
    df: int
    log_p: float
    baseline_chisq: float
    baseline_df: int
    baseline_log_p: float
    cfi: float
    tli: float
    nfi: float
    ifi: float
    rni: float
    logl: float
    unrestricted_logl: float
    aic: float
    bic: float
    bic2: float
    ntotal: float
    rmsea: Approximation
    rmr: float
    srmr: float
    srmr_mplus: float
    gfi: float
    agfi: float
    mfi: float
    ecvi: float


@dataclass(frozen=True, slots=True)
class ScaledMeasures:
    """Indices from scaled χ², and those that estimate the ones of the population (`robust`).

    Attributes
    ----------
    cfi_scaled, tli_scaled, rmsea_scaled : plain formulae on scaled χ²
    cfi_robust, tli_robust, rmsea_robust : Brosseau-Liard & Savalei (2014, doi:10.1080/00273171.2014.933697),
        Brosseau-Liard, Savalei & Li (2012, doi:10.1080/00273171.2012.715252)
    """

    cfi_scaled: float
    tli_scaled: float
    rmsea_scaled: float
    cfi_robust: float
    tli_robust: float
    rmsea_robust: float


def fit_measures(fit: Fit, baseline: Fit) -> FitMeasures:
    """All plain indices; `baseline` is the fit of `independence(fit.structure)` to the same sample.

    Notes
    -----
    CFI (Bentler 1990, doi:10.1037/0033-2909.107.2.238), TLI (Tucker & Lewis 1973), NFI (Bentler & Bonett
    1980), IFI (Bollen 1989), RNI (McDonald & Marsh 1990), MFI (McDonald 1989), ECVI (Browne & Cudeck 1989),
    GFI and AGFI (Jöreskog & Sörbom 1984, weighted by Σ⁻¹ as Tanaka & Huba 1985).
    """
    own, base = plain_test(fit), plain_test(baseline)
    x, df, xb, dfb, k = fit.chisq, fit.df, baseline.chisq, baseline.df, fit.structure.parameters
    n, total = fit.n, fit.multiplier
    gfi = _gfi(fit)
    with np.errstate(all="ignore"):
        return FitMeasures(
            k,
            fit.minimum / 2.0,
            x,
            df,
            own.log_p,
            xb,
            dfb,
            base.log_p,
            _cfi(x, df, xb, dfb),
            _tli(x, df, xb, dfb),
            _ratio(xb - x, xb),
            _ratio(xb - x, xb - df),
            _ratio((xb - dfb) - (x - df), xb - dfb),
            fit.log_likelihood,
            fit.unrestricted_log_likelihood,
            -2.0 * fit.log_likelihood + 2.0 * k,
            -2.0 * fit.log_likelihood + k * float(np.log(n)),
            -2.0 * fit.log_likelihood + k * float(np.log((n + 2.0) / 24.0)),
            n,
            approximation(x, df, total, fit.structure.groups),
            *_residual_indices(fit),
            gfi,
            1.0 - fit.structure.moments / df * (1.0 - gfi) if df else 1.0,
            float(np.exp(-0.5 * (x - df) / total)),
            x / total + 2.0 * k / total,
        )


def scaled_measures(fit: Fit, own: ChiSquare, base: ChiSquare) -> ScaledMeasures:
    """Indices of scaled tests (`scaled_test`), of the model and of its baseline model."""
    df, dfb, n, g = own.df, base.df, fit.multiplier, fit.structure.groups
    x, xb = own.chisq * (own.scaling if df else 1.0), base.chisq * base.scaling
    c, cb = (own.scaling if df else 0.0), base.scaling
    over = max(x - c * df, 0.0)
    apart = (x / (n * df) - c / n) if df else 0.0
    return ScaledMeasures(
        _cfi(own.chisq, df, base.chisq, dfb),
        _tli(own.chisq, df, base.chisq, dfb),
        _rmsea(own.chisq, df, n, g),
        1.0 - _ratio(over, max(xb - cb * dfb, over), 0.0),
        1.0 - _ratio((x - c * df) * dfb, (xb - cb * dfb) * df, 0.0),
        float(np.sqrt(max(apart, 0.0) * g)),
    )


def approximation(chisq: float, df: int, n: float, groups: int = 1) -> Approximation:
    """RMSEA √(G max(0, χ² - df)/(n df)), its interval from the noncentral χ², and the test of close fit.

    Steiger (1990, doi:10.1207/s15327906mbr2502_4), Browne & Cudeck (1993); √G: Steiger (1998). Without
    degrees of freedom it is 0, and there is no test.

    Examples
    --------
    >>> found = approximation(38.1252182280585, 35, 75)
    >>> round(found.rmsea, 6), found.low, round(found.high, 6), round(float(np.exp(found.log_p_close)), 6)
    (0.034504, 0.0, 0.092233, 0.611104)
    """
    if not df:
        return Approximation(0.0, 0.0, 0.0, float("nan"))
    tail = (1.0 - CONFIDENCE) / 2.0
    ends = [_noncentrality(chisq, df, 1.0 - tail), _noncentrality(chisq, df, tail)]
    low, high = (float(np.sqrt(groups * e / (n * df))) for e in ends)
    close = _log_tail(chisq, df, n * df * CLOSE**2 / groups)
    return Approximation(_rmsea(chisq, df, n, groups), low, high, close)


def _log_tail(x: float, df: int, noncentrality: float) -> float:
    """ln P(noncentral χ² > x); by a saddlepoint where P underflows (Lugannani & Rice 1980)."""
    found = float(stats.ncx2.logsf(x, df, noncentrality))
    if np.isfinite(found) or not np.isfinite(x):
        return found
    u = (df + np.sqrt(df**2 + 4.0 * x * noncentrality)) / (2.0 * x)
    t = (1.0 - u) / 2.0
    cumulant = -0.5 * df * np.log(u) + noncentrality * t / u
    spread = 2.0 * df / u**2 + 4.0 * noncentrality / u**3
    return float(cumulant - t * x - np.log(t * np.sqrt(2.0 * np.pi * spread)))


def _noncentrality(chisq: float, df: int, share: float) -> float:
    """λ for which χ² lies at a given quantile; 0 where it lies below that for λ = 0."""
    if not np.isfinite(chisq):
        return float("nan")
    if special.chdtr(df, chisq) < share:
        return 0.0
    # Far out the noncentral χ² is normal, and the exact sum of terms would not end.
    spread = np.sqrt(2.0 * (df + 2.0 * chisq))
    if chisq > 1e5:
        return float(max(chisq - df - special.ndtri(share) * spread, 0.0))

    def apart(value: float) -> float:
        return float(special.chndtr(chisq, df, value)) - share

    return float(optimize.brentq(apart, 0.0, chisq + 10.0 * spread + 50.0, xtol=1e-10))


def _rmsea(chisq: float, df: int, n: float, groups: int) -> float:
    return float(np.sqrt(groups * max(chisq - df, 0.0) / (n * df))) if df else 0.0


def _ratio(over: float, under: float, none: float = 1.0) -> float:
    return over / under if under else none


def _cfi(x: float, df: int, xb: float, dfb: int) -> float:
    over = max(x - df, 0.0)
    return 1.0 - _ratio(over, max(xb - dfb, over), 0.0)


def _tli(x: float, df: int, xb: float, dfb: int) -> float:
    # 1 - (χ² - df) df_b / ((χ²_b - df_b) df), which has no trouble on no degrees of freedom.
    return 1.0 - _ratio((x - df) * dfb, (xb - dfb) * df, 0.0) if df else 1.0


def _residual_indices(fit: Fit) -> tuple[float, float, float]:
    """RMR, SRMR (Bentler's) and Mplus' SRMR; of several groups the mean weighted by rows."""
    p = fit.structure.observed
    low = np.tril_indices(p)
    found = np.zeros((fit.structure.groups, 3))
    for g, (s, sigma) in enumerate(zip(fit.sample.covariance, fit.covariance, strict=True)):
        spread, implied = np.sqrt(np.diag(s)), np.sqrt(np.diag(sigma))
        raw = (s - sigma)[low]
        bentler = ((s - sigma) / np.outer(spread, spread))[low]
        both = s / np.outer(spread, spread) - sigma / np.outer(implied, implied)
        mplus = (both + np.diag((np.diag(s) - np.diag(sigma)) / np.diag(s)))[low]
        if fit.structure.means:
            away = fit.sample.mean[g] - fit.mean[g]
            raw, bentler = np.append(raw, away), np.append(bentler, away / spread)
            mplus = np.append(mplus, fit.sample.mean[g] / spread - fit.mean[g] / implied)
        found[g] = [np.sqrt(np.mean(v**2)) for v in (raw, bentler, mplus)]
    rmr, srmr, mplus_ = (fit.sample.n / fit.n) @ found
    return float(rmr), float(srmr), float(mplus_)


def _gfi(fit: Fit) -> float:
    """1 - e'We / s'Ws of sample moments s and residuals e, W the inverse of their covariance at Σ.

    Of several groups the mean weighted by rows. Moments of fixed exogenous variables are left out of s.
    """
    x = list(fit.structure.fixed)
    found = np.zeros(fit.structure.groups)
    for g in range(fit.structure.groups):
        cov, mean = fit.sample.covariance[g].copy(), fit.sample.mean[g].copy()
        away = mean - fit.mean[g]
        apart = np.linalg.solve(fit.covariance[g], cov - fit.covariance[g])
        cov[np.ix_(x, x)] = mean[x] = 0.0
        s = np.linalg.solve(fit.covariance[g], cov)
        over = 0.5 * float(np.sum(apart * apart.T))
        under = 0.5 * float(np.sum(s * s.T))
        if fit.structure.means:
            over += float(away @ np.linalg.solve(fit.covariance[g], away))
            under += float(mean @ np.linalg.solve(fit.covariance[g], mean))
        found[g] = 1.0 - over / under
    return float(fit.sample.n @ found / fit.n)
