"""A Gaussian equation with a random intercept, by maximum likelihood from sums per group.

statsmodels' MixedLM is the reference in the tests; it is not used here because it stops 1e-5 short of
the optimum (standard errors then miss R's), lands on a zero variance with its default optimiser on
Shipley's data, and loops over groups in Python.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from drivers.errors import FitError

Array = NDArray[np.float64]

LARGEST_LOG_RATIO = 20.0
"""ln(σ_u²/σ²) is searched in ± this range: beyond it one of the variances is nil in doubles."""


@dataclass(frozen=True, slots=True)
class MixedFit:
    """y = a + x b + u_group + e with u ~ N(0, σ_u²), e ~ N(0, σ²).

    Attributes
    ----------
    coefficients : slopes, shape (k,)
    intercept : intercept
    covariance : covariance of the slopes, shape (k, k)
    df : degrees of freedom of each slope's t, shape (k,)
    log_likelihood, parameters, n : parameters = k + 3
    r2, r2_conditional : share of variance of the fixed part, and of fixed and random part together
    variance_between, variance_within : σ_u², σ²
    """

    coefficients: Array
    intercept: float
    covariance: Array
    df: Array
    log_likelihood: float
    parameters: int
    n: int
    r2: float
    r2_conditional: float
    variance_between: float
    variance_within: float


def fit_random_intercept(y: Array, x: Array, groups: NDArray[np.integer]) -> MixedFit:
    """Maximum likelihood, profiled to one dimension.

    Parameters
    ----------
    y : response, shape (n,)
    x : predictors, shape (n, k)
    groups : group of each row as 0, 1, ..., shape (n,)

    Raises
    ------
    FitError
        If there are fewer than two groups, or no rows are left within groups.

    Notes
    -----
    With ψ = σ_u²/σ² the inverse covariance of group g is (I - ψ/(1 + n_g ψ) 11')/σ², so the generalised
    least squares for any ψ needs only X'X and the sums per group (Laird & Ware 1982,
    doi:10.2307/2529876). Likelihoods of equations with different predictors can be compared, which
    REML's cannot. As R's nlme does, the covariance carries n/(n - k - 1), and the df of a slope are those
    of the level at which its predictor varies (Pinheiro & Bates 2000, section 2.4.2). r2 and r2_conditional
    are Nakagawa & Schielzeth's (2013, doi:10.1111/j.2041-210x.2012.00261.x).
    """
    n, k = x.shape
    counts = np.bincount(groups).astype(np.intp)
    counts = counts[counts > 0]
    if len(counts) < 2:
        raise FitError("a random intercept needs at least two groups; this stratum has one")
    if n - len(counts) - k < 1:
        raise FitError(f"{n} pixels in {len(counts)} groups leave nothing to estimate within groups")
    dense = np.unique(groups, return_inverse=True)[1].astype(np.intp)
    centre, scale = x.mean(axis=0), x.std(axis=0)
    middle, spread = y.mean(), y.std()
    columns = np.column_stack([np.ones(n), (x - centre) / scale, (y - middle) / spread])
    gram = columns.T @ columns
    sums: Array = np.column_stack([np.bincount(dense, weights=c, minlength=len(counts)) for c in columns.T])

    def weighted(ratio: float) -> Array:
        return np.asarray(gram - (sums * (ratio / (1 + counts * ratio))[:, None]).T @ sums)

    def residual(matrix: Array) -> float:
        try:
            return float(np.linalg.cholesky(matrix)[-1, -1] ** 2)
        except np.linalg.LinAlgError as error:
            raise FitError("the predictors reproduce the response exactly, or each other") from error

    def deviance(ratio: float) -> float:
        return float(
            n * (np.log(2 * np.pi * residual(weighted(ratio)) / n) + 1) + np.log1p(counts * ratio).sum()
        )

    found = optimize.minimize_scalar(
        lambda log_ratio: deviance(float(np.exp(log_ratio))),
        bounds=_bracket(deviance),
        method="bounded",
        options={"xatol": 1e-10, "maxiter": 500},
    )
    ratio = float(np.exp(found.x))
    if deviance(0.0) <= found.fun:
        ratio = 0.0
    matrix = weighted(ratio)
    beta = np.linalg.solve(matrix[:-1, :-1], matrix[:-1, -1])
    within = residual(matrix) / n * spread**2
    covariance = np.linalg.inv(matrix[:-1, :-1]) * within * n / (n - k - 1)
    slopes = beta[1:] * spread / scale
    fixed = float((x @ slopes).var(ddof=1)) if k else 0.0
    between = ratio * within
    everything = fixed + between + within
    return MixedFit(
        slopes,
        float(middle + beta[0] * spread - slopes @ centre),
        covariance[1:, 1:] / np.outer(scale, scale),
        _containment(columns[:, 1:-1], sums[:, 1:-1], counts, dense),
        -0.5 * (deviance(ratio) + 2 * n * float(np.log(spread))),
        k + 3,
        n,
        fixed / everything,
        (fixed + between) / everything,
        between,
        within,
    )


def _bracket(deviance: Callable[[float], float]) -> tuple[float, float]:
    """A unit of ln ψ around the best of a coarse grid: the profile may have a second, poorer minimum."""
    grid = np.arange(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO + 0.5, 0.5)
    best = grid[int(np.argmin([deviance(float(np.exp(v))) for v in grid]))]
    return float(best - 0.5), float(best + 0.5)


def _containment(x: Array, sums: Array, counts: NDArray[np.integer], dense: NDArray[np.intp]) -> Array:
    """df per slope: groups - 1 - (predictors constant within groups), or n - groups - (the others)."""
    means = sums / counts[:, None]
    outer = np.array(
        [bool(np.all(np.abs(c - m[dense]) < 1e-9)) for c, m in zip(x.T, means.T, strict=True)], dtype=bool
    )
    between = len(counts) - 1 - int(outer.sum())
    within = len(x) - len(counts) - int((~outer).sum())
    return np.where(outer, float(between), float(within))
