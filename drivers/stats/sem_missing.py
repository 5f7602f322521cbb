"""Full-information maximum likelihood: structural models of rows with missing values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from drivers.stats.blas import one_blas_thread
from drivers.stats.sem_errors import Scores, by_raw, parameter_covariance
from drivers.stats.sem_fit import Fit, finished, scaled_model
from drivers.stats.sem_moments import SampleMoments, normal_log_likelihood, sample_moments
from drivers.stats.sem_patterns import Pattern, pattern_discrepancy, patterns, residual_sums
from drivers.stats.sem_scaled import ScaledModel
from drivers.stats.sem_scaling import ChiSquare, divided
from drivers.stats.sem_search import Outcome, Search, minimise
from drivers.stats.sem_start import start
from drivers.stats.sem_structure import DIRECTED, MEAN, SYMMETRIC, Cell, Structure, structure

Array = NDArray[np.float64]

EM_STEPS, EM_CHANGE, EM_NEAR = 5000, 1e-9, 1e-4
"""Steps of the EM algorithm, and the change of standardised moments at which it ends; and at which it does
where scoring follows."""

POLISHED = 1000
"""Moments up to which the unrestricted model is finished by scoring, which costs their number squared."""


class UnseenPair(ValueError):
    """Columns of a group that no row, or no row together, has: `columns`; nothing says how they covary."""

    def __init__(self, group: int, columns: tuple[int, ...]) -> None:
        super().__init__(f"group {group}: never seen together: columns {list(columns)}")
        self.group = group
        self.columns = columns


@dataclass(frozen=True, eq=False)
class Unrestricted:
    """Moments of incomplete rows by maximum likelihood.

    Attributes
    ----------
    sample : n (rows with any value), means, covariances
    log_likelihood : of every group, shape (G,)
    outcome : how the search ended
    """

    sample: SampleMoments
    log_likelihood: Array
    outcome: Outcome


@one_blas_thread()
def unrestricted(rows: Sequence[Array]) -> Unrestricted:
    """Means and covariances of every group from rows with missing values.

    Parameters
    ----------
    rows : of each group, shape (n, p), NaN for missing

    Raises
    ------
    UnseenPair
        no row has two columns together
    SingularCovariance
        see `sample_moments`

    Notes
    -----
    EM (Dempster, Laird & Rubin 1977; Little & Rubin 2002, section 11.2), by patterns of missing values, then
    scoring to the optimum itself, unless there are more moments than `POLISHED`.
    """
    found = patterns(rows)
    g, p = len(rows), rows[0].shape[1]
    for i, table in enumerate(rows):
        there = ~np.isnan(table)
        never = (there.T.astype(np.float64) @ there) == 0
        if never.any():
            raise UnseenPair(i, tuple(np.flatnonzero(never.any(axis=0)).tolist()))
    polished = g * p * (p + 3) // 2 <= POLISHED
    enough = EM_NEAR if polished else EM_CHANGE
    parts = [_em([o for o in found if o.group == i], p, enough) for i in range(g)]
    n = np.array([sum(o.n for o in found if o.group == i) for i in range(g)], dtype=np.float64)
    sample = sample_moments(n, np.array([m for m, _ in parts]), np.array([s for _, s in parts]))
    full = saturated(structure(p, 0, [], groups=g, means=True))
    scaled = scaled_model(full, sample)
    f = pattern_discrepancy(scaled, found, g)
    search = Search(_saturated(scaled, sample), 0.0, Outcome.CONVERGED, 0, 0.0)
    if len(found) > g and polished:
        search = minimise(scaled, f, [search.point])
    state, unit = scaled.state(search.point), scaled.scale
    sample = sample_moments(n, state.mean * unit + scaled.centre, state.covariance * np.outer(unit, unit))
    values = f.by_group(state) * n.sum() + f.constant
    return Unrestricted(sample, -0.5 * values, search.outcome)


def saturated(model: Structure) -> Structure:
    """A model with means of the same variables and fixed causes that fits all moments; its df are 0.

    Fixed exogenous variables act on all others, whose errors all covary.
    """
    cells: list[Cell] = []
    x = model.fixed
    for g in range(model.groups):
        for i in (i for i in range(model.observed) if i not in x):
            cells.append(Cell(MEAN, i, i, number=len(cells), group=g))
            for j in range(model.observed):
                if j in x:
                    cells.append(Cell(DIRECTED, i, j, number=len(cells), group=g))
                elif j <= i:
                    cells.append(Cell(SYMMETRIC, i, j, number=len(cells), group=g))
    return structure(
        model.observed, 0, cells, groups=model.groups, means=True, exogenous=x, fixed_x=model.fixed_x
    )


def _saturated(scaled: ScaledModel, sample: SampleMoments) -> Array:
    s = scaled.structure
    pair = s.matrix == SYMMETRIC
    value = np.where(pair, sample.covariance[s.group, s.row, s.column], sample.mean[s.group, s.row])
    return scaled.scaled(value)


def _em(found: list[Pattern], p: int, enough: float) -> tuple[Array, Array]:
    """Mean and covariance of a group."""
    count, first, second = np.zeros(p), np.zeros(p), np.zeros(p)
    for o in found:
        count[o.columns] += o.n
        first[o.columns] += o.n * o.mean
    centre = first / count
    for o in found:
        second[o.columns] += o.n * (np.diag(o.covariance) + (o.mean - centre[o.columns]) ** 2)
    unit = np.sqrt(second / count)
    unit = np.where(unit > 0, unit, 1.0)
    n = sum(o.n for o in found)
    standard = [
        replace(
            o,
            group=0,
            mean=(o.mean - centre[o.columns]) / unit[o.columns],
            covariance=o.covariance / np.outer(unit[o.columns], unit[o.columns]),
        )
        for o in found
    ]
    mean, cov = np.zeros(p), np.eye(p)
    for _ in range(EM_STEPS):
        second, first = residual_sums(standard, cov[None], mean[None])
        step = cov @ first[0] / n
        change = cov @ second[0] @ cov / n - np.outer(step, step)
        mean, cov = mean + step, cov + (change + change.T) / 2.0
        if max(np.abs(step).max(), np.abs(change).max()) < enough:
            break
    return centre + unit * mean, cov * np.outer(unit, unit)


@one_blas_thread()
def fit_rows(model: Structure, rows: Sequence[Array], free: Unrestricted | None = None) -> Fit:
    """Maximum likelihood from rows with values missing at random (lavaan's missing = "ml").

    Parameters
    ----------
    model : with means
    rows : of each group, shape (n, p), NaN for missing; rows without any value count for nothing
    free : the unrestricted model of the same rows, if it is at hand

    Raises
    ------
    ValueError
        the model has no means, rows have other columns, or a fixed exogenous variable has missing values
    UnseenPair, SingularCovariance
        see `unrestricted`

    Notes
    -----
    -2 ln L = Σ_i [ln|Σ_i| + (x_i - μ_i)'Σ_i⁻¹(x_i - μ_i)] over the values that a row has (Arbuckle 1996).
    Errors are asked of the observed information: the expected one holds only for values missing completely
    at random (Savalei 2010, doi:10.1037/a0020143; Kenward & Molenberghs 1998). `Fit.sample` holds the
    unrestricted moments.
    """
    p, x = model.observed, list(model.fixed)
    if not model.means:
        raise ValueError("a model of incomplete rows needs means")
    if len(rows) != model.groups or any(table.ndim != 2 or table.shape[1] != p for table in rows):
        raise ValueError(f"rows of {model.groups} groups with {p} columns are needed")
    kept = [table[~np.isnan(table).all(axis=1)] for table in rows]
    if x and any(np.isnan(table[:, x]).any() for table in kept):
        raise ValueError(
            "a fixed exogenous variable has missing values: leave out the rows, or do not fix it"
        )
    free = unrestricted(rows) if free is None else free
    scaled = scaled_model(model, free.sample)
    f = pattern_discrepancy(scaled, patterns(rows), model.groups)
    unit = scaled.scale[:p]
    f = replace(f, unrestricted=(-2.0 * free.log_likelihood - f.constant) / f.n)
    covariance = free.sample.covariance / np.outer(unit, unit)
    mean = (free.sample.mean - scaled.centre[:p]) / unit
    search = minimise(scaled, f, (start(scaled, covariance, mean, plain=plain) for plain in (False, True)))
    by_group = f.n * f.by_group(scaled.state(search.point))
    whole = float(free.log_likelihood.sum()) - normal_log_likelihood(free.sample, x)
    return finished(
        scaled, f, search, free.sample, False, by_group, whole - 0.5 * float(by_group.sum()), whole
    )


@one_blas_thread()
def incomplete_scores(fit: Fit, rows: Sequence[Array]) -> Scores:
    """Scores of every row with any value, of a fit by `fit_rows` to these rows; for `influence`.

    The cross-product of `influence(fit, scores.values)` is the sandwich of Yuan & Bentler (2000).
    """
    s, p = fit.structure, fit.structure.observed
    unit, centre = fit.scaled.scale[:p], fit.scaled.centre[:p]
    sigma, mu = fit.scaled.moments(fit.state)
    slopes = [fit.scaled.slopes(fit.state, g) for g in range(s.groups)]
    values = [np.zeros((len(table), s.parameters)) for table in rows]
    for o in patterns(rows):
        c, own = o.columns, slopes[o.group]
        inverse = np.linalg.inv(sigma[o.group][np.ix_(c, c)])
        d = own.covariance[:, c[:, None], c]
        away = (rows[o.group][np.ix_(o.rows, c)] - centre[c]) / unit[c] - mu[o.group, c]
        white = away @ inverse
        found = 0.5 * np.einsum("ni,aij,nj->na", white, d, white, optimize=True)
        found -= 0.5 * np.einsum("ij,aji->a", inverse, d)
        values[o.group][np.ix_(o.rows, own.active)] = found + white @ own.mean[:, c].T
    there = [~np.isnan(table).all(axis=1) for table in rows]
    whole = np.concatenate([v[t] for v, t in zip(values, there, strict=True)])
    group = np.concatenate([np.full(int(t.sum()), g) for g, t in enumerate(there)])
    return Scores(by_raw(fit, whole), np.ones(len(whole)), group)


def incomplete_scaled_test(fit: Fit, rows: Sequence[Array], free: Unrestricted | None = None) -> ChiSquare:
    """χ² of a fit by `fit_rows`, scaled as Yuan & Bentler (2000) and Mplus do; MLR with missing = "ml".

    Parameters
    ----------
    fit : the optimum
    rows, free : as `fit_rows`

    Notes
    -----
    c = [tr A₁⁻¹B₁ - tr A₀⁻¹B₀] / df, with observed information A and cross-products B of the rows' scores, of
    the unrestricted model (1) and of the model (0).
    """
    if not fit.df:
        return divided(fit, float("nan"))
    whole = fit_rows(saturated(fit.structure), rows, free)
    traces = []
    for model in (whole, fit):
        values = incomplete_scores(model, rows).values
        traces.append(float(((values @ parameter_covariance(model, "observed")) * values).sum()))
    return divided(fit, (traces[0] - traces[1]) / fit.df)
