"""Standard errors of the slopes of one equation, by each way of counting pixels (METHODS, section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from drivers.stats.dsep import CONFIDENCE
from drivers.stats.tails import log_p_chi2, log_p_f, log_p_t

Array = NDArray[np.float64]

Kind = Literal["classical", "effective", "block"]
"""What errors count: pixels, independent pixels, or spatial blocks."""

KINDS: tuple[Kind, ...] = ("classical", "effective", "block")


@dataclass(frozen=True, slots=True)
class SlopeErrors:
    """Errors of k slopes.

    Attributes
    ----------
    covariance : of the slopes, shape (k, k); its diagonal is NaN where it is not known
    df : degrees of freedom of each t, shape (k,); infinite for z, NaN where there is no test
    std_error_std : standard errors of the standardised slopes, shape (k,)
    """

    covariance: Array
    df: Array
    std_error_std: Array

    @property
    def std_error(self) -> Array:
        """Standard errors, shape (k,)."""
        return np.sqrt(np.diag(self.covariance))

    def log_p(self, slopes: Array) -> Array:
        """ln of the two-sided p-values of the slopes, shape (k,); NaN where there is no test."""
        return log_p_or_nan(slopes / self.std_error, self.df)

    @property
    def half_width(self) -> Array:
        """Half the width of the confidence intervals, shape (k,)."""
        return quantile(self.df) * self.std_error

    def joint(
        self, slopes: Array, mine: list[int], *, from_blocks: bool = False
    ) -> tuple[float, float, float]:
        """Wald test that some slopes are nil together: (statistic, residual df, ln p).

        F with the residual df of a t, χ² with infinite df of a z. A covariance `from_blocks` is as rough
        itself as the df of a t say, and F is Hotelling's (1931, doi:10.1214/aoms/1177732979): for m slopes
        W (df - m + 1) / (m df) on m and df - m + 1 degrees of freedom.
        """
        df, m = float(np.min(self.df[mine])), len(mine)
        try:
            chisq = float(slopes[mine] @ np.linalg.solve(self.covariance[np.ix_(mine, mine)], slopes[mine]))
        except np.linalg.LinAlgError:
            chisq = float("nan")
        if np.isinf(df):
            return chisq, df, float(log_p_chi2(chisq, m))
        residual = df - m + 1.0 if from_blocks else df
        f = chisq / m * (residual / df)
        return f, residual, float(log_p_f(f, m, residual)) if residual > 0 else float("nan")


def quantile(df: Array) -> Array:
    """Two-sided quantile of t at the level of our intervals, of z where df is infinite; NaN stays."""
    level = 0.5 + CONFIDENCE / 2
    normal = np.isinf(df)
    with np.errstate(invalid="ignore"):
        known = np.where(normal | ~(df > 0), 1.0, df)
        found = np.where(normal, special.ndtri(level), special.stdtrit(known, level))
    return np.asarray(np.where(df > 0, found, np.nan))


def log_p_or_nan(statistic: Array, df: Array) -> Array:
    """ln of two-sided p-values of t, NaN where the statistic or its df is not known; one shape."""
    statistic, df = np.broadcast_arrays(np.asarray(statistic, dtype=np.float64), df)
    known = ~np.isnan(statistic) & (df > 0)
    found = np.full(statistic.shape, np.nan)
    found[known] = log_p_t(statistic[known], df[known])
    return found


def standardised_error(
    slopes: Array, std_error: Array, unit: Array, r2: float, correlation: Array, n: int
) -> Array:
    """Standard errors of slopes in standard deviations, which are estimated too; shape (k,).

    Parameters
    ----------
    slopes : standardised slopes β, shape (k,)
    std_error : of the raw slopes, shape (k,)
    unit : s(x) / s(y), shape (k,)
    r2 : of the equation
    correlation : r of each column with the response, shape (k,)
    n : number of pixels

    Notes
    -----
    For normal columns, se² = (se(b) s(x)/s(y))² + β² (2 R² - 1 - r²) / n: the influence of a pixel on β is
    that on b, in units, and β/2 (z_x² - z_y²) from the standard deviations (Yuan & Chan 2011,
    doi:10.1007/s11336-011-9224-6). With one predictor it is that of a correlation, (1 - r²)²/n.
    """
    squared = (std_error * unit) ** 2 + slopes**2 * (2.0 * r2 - 1.0 - correlation**2) / n
    return np.sqrt(np.maximum(squared, 0.0))
