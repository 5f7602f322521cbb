"""What alike neighbours do beyond the error of a slope: errors between slopes, and of standardised ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.stats.effective import Dependence, correlograms, error_correlation, others_residuals

Array = NDArray[np.float64]


def slope_correlation(dependence: Dependence, response: int, predictors: Sequence[int]) -> Array:
    """Correlation of the errors of the slopes of one equation, shape (k, k).

    Parameters
    ----------
    dependence : of the stratum
    response : column of the response, from 0
    predictors : columns of the k predictors

    Raises
    ------
    numpy.linalg.LinAlgError
        the predictors are collinear or constant

    Notes
    -----
    cov(b_i, b_j) ∝ x_i' R x_j / (x_i'x_i · x_j'x_j), x_i what the other predictors leave of a column and R
    the correlation of the errors; with R = I that of least squares. Where predictors reach differently far,
    the two differ much: a total effect that adds slopes had errors half too large.
    """
    cross, rest = others_residuals(dependence.lagged, response, predictors)
    rho = error_correlation(dependence, response, predictors).correlation
    shared = rest @ np.tensordot(rho, cross, axes=1) @ rest.T
    scale = np.sqrt(np.diag(shared))
    return np.asarray(shared / np.outer(scale, scale))


def standardised_slope_errors(
    dependence: Dependence,
    response: int,
    predictors: Sequence[int],
    slopes: Array,
    slope_covariance: Array,
    covariance: Array,
) -> Array:
    """Standard errors of slopes in standard deviations that are estimated from the same pixels, shape (k,).

    Parameters
    ----------
    dependence : of the stratum
    response, predictors : columns, as for `slope_correlation`
    slopes : raw slopes b, shape (k,)
    slope_covariance : of the raw slopes, independent pixels counted, shape (k, k)
    covariance : of all columns, shape (p, p)

    Notes
    -----
    With β = b s(x)/s(y), y = f + e and f = x'b, what the slopes' errors do to β goes by the gradient
    g_i = δ_ij s(x_j)/s(y) - β_j (Σ b)_i / s²(y). The rest is the error of the standard deviations: β/2 times
    the mean of z²(x) - R² z²(f) - (1 - R²) z²(e), whose variance for normal fields is (2/n²) times

        Σ over pairs of ρ(x)² + R⁴ ρ(f)² - 2 R² ρ(x, f)² + (1 - R²)² ρ(e)²,

    each field with its own correlogram. So how many independent pixels a standard deviation has depends on
    its own column: a smooth driver's is known badly though rough errors leave the slope well known. With
    independent pixels this is `drivers.stats.linear.standardised_error` (Yuan & Chan 2011,
    doi:10.1007/s11336-011-9224-6).
    """
    x, k, n = list(predictors), len(predictors), dependence.lagged.n
    sigma, variance = covariance[np.ix_(x, x)], float(covariance[response, response])
    sd = np.sqrt(np.diag(sigma))
    beta, fitted = slopes * sd / np.sqrt(variance), float(slopes @ sigma @ slopes)
    g = -np.outer(beta, sigma @ slopes) / variance + np.diag(sd / np.sqrt(variance))
    squared = np.einsum("ji,ik,jk->j", g, slope_covariance, g)
    if not fitted > 0.0:
        return np.asarray(np.sqrt(squared))
    r2, p = fitted / variance, len(covariance)
    # f and, of each predictor, z(x) + z(f) and z(x) - z(f), whose difference in variance is their covariance.
    combined = np.zeros((1 + 2 * k, p))
    combined[0, x] = slopes / np.sqrt(fitted)
    for j in range(k):
        own = np.zeros(p)
        own[x[j]] = 1.0 / sd[j]
        combined[1 + 2 * j], combined[2 + 2 * j] = own + combined[0], own - combined[0]
    found, pairs = correlograms(dependence, combined), dependence.lagged.pairs
    of_errors = _squares(error_correlation(dependence, response, x).correlation)
    of_fitted = _squares(found[0].correlation)
    for j in range(k):
        column = error_correlation(dependence, x[j], [])
        above, below = found[1 + 2 * j], found[2 + 2 * j]
        both = np.nan_to_num(above.correlation * above.variance) - np.nan_to_num(
            below.correlation * below.variance
        )
        # Scaled so that at distance 0 it is the correlation itself, which is known.
        r = float(sigma[j] @ slopes / np.sqrt(sigma[j, j] * fitted))
        both = both * (r / both[0]) if abs(both[0]) > 1e-9 else np.zeros_like(both)
        spread = (
            _squares(column.correlation)
            + r2**2 * of_fitted
            - 2.0 * r2 * both**2
            + (1.0 - r2) ** 2 * of_errors
        )
        squared[j] += beta[j] ** 2 * max(float(pairs @ spread) / (2.0 * n**2), 0.0)
    return np.asarray(np.sqrt(squared))


def _squares(correlation: Array) -> Array:
    """Squares, nil where there is no correlogram."""
    return np.asarray(np.nan_to_num(correlation) ** 2)
