"""Independent pixels behind the parameters and the χ² of a structural model, where neighbours are alike.

The error of a parameter is a mean over pixels of a quadratic form (`sem_errors.quadratic_forms`), so how it
varies follows from products of autocovariances, as for a correlation (Bartlett 1946, doi:10.2307/2983611).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.stats.effective import Dependence, error_correlation
from drivers.stats.sem_errors import parameter_covariance, quadratic_forms
from drivers.stats.sem_fit import Fit
from drivers.stats.sem_scaling import ChiSquare
from drivers.stats.tails import log_p_chi2

Array = NDArray[np.float64]

NEGLIGIBLE = 0.03
"""Eigenvalues of a form below this share of the largest are left out, a thousandth of its variance."""

FEWEST = 8.0
"""Independent pixels below which nothing is said, as for slopes."""


@dataclass(frozen=True, slots=True)
class FormErrors:
    """Errors of means of quadratic forms of neighbouring pixels.

    Attributes
    ----------
    n_effective : independent pixels with which each would be known as well, shape (k,); NaN below `FEWEST`
    correlation : of the errors, shape (k, k)
    """

    n_effective: Array
    correlation: Array


def form_errors(
    dependence: Dependence,
    columns: Sequence[int],
    covariance: Array,
    forms: Array,
    linear: Array | None = None,
) -> FormErrors:
    """Independent pixels behind means of forms z'Gz + l'z of normal fields.

    Parameters
    ----------
    dependence : of the stratum
    columns : the p columns of the forms, in their order
    covariance : of these columns, shape (p, p), positive definite
    forms : symmetric matrices G, shape (k, p, p)
    linear : l, shape (k, p); none by default

    Notes
    -----
    For normal z with cross-covariances C(h), cov(z(s)'G z(s), z(t)'H z(t)) = 2 tr G C(t-s) H C(t-s)'. With
    z'Gz = Σ λ_j u_j² of uncorrelated u_j this is 2 Σ λ_j λ_l ρ_jl(h)², so

        n / n_effective = Σ_pairs (2 Σ λ_j λ_l ρ_jl² + l'C l) / (n (2 Σ λ_j² + l'C(0) l)).

    Each ρ_jj is a correlogram without the bias of the mean (`effective.error_correlation`), each ρ_jl half
    the difference between those of u_j + u_l and u_j - u_l. Correlations between errors are from plain
    products.

    Examples
    --------
    A variance of white noise is known from every pixel.

    >>> from drivers.stats.lagged import lagged_moments
    >>> from drivers.stats.lattice import Lattice
    >>> row, column = np.divmod(np.arange(3600), 60)
    >>> white = np.random.default_rng(1).normal(size=(1, 3600))
    >>> pixels = Dependence(lagged_moments(white, Lattice(row, column, (60, 60), 1.0, 1.0, True)))
    >>> bool(form_errors(pixels, [0], np.eye(1), np.ones((1, 1, 1))).n_effective[0] > 3500)
    True
    """
    root = np.linalg.cholesky(covariance)
    lines = np.zeros(forms.shape[:2]) if linear is None else linear
    whitened: Array = root.T @ forms @ root
    along: Array = lines @ root
    ratio = np.array(
        [_ratio(dependence, columns, root, *both) for both in zip(whitened, along, strict=True)]
    )
    n = float(dependence.lagged.n)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.minimum(n / ratio, n)
    found = np.where((ratio > 0.0) & (found >= FEWEST), found, np.nan)
    return FormErrors(found, _correlation(dependence, columns, forms, lines))


@dataclass(frozen=True, slots=True)
class EffectiveErrors:
    """Errors of parameters with neighbours counted.

    Attributes
    ----------
    covariance : shape (k, k); NaN for a parameter without enough independent pixels in some group
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
    """
    forms, plain = quadratic_forms(fit), parameter_covariance(fit)
    k = len(plain)
    covariance = np.zeros((k, k))
    for g, dependence in enumerate(dependences):
        quadratic, linear, sigma = forms.quadratic[g], forms.linear[g], fit.covariance[g]
        here = np.flatnonzero(quadratic.any(axis=(1, 2)) | linear.any(axis=1))
        found = form_errors(dependence, columns, sigma, quadratic[here], linear[here])
        inner = quadratic[here] @ sigma
        own = 2.0 * np.einsum("kij,kji->k", inner, inner) + np.einsum(
            "ki,ij,kj->k", linear[here], sigma, linear[here]
        )
        error = np.sqrt(own / found.n_effective)
        covariance[np.ix_(here, here)] += found.correlation * np.outer(error, error)
    return EffectiveErrors(covariance, np.minimum(fit.n * np.diag(plain) / np.diag(covariance), fit.n))


def dependent_test(
    fit: Fit,
    dependences: Sequence[Dependence],
    columns: Sequence[int],
    parameters: Array,
    independent: Array,
) -> ChiSquare:
    """χ² of a model, divided by what it is per degree of freedom where neighbours are alike.

    Parameters
    ----------
    fit : the optimum
    dependences, columns : as `effective_covariance`
    parameters : covariance of the parameters with neighbours counted, shape (k, k)
    independent : the same as if pixels were independent

    Notes
    -----
    As Satorra & Bentler (1994): (tr over all moments - tr over the parameters) / df, each of the variance
    with neighbours by that without, and at least 1. Over the covariances of uncorrelated fields of unit
    variance the first is 1/(2n) Σ_pairs [(Σ_j ρ_j)² + Σ_j ρ_j²], over means 1/n Σ_pairs Σ_j ρ_j; the fields
    are those that are least and most alike from one pixel to the next (Switzer & Green 1984), which are
    nearly uncorrelated at any distance. Moments of fixed causes are taken out. NaN where parameters are
    unknown.
    """
    if fit.df < 1:
        return ChiSquare(fit.chisq, fit.df, float("nan"))
    places, x = np.asarray(columns, dtype=np.intp), np.asarray(fit.structure.fixed, dtype=np.intp)
    means, whole = fit.structure.means, 0.0
    for dependence, covariance in zip(dependences, fit.covariance, strict=True):
        whole += _over_all(dependence, places, covariance, means)
        if len(x):
            whole -= _over_all(dependence, places[x], covariance[np.ix_(x, x)], means)
    known = bool(np.isfinite(parameters).all())
    taken = float(np.trace(np.linalg.solve(independent, parameters))) if known else float("nan")
    scaling = max((whole - taken) / fit.df, 1.0) if known else float("nan")
    chisq = fit.chisq / scaling
    log_p = float(log_p_chi2(chisq, fit.df)) if known else float("nan")
    return ChiSquare(chisq, fit.df, log_p, scaling)


def _over_all(dependence: Dependence, columns: NDArray[np.intp], covariance: Array, means: bool) -> float:
    """Sum of n / n_effective over all moments of some columns."""
    lagged = dependence.lagged
    root = np.linalg.inv(np.linalg.cholesky(covariance))
    index = columns + 1
    near = int(np.argmin(np.where(lagged.distance > 0.0, lagged.distance, np.inf)))
    step = root @ lagged.cross[near][np.ix_(index, index)] @ root.T
    rho = _correlograms(dependence, columns, np.linalg.eigh(step)[1].T @ root)
    by_bin = (rho.sum(axis=0) ** 2 + (rho**2).sum(axis=0)) / 2.0 + (rho.sum(axis=0) if means else 0.0)
    return float(lagged.pairs @ by_bin) / lagged.n


def _ratio(dependence: Dependence, columns: Sequence[int], root: Array, form: Array, line: Array) -> float:
    """n / n_effective of one form of whitened columns."""
    values, vectors = np.linalg.eigh(form)
    size = float(line @ line)
    kept = np.abs(values) > NEGLIGIBLE * max(np.abs(values).max(initial=0.0), np.sqrt(size))
    values, vectors = values[kept], vectors[:, kept]
    whole = 2.0 * float((values**2).sum()) + size
    if not whole > 0.0:
        return float("nan")
    own = np.linalg.solve(root.T, vectors).T
    first, second = np.triu_indices(len(values), 1)
    sums = np.vstack([own[first] + own[second], own[first] - own[second]]) / np.sqrt(2.0)
    along = np.linalg.solve(root.T, line)[None] / np.sqrt(size) if size > 0.0 else np.zeros((0, len(line)))
    rho = _correlograms(dependence, columns, np.vstack([own, sums, along]))
    alone, above, below, straight = np.split(rho, np.cumsum([len(values), len(first), len(first)]))
    shared = 2.0 * values**2 @ alone**2 + size * straight.sum(axis=0)
    shared = shared + 4.0 * (values[first] * values[second]) @ (0.5 * (above - below)) ** 2
    return float(dependence.lagged.pairs @ shared / (dependence.lagged.n * whole))


def _correlograms(dependence: Dependence, columns: Sequence[int] | NDArray[np.intp], weights: Array) -> Array:
    """Correlation by bin of combinations of some columns, shape (c, bins); nil where it is not known."""
    p = len(dependence.lagged.cross[0]) - 1
    placed = np.zeros((len(weights), p))
    placed[:, np.asarray(columns, dtype=np.intp)] = weights
    wider = dependence.extend(placed)
    found = [error_correlation(wider, p + i, []).correlation for i in range(len(weights))]
    return np.nan_to_num(np.array(found).reshape(len(weights), len(dependence.lagged.distance)))


def _correlation(dependence: Dependence, columns: Sequence[int], forms: Array, lines: Array) -> Array:
    """Correlation of the errors of forms, from plain products by lag."""
    lagged = dependence.lagged
    index = np.asarray(columns, dtype=np.intp) + 1
    used = dependence.fitted & (lagged.pairs > 0.0)
    cross = lagged.cross[used][:, index[:, None], index] / np.sqrt(lagged.pairs[used])[:, None, None]
    left = np.einsum("kij,bjl->kbil", forms, cross, optimize=True)
    k = len(forms)
    shared = 2.0 * left.reshape(k, -1) @ left.swapaxes(2, 3).reshape(k, -1).T
    along = np.sqrt(lagged.pairs[used])[:, None, None] * cross
    shared += lines @ along.sum(axis=0) @ lines.T
    shared = (shared + shared.T) / 2.0
    own = np.diag(shared)
    if not (own > 0.0).all():
        return np.eye(k)
    values, vectors = np.linalg.eigh(shared / np.sqrt(np.outer(own, own)))
    valid = (vectors * np.maximum(values, 0.0)) @ vectors.T
    scale = np.sqrt(np.diag(valid))
    return np.asarray(valid / np.outer(scale, scale))
