"""Standard errors of the slopes of one equation, by each way of counting pixels (METHODS, section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from drivers.stats.dsep import CONFIDENCE
from drivers.stats.tails import log_p_chi2, log_p_f, log_p_t_or_nan, t_quantile

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
        return log_p_t_or_nan(slopes / self.std_error, self.df)

    @property
    def half_width(self) -> Array:
        """Half the width of the confidence intervals, shape (k,)."""
        return t_quantile(self.df, CONFIDENCE) * self.std_error

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
