"""Standardised solution, explained variance, and residuals of structural models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from drivers.stats.sem_errors import by_raw, parameter_covariance
from drivers.stats.sem_fit import Fit
from drivers.stats.sem_state import Numbers
from drivers.stats.sem_structure import DIRECTED, MEAN, SYMMETRIC

Array = NDArray[np.float64]

Kind = Literal["all", "lv", "nox"]

NO_ERROR = 1e-12
"""Variance of a residual, as a share of that of its moment, below which it has no z: it is nil always."""

ROUNDING = 1e-13
"""Change of a standardised cell, by a parameter's share of its error in one row, that is none."""


@dataclass(frozen=True, eq=False)
class Standardised:
    """Standardised cells.

    Attributes
    ----------
    values : of every cell that the structure lists, fixed ones too, shape (cells,)
    jacobian : derivatives by the raw parameters, shape (cells, k): `path_effects.delta_error` of it and of
        the parameters' covariance gives standard errors
    """

    values: Array
    jacobian: Array


def standardised(fit: Fit, kind: Kind = "all") -> Standardised:
    """The solution in standard deviations that the model implies.

    Parameters
    ----------
    fit : the optimum
    kind : `all` variables; `lv`: latent ones; `nox`: all but the exogenous observed ones (std.all, std.lv and
        std.nox of lavaan)

    Notes
    -----
    A path is times sd(from)/sd(to), a mean over its sd, a variance over the implied one; a covariance of
    errors becomes their correlation. The standard deviations depend on the parameters; those of fixed
    exogenous variables do not. NaN for a covariance with a negative variance. Derivatives by complex steps,
    exact.
    """
    point = fit.search.point
    values = np.asarray(_standardise(fit, point, kind))
    by_scaled = fit.scaled.derivative(lambda t: _standardise(fit, t, kind), point)
    return Standardised(values, by_raw(fit, _without_rounding(fit, by_scaled, values)))


def _without_rounding(fit: Fit, slopes: Array, values: Array) -> Array:
    """Derivatives with exact zeros: those of a ratio that is 1 always are two terms' rounding."""
    with np.errstate(all="ignore"):
        expected = np.sqrt(np.diag(fit.discrepancy.information(fit.state)))
        size = np.abs(slopes) / expected
    nil = size <= ROUNDING * np.maximum(np.abs(values), 1.0)[:, None]
    return np.where(nil & np.isfinite(expected), 0.0, slopes)


def _standardise(fit: Fit, point: Numbers, kind: Kind) -> Numbers:
    s, scaled = fit.structure, fit.scaled
    a, c, m = scaled.raw_matrices(point)
    state = scaled.state(point)
    total = np.diagonal(state.covariance, axis1=-2, axis2=-1) * scaled.scale**2
    error = np.diagonal(c, axis1=-2, axis2=-1)
    taken = np.ones(s.variables, dtype=bool)
    if kind == "lv":
        taken[: s.observed] = False
    elif kind == "nox":
        taken[list(s.exogenous)] = False
    with np.errstate(all="ignore"):
        sd = np.where(taken, np.sqrt(total), 1.0)
        root = np.where(taken, np.sqrt(error), 1.0)
        if not np.iscomplexobj(point):
            sd, root = np.real(sd), np.real(root)
        bad = taken & (np.real(error) < 0)
        root = np.where(bad, np.nan, root)
        g, r, k = s.group, s.row, np.where(s.matrix == MEAN, s.row, s.column)
        path = a[..., g, r, k] * sd[..., g, k] / sd[..., g, r]
        pair = c[..., g, r, k] / (root[..., g, r] * root[..., g, k])
        own = c[..., g, r, r] / sd[..., g, r] ** 2
        level = m[..., g, r] / sd[..., g, r]
    chosen: Numbers = np.where(
        s.matrix == DIRECTED,
        path,
        np.where(s.matrix == SYMMETRIC, np.where(r == k, own, pair), level),
    )
    return chosen


def explained_variance(fit: Fit) -> Array:
    """R² of every variable, 1 - error variance / implied variance, shape (G, v).

    NaN where nothing explains a variable. With cyclic paths, or errors that correlate with predictors, it
    can be negative.
    """
    error = np.diagonal(fit.symmetric, axis1=1, axis2=2)
    total = np.diagonal(fit.full_covariance, axis1=1, axis2=2)
    with np.errstate(all="ignore"):
        return np.where(fit.directed.any(axis=2), 1.0 - error / total, np.nan)


@dataclass(frozen=True, eq=False)
class Residuals:
    """Sample less implied moments.

    Attributes
    ----------
    covariance, mean : raw, shapes (G, p, p) and (G, p)
    correlation : differences of the two correlation matrices (Bollen 1989), shape (G, p, p)
    bentler : differences of covariances in sample standard deviations, shape (G, p, p)
    z : differences of covariances over their standard errors, shape (G, p, p); NaN where there is no error
    """

    covariance: Array
    mean: Array
    correlation: Array
    bentler: Array
    z: Array


def residuals(fit: Fit) -> Residuals:
    """Residual moments.

    Notes
    -----
    The variance of s_ij - σ_ij is (σ_ii σ_jj + σ_ij²)/n less what the parameters follow, d'V d with
    d = ∂σ_ij/∂θ (Bollen 1989, chapter 7).
    """
    s, sigma = fit.sample.covariance, fit.covariance
    away = s - sigma
    spread = np.sqrt(np.diagonal(s, axis1=1, axis2=2))
    implied = np.sqrt(np.diagonal(sigma, axis1=1, axis2=2))
    outer = spread[:, :, None] * spread[:, None, :]
    outer_implied = implied[:, :, None] * implied[:, None, :]
    variance = (outer_implied**2 + sigma**2) / fit.sample.n[:, None, None]
    left = variance.copy()
    back = np.linalg.inv(fit.jacobian)
    inner = back @ parameter_covariance(fit) @ back.T
    unit = fit.scaled.scale[: fit.structure.observed]
    for g in range(fit.structure.groups):
        slopes = fit.scaled.slopes(fit.state, g)
        d = slopes.covariance * np.outer(unit, unit)
        v = inner[np.ix_(slopes.active, slopes.active)]
        left[g] -= np.einsum("aij,ab,bij->ij", d, v, d, optimize=True)
    x = np.asarray(fit.structure.fixed, dtype=np.intp)
    left[:, x[:, None], x] = 0.0
    with np.errstate(all="ignore"):
        z = np.where(left > NO_ERROR * variance * 1e4, away / np.sqrt(left), np.nan)
    return Residuals(away, fit.sample.mean - fit.mean, s / outer - sigma / outer_implied, away / outer, z)
