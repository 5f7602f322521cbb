"""Least squares and partial correlations from moments: p × p matrices only, no rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from drivers.stats.moments import Moments

Array = NDArray[np.float64]

ALIASED = 1e-10
"""Share of a column's variance that the columns before it must leave over. Below it the column is a
linear combination of them: moments of doubles hold about 12 digits, of which 2 are kept in hand."""


@dataclass(frozen=True, slots=True)
class LeastSquares:
    """One Gaussian equation.

    Attributes
    ----------
    coefficients : slopes, shape (k,)
    intercept : intercept
    covariance : covariance of the slopes, shape (k, k)
    std_error : standard errors of the slopes, shape (k,)
    n : number of rows
    df : residual degrees of freedom, n - k - 1
    rss, tss : residual and total sum of squares
    r2 : 1 - rss / tss
    log_likelihood : maximised Gaussian log-likelihood
    parameters : k + 2 (intercept and residual variance)
    """

    coefficients: Array
    intercept: float
    covariance: Array
    n: int
    df: int
    rss: float
    tss: float
    log_likelihood: float
    parameters: int

    @property
    def std_error(self) -> Array:
        """Standard errors of the slopes, shape (k,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def r2(self) -> float:
        """Share of the response's variance that the equation accounts for."""
        return 1.0 - self.rss / self.tss


def aliased(moments: Moments, columns: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Columns that are linear combinations of the columns before them.

    Returns
    -------
    For each such column: the column, and the earlier columns that make it up. Indices are the
    moments' own.
    """
    correlation = _correlation(moments, columns)
    found: list[tuple[int, list[int]]] = []
    kept: list[int] = []
    for j in range(len(columns)):
        if kept:
            inner = correlation[np.ix_(kept, kept)]
            weights = np.linalg.solve(inner, correlation[kept, j])
            left = 1.0 - float(correlation[kept, j] @ weights)
            if left < ALIASED:
                made_of = [columns[i] for i, w in zip(kept, weights, strict=True) if abs(w) > 1e-6]
                found.append((columns[j], made_of))
                continue
        kept.append(j)
    return found


def _correlation(moments: Moments, columns: Sequence[int]) -> Array:
    index = np.asarray(columns, dtype=np.intp)
    return moments.correlation[index[:, None], index]


def _factor(moments: Moments, response: int, predictors: Sequence[int]) -> Array:
    """Cholesky factor of the correlations of [predictors, response], shape (k + 1, k + 1).

    Its last row holds what the response shares with the predictors, and what is left of it.
    """
    lower, fault = lapack.dpotrf(_correlation(moments, [*predictors, response]), lower=1, clean=1)
    if fault or np.any(np.diag(lower)[: len(predictors)] ** 2 < ALIASED):
        raise np.linalg.LinAlgError("collinear columns")
    return np.asarray(lower)


def _log_likelihood(n: int, rss: float) -> float:
    return -0.5 * n * (math.log(2 * math.pi) + math.log(rss / n) + 1.0)


def log_likelihood(moments: Moments, response: int, predictors: Sequence[int]) -> float:
    """Maximised Gaussian log-likelihood of an equation without its coefficients; as `least_squares`."""
    return _log_likelihood(moments.rows, residual_sum(moments, response, predictors))


def residual_sum(moments: Moments, response: int, predictors: Sequence[int]) -> float:
    """Residual sum of squares of an equation, without its coefficients; raises as `least_squares`."""
    left = float(_factor(moments, response, predictors)[-1, -1]) ** 2
    return left * float(moments.cross[response, response])


def least_squares(moments: Moments, response: int, predictors: Sequence[int]) -> LeastSquares:
    """Ordinary least squares of one column on others, with an intercept.

    Parameters
    ----------
    moments : moments of all columns; nothing constant, nothing aliased among those used
    response : index of the response
    predictors : indices of the k predictors, maybe none

    Raises
    ------
    numpy.linalg.LinAlgError
        If the predictors, or the predictors and the response, are collinear; ask `aliased` which.

    Notes
    -----
    b = S_xx⁻¹ s_xy; cov(b) = s² S_xx⁻¹ with s² = rss / (n - k - 1), solved on the correlation scale so
    that units do not matter.

    Examples
    --------
    >>> import numpy as np
    >>> from drivers.stats.moments import moments
    >>> fit = least_squares(moments(np.array([[1.0, 2, 3, 4], [2.1, 3.9, 6.2, 7.8]])), 1, [0])
    >>> fit.coefficients.round(12).tolist(), round(fit.intercept, 12), fit.df
    ([1.94], 0.15, 2)
    """
    x = np.asarray(predictors, dtype=np.intp)
    k, n = len(x), moments.rows
    tss = float(moments.cross[response, response])
    # One Cholesky factor of [x, y] gives slopes and residual without subtracting near-equal sums.
    lower = _factor(moments, response, predictors)
    inner = lapack.dtrtri(lower[:k, :k], lower=1)[0] if k else np.zeros((0, 0))
    scale = np.sqrt(np.diag(moments.cross)[x])
    slopes = (lower[k, :k] @ inner) * math.sqrt(tss) / scale
    rss = tss * float(lower[k, k]) ** 2
    inverse = inner.T @ inner / (scale[:, None] * scale)
    df = n - k - 1
    return LeastSquares(
        slopes,
        float(moments.mean[response] - slopes @ moments.mean[x]),
        inverse * (rss / df),
        n,
        df,
        rss,
        tss,
        _log_likelihood(n, rss),
        k + 2,
    )


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


def partial_correlations(
    moments: Moments, pairs: Sequence[tuple[int, int]], given: Sequence[Sequence[int]]
) -> Array:
    """Partial correlation of each pair of columns given a set of columns, shape (claims,).

    Notes
    -----
    r = -P_01 / √(P_00 P_11) with P the inverse correlation matrix of [x, y, given]. The matrices are
    padded with the identity to one size and inverted in one call. A set that cannot be inverted gives
    NaN for its own claim only.
    """
    if not pairs:
        return np.zeros(0)
    p = len(moments.mean)
    index = _padded(tuple(pairs), tuple(map(tuple, given)), p)
    whole = np.eye(p + index.shape[1])
    whole[:p, :p] = moments.correlation
    stack = whole[index[:, :, None], index[:, None, :]]
    try:
        precision = np.linalg.inv(stack)
    except np.linalg.LinAlgError:
        precision = np.array([_inverse_or_nan(matrix) for matrix in stack])
    # The diagonal is 1 / (1 - R²) of each column on the others: rounding must not invent a correlation.
    apart = np.diagonal(precision, axis1=1, axis2=2)
    with np.errstate(invalid="ignore"):
        precision[~((apart > 0) & (apart < 1.0 / ALIASED)).all(axis=1)] = np.nan
        r = -precision[:, 0, 1] / np.sqrt(precision[:, 0, 0] * precision[:, 1, 1])
    return np.asarray(r)


@lru_cache(maxsize=256)
def _padded(
    pairs: tuple[tuple[int, int], ...], given: tuple[tuple[int, ...], ...], p: int
) -> NDArray[np.intp]:
    """Columns of every claim; padded with columns p, p + 1, ..., which are uncorrelated with all."""
    width = 2 + max(map(len, given))
    index = np.tile(np.arange(p, p + width), (len(pairs), 1))
    for row, pair, z in zip(index, pairs, given, strict=True):
        row[: 2 + len(z)] = [*pair, *z]
    return index


def _inverse_or_nan(matrix: Array) -> Array:
    try:
        return np.asarray(np.linalg.inv(matrix))
    except np.linalg.LinAlgError:
        return np.full_like(matrix, np.nan)


def residual_correlation(moments: Moments, x: Array, y: Array) -> float:
    """Correlation of two linear combinations of the columns, given by their weights, shape (p,).

    With weights 1 at a variable and minus its slopes at its predictors, the combinations are
    residuals and this is the estimate of a `~~` between two equations.
    """
    covariance = float(x @ moments.cross @ y)
    spread = float(x @ moments.cross @ x) * float(y @ moments.cross @ y)
    return covariance / float(np.sqrt(spread))
