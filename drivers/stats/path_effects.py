"""Total effects and effects along paths, with delta-method variances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.stats.tails import log_p_chi2, log_p_f

Array = NDArray[np.float64]

RANK_TOLERANCE = 1e-9
"""Eigenvalues of a correlation matrix of effects below this share of the largest are rounding."""


def total_effects(direct: Array) -> Array:
    """Total effects (I - B)⁻¹ - I, where B[j, i] is the direct effect of i on j; shape (p, p).

    Examples
    --------
    >>> import numpy as np
    >>> total_effects(np.array([[0, 0, 0], [0.5, 0, 0], [0.2, 0.4, 0]]))[2, 0].round(12)
    np.float64(0.4)
    """
    eye = np.eye(len(direct))
    return np.asarray(np.linalg.inv(eye - direct) - eye)


@dataclass(frozen=True, slots=True)
class PathProducts:
    """Effects along m paths over E edges: products, shape (m,); gradients, shape (m, E)."""

    products: Array
    gradients: Array


def path_products(coefficients: Array, paths: Sequence[Sequence[int]]) -> PathProducts:
    """The product of the coefficients along each path, and its gradient by coefficient.

    Parameters
    ----------
    coefficients : one per edge, shape (E,)
    paths : for each path the indices of its edges

    Notes
    -----
    The gradient by one edge is the product of the others, found from products before and after it,
    so a coefficient of zero does no harm.
    """
    m, longest = len(paths), max((len(p) for p in paths), default=0)
    edges = np.full((m, longest), -1, dtype=np.intp)
    for i, path in enumerate(paths):
        edges[i, : len(path)] = path
    known = edges >= 0
    values = np.where(known, coefficients[edges], 1.0)
    before = np.cumprod(np.hstack([np.ones((m, 1)), values]), axis=1)
    after = np.cumprod(np.hstack([np.ones((m, 1)), values[:, ::-1]]), axis=1)[:, ::-1]
    gradients = np.zeros((m, len(coefficients)))
    rows, places = np.nonzero(known)
    gradients[rows, edges[rows, places]] = before[rows, places] * after[rows, places + 1]
    return PathProducts(before[:, -1], gradients)


def delta_error(gradients: Array, variance: Array) -> Array:
    """Standard errors √(g' V g) of functions with gradients of shape (m, E); shape (m,).

    Where the variance of a coefficient is not known (NaN), only the functions that depend on it are unknown.

    Examples
    --------
    >>> variance = np.array([[4.0, np.nan], [np.nan, np.nan]])
    >>> delta_error(np.array([[0.5, 0.0], [0.5, 1.0]]), variance).tolist()
    [1.0, nan]
    """
    unknown = np.isnan(np.diag(variance))
    known = np.where(unknown | unknown[:, None], 0.0, variance)
    squared: Array = ((gradients @ known) * gradients).sum(axis=1)
    depends = (gradients[:, unknown] != 0.0).any(axis=1)
    return np.where(depends, np.nan, np.sqrt(np.maximum(squared, 0.0)))


@dataclass(frozen=True, slots=True)
class JointTest:
    """A Wald test that all of several effects are nil: ln p and its degrees of freedom."""

    log_p: float
    df: int


def joint_test(effects: Array, variance: Array, df_residual: float = np.inf) -> JointTest:
    """χ² = t' V⁺ t on rank(V) degrees of freedom, for effects t of shape (d,).

    F = χ² / rank(V) where V is known on `df_residual` degrees of freedom only; ln p is NaN where that is NaN.

    Members of one composite share its one coefficient, so V need not have full rank; its rank is 0 and
    ln p NaN where nothing is estimated.
    """
    scale = np.sqrt(np.maximum(np.diag(variance), 0.0))
    moving = scale > 0
    if not moving.any():
        return JointTest(float("nan"), 0)
    unit = variance[np.ix_(moving, moving)] / np.outer(scale[moving], scale[moving])
    values, vectors = np.linalg.eigh(unit)
    kept = values > RANK_TOLERANCE * values[-1]
    along = (effects[moving] / scale[moving]) @ vectors[:, kept]
    df = int(kept.sum())
    statistic = float((along**2 / values[kept]).sum())
    if np.isinf(df_residual):
        return JointTest(float(log_p_chi2(statistic, df)), df)
    return JointTest(float(log_p_f(statistic / df, df, df_residual)), df)


@dataclass(frozen=True, slots=True)
class JointEffect:
    """The effect of a group of drivers that vary together along the direction of their total effect.

    Attributes
    ----------
    parts : the share of each kind of effect in response units per standard deviation, shape (m,)
    total : Σ of all parts, the standard deviation of Σ t_i x_i; never negative
    part_gradients : gradients of the parts, shape (m, E)
    total_gradient : gradient of the total, shape (E,)
    """

    parts: Array
    total: float
    part_gradients: Array
    total_gradient: Array


def joint_effect(parts: Array, part_gradients: Array, covariance: Array) -> JointEffect:
    """Sheaf effect of a group, split along the paths it takes.

    Parameters
    ----------
    parts : effects of the d drivers by kind of path, shape (m, d); their sum over m is the total t
    part_gradients : their gradients, shape (m, d, E)
    covariance : covariance of the drivers, shape (d, d)

    Notes
    -----
    total = √(t' Σ t), the sheaf coefficient of Heise (1972, doi:10.1177/004912417200100201) with total
    instead of direct effects; part_k = p_k' Σ t / √(t' Σ t), so parts add to the total. For a composite
    this is ± its own effect times its standard deviation.
    """
    total = parts.sum(axis=0)
    total_gradients = part_gradients.sum(axis=0)
    spread = covariance @ total
    length = float(np.sqrt(max(float(total @ spread), 0.0)))
    if length == 0.0:
        m, edges = len(parts), part_gradients.shape[2]
        return JointEffect(np.zeros(m), 0.0, np.zeros((m, edges)), np.zeros(edges))
    length_gradient = total_gradients.T @ spread / length
    shares = parts @ spread / length
    share_gradients = (
        np.einsum("mde,d->me", part_gradients, spread)
        + np.einsum("md,df,fe->me", parts, covariance, total_gradients)
        - np.outer(shares, length_gradient)
    ) / length
    return JointEffect(shares, length, share_gradients, length_gradient)
