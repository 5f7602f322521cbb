"""χ² of structural models corrected for tails, and for rows that are alike; differences of χ²."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from drivers.stats.sem_errors import Data, chunks, parameter_covariance, predicted, scores
from drivers.stats.sem_fit import Fit
from drivers.stats.tails import log_p_chi2

Array = NDArray[np.float64]

Scaling = Literal["satorra_bentler", "yuan_bentler_mplus"]


@dataclass(frozen=True, slots=True)
class ChiSquare:
    """A χ² test.

    Attributes
    ----------
    chisq, df : statistic and degrees of freedom
    log_p : ln p; NaN on no degrees of freedom
    scaling : what the plain χ² was divided by; 1 if it was not
    """

    chisq: float
    df: int
    log_p: float
    scaling: float = 1.0

    @property
    def p_value(self) -> float:
        """p."""
        return float(np.exp(self.log_p))


def plain_test(fit: Fit) -> ChiSquare:
    """χ² of a model against the unrestricted one."""
    return ChiSquare(fit.chisq, fit.df, _log_p(fit.chisq, fit.df))


def scaled_test(fit: Fit, data: Data, kind: Scaling) -> ChiSquare:
    """χ² divided by the mean of what it would be per degree of freedom, given the fourth moments.

    Parameters
    ----------
    fit : the optimum
    data : of each group the rows, or sums of blocks; of blocks, rows of one may be alike
    kind : `satorra_bentler` (MLM) or `yuan_bentler_mplus` (MLR)

    Notes
    -----
    c = [tr A₁⁻¹B₁ - tr A₀⁻¹B₀] / df with A the information and B the cross-product of scores, of the
    unrestricted model (1) and the model (0). Satorra & Bentler (1994): A is expected, at the model's Σ;
    Yuan & Bentler (2000, doi:10.1111/0081-1750.00078) as in Mplus: A₀ observed, A₁ at the sample's moments.
    Fixed exogenous variables add the same to both and are taken out; for Satorra-Bentler's, from the products
    of the rows (`errors.chunks`).

    NaN on no degrees of freedom.
    """
    robust = kind == "satorra_bentler"
    variance = parameter_covariance(fit, "expected" if robust else "observed")
    found = scores(fit, data, given_x=robust)
    values = found.centred if robust else found.values
    restricted = float(((values @ variance) * values).sum())
    free = 0.0
    for g, part in enumerate(data):
        weight = fit.covariance[g] if robust else fit.sample.covariance[g]
        less = predicted(fit, g) if robust else None
        centre = np.array(fit.sample.covariance[g])
        if less is not None:
            centre -= less[0] @ centre[np.ix_(less[1], less[1])] @ less[0].T
        for chunk in chunks(part, fit.sample.mean[g], less):
            apart = chunk.cross - chunk.count[:, None, None] * centre
            total = chunk.total if fit.structure.means else np.zeros_like(chunk.total)
            free += _energy(apart, total, weight) / fit.sample.n[g]
            x = list(fit.structure.fixed)
            if x and not robust:
                block = np.ix_(x, x)
                free -= _energy(apart[:, x][:, :, x], total[:, x], weight[block]) / fit.sample.n[g]
    factor = (free - restricted) / fit.df if fit.df else float("nan")
    return divided(fit, factor)


def divided(fit: Fit, factor: float) -> ChiSquare:
    """The test of a fit by χ² / factor; the factor is NaN, and not used, on no degrees of freedom."""
    chisq = float(fit.chisq / factor) if fit.df else fit.chisq
    return ChiSquare(chisq, fit.df, _log_p(chisq, fit.df), float(factor))


def _energy(apart: Array, total: Array, covariance: Array) -> float:
    """Σ over blocks of 1/2 tr(Σ⁻¹Z Σ⁻¹Z) + z'Σ⁻¹z."""
    root = np.linalg.inv(np.linalg.cholesky(covariance))
    return float(0.5 * ((root @ apart @ root.T) ** 2).sum() + ((total @ root.T) ** 2).sum())


def difference_test(restricted: ChiSquare, free: ChiSquare) -> ChiSquare:
    """Whether a model fits worse than one that it is nested in.

    Notes
    -----
    With scalings c₀ (restricted) and c₁: (T₀ - T₁) / c, c = (df₀c₀ - df₁c₁)/(df₀ - df₁), T not scaled
    (Satorra & Bentler 2001, doi:10.1007/BF02296192). c, and so the test, is NaN where it is not positive.

    Raises
    ------
    ValueError
        `restricted` has no more degrees of freedom than `free`

    Examples
    --------
    Loadings of two schools (Holzinger & Swineford): equal, against free.

    >>> found = difference_test(ChiSquare(124.043544, 54, 0.0), ChiSquare(115.851344, 48, 0.0))
    >>> round(found.chisq, 6), found.df, round(found.p_value, 6)
    (8.1922, 6, 0.224358)
    """
    df = restricted.df - free.df
    if df < 1:
        raise ValueError(f"{restricted.df} degrees of freedom are not more than {free.df}")
    over = free.df * free.scaling if free.df else 0.0
    under = free.chisq * free.scaling if free.df else free.chisq
    factor = (restricted.df * restricted.scaling - over) / df
    factor = factor if factor > 0 else float("nan")
    chisq = (restricted.chisq * restricted.scaling - under) / factor
    return ChiSquare(chisq, df, _log_p(chisq, df), factor)


def _log_p(chisq: float, df: int) -> float:
    if not df or not np.isfinite(chisq):
        return float("nan")
    return float(log_p_chi2(max(chisq, 0.0), df))
