"""How well means of quadratic forms of pixels are known where neighbours are alike.

Estimates of covariance models are such means (`sem_errors.quadratic_forms`), so how they vary follows from
products of autocovariances, as for a correlation (Bartlett 1946, doi:10.2307/2983611).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.stats.effective import Dependence, error_correlation

Array = NDArray[np.float64]

NEGLIGIBLE = 0.03
"""Eigenvalues of a form below this share of the largest are left out, a thousandth of its variance."""


@dataclass(frozen=True, slots=True)
class FormVariances:
    """Variances of means of k forms, times the number of pixels; shape (k,) each.

    Attributes
    ----------
    alone : if pixels were independent
    shared : with what neighbours share; NaN where nothing is known of it
    """

    alone: Array
    shared: Array


def form_variances(
    dependence: Dependence,
    columns: Sequence[int],
    covariance: Array,
    forms: Array,
    linear: Array | None = None,
) -> FormVariances:
    """Variances of means of forms z'Gz + l'z of normal fields.

    Parameters
    ----------
    dependence : of the stratum
    columns : the p columns of the forms, in their order
    covariance : of these columns, shape (p, p), positive definite
    forms : symmetric matrices G, shape (k, p, p)
    linear : l, shape (k, p); none by default

    Notes
    -----
    For normal z with cross-covariances C(h), cov(z(s)'G z(s), z(t)'G z(t)) = 2 tr G C(t-s) G C(t-s)'. With
    G = M in combinations u of the columns that are not correlated with each other at any distance this is
    2 Σ M_ij² ρ_i(h) ρ_j(h): for a slope, whose form is the product of an error and what the other predictors
    leave of one, that of Clifford, Richardson & Hémon (1989, doi:10.2307/2532039). The combinations taken are
    those that are least and most alike from one pixel to the next (Switzer & Green 1984) among the
    eigenvectors of G; they are nearly uncorrelated. ρ are correlograms without the bias of the mean
    (`effective.error_correlation`).

    Examples
    --------
    A variance of white noise is known from every pixel.

    >>> from drivers.stats.lagged import lagged_moments
    >>> from drivers.stats.lattice import Lattice
    >>> row, column = np.divmod(np.arange(3600), 60)
    >>> white = np.random.default_rng(1).normal(size=(1, 3600))
    >>> pixels = Dependence(lagged_moments(white, Lattice(row, column, (60, 60), 1.0, 1.0, True)))
    >>> found = form_variances(pixels, [0], np.eye(1), np.ones((1, 1, 1)))
    >>> found.alone.tolist(), bool(found.shared[0] < 2.06)
    ([2.0], True)
    """
    index = np.asarray(columns, dtype=np.intp)
    root = np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
    lines = np.zeros(forms.shape[:2]) if linear is None else linear
    whitened: Array = root.T @ forms @ root
    along: Array = lines @ root
    back = np.asarray(np.linalg.inv(root), dtype=np.float64)
    near = back @ _neighbours(dependence, index) @ back.T
    found = [_variances(dependence, index, back, near, whitened[i], along[i]) for i in range(len(forms))]
    alone, shared = np.array(found).reshape(-1, 2).T
    return FormVariances(alone, shared)


def form_correlations(
    dependence: Dependence, columns: Sequence[int], forms: Array, linear: Array | None = None
) -> Array:
    """Correlation of the errors of means of forms, shape (k, k), from plain products by lag.

    Parameters
    ----------
    dependence, columns, forms, linear : as `form_variances`
    """
    lagged, k = dependence.lagged, len(forms)
    index = np.asarray(columns, dtype=np.intp) + 1
    lines = np.zeros(forms.shape[:2]) if linear is None else linear
    used = dependence.fitted & (lagged.pairs > 0.0)
    cross = lagged.cross[used][:, index[:, None], index]
    unit = cross / np.sqrt(lagged.pairs[used])[:, None, None]
    left = np.einsum("kij,bjl->kbil", forms, unit, optimize=True)
    shared = 2.0 * left.reshape(k, -1) @ left.swapaxes(2, 3).reshape(k, -1).T
    shared += lines @ cross.sum(axis=0) @ lines.T
    own = np.diag(shared)
    if not (own > 0.0).all():
        return np.eye(k)
    shared = (shared + shared.T) / (2.0 * np.sqrt(np.outer(own, own)))
    values, vectors = np.linalg.eigh(shared)
    valid = (vectors * np.maximum(values, 0.0)) @ vectors.T
    scale = np.sqrt(np.diag(valid))
    return np.asarray(valid / np.outer(scale, scale))


def _neighbours(dependence: Dependence, columns: NDArray[np.intp]) -> Array:
    """Products of the columns at the smallest distance."""
    lagged, index = dependence.lagged, columns + 1
    apart = np.where((lagged.distance > 0.0) & (lagged.pairs > 0.0), lagged.distance, np.inf)
    found: Array = lagged.cross[int(np.argmin(apart))][np.ix_(index, index)]
    return found


def _variances(
    dependence: Dependence,
    columns: NDArray[np.intp],
    back: Array,
    near: Array,
    form: Array,
    line: Array,
) -> tuple[float, float]:
    """Both variances of one form of whitened columns, times the number of pixels."""
    values, vectors = np.linalg.eigh(form)
    size = float(line @ line)
    kept = np.abs(values) > NEGLIGIBLE * max(np.abs(values).max(initial=0.0), np.sqrt(size))
    values, vectors = values[kept], vectors[:, kept]
    turn = np.linalg.eigh(vectors.T @ near @ vectors)[1]
    inner = (turn.T * values) @ turn
    weights = [turn.T @ vectors.T @ back]
    if size > 0.0:
        weights.append(line[None] @ back / np.sqrt(size))
    rho = correlograms(dependence, columns, np.vstack(weights))
    own = rho[: len(values)]
    by_bin = 2.0 * np.einsum("ij,ib,jb->b", inner**2, own, own) + size * rho[len(values) :].sum(axis=0)
    alone = 2.0 * float((inner**2).sum()) + size
    return alone, float(dependence.lagged.pairs @ by_bin) / dependence.lagged.n


@dataclass(frozen=True, slots=True)
class FieldProducts:
    """What is needed for the variance of the mean of any form of p fields: linear in squares of its entries.

    Attributes
    ----------
    turn : combinations u = T z that are nearly uncorrelated at any distance, of unit variance, shape (p, p)
    products : Σ_pairs ρ_i ρ_j / n, shape (p, p)
    sums : Σ_pairs ρ_i / n, shape (p,)
    """

    turn: Array
    products: Array
    sums: Array

    def variances(self, forms: Array, linear: Array) -> FormVariances:
        """As `form_variances`, with one set of combinations for all forms: shapes (k, p, p) and (k, p).

        So the sum over any orthonormal set of forms is that over any other that spans the same.
        """
        back = np.linalg.inv(self.turn)
        inner, line = back.T @ forms @ back, linear @ back
        alone = 2.0 * (inner**2).sum(axis=(1, 2)) + (line**2).sum(axis=1)
        shared = 2.0 * (inner**2 * self.products).sum(axis=(1, 2)) + line**2 @ self.sums
        return FormVariances(alone, shared)


def field_products(dependence: Dependence, columns: Sequence[int], covariance: Array) -> FieldProducts:
    """Products of correlograms of the combinations of columns that are least and most alike (Switzer & Green
    1984) from one pixel to the next.

    Parameters
    ----------
    dependence, columns, covariance : as `form_variances`
    """
    index = np.asarray(columns, dtype=np.intp)
    back = np.asarray(np.linalg.inv(np.linalg.cholesky(covariance)), dtype=np.float64)
    turn = np.linalg.eigh(back @ _neighbours(dependence, index) @ back.T)[1].T @ back
    rho = correlograms(dependence, index, turn)
    weighted = rho * dependence.lagged.pairs / dependence.lagged.n
    return FieldProducts(np.asarray(turn), np.asarray(weighted @ rho.T), np.asarray(weighted.sum(axis=1)))


def correlograms(dependence: Dependence, columns: Sequence[int] | NDArray[np.intp], weights: Array) -> Array:
    """Correlation by bin of combinations of some columns, shape (c, bins); NaN where it is not known.

    `weights` has shape (c, p), one weight per column.
    """
    placed = np.zeros((len(weights), len(dependence.lagged.cross[0]) - 1))
    placed[:, np.asarray(columns, dtype=np.intp)] = weights
    wider = dependence.extend(placed)
    first = placed.shape[1]
    found = [error_correlation(wider, first + i, []).correlation for i in range(len(weights))]
    return np.array(found).reshape(len(weights), len(dependence.lagged.distance))
