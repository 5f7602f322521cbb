"""Errors and χ² of structural models whose pixels are like their neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.stats.effective import Dependence
from drivers.stats.quadratic_dependence import field_products, form_correlations, form_variances
from drivers.stats.sem_errors import parameter_covariance, quadratic_forms
from drivers.stats.sem_fit import Fit
from drivers.stats.sem_scaling import ChiSquare
from drivers.stats.tails import log_p_chi2

Array = NDArray[np.float64]

FEWEST = 8.0
"""Independent pixels below which nothing is said."""


@dataclass(frozen=True, slots=True)
class EffectiveErrors:
    """Errors of k parameters with neighbours counted.

    Attributes
    ----------
    covariance : shape (k, k); NaN for a parameter with too few independent pixels
    n_effective : pixels of all groups that would do as well, were they independent, shape (k,)
    """

    covariance: Array
    n_effective: Array


def effective_covariance(
    fit: Fit, dependences: Sequence[Dependence], columns: Sequence[int]
) -> EffectiveErrors:
    """Covariance of the parameters of a model whose pixels are like their neighbours.

    Parameters
    ----------
    fit : the optimum
    dependences : of each group; groups count as independent of each other
    columns : the observed variables of the model, as columns

    Notes
    -----
    The error of a parameter is a mean over pixels of a quadratic form; see `form_variances`. Variances are
    larger by m / (m - p) for p observed variables and m independent pixels, as those of least squares are by
    n / (n - k - 1).
    """
    forms, plain = quadratic_forms(fit), parameter_covariance(fit)
    covariance = np.zeros_like(plain)
    for g, dependence in enumerate(dependences):
        quadratic, linear, n = forms.quadratic[g], forms.linear[g], fit.sample.n[g]
        here = np.flatnonzero(quadratic.any(axis=(1, 2)) | linear.any(axis=1))
        own = (quadratic[here], linear[here])
        found = form_variances(dependence, columns, fit.covariance[g], *own)
        with np.errstate(invalid="ignore", divide="ignore"):
            known = (found.shared > 0.0) & (n * found.alone / found.shared >= FEWEST)
            room = np.maximum(n * found.alone / found.shared - fit.structure.observed, 1.0)
        variance = np.maximum(found.shared, found.alone) / n
        # Maximum likelihood takes residuals for errors; of few independent pixels that is too little.
        few = np.where(found.shared > found.alone, 1.0 + fit.structure.observed / room, 1.0)
        error = np.sqrt(np.where(known, few * variance, np.nan))
        correlation = form_correlations(dependence, columns, *own)
        covariance[np.ix_(here, here)] += correlation * np.outer(error, error)
    return EffectiveErrors(covariance, np.minimum(fit.n * np.diag(plain) / np.diag(covariance), fit.n))


def dependent_test(
    fit: Fit, dependences: Sequence[Dependence], columns: Sequence[int], free: Fit | None = None
) -> ChiSquare:
    """χ² of a model, divided by what it is per degree of freedom where neighbours are alike.

    Parameters
    ----------
    fit, dependences, columns : as `effective_covariance`
    free : the optimum of a model that this one is nested in: the difference is tested then

    Notes
    -----
    Where the model holds, χ² is a sum of squares of df means over pixels, of the forms that the parameters
    cannot follow (`misfit_forms`). As Satorra & Bentler (1994) it is divided by the mean of what each is with
    neighbours by what it is without (`field_products`); at least 1. Of m = n / scaling independent pixels it
    is larger by 1 / (1 - (2p + 5)/6m) (Bartlett 1950, doi:10.1111/j.2044-8317.1950.tb00285.x), which is taken
    out too. NaN below `FEWEST` of them.
    """
    df = fit.df - (free.df if free else 0)
    plain = fit.chisq - (free.chisq if free else 0.0)
    if df < 1:
        return ChiSquare(plain, df, float("nan"))
    alone = shared = 0.0
    for g, (quadratic, linear) in enumerate(misfit_forms(fit, free)):
        n = fit.sample.n[g]
        found = field_products(dependences[g], columns, fit.covariance[g]).variances(quadratic, linear)
        alone += n * float(found.alone.sum())
        shared += n * float(found.shared.sum())
    scaling = shared / alone
    if not fit.n / scaling >= FEWEST:
        return ChiSquare(float("nan"), df, float("nan"), float("nan"))
    if scaling > 1.0:
        independent = fit.n / scaling
        scaling /= max(1.0 - (2.0 * fit.structure.observed + 5.0) / (6.0 * independent), 0.5)
    else:
        scaling = 1.0
    chisq = plain / scaling
    return ChiSquare(chisq, df, float(log_p_chi2(max(chisq, 0.0), df)), scaling)


def misfit_forms(fit: Fit, free: Fit | None = None) -> list[tuple[Array, Array]]:
    """Forms of the pixels whose means the model cannot follow: of each group (d, p, p) and (d, p).

    Parameters
    ----------
    fit : the optimum
    free : of a model that this one is nested in: only forms that it can follow

    Returns
    -------
    d = df forms.

    Notes
    -----
    Changes (E, e) of a group's covariance and mean have the inner product n/2 tr Σ⁻¹E Σ⁻¹F + n e'Σ⁻¹f, in
    which an orthonormal basis of what the parameters and the moments of fixed causes do not span is taken;
    the mean over pixels of 1/2 z'Σ⁻¹EΣ⁻¹z + e'Σ⁻¹z is then the misfit along E.
    """
    p, means = fit.structure.observed, fit.structure.means
    backs = [np.asarray(np.linalg.inv(np.linalg.cholesky(sigma))) for sigma in fit.covariance]
    spanned = _tangents(fit, backs)
    if free is None:
        left = _complement(spanned, fit.df)
    else:
        left = _gained(spanned, _tangents(free, backs), fit.df - free.df)
    upper = np.triu_indices(p)
    size = len(upper[0]) + (p if means else 0)
    made = []
    for g, back in enumerate(backs):
        mine, scale = left[:, g * size : (g + 1) * size], np.sqrt(fit.sample.n[g])
        white = np.zeros((len(left), p, p))
        white[:, upper[0], upper[1]] = mine[:, : len(upper[0])] / _weights(upper)
        white = (white + white.swapaxes(1, 2)) * np.where(np.eye(p) > 0.0, 0.5, 1.0)
        line = mine[:, len(upper[0]) :] @ back if means else np.zeros((len(left), p))
        made.append((np.asarray(back.T @ white @ back) / (2.0 * scale), line / scale))
    return made


def _weights(upper: tuple[NDArray[np.intp], NDArray[np.intp]]) -> Array:
    """With these the inner product 1/2 tr of whitened matrices is that of their upper triangles."""
    return np.where(upper[0] == upper[1], np.sqrt(0.5), 1.0)


def _tangents(fit: Fit, backs: Sequence[Array]) -> Array:
    """What the parameters and the moments of fixed causes change, whitened, groups one after another."""
    s, p = fit.structure, fit.structure.observed
    upper = np.triu_indices(p)
    size = len(upper[0]) + (p if s.means else 0)
    unit = fit.scaled.scale[:p]
    taken: list[Array] = []
    parameters = np.zeros((s.parameters, s.groups * size))
    for g, back in enumerate(backs):
        slopes, place = fit.scaled.slopes(fit.state, g), slice(g * size, (g + 1) * size)
        changes = [(slopes.covariance * np.outer(unit, unit), slopes.mean * unit), _given(fit, g)]
        flat = []
        for change, level in changes:
            white = (back @ change @ back.T)[:, upper[0], upper[1]] * _weights(upper)
            whole = np.hstack([white, level @ back.T]) if s.means else white
            flat.append(np.sqrt(fit.sample.n[g]) * whole)
        parameters[slopes.active, place] = flat[0]
        taken.append(np.zeros((len(flat[1]), s.groups * size)))
        taken[-1][:, place] = flat[1]
    return np.vstack([parameters, *taken])


def _basis(spanned: Array) -> Array:
    """Orthonormal vectors of what some others span, shape (m, k)."""
    norm = np.sqrt((spanned**2).sum(axis=1, keepdims=True))
    return np.asarray(np.linalg.qr((spanned / np.where(norm > 0.0, norm, 1.0)).T)[0])


def _complement(spanned: Array, wanted: int) -> Array:
    """Orthonormal vectors, shape (wanted, m), at right angles to some others, shape (k, m)."""
    basis = _basis(spanned)
    found = np.random.default_rng(0).normal(size=(spanned.shape[1], wanted))
    for _ in range(2):  # once more, for what rounding left
        found = found - basis @ (basis.T @ found)
    return np.asarray(np.linalg.qr(found)[0].T)


def _gained(spanned: Array, wider: Array, wanted: int) -> Array:
    """Orthonormal vectors, shape (wanted, m), in what `wider` spans and at right angles to `spanned`."""
    basis, more = _basis(spanned), _basis(wider)
    return np.asarray(np.linalg.svd(more - basis @ (basis.T @ more), full_matrices=False)[0][:, :wanted].T)


def _given(fit: Fit, g: int) -> tuple[Array, Array]:
    """How the moments of a group follow those of its fixed causes: shapes (m, p, p) and (m, p)."""
    x, p = list(fit.structure.fixed), fit.structure.observed
    effects = np.linalg.inv(np.eye(fit.structure.variables) - fit.directed[g])[:p, x]
    first, second = np.triu_indices(len(x))
    pairs = effects.T[first][:, :, None] * effects.T[second][:, None, :]
    changes = pairs + pairs.swapaxes(1, 2)
    levels = np.zeros((len(changes), p))
    if fit.structure.means:
        changes = np.concatenate([changes, np.zeros((len(x), p, p))])
        levels = np.vstack([levels, effects.T])
    return changes, levels
