"""Likelihood-based fit of a model made of several equations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Criteria:
    """Information criteria of a whole model; `parameters` counts residual variances and intercepts."""

    log_likelihood: float
    parameters: int
    aic: float
    aicc: float
    bic: float


def information_criteria(
    log_likelihoods: Sequence[float], parameters: Sequence[int], n: Sequence[int]
) -> Criteria:
    """AIC, AICc and BIC summed over equations (Shipley & Douma 2020, doi:10.1002/ecy.2960).

    Notes
    -----
    AIC_i = -2 ln L + 2K, AICc_i = AIC_i + 2K(K + 1)/(n - K - 1), BIC_i = -2 ln L + K ln n.

    Examples
    --------
    >>> c = information_criteria([-366.397984480999, -14.3286206057591], [3, 3], [90, 90])
    >>> round(c.aic, 6), round(c.aicc, 6)
    (773.45321, 774.01135)
    """
    ll, k, rows = (np.asarray(v, dtype=np.float64) for v in (log_likelihoods, parameters, n))
    aic = -2 * ll + 2 * k
    with np.errstate(divide="ignore", invalid="ignore"):
        small = np.where(rows - k - 1 > 0, 2 * k * (k + 1) / (rows - k - 1), np.nan)
    return Criteria(
        float(ll.sum()),
        int(k.sum()),
        float(aic.sum()),
        float((aic + small).sum()),
        float((-2 * ll + k * np.log(rows)).sum()),
    )


def dsep_criteria(c: float, parameters: int, n: int) -> tuple[float, float]:
    """The d-sep forms C + 2K and C + 2K n/(n - K - 1) (Shipley 2013, doi:10.1890/12-0976.1).

    Examples
    --------
    >>> dsep_criteria(17.1355184440647, 9, 90)
    (35.1355184440647, 37.3855184440647)
    """
    room = n - parameters - 1
    return c + 2 * parameters, c + 2 * parameters * n / room if room > 0 else float("nan")


def chi_square(restricted: Sequence[float], free: Sequence[float], df: int) -> tuple[float, float]:
    """χ² = 2 Σ (ln L_free - ln L_restricted) over equations, and its p-value on `df`.

    For a recursive Gaussian path model this is the χ² of covariance-based SEM (Shipley & Douma 2020).
    """
    chisq = float(2.0 * (np.sum(free) - np.sum(restricted)))
    return chisq, float(special.chdtrc(df, chisq))


def misfit_per_df(chisq: float, df: int, n: int, independent: Array) -> float:
    """Root mean square error of approximation: misfit per degree of freedom beyond what sampling gives.

    Parameters
    ----------
    chisq, df : of the model, as if pixels were independent
    n : number of pixels
    independent : pixels that are independent of each other, by claim

    Notes
    -----
    √max(0, χ²/(n df) - mean(1/n_effective)), which is Steiger's RMSEA (1990, doi:10.1207/s15327906mbr2502_4)
    with N for N - 1, as lavaan has it, where all n pixels are independent: a claim that holds has E[r²] about
    1/n_effective. NaN without claims, or where the independent pixels of one are not known.

    Examples
    --------
    >>> round(misfit_per_df(20.866363, 12, 90, np.full(8, 90.0)), 6)
    0.090607
    """
    if not df or not len(independent):
        return float("nan")
    squared = chisq / (n * df) - float(np.mean(1.0 / independent))
    return float(np.sqrt(max(squared, 0.0))) if np.isfinite(squared) else float("nan")
