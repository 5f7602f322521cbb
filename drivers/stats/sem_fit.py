"""Maximum likelihood of structural models from counts, means and covariances."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from drivers.stats.blas import one_blas_thread
from drivers.stats.sem_centre import anchored
from drivers.stats.sem_moments import SampleMoments, normal_log_likelihood
from drivers.stats.sem_scaled import ScaledModel
from drivers.stats.sem_search import Discrepancy, Outcome, Search, minimise
from drivers.stats.sem_start import start, units
from drivers.stats.sem_state import Numbers, State
from drivers.stats.sem_structure import Structure

Array = NDArray[np.float64]

ROUNDING = 1e-12
"""χ² per row that is rounding where it is negative."""


@dataclass(frozen=True, eq=False)
class MomentDiscrepancy:
    """F = Σ w_g (ln|Σ| - ln|S| + tr Σ⁻¹(S + dd') - p), with d = sample less implied mean.

    Attributes
    ----------
    model : the scaled model
    covariance, mean : of the sample in the model's units, shapes (G, p, p) and (G, p); means are nil where
        the model has none
    weight : share of each group, shape (G,)
    """

    model: ScaledModel
    covariance: Array
    mean: Array
    weight: Array

    def of(self, model: ScaledModel) -> MomentDiscrepancy:
        """The same data under another model in the same units."""
        return replace(self, model=model)

    @cached_property
    def log_determinant(self) -> Array:
        """ln|S|, shape (G,)."""
        return np.asarray(np.linalg.slogdet(self.covariance)[1])

    def by_group(self, state: State) -> Array:
        """F of every group, not weighted, shape (G,)."""
        sigma, mu = self.model.moments(state)
        away = self.mean - mu
        total = self.covariance + away[:, :, None] * away[:, None, :]
        try:
            lower = np.linalg.cholesky(sigma)
        except np.linalg.LinAlgError:
            return np.full(len(sigma), np.inf)
        log_det = 2.0 * np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
        # The trace of the difference: its terms are small at a good fit, so F of 1e-14 is not rounding of p.
        trace = np.trace(np.linalg.solve(sigma, total - sigma), axis1=1, axis2=2)
        return np.asarray(log_det - self.log_determinant + trace)

    def value(self, state: State) -> float:
        """F."""
        return float(self.weight @ self.by_group(state))

    def gradient(self, point: Numbers) -> Numbers:
        """Of F, at points of shape (..., k): dF = w tr[(Σ⁻¹ - Σ⁻¹ T Σ⁻¹) dΣ] - 2 w d'Σ⁻¹ dμ."""
        state = self.model.state(point)
        sigma, mu = self.model.moments(state)
        away = self.mean - mu
        total = self.covariance + away[..., :, None] * away[..., None, :]
        inverse = np.linalg.inv(sigma)
        by_covariance = -self.weight[:, None, None] * (inverse @ (total - sigma) @ inverse)
        by_mean = -2.0 * self.weight[:, None] * (inverse @ away[..., None])[..., 0]
        return self.model.pull(state, by_covariance, by_mean)

    def curvature(self, point: Array) -> Array:
        """Second derivatives of F, by complex steps of the gradient, shape (k, k)."""
        return self.model.hessian(self.gradient, point)

    def information(self, state: State) -> Array:
        """tr Σ⁻¹D_k Σ⁻¹D_l + 2 μ_k'Σ⁻¹μ_l, weighted: twice Fisher's information of one row."""
        k = self.model.structure.parameters
        found = np.zeros((k, k))
        sigma, _ = self.model.moments(state)
        for g, w in enumerate(self.weight):
            slopes = self.model.slopes(state, g)
            root = np.linalg.inv(np.linalg.cholesky(sigma[g]))
            white = (root @ slopes.covariance @ root.T).reshape(len(slopes.active), sigma.shape[-1] ** 2)
            level = slopes.mean @ root.T
            found[np.ix_(slopes.active, slopes.active)] += w * (white @ white.T + 2.0 * level @ level.T)
        return found


@dataclass(frozen=True, eq=False)
class Fit:
    """A structural model at its optimum.

    Attributes
    ----------
    structure : the model
    sample : its moments; of incomplete rows, those of the unrestricted model
    wishart : whether the likelihood is that of covariances with divisor n - 1
    estimates : parameters in raw units, shape (k,)
    minimum : F_ML, half of which lavaan calls fmin
    chisq : of the model against the unrestricted one
    chisq_by_group : what each group adds to it, shape (G,)
    log_likelihood, unrestricted_log_likelihood : given the fixed exogenous variables, if any
    search : how the optimum was found
    covariance, mean : implied, of the observed variables, raw units, shapes (G, p, p) and (G, p)
    full_covariance, full_mean : of all variables, shapes (G, v, v) and (G, v)
    directed, symmetric, intercept : A, S, m in raw units, shapes (G, v, v), (G, v, v), (G, v)
    scaled, discrepancy : the model and F in the model's units
    """

    structure: Structure
    sample: SampleMoments
    wishart: bool
    estimates: Array
    minimum: float
    chisq: float
    chisq_by_group: Array
    log_likelihood: float
    unrestricted_log_likelihood: float
    search: Search
    covariance: Array
    mean: Array
    full_covariance: Array
    full_mean: Array
    directed: Array
    symmetric: Array
    intercept: Array
    scaled: ScaledModel
    discrepancy: Discrepancy

    @property
    def converged(self) -> bool:
        """Whether the gradient is nil."""
        return self.search.outcome is Outcome.CONVERGED

    @property
    def df(self) -> int:
        """Degrees of freedom."""
        return self.structure.df

    @property
    def n(self) -> float:
        """Rows of all groups."""
        return float(self.sample.n.sum())

    @property
    def multiplier(self) -> float:
        """χ² per unit of F: rows, less one per group under the Wishart likelihood."""
        return self.n - (len(self.sample.n) if self.wishart else 0)

    @cached_property
    def jacobian(self) -> Array:
        """Derivatives of the raw parameters by those in the model's units, shape (k, k)."""
        return self.scaled.jacobian(self.search.point)

    @cached_property
    def state(self) -> State:
        """The model at the optimum, in its own units."""
        return self.scaled.state(self.search.point)


def scaled_model(model: Structure, sample: SampleMoments) -> ScaledModel:
    """A structure in the units of a sample: pooled spreads, about pooled means."""
    share = sample.n / sample.n.sum()
    spread = np.sqrt(share @ np.diagonal(sample.covariance, axis1=1, axis2=2))
    middle = share @ sample.mean if model.means else np.zeros(model.observed)
    x = list(model.fixed)
    return ScaledModel(
        model,
        units(model, spread),
        anchored(model, np.concatenate([middle, np.zeros(model.latent)])),
        sample.covariance[:, x][:, :, x],
        sample.mean[:, x],
    )


@one_blas_thread()
def fit_moments(
    model: Structure, sample: SampleMoments, *, wishart: bool = False, begin: Array | None = None
) -> Fit:
    """Maximum likelihood from moments.

    Parameters
    ----------
    model : the structure
    sample : moments of its groups, covariances with divisor n
    wishart : χ² = (n - 1) F from covariances with divisor n - 1, instead of n F with n
    begin : raw parameters to begin the search with, shape (k,); by default they are found from the moments

    Raises
    ------
    ValueError
        the sample has other groups or columns than the model

    Notes
    -----
    Minimises F = Σ_g w_g [ln|Σ_g| - ln|S_g| + tr Σ_g⁻¹ S_g - p + (x̄ - μ)'Σ_g⁻¹(x̄ - μ)] (Jöreskog 1969,
    doi:10.1007/BF02289343; Bollen 1989) by Fisher scoring, then Newton's method, with BFGS where both stop,
    in units of the variables. The result is not asked to be a proper one: see `improper`.

    Examples
    --------
    >>> from drivers.stats.sem_moments import sample_moments
    >>> from drivers.stats.sem_structure import Cell, DIRECTED, SYMMETRIC, structure
    >>> model = structure(2, 0, [Cell(DIRECTED, 0, 1, number=0), Cell(SYMMETRIC, 0, 0, number=1)],
    ...                   exogenous=[1], fixed_x=True)
    >>> fit = fit_moments(model, sample_moments(50, [0, 0], [[3.0, 1.0], [1.0, 2.0]]))
    >>> fit.estimates.round(12).tolist(), fit.df, fit.converged
    ([0.5, 2.5], 0, True)
    """
    p = model.observed
    if sample.covariance.shape != (model.groups, p, p):
        raise ValueError(f"{model.groups} groups of {p} columns, but moments of {sample.covariance.shape}")
    if wishart:
        unbiased = sample.covariance * (sample.n / (sample.n - 1.0))[:, None, None]
        sample = SampleMoments(sample.n, sample.mean, unbiased)
    scaled = scaled_model(model, sample)
    unit = scaled.scale[:p]
    weight = sample.n - 1.0 if wishart else sample.n
    mean = (sample.mean - scaled.centre[:p]) / unit if model.means else np.zeros((model.groups, p))
    f = MomentDiscrepancy(
        scaled, sample.covariance / np.outer(unit, unit), mean, np.asarray(weight / weight.sum())
    )
    known = () if begin is None else (scaled.scaled(begin),)
    starts = chain(known, (start(scaled, f.covariance, f.mean, plain=plain) for plain in (False, True)))
    search = minimise(scaled, f, starts)
    by_group = weight * f.by_group(scaled.state(search.point))
    free = normal_log_likelihood(sample) - normal_log_likelihood(sample, model.fixed)
    # lavaan counts n rows here under the Wishart likelihood too.
    restricted = free - 0.5 * float((sample.n / weight) @ by_group)
    return finished(scaled, f, search, sample, wishart, by_group, restricted, free)


def finished(
    scaled: ScaledModel,
    f: Discrepancy,
    search: Search,
    sample: SampleMoments,
    wishart: bool,
    by_group: Array,
    log_likelihood: float,
    unrestricted: float,
) -> Fit:
    """A fit with everything in raw units."""
    # A model that reproduces the sample has F = 0, on either side of which it is by rounding.
    by_group = np.where(np.abs(by_group) <= ROUNDING * sample.n, np.maximum(by_group, 0.0), by_group)
    model, d, p = scaled.structure, scaled.scale, scaled.structure.observed
    state = scaled.state(search.point)
    full = np.asarray(state.covariance * np.outer(d, d))
    level = np.asarray((state.mean + scaled.about(state.directed)) * d)
    if not model.means:
        level = np.concatenate([sample.mean, np.zeros((model.groups, model.latent))], axis=1)
    a, c, m = scaled.raw_matrices(search.point)
    total = float(sample.n.sum()) - (model.groups if wishart else 0)
    return Fit(
        model,
        sample,
        wishart,
        np.asarray(scaled.raw(search.point)),
        float(by_group.sum()) / total,
        float(by_group.sum()),
        by_group,
        log_likelihood,
        unrestricted,
        search,
        full[:, :p, :p],
        level[:, :p],
        full,
        level,
        a,
        c,
        m,
        scaled,
        f,
    )
